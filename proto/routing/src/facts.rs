//! What an INVITE says, as far as routing reads it.
//!
//! The engine makes these from a parsed message, the dry run from its request; nothing here knows how.

use std::net::IpAddr;

use um_topology::{Id, Uri};

use crate::cause::Cause;

/// The facts of one INVITE outside a dialog.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    /// The line whose listener received it.
    pub line: Id,
    /// The source address; its port never counts.
    pub source: IpAddr,
    /// The Request-URI.
    pub request_uri: Uri,
    /// From, without its tag.
    pub from: Party,
    /// P-Asserted-Identity (RFC 3325), the first one.
    pub asserted: Option<Party>,
    /// Diversion, topmost (most recent) first (RFC 5806 §9.2.3).
    pub diversions: Vec<Diversion>,
    /// History-Info in order of appearance (RFC 7044); read where there is no Diversion.
    pub history: Vec<HistoryEntry>,
    /// The Call-ID.
    pub call_id: Box<str>,
}

impl Facts {
    /// Makes the facts of an INVITE that says nothing but the minimum.
    #[must_use]
    pub fn new(line: Id, source: IpAddr, request_uri: Uri, from: Uri) -> Self {
        Self {
            line,
            source,
            request_uri,
            from: Party { display: None, uri: from },
            asserted: None,
            diversions: Vec::new(),
            history: Vec::new(),
            call_id: Box::default(),
        }
    }
}

/// A URI with the name shown for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Party {
    /// The display name, unquoted.
    pub display: Option<Box<str>>,
    /// The URI.
    pub uri: Uri,
}

/// One Diversion: who diverted the call and why (RFC 5806).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diversion {
    /// The diverting party.
    pub party: Party,
    /// Why that party diverted.
    pub cause: Cause,
}

/// One History-Info entry (RFC 7044 §5).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HistoryEntry {
    /// The hi-targeted-to-uri; its `cause` parameter says why the call came to it (RFC 4458).
    pub uri: Uri,
    /// The index, `1.1`.
    pub index: Box<str>,
    /// How the target was found: `mp`, `rc` or `np` and the index that it points to.
    pub relation: Option<HistoryRelation>,
}

/// The hi-target-param of a History-Info entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HistoryRelation {
    /// `mp`: mapped to another user; the index of the entry that was mapped.
    Mapped(Box<str>),
    /// `rc`: same user, another contact; the index of the entry before.
    Recursed(Box<str>),
    /// `np`: nothing but another hop; the index of the entry before.
    Unchanged(Box<str>),
}
