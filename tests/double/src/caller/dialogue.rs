//! What happens in a call: responses, sound, CANCEL, BYE of either side.

use std::time::Instant;

use um_sip::{
    Flow, HeaderName, Message, Method, StatusCode,
    endpoint::{Body, ClientTransaction, DialogId, Event, Inside, Reply, ResponseKind, ServerTransaction},
};

use super::{
    CallNumber, CallerAgent,
    call::{Call, Stage},
    report::{EndedBy, Outcome},
};
use crate::agent::Output;

impl CallerAgent {
    pub(super) fn on_event(&mut self, now: Instant, event: Event) {
        match event {
            Event::Request { transaction, dialog, message, .. } => {
                self.on_request(now, transaction, dialog, &message);
            }
            Event::Response { transaction, dialog, kind, flow, message, .. } => {
                self.on_response(now, transaction, dialog, kind, flow, &message);
            }
            Event::TimedOut { transaction } => self.on_silence(now, transaction, Outcome::NoResponse),
            Event::Unreachable { transaction } => self.on_silence(now, transaction, Outcome::Unreachable),
            Event::StrayAnswer { flow, message } => {
                if let Ok(dialog) = self.wire.endpoint.adopt(flow.line, &message) {
                    self.bye_stray(now, dialog, flow);
                }
            }
            // The caller answers no INVITE but re-INVITEs; the endpoint repeats their 200 and a lost ACK changes nothing here.
            Event::Cancelled { .. }
            | Event::Acknowledged { .. }
            | Event::AckMissing { .. }
            | Event::ProvisionalMissing { .. }
            | Event::FlowLost { .. } => {}
        }
    }

    /// Does what is due in a call: lose patience, speak.
    pub(super) fn on_due(&mut self, now: Instant, number: CallNumber) {
        let Some(call) = self.calls.get_mut(&number) else { return };
        if call.act_at().is_some_and(|at| at <= now) {
            return match call.stage {
                Stage::Up => self.hang_up(now, number),
                Stage::Trying | Stage::Ringing | Stage::Cancelling | Stage::Leaving | Stage::Over => {
                    self.cancel(now, number);
                }
            };
        }
        if call.stage != Stage::Up {
            return;
        }
        if call.understood.is_none() && !call.audio.heard().is_empty() {
            call.understood = Some(now);
        }
        let local = call.audio.local();
        while let Some((remote, packet)) = call.audio.voice_mut().and_then(|voice| voice.poll_packet(now)) {
            self.wire.push(Output::Rtp { local, remote, packet });
        }
    }

    pub(super) fn cancel(&mut self, now: Instant, number: CallNumber) {
        let Some(call) = self.calls.get_mut(&number) else { return };
        call.stage = Stage::Cancelling;
        if self.wire.endpoint.cancel(now, call.invite).is_err() {
            self.over(now, number, Outcome::Cancelled);
        }
    }

    pub(super) fn hang_up(&mut self, now: Instant, number: CallNumber) {
        self.leave(now, number, Outcome::Answered { ended_by: EndedBy::Caller });
    }

    /// Sends BYE; `verdict` is the outcome once it is answered.
    fn leave(&mut self, now: Instant, number: CallNumber, verdict: Outcome) {
        let Some(call) = self.calls.get_mut(&number) else { return };
        let Some(dialog) = call.dialog else { return self.over(now, number, verdict) };
        call.stage = Stage::Leaving;
        call.verdict = Some(verdict.clone());
        let flow = self.wire.towards(dialog, call.flow);
        match self.wire.endpoint.bye(now, dialog, flow, Vec::new()) {
            Ok(Some(bye)) => {
                self.by_bye.insert(bye, number);
            }
            // It waits for the ACK of a re-INVITE, or the dialog is over: there is nothing to wait for.
            Ok(None) | Err(_) => self.over(now, number, verdict),
        }
    }

