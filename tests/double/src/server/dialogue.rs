//! A call after its INVITE: ringing, answer, sound, what either side does to end it.

use std::time::Instant;

use um_sip::{
    Flow, HeaderName, Message, Method, StatusCode,
    endpoint::{DialogId, Event, Reply, ServerTransaction},
};

use super::{
    Behaviour, MOST_RECORDS, ServerAgent,
    record::{CallRecord, Ending},
};
use crate::agent::Output;

impl ServerAgent {
    pub(super) fn on_event(&mut self, now: Instant, event: Event) {
        match event {
            Event::Request { transaction, dialog, flow, message } => match dialog {
                None => self.on_request(now, transaction, flow, &message),
                Some(dialog) => self.on_request_inside(now, transaction, dialog, &message),
            },
            Event::Cancelled { transaction, .. } => {
                let number = self.by_transaction.get(&transaction).copied();
                if let Some(number) = number {
                    self.stats.cancelled += 1;
                    self.reply(now, transaction, &Reply::new(StatusCode::REQUEST_TERMINATED));
                    self.end(now, number, Ending::Cancelled);
                }
            }
            Event::AckMissing { dialog } | Event::ProvisionalMissing { dialog, .. } => {
                let number = self.by_dialog.get(&dialog).copied();
                if let Some(number) = number {
                    self.stats.broken += 1;
                    self.wire.note(format!("{}: the 200 was never acknowledged", self.config.name));
                    self.hang_up(now, number, Ending::NoAck);
                }
            }
            // The server sends nothing but BYE, whose outcome the endpoint deals with.
            Event::Acknowledged { .. }
            | Event::Response { .. }
            | Event::TimedOut { .. }
            | Event::Unreachable { .. }
            | Event::FlowLost { .. }
            | Event::StrayAnswer { .. } => {}
        }
    }

    /// Does what is due in a call: ring, answer, hang up, speak.
    pub(super) fn on_due(&mut self, now: Instant, number: u64) {
        let Some(call) = self.calls.get_mut(&number) else { return };
        let transaction = call.transaction;
        if call.ring_at.is_some_and(|at| at <= now) {
            call.ring_at = None;
            let reply = Reply::new(StatusCode::RINGING).contact_user(call.said.pilot.clone());
            self.reply_in_call(now, number, transaction, &reply);
        }
        let Some(call) = self.calls.get_mut(&number) else { return };
        if call.answer_at.is_some_and(|at| at <= now) {
            call.answer_at = None;
            self.answer(now, number);
        }
        let Some(call) = self.calls.get_mut(&number) else { return };
        if call.hang_up_at.is_some_and(|at| at <= now) {
            return self.hang_up(now, number, Ending::Server);
        }
        if call.answered.is_none() {
            return;
        }
        let (local, is_heard) = (call.audio.local(), self.behaviour != Behaviour::Dead);
        while let Some((remote, packet)) = call.audio.voice_mut().and_then(|voice| voice.poll_packet(now)) {
            if is_heard {
                self.wire.push(Output::Rtp { local, remote, packet });
            }
        }
    }

    /// Ends a call from our side.
    pub(super) fn hang_up(&mut self, now: Instant, number: u64, ending: Ending) {
        let Some(call) = self.calls.get(&number) else { return };
        match call.dialog.filter(|_| call.answered.is_some()) {
            Some(dialog) => {
                let flow = self.wire.towards(dialog, call.flow);
                // A dialog that is over already needs no BYE.
                let _ = self.wire.endpoint.bye(now, dialog, flow, Vec::new());
            }
            None => {
                let transaction = call.transaction;
                self.reply(now, transaction, &Reply::new(StatusCode::SERVICE_UNAVAILABLE));
            }
        }
        self.end(now, number, ending);
    }

    /// Answers a request; one that was given up meanwhile needs no answer.
    pub(super) fn reply(
        &mut self,
        now: Instant,
        transaction: ServerTransaction,
        reply: &Reply,
    ) -> Option<DialogId> {
        self.wire.endpoint.respond(now, transaction, reply).ok().flatten()
    }

    /// Keeps the record of a call that has ended.
    pub(super) fn keep(&mut self, record: CallRecord) {
        if self.records.len() == MOST_RECORDS {
            self.records.pop_front();
        }
        self.records.push_back(record);
    }

