//! Received requests (RFC 3261 §8.2, §12.2.2, §17.2.3): matched to a transaction, else to a dialog, else new.

use std::{net::SocketAddr, sync::Arc, time::Instant};

use super::{
    DialogId, DropReason, Endpoint, Event, RefuseReason, ServerTransaction,
    entry::{Cancellation, ServerEntry, ServerMachine},
    keys, screen,
};
use crate::{
    dialog::{Carrier, Dialog, State, brings_session},
    flow::{Flow, Transport},
    message::Message,
    method::Method,
    shard,
    transaction::{Reliability, ServerInvite, ServerNonInvite, server_invite},
};

/// What a request that matched no transaction is.
enum Place {
    /// Outside of any dialog.
    Outside,
    /// Inside of this one.
    Inside(DialogId),
    /// Neither: it has been answered.
    Refused,
}

impl Endpoint {
    pub(super) fn on_request(&mut self, now: Instant, flow: Flow, message: Message) {
        match message.method() {
            Method::Ack => return self.on_ack(now, flow, message),
            Method::Cancel => return self.on_cancel(flow, message),
            Method::Invite
            | Method::Bye
            | Method::Options
            | Method::Register
            | Method::Prack
            | Method::Update
            | Method::Info
            | Method::Subscribe
            | Method::Notify
            | Method::Refer
            | Method::Message
            | Method::Publish
            | Method::Other(_) => {}
        }
        let key = server_key(&mut self.scratch, &message, message.method().as_str());
        if let Some(id) = self.table.find_server(key) {
            return self.on_repeated_request(now, id);
        }
        let key = Arc::from(key);
        if message.to_tag().is_none() && self.shed_again(now, flow, &message) {
            return;
        }
        if let Err(objection) = screen::judge(&message, &self.config) {
            return self.refuse_screened(flow, &message, &objection);
        }
        let place = match message.to_tag() {
            Some(_) => self.place_inside(now, flow, &message),
            None => self.place_outside(flow, &message),
        };
        match place {
            Place::Refused => {}
            Place::Outside => self.begin(now, flow, message, key, None),
            Place::Inside(dialog) => self.begin(now, flow, message, key, Some(dialog)),
        }
    }

    fn on_repeated_request(&mut self, now: Instant, id: ServerTransaction) {
        self.counters.retransmissions_received += 1;
        let Some(entry) = self.table.server(id) else { return };
        match &mut entry.machine {
            ServerMachine::Invite(machine) => machine.handle_invite(),
            ServerMachine::Other(machine) => machine.handle_request(),
        }
        self.drain_server(now, id);
    }

    /// RFC 3261 §8.2.2.2: the same request over a second way; and what makes no sense outside of a dialog.
    fn place_outside(&mut self, flow: Flow, message: &Message) -> Place {
        if self.is_merged(message) {
            self.refuse(flow, message, RefuseReason::Merged);
            return Place::Refused;
        }
        if matches!(message.method(), Method::Bye | Method::Prack | Method::Update) {
            self.refuse(flow, message, RefuseReason::NoDialog);
            return Place::Refused;
        }
        Place::Outside
    }

    pub(super) fn is_merged(&mut self, message: &Message) -> bool {
        self.table.find_merged(merge_key(&mut self.scratch, message)).is_some()
    }

    fn place_inside(&mut self, now: Instant, flow: Flow, message: &Message) -> Place {
        let verdict = self.judge_inside(now, message);
        match verdict {
            Ok(dialog) => Place::Inside(dialog),
            Err(Refusal::Plain(RefuseReason::NoDialog)) if self.belongs_elsewhere(message) => {
                self.counters.on_drop(DropReason::Misrouted);
                Place::Refused
            }
            Err(Refusal::Plain(reason)) => {
                self.refuse(flow, message, reason);
                Place::Refused
            }
            Err(Refusal::ByeAgain) => {
                self.answer_bye(flow, message);
                self.forget_deferred_bye(message);
                Place::Refused
            }
        }
    }