    fn on_response(
        &mut self,
        now: Instant,
        transaction: ClientTransaction,
        dialog: Option<DialogId>,
        kind: ResponseKind,
        flow: Flow,
        message: &Message,
    ) {
        if let Some(number) = self.by_bye.get(&transaction).copied() {
            return self.on_bye_response(now, transaction, number, message);
        }
        let number = self.by_invite.get(&transaction).copied();
        match (kind, number, dialog) {
            (ResponseKind::Provisional, Some(number), _) => self.on_provisional(now, number, message),
            (ResponseKind::Success, Some(number), Some(dialog)) => {
                self.on_answer(now, number, dialog, message);
            }
            (ResponseKind::Failure, Some(number), _) => self.on_failure(now, number, message),
            (ResponseKind::Broken, Some(number), _) => {
                self.over(now, number, Outcome::BadAnswer { why: "no dialog can be made of it".into() });
            }
            (ResponseKind::Success | ResponseKind::Fork | ResponseKind::Late, _, Some(dialog)) => {
                self.bye_stray(now, dialog, flow);
            }
            (
                ResponseKind::Provisional
                | ResponseKind::Success
                | ResponseKind::Failure
                | ResponseKind::Fork
                | ResponseKind::Late
                | ResponseKind::Broken,
                _,
                _,
            ) => {}
        }
    }

    fn on_provisional(&mut self, now: Instant, number: CallNumber, message: &Message) {
        let Some(call) = self.calls.get_mut(&number) else { return };
        if message.status() == Some(StatusCode::TRYING) || call.stage != Stage::Trying {
            return;
        }
        call.ringing = Some(now);
        call.stage = Stage::Ringing;
    }

    fn on_answer(&mut self, now: Instant, number: CallNumber, dialog: DialogId, message: &Message) {
        let Some(call) = self.calls.get_mut(&number) else { return };
        call.dialog = Some(dialog);
        call.answered = Some(now);
        self.by_dialog.insert(dialog, number);
        let cancelled = call.stage == Stage::Cancelling;
        let agreed = agree(now, call, message);
        let flow = self.wire.towards(dialog, call.flow);
        let answer = agreed.as_ref().ok().cloned().flatten();
        let body = answer.map(|bytes| Body { content_type: "application/sdp".into(), bytes });
        let inside = Inside { headers: Vec::new(), body };
        // The dialog was made by this very answer, so the ACK cannot be refused.
        let _ = self.wire.endpoint.ack(dialog, flow, &inside);
        match agreed {
            Ok(_) if cancelled => self.leave(now, number, Outcome::Cancelled),
            Ok(_) => {
                if let Some(call) = self.calls.get_mut(&number) {
                    call.stage = Stage::Up;
                }
            }
            Err(why) => self.leave(now, number, Outcome::BadAnswer { why }),
        }
    }

    fn on_failure(&mut self, now: Instant, number: CallNumber, message: &Message) {
        let Some(call) = self.calls.get(&number) else { return };
        let status = message.status().map_or(0, StatusCode::code);
        if call.stage == Stage::Cancelling && status == StatusCode::REQUEST_TERMINATED.code() {
            return self.over(now, number, Outcome::Cancelled);
        }
        let why =
            message.header_text(HeaderName::Warning).or_else(|| message.header_text(HeaderName::Reason));
        let outcome = Outcome::Refused {
            status,
            phrase: String::from_utf8_lossy(message.phrase().unwrap_or_default()).into_owned(),
            why: why.map(Into::into),
            retry_after: message.retry_after().ok().flatten().map(|after| after.delay.as_secs()),
        };
        self.over(now, number, outcome);
    }

    fn on_silence(&mut self, now: Instant, transaction: ClientTransaction, outcome: Outcome) {
        if let Some(number) = self.by_bye.remove(&transaction) {
            return self.over(now, number, Outcome::Answered { ended_by: EndedBy::CallerUnheard });
        }
        let Some(number) = self.by_invite.get(&transaction).copied() else { return };
        let is_cancelled = self.calls.get(&number).is_some_and(|call| call.stage == Stage::Cancelling);
        self.over(now, number, if is_cancelled { Outcome::Cancelled } else { outcome });
    }