    fn answer(&mut self, now: Instant, number: u64) {
        let Some(call) = self.calls.get_mut(&number) else { return };
        call.answered = Some(now);
        if let Some(voice) = call.audio.voice_mut() {
            voice.start(now);
        }
        call.hang_up_at = match &self.behaviour {
            Behaviour::HangUp(after) => Some(now + *after),
            Behaviour::Normal
            | Behaviour::Dead
            | Behaviour::Silent
            | Behaviour::Slow(_)
            | Behaviour::Ringing
            | Behaviour::Busy { .. }
            | Behaviour::Redirect(_)
            | Behaviour::RedirectTo(_)
            | Behaviour::CallsOnly
            | Behaviour::ProbesOnly
            | Behaviour::CloseConnection => None,
        };
        let transaction = call.transaction;
        let reply = Reply::new(StatusCode::OK)
            .contact_user(call.said.pilot.clone())
            .header(HeaderName::Allow, ALLOW)
            .body("application/sdp", call.answer.clone());
        self.stats.answered += 1;
        self.reply_in_call(now, number, transaction, &reply);
    }

    fn reply_in_call(&mut self, now: Instant, number: u64, transaction: ServerTransaction, reply: &Reply) {
        let Some(dialog) = self.reply(now, transaction, reply) else { return };
        if let Some(call) = self.calls.get_mut(&number) {
            call.dialog = Some(dialog);
            self.by_dialog.insert(dialog, number);
        }
    }

    fn on_request(&mut self, now: Instant, transaction: ServerTransaction, flow: Flow, message: &Message) {
        match message.method() {
            Method::Invite => self.on_invite(now, transaction, flow, message),
            Method::Options => {
                self.stats.probes += 1;
                let reply = Reply::new(StatusCode::OK)
                    .header(HeaderName::Allow, ALLOW)
                    .header(HeaderName::Accept, "application/sdp");
                self.reply(now, transaction, &reply);
            }
            Method::Ack
            | Method::Bye
            | Method::Cancel
            | Method::Register
            | Method::Prack
            | Method::Update
            | Method::Info
            | Method::Refer
            | Method::Notify
            | Method::Subscribe
            | Method::Message
            | Method::Publish
            | Method::Other(_) => self.reply_not_allowed(now, transaction),
        }
    }

    fn on_request_inside(
        &mut self,
        now: Instant,
        transaction: ServerTransaction,
        dialog: DialogId,
        message: &Message,
    ) {
        match message.method() {
            Method::Bye => {
                self.reply(now, transaction, &Reply::new(StatusCode::OK));
                if let Some(number) = self.by_dialog.get(&dialog).copied() {
                    self.end(now, number, Ending::Caller);
                }
            }
            Method::Invite => self.on_reinvite(now, transaction, dialog, message),
            Method::Options | Method::Info => {
                self.reply(now, transaction, &Reply::new(StatusCode::OK));
            }
            Method::Ack
            | Method::Cancel
            | Method::Register
            | Method::Prack
            | Method::Update
            | Method::Refer
            | Method::Notify
            | Method::Subscribe
            | Method::Message
            | Method::Publish
            | Method::Other(_) => self.reply_not_allowed(now, transaction),
        }
    }

    fn on_reinvite(
        &mut self,
        now: Instant,
        transaction: ServerTransaction,
        dialog: DialogId,
        message: &Message,
    ) {
        let call = self.by_dialog.get(&dialog).and_then(|number| self.calls.get_mut(number));
        let answered = call.map(|call| call.audio.answer(now, message.body()));
        let reply = match answered {
            Some(Ok(body)) => Reply::new(StatusCode::OK).body("application/sdp", body),
            Some(Err(why)) => {
                self.stats.broken += 1;
                self.wire.note(format!("{}: unusable re-INVITE: {why}", self.config.name));
                Reply::new(StatusCode::NOT_ACCEPTABLE_HERE)
            }
            None => Reply::new(StatusCode::CALL_DOES_NOT_EXIST),
        };
        self.reply(now, transaction, &reply);
    }

    fn reply_not_allowed(&mut self, now: Instant, transaction: ServerTransaction) {
        let reply = Reply::new(StatusCode::METHOD_NOT_ALLOWED).header(HeaderName::Allow, ALLOW);
        self.reply(now, transaction, &reply);
    }

    fn end(&mut self, now: Instant, number: u64, ending: Ending) {
        let Some(call) = self.calls.remove(&number) else { return };
        self.by_transaction.remove(&call.transaction);
        if let Some(dialog) = call.dialog {
            self.by_dialog.remove(&dialog);
        }
        let ports = call.audio.ports();
        self.by_port.remove(&ports.rtp());
        self.ports.release(now, ports);
        self.wire.push(Output::CloseMedia(call.audio.local()));
        self.keep(call.record(self.wire.ladder.born(), now, Some(ending)));
    }
}

/// Methods that the server answers.
const ALLOW: &str = "INVITE, ACK, CANCEL, BYE, OPTIONS, INFO";
