//! Refusing what would begin a call or a registration while the worker is overloaded: 503 with `Retry-After`, written
//! from a scan of the request and a prepared end, without a parse and without a transaction (RFC 3261 §8.2.7, §21.5.4).
//!
//! What was refused stays refused: a repetition that comes when there is room again gets the same answer, because its
//! sender has had one. That is remembered in a table of fixed size; an entry that another one displaced costs a call
//! that nobody waits for, no more. The To tag of such an answer tells its ACK apart ([`crate::glance`]).

use std::time::{Duration, Instant};

use bytes::Bytes;

use super::{
    Endpoint, Reply, compose,
    compose::ReplyParts,
    receive_request::{reply_flow, server_key},
};
use crate::{
    flow::Flow, header_name::HeaderName, message::Message, outline::Outline, scan, shard, status::StatusCode,
};

/// What became of a request that was to be refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shed {
    /// It is answered, or dropped where no answer can be addressed.
    Refused,
    /// It repeats a request that was let in, so it has to be handled like any other message.
    Repeated,
}

impl Endpoint {
    /// Refuses a request outside of any dialog, unless it repeats one whose transaction is here.
    pub fn shed(&mut self, now: Instant, flow: Flow, bytes: &Bytes) -> Shed {
        let Some(outline) = Outline::read(bytes) else { return self.shed_slowly(now, flow, bytes) };
        let key = outline.server_key(&mut self.scratch);
        if self.table.find_server(key).is_some() {
            return Shed::Repeated;
        }
        let number = self.randomness.keyed(key);
        self.sheds.remember(now, number);
        self.counters.shed += 1;
        let after = self.shed_retry_after(number);
        let tag = shed_tag(self.config.shard, number);
        let answer = outline.refusal(flow.remote, &tag, after, self.config.product.as_deref());
        self.send(Flow { remote: outline.reply_address(flow), ..flow }, answer);
        Shed::Refused
    }

    /// Refuses again what was refused before; `false` when it was not.
    pub(super) fn shed_again(&mut self, now: Instant, flow: Flow, message: &Message) -> bool {
        if self.sheds.is_empty(now) {
            return false;
        }
        let key = server_key(&mut self.scratch, message, message.method().as_str());
        let number = self.randomness.keyed(key);
        if !self.sheds.remembers(number) {
            return false;
        }
        self.counters.shed += 1;
        self.refuse_shed(flow, message, number);
        true
    }

    /// Whether something was refused so lately that its ACK may still come.
    #[must_use]
    pub fn has_shed(&self, now: Instant) -> bool {
        !self.sheds.is_empty(now)
    }

    /// Notes an ACK that [`crate::glance::acknowledges_shed`] recognised and that was dropped.
    pub fn note_shed_ack(&mut self) {
        self.counters.shed_acknowledged += 1;
    }

    /// What is written in an unusual way is read whole.
    fn shed_slowly(&mut self, now: Instant, flow: Flow, bytes: &Bytes) -> Shed {
        let message = match Message::parse(bytes.clone(), &self.config.limits) {
            Ok(message) if message.is_request() && message.to_tag().is_none() => message,
            Ok(_) => return Shed::Repeated,
            Err(error) => {
                self.on_malformed(flow, &error);
                return Shed::Refused;
            }
        };
        let key = server_key(&mut self.scratch, &message, message.method().as_str());
        if self.table.find_server(key).is_some() {
            return Shed::Repeated;
        }
        let number = self.randomness.keyed(key);
        self.sheds.remember(now, number);
        self.counters.shed += 1;
        self.refuse_shed(flow, &message, number);
        Shed::Refused
    }

    fn refuse_shed(&mut self, flow: Flow, message: &Message, number: u64) {
        let after = self.shed_retry_after(number);
        let reply =
            Reply::new(StatusCode::SERVICE_UNAVAILABLE).header(HeaderName::RetryAfter, after.to_string());
        let tag = shed_tag(self.config.shard, number);
        let product = self.config.product.as_deref();
        let parts = ReplyParts { reply: &reply, tag: &tag, contact: None, product, rseq: None };
        let bytes = compose::reply(message, flow.remote, &parts);
        self.send(reply_flow(flow, message), bytes);
    }

    /// Spread over twice the configured time, so that those who were refused together do not come back together; a
    /// repetition is told the same.
    fn shed_retry_after(&self, number: u64) -> u32 {
        let base = self.config.retry_after_secs.max(1);
        let spread = (u128::from(number) * u128::from(2 * base + 1)) >> 64;
        base + u32::try_from(spread).unwrap_or(0)
    }
}

/// Whether a To tag is one that a refusal without state was given.
pub(crate) fn is_shed_tag(tag: &[u8]) -> bool {
    shard::of_tag(tag).is_some()
        && scan::split_once(tag, b'-').is_some_and(|(_, unique)| unique.first() == Some(&SHED_MARK))
}

fn shed_tag(shard: u16, number: u64) -> String {
    shard::tag(shard, &format!("{}{number:016x}", char::from(SHED_MARK)))
}

/// What was refused lately: by the slot that its key leads to, the last one.
#[derive(Clone, Debug, Default)]
pub(super) struct Sheds {
    slots: Vec<u64>,
    until: Option<Instant>,
}

impl Sheds {
    fn remember(&mut self, now: Instant, number: u64) {
        if self.slots.is_empty() || self.is_empty(now) {
            self.slots.clear();
            self.slots.resize(SLOTS, 0);
        }
        self.until = Some(now + MEMORY);
        if let Some(slot) = self.slots.get_mut(slot_of(number)) {
            *slot = number;
        }
    }

    fn remembers(&self, number: u64) -> bool {
        self.slots.get(slot_of(number)) == Some(&number)
    }

    fn is_empty(&self, now: Instant) -> bool {
        self.until.is_none_or(|until| until <= now)
    }
}

fn slot_of(number: u64) -> usize {
    usize::try_from(number % SLOTS as u64).unwrap_or(0)
}

/// Slots of the memory, 8 octets each.
const SLOTS: usize = 1 << 16;
/// 64·T1: no client repeats a request for longer (RFC 3261 §17.1).
const MEMORY: Duration = Duration::from_secs(32);
/// No tag of ours for state that is kept begins with it: those are hexadecimal.
const SHED_MARK: u8 = b'x';
