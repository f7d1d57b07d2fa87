//! What an endpoint is told from outside: its shard, its bounds, and the lines it sends from.

use crate::{
    host::HostPort,
    limits::Limits,
    method::Method,
    method_set::MethodSet,
    option_tags::{OptionTag, OptionTags},
    transaction::Timing,
};

/// Settings of one endpoint; fixed for its life.
#[derive(Clone, Debug)]
pub struct Config {
    /// Number of this shard, from 0.
    pub shard: u16,
    /// Number of shards of the worker, at least 1: what belongs to another one is dropped, not answered 481.
    pub shards: u16,
    /// Secret from which branches, tags, Call-IDs, hash seeds and jitter are drawn.
    pub seed: [u8; 32],
    /// Bounds of a message.
    pub limits: Limits,
    /// Most transactions at once; a request above it is answered 503 without one, an act is refused.
    pub max_transactions: usize,
    /// Most dialogs at once, early ones included; same outcome as above.
    pub max_dialogs: usize,
    /// Most early dialogs of one INVITE (forks), and twice as many with those of 2xx; further ones are not made but counted.
    pub max_forks: usize,
    /// Seconds in the `Retry-After` of a 503 given for want of room; up to twice as much, at random.
    pub retry_after_secs: u32,
    /// Methods that the user serves; another is answered 405, one that nobody knows 501, both with these in `Allow`.
    pub methods: MethodSet,
    /// Extensions that the user supports; another that is required is answered 420.
    pub extensions: OptionTags,
    /// Media types that the user takes in INVITE, PRACK and UPDATE, in lower case; another that must be understood is
    /// answered 415 with these in `Accept`. Multipart bodies are taken apart and need not be named.
    pub accept: Vec<Box<str>>,
    /// Product name and version in `Server` and `User-Agent`; none: the headers are left out.
    pub product: Option<String>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            shard: 0,
            shards: 1,
            seed: [0; 32],
            limits: Limits::default(),
            max_transactions: 1 << 20,
            max_dialogs: 1 << 18,
            max_forks: 16,
            retry_after_secs: 5,
            methods: MethodSet::of(&Method::KNOWN),
            extensions: OptionTags::of(OptionTag::KNOWN),
            accept: vec!["application/sdp".into()],
            product: None,
        }
    }
}

/// What the endpoint needs to know of a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LineProfile {
    /// Timers of the transactions on this line.
    pub timing: Timing,
    /// Host and port in Via and Contact: advertised address, else bind address; receive port of the line.
    pub sent_by: HostPort,
}
