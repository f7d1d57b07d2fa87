//! One shard's SIP: all its transactions and dialogs behind four inputs, one output queue and a few acts.
//!
//! # For the user (the engine)
//!
//! 1. Tell it the lines: [`Endpoint::set_line`].
//! 2. Feed [`Endpoint::handle_message`], [`Endpoint::handle_flow_failed`] and [`Endpoint::handle_timeout`], or act;
//!    then drain [`Endpoint::poll_output`] to the end, then read [`Endpoint::poll_timeout`].
//! 3. Answer every [`Event::Request`] with [`Endpoint::respond`]. The first 1xx (but 100) or 2xx to an INVITE makes the
//!    dialog and the act returns it. A 2xx is repeated here until [`Event::Acknowledged`] or [`Event::AckMissing`].
//! 4. Send with [`Endpoint::request`] (new identity per failover attempt, [`Identity::next`] per retry the server asked
//!    for) and [`Endpoint::request_inside`]. The flow is the user's business: it resolves the Request-URI or
//!    [`Dialog::next_hop`](crate::dialog::Dialog::next_hop), opens the connection and hands the flow in.
//! 5. After [`ResponseKind::Success`] to an INVITE call [`Endpoint::ack`] once. [`ResponseKind::Fork`] and
//!    [`ResponseKind::Late`] are ended with [`Endpoint::bye`] alone, which sends the ACK that is owed.
//! 6. [`Endpoint::cancel`] wants the final response, [`Endpoint::abandon`] wants to hear nothing more but a late 2xx.
//! 7. [`Reply::reliable`] sends a 1xx that is repeated until its PRACK, an event to be answered, or until
//!    [`Event::ProvisionalMissing`]; a 2xx given meanwhile is held back while the 1xx has a session description. A reliable
//!    1xx of the peer ([`Event::Response`] with `reliable`) is acknowledged with [`Endpoint::prack`].
//! 8. A subscription within the dialog of a call (REFER) is announced with [`Endpoint::begin_usage`], so that its NOTIFYs
//!    may come and go after the BYE.
//! 9. A dialog ends with [`Endpoint::bye`], with a BYE received and answered, or with [`Endpoint::forget`].
//!
//! # What it does by itself
//!
//! Retransmissions both ways, ACK of failures, re-ACK of repeated 2xx, 100 when the user is slow, CANCEL answered, and
//! the refusals of [`RefuseReason`]. It opens no connection, resolves no name, reads no clock, routes no call.
//!
//! The matching rules are those of RFC 3261 §17.1.3 and §17.2.3; dialogs are found by our tag (§12.2.2), from which any
//! shard can tell the owner of a message.

use std::{
    collections::{BTreeMap, VecDeque},
    time::Instant,
};

use bytes::Bytes;

use crate::{
    dialog::{Dialog, DialogTable},
    flow::{Flow, LineIndex},
    message::Message,
};

pub(crate) use self::shed::is_shed_tag;
pub use self::{
    config::{Config, LineProfile},
    counters::{Counters, DropReason, RefuseReason},
    draft::{ActError, Body, CopiedLine, Extra, Identity, Inside, Reply, Request},
    event::{ClientTransaction, DialogId, Event, Output, ResponseKind, ServerTransaction},
    reliable::Reliable,
    shed::Shed,
};

mod answer;
mod cancel;
mod compose;
mod config;
mod counters;
mod draft;
mod entry;
mod event;
mod flow_failure;
mod identity;
mod inside;
pub(crate) mod keys;
mod originate;
mod prack;
mod provisional;
mod receive_request;
mod receive_response;
mod refuse;
mod reliable;
mod screen;
mod shed;
mod table;
mod timeout;
mod usage;

use self::{identity::Randomness, shed::Sheds, table::Table};

/// The SIP of one shard.
#[derive(Debug)]
pub struct Endpoint {
    config: Config,
    lines: BTreeMap<LineIndex, LineProfile>,
    table: Table,
    dialogs: DialogTable,
    randomness: Randomness,
    outputs: VecDeque<Output>,
    counters: Counters,
    sheds: Sheds,
    /// Buffer for look-up keys.
    scratch: Vec<u8>,
}

impl Endpoint {
    /// Makes an endpoint without lines.
    #[must_use]
    pub fn new(config: Config) -> Self {
        let mut randomness = Randomness::new(config.seed);
        Self {
            lines: BTreeMap::new(),
            table: Table::new(randomness.draw(), config.max_transactions),
            dialogs: DialogTable::new(randomness.draw(), config.max_dialogs),
            randomness,
            outputs: VecDeque::new(),
            counters: Counters::default(),
            sheds: Sheds::default(),
            scratch: Vec::new(),
            config,
        }
    }

    /// Adds or changes a line; running transactions keep their timers.
    pub fn set_line(&mut self, line: LineIndex, profile: LineProfile) {
        self.lines.insert(line, profile);
    }

    /// Removes a line: what still comes over it is dropped and counted, so let its dialogs end first.
    pub fn remove_line(&mut self, line: LineIndex) {
        self.lines.remove(&line);
    }

    /// Handles the bytes of one datagram or one framed stream message.
    pub fn handle_message(&mut self, now: Instant, flow: Flow, bytes: Bytes) {
        if !self.lines.contains_key(&flow.line) {
            return self.counters.on_drop(DropReason::UnknownLine);
        }
        match Message::parse(bytes, &self.config.limits) {
            Ok(message) => match message.status() {
                Some(status) => self.on_response(now, flow, message, status),
                None => self.on_request(now, flow, message),
            },
            Err(error) => self.on_malformed(flow, &error),
        }
    }

    /// Answers the message at which a stream lost its framing, where that can be addressed, and counts it. The
    /// connection is the caller's to close, after the output.
    pub fn handle_framing_lost(&mut self, flow: Flow, error: &crate::ParseError) {
        self.on_malformed(flow, error);
    }

    /// Takes the next output.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// Returns when [`Self::handle_timeout`] has to be called next.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.table.next_deadline()
    }

    /// Returns a dialog.
    #[must_use]
    pub fn dialog(&self, id: DialogId) -> Option<&Dialog> {
        self.dialogs.get(id)
    }

    /// Finds a dialog, as `Replaces` and `Target-Dialog` name it (RFC 3891 §3); in any state.
    #[must_use]
    pub fn find_dialog(&self, call_id: &str, local_tag: &str, remote_tag: &str) -> Option<DialogId> {
        self.dialogs.find(local_tag, remote_tag, call_id)
    }

    /// Returns how many transactions there are.
    #[must_use]
    pub fn transactions(&self) -> usize {
        self.table.len()
    }

    /// Returns how many dialogs there are.
    #[must_use]
    pub fn dialogs(&self) -> usize {
        self.dialogs.len()
    }

    /// Returns the counters.
    #[must_use]
    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    /// Returns how many rows are left in any table or index.
    #[cfg(test)]
    fn rows(&self) -> usize {
        self.table.rows() + self.dialogs.rows()
    }

    fn line(&self, line: LineIndex) -> Option<&LineProfile> {
        self.lines.get(&line)
    }

    fn emit(&mut self, event: Event) {
        self.outputs.push_back(Output::Event(event));
    }

    fn send(&mut self, flow: Flow, bytes: Bytes) {
        self.outputs.push_back(Output::Send { flow, bytes });
    }
}

#[cfg(test)]
mod tests;