    fn on_bye_response(
        &mut self,
        now: Instant,
        bye: ClientTransaction,
        number: CallNumber,
        message: &Message,
    ) {
        let Some(status) = message.status().filter(|status| status.is_final()) else { return };
        self.by_bye.remove(&bye);
        let verdict = self.calls.get_mut(&number).and_then(|call| call.verdict.take());
        let unheard = Outcome::Answered { ended_by: EndedBy::CallerUnheard };
        let outcome = verdict.filter(|_| status.is_success()).unwrap_or(unheard);
        self.over(now, number, outcome);
    }

    fn on_request(
        &mut self,
        now: Instant,
        transaction: ServerTransaction,
        dialog: Option<DialogId>,
        message: &Message,
    ) {
        let number = dialog.and_then(|dialog| self.by_dialog.get(&dialog).copied());
        let reply = match (message.method(), number) {
            (Method::Bye, Some(number)) => {
                self.over(now, number, Outcome::Answered { ended_by: EndedBy::OtherSide });
                Reply::new(StatusCode::OK)
            }
            (Method::Invite, Some(number)) => self.reply_to_reinvite(now, number, message),
            (Method::Invite, None) => Reply::new(StatusCode::TEMPORARILY_UNAVAILABLE),
            (Method::Options | Method::Info | Method::Bye, _) => Reply::new(StatusCode::OK),
            (
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
                | Method::Other(_),
                _,
            ) => Reply::new(StatusCode::METHOD_NOT_ALLOWED)
                .header(HeaderName::Allow, "INVITE, ACK, CANCEL, BYE, OPTIONS, INFO"),
        };
        // A request that was given up meanwhile needs no answer.
        let _ = self.wire.endpoint.respond(now, transaction, &reply);
    }

    fn reply_to_reinvite(&mut self, now: Instant, number: CallNumber, message: &Message) -> Reply {
        let answered = self.calls.get_mut(&number).map(|call| call.audio.answer(now, message.body()));
        match answered {
            Some(Ok(body)) => Reply::new(StatusCode::OK).body("application/sdp", body),
            Some(Err(_)) => Reply::new(StatusCode::NOT_ACCEPTABLE_HERE),
            None => Reply::new(StatusCode::CALL_DOES_NOT_EXIST),
        }
    }

    /// Ends a dialog that belongs to no call any more.
    fn bye_stray(&mut self, now: Instant, dialog: DialogId, flow: Flow) {
        let flow = self.wire.towards(dialog, flow);
        // Over already: there is nothing to end.
        let _ = self.wire.endpoint.bye(now, dialog, flow, Vec::new());
    }

    fn over(&mut self, now: Instant, number: CallNumber, outcome: Outcome) {
        let Some(call) = self.calls.get_mut(&number).filter(|call| call.stage != Stage::Over) else { return };
        if call.understood.is_none() && !call.audio.heard().is_empty() {
            call.understood = Some(now);
        }
        call.stage = Stage::Over;
        call.outcome = Some(outcome);
        call.ended = Some(now);
        let (invite, dialog) = (call.invite, call.dialog);
        let (local, ports) = (call.audio.local(), call.audio.ports());
        self.by_invite.remove(&invite);
        if let Some(dialog) = dialog {
            self.by_dialog.remove(&dialog);
        }
        self.by_port.remove(&ports.rtp());
        self.ports.release(now, ports);
        self.wire.push(Output::CloseMedia(local));
    }
}

/// Settles the media with the description of a 200; returns the answer that the ACK has to carry, if any.
fn agree(now: Instant, call: &mut Call, message: &Message) -> Result<Option<bytes::Bytes>, String> {
    if message.body().is_empty() {
        return Err("the 200 has no description".into());
    }
    if call.plan.offers {
        call.audio.on_answer(now, message.body()).map(|()| None)
    } else {
        call.audio.answer(now, message.body()).map(Some)
    }
}