    fn judge_inside(&mut self, now: Instant, message: &Message) -> Result<DialogId, Refusal> {
        let no_dialog = Refusal::Plain(RefuseReason::NoDialog);
        let id = self.dialog_of_request(message).ok_or(no_dialog)?;
        let dialog = self.dialogs.get_mut(id).ok_or(no_dialog)?;
        let is_bye = *message.method() == Method::Bye;
        match dialog.state {
            State::Early | State::Confirmed => {}
            State::Terminating if is_bye => return Err(Refusal::ByeAgain),
            State::Lingering if outlives_call(message.method()) => {}
            State::Terminating | State::Lingering => return Err(no_dialog),
        }
        dialog.check_cseq(message.cseq().number).map_err(|_| Refusal::Plain(RefuseReason::Disorder))?;
        dialog.check_glare(message).map_err(Refusal::Plain)?;
        dialog.peer.hear(message);
        if is_bye {
            dialog.state = State::Terminating;
        }
        if *message.method() == Method::Prack && !self.on_prack(now, id, message) {
            return Err(no_dialog);
        }
        Ok(id)
    }

    /// RFC 3261 §12.2.2: local tag, then Call-ID and remote tag; nothing else decides.
    pub(super) fn dialog_of_request(&self, message: &Message) -> Option<DialogId> {
        self.dialogs.find(message.to_tag()?, message.from_tag().unwrap_or_default(), message.call_id())
    }

    /// Whether the driver should have given the message to another shard; asked only when it fits nowhere here.
    pub(super) fn belongs_elsewhere(&self, message: &Message) -> bool {
        shard::owner(message.bytes(), self.config.shards) != self.config.shard
    }

    fn begin(
        &mut self,
        now: Instant,
        flow: Flow,
        message: Message,
        key: Arc<[u8]>,
        dialog: Option<DialogId>,
    ) {
        let is_invite = *message.method() == Method::Invite;
        // A BYE is admitted over the limit: it frees more than it takes. A PRACK was taken in already.
        let frees = matches!(message.method(), Method::Bye | Method::Prack);
        let full = self.table.is_full() && !frees;
        if full || (is_invite && dialog.is_none() && self.dialogs.is_full()) {
            return self.refuse(flow, &message, RefuseReason::Full);
        }
        let tag: Box<str> = match message.to_tag() {
            Some(tag) => tag.into(),
            None => self.mint_tag().into(),
        };
        let embryo = if is_invite && dialog.is_none() {
            match Dialog::of_request(&message, flow.line, &tag) {
                Ok(dialog) => Some(Box::new(dialog)),
                Err(_) => return self.refuse(flow, &message, RefuseReason::Malformed),
            }
        } else {
            None
        };
        let Some(line) = self.line(flow.line) else { return };
        let timing = line.timing;
        let reliability = Reliability::of(flow.transport);
        let machine = if is_invite {
            ServerMachine::Invite(ServerInvite::new(now, reliability, timing))
        } else {
            ServerMachine::Other(ServerNonInvite::new(now, reliability, timing))
        };
        let has_session = brings_session(&message);
        let merge_key = message.to_tag().is_none().then(|| merge_key(&mut self.scratch, &message).into());
        let id = self.table.insert_server(ServerEntry {
            machine,
            source: flow.remote,
            flow: reply_flow(flow, &message),
            fallback_port: message.sent_by().1.unwrap_or_else(|| flow.transport.default_port()),
            method: message.method().clone(),
            request: Some(message.clone()),
            tag,
            dialog,
            embryo,
            cseq: message.cseq().number,
            cancellation: Cancellation::None,
            has_offer: has_session && is_invite,
            reliable: None,
            acceptance: None,
            timing,
            merge_key,
            key,
            due: None,
            path: None,
        });
        if let Some(dialog) = dialog.and_then(|dialog| self.dialogs.get_mut(dialog)) {
            dialog.pending.on_request_in(message.method(), id, has_session);
        }
        self.emit(Event::Request { transaction: id, dialog, flow, message });
    }

    /// RFC 3261 §17.2.1: the ACK of a failure belongs to the transaction; §13.3.1.4: that of a 2xx to the dialog, whether
    /// it has a new branch, as it must, or that of the INVITE.
    fn on_ack(&mut self, now: Instant, flow: Flow, message: Message) {
        let key = server_key(&mut self.scratch, &message, Method::Invite.as_str());
        if let Some(id) = self.table.find_server(key)
            && self.is_absorbed(now, id)
        {
            return;
        }
        let Some(dialog) = self.dialog_of_request(&message) else {
            let elsewhere = self.belongs_elsewhere(&message);
            let reason = if elsewhere { DropReason::Misrouted } else { DropReason::StrayAck };
            return self.counters.on_drop(reason);
        };
        let cseq = message.cseq().number;
        let acknowledged =
            self.dialogs.get_mut(dialog).and_then(|dialog| dialog.pending.take_acknowledged(cseq));
        let Some(id) = acknowledged else {
            self.counters.retransmissions_received += 1;
            return;
        };
        if let Some(entry) = self.table.server(id) {
            entry.acceptance = None;
        }
        self.settle_server(id);
        if let Some(known) = self.dialogs.get_mut(dialog) {
            known.pending.end_offer(Carrier::Server(id));
            if known.pending.is_closed {
                return self.close_dialog(dialog);
            }
        }
        self.emit(Event::Acknowledged { dialog, flow, message });
        self.send_deferred_bye(now, dialog);
    }

    fn is_absorbed(&mut self, now: Instant, id: ServerTransaction) -> bool {
        let Some(ServerEntry { machine: ServerMachine::Invite(machine), .. }) = self.table.server(id) else {
            return false;
        };
        machine.handle_ack(now);
        let passes = machine.poll_output() == Some(server_invite::Output::Ack);
        self.settle_server(id);
        !passes
    }
}

/// How a request inside of a dialog is refused.
#[derive(Clone, Copy)]
enum Refusal {
    Plain(RefuseReason),
    /// A BYE that crosses the one that ended the dialog.
    ByeAgain,
}

/// Whether a request may come in a dialog whose call is over but which another usage keeps (RFC 5057 §5.1).
pub(super) fn outlives_call(method: &Method) -> bool {
    match method {
        Method::Notify | Method::Subscribe => true,
        Method::Invite
        | Method::Ack
        | Method::Bye
        | Method::Cancel
        | Method::Options
        | Method::Register
        | Method::Prack
        | Method::Update
        | Method::Info
        | Method::Refer
        | Method::Message
        | Method::Publish
        | Method::Other(_) => false,
    }
}

/// Where responses go: UDP by RFC 3581 §4, streams the connection of the request (RFC 3261 §18.2.2).
pub(super) fn reply_flow(flow: Flow, request: &Message) -> Flow {
    match flow.transport {
        Transport::Udp => {
            let remote = request.top_via().map_or(flow.remote, |via| via.reply_address(flow.remote));
            Flow { remote, ..flow }
        }
        Transport::Tcp => flow,
    }
}

/// Where responses go once the connection of the request is lost.
pub(super) fn fallback_flow(flow: Flow, port: u16) -> Flow {
    Flow { remote: SocketAddr::new(flow.remote.ip(), port), connection: None, ..flow }
}

/// Returns the key of a server transaction (RFC 3261 §17.2.3).
pub(super) fn server_key<'a>(scratch: &'a mut Vec<u8>, message: &Message, method: &str) -> &'a [u8] {
    let (host, port) = message.sent_by();
    keys::server(
        scratch,
        (message.branch().unwrap_or_default().as_bytes(), host.as_bytes(), port),
        method.as_bytes(),
        &keys::Former {
            call_id: message.call_id().as_bytes(),
            from_tag: message.from_tag().unwrap_or_default().as_bytes(),
            cseq: message.cseq().number,
            uri: message.request_uri_bytes(),
        },
    )
}

/// Returns what the copies of one forked request have in common (RFC 3261 §8.2.2.2).
fn merge_key<'a>(scratch: &'a mut Vec<u8>, message: &Message) -> &'a [u8] {
    let cseq = message.cseq().number.to_be_bytes();
    let tag = message.from_tag().unwrap_or_default().as_bytes();
    let method = message.method().as_str().as_bytes();
    keys::key(scratch, &[message.call_id().as_bytes(), tag, &cseq, method])
}
