//! Reliable provisional responses of ours (RFC 3262 §3): given, repeated, acknowledged by a PRACK, and the 2xx that has to
//! wait for it.

use std::time::Instant;

use super::{
    ActError, DialogId, Endpoint, Event, Extra, Reliable, Reply, ServerTransaction,
    answer::carries_session,
    entry::{ServerEntry, ServerMachine},
};
use crate::{
    dialog::{Carrier, Peer},
    message::Message,
    method::Method,
    option_tags::OptionTag,
    rseq::RSeq,
    status::StatusCode,
    transaction::{Provisional, provisional},
};

/// What the reliable provisional responses to one INVITE wait for.
#[derive(Debug)]
pub(super) struct Provisionals {
    pub(super) machine: Provisional,
    /// The 2xx of the user, until it may go out.
    held: Option<Box<Reply>>,
    /// PRACKs that the user has not answered: the 2xx goes out behind those answers.
    unanswered: u8,
    /// Whether the user has given a 2xx; a BYE of his then ends the INVITE instead.
    is_accepted: bool,
    /// Whether a PRACK failed to come.
    is_missing: bool,
}

/// What becomes of a response of the user.
pub(super) enum Course {
    /// It goes out.
    Now,
    /// It goes out, and waits for its PRACK, with this `RSeq`.
    Reliably(RSeq),
    /// It waits for the PRACK of one before it.
    Held,
}

impl Endpoint {
    /// Decides how a response goes out; makes what a reliable one needs.
    pub(super) fn course(&mut self, id: ServerTransaction, reply: &Reply) -> Result<Course, ActError> {
        let entry = self.table.server(id).ok_or(ActError::Gone)?;
        let is_early = reply.status.is_provisional() && reply.status != StatusCode::TRYING;
        if entry.method != Method::Invite || entry.is_answered() {
            return if reply.reliable && is_early { Err(ActError::NotAllowed) } else { Ok(Course::Now) };
        }
        if let Some(provisionals) = &mut entry.reliable {
            match (reply.status.is_final(), reply.status.is_success()) {
                (true, true) if provisionals.is_accepted => return Err(ActError::NotAllowed),
                (true, true) if provisionals.holds() => return Ok(Course::Held),
                (true, _) => return Ok(Course::Now),
                (false, _) if provisionals.is_accepted => return Err(ActError::NotAllowed),
                (false, _) => {}
            }
        }
        let Some(request) = entry.request.as_ref().filter(|_| is_early) else { return Ok(Course::Now) };
        if !reply.reliable && !request.required().contains(OptionTag::Rel100) {
            return Ok(Course::Now);
        }
        if !Peer::of(request).supports(OptionTag::Rel100) {
            return Err(ActError::NotAllowed);
        }
        let timing = entry.timing;
        let provisionals = entry.reliable.get_or_insert_with(|| {
            let first = self.randomness.below(MAX_FIRST_RSEQ) + 1;
            Box::new(Provisionals::new(Provisional::new(first, timing)))
        });
        provisionals.machine.upcoming().and_then(RSeq::new).map(Course::Reliably).ok_or(ActError::Full)
    }

    /// Sends a reliable provisional response, or queues it behind the one before it.
    pub(super) fn respond_reliably(
        &mut self,
        now: Instant,
        id: ServerTransaction,
        reply: &Reply,
        rseq: RSeq,
    ) -> Result<Option<DialogId>, ActError> {
        let bytes = self.write_reply(id, reply, Some(rseq))?;
        let status = reply.status.code();
        let has_session = carries_session(reply);
        let entry = self.table.server(id).ok_or(ActError::Gone)?;
        let Some(provisionals) = &mut entry.reliable else { return Err(ActError::NotAllowed) };
        let next = provisionals.machine.push(now, provisional::Reliable { status, bytes, has_session });
        if let Some(next) = next {
            entry.send_provisional(now, next);
        }
        self.advance_dialog(id, reply);
        self.note_session_out(id, reply);
        self.drain_server(now, id);
        Ok(self.table.server(id).and_then(|entry| entry.dialog))
    }

    /// Keeps a 2xx until the PRACKs that it has to wait for have come.
    pub(super) fn hold(
        &mut self,
        id: ServerTransaction,
        reply: &Reply,
    ) -> Result<Option<DialogId>, ActError> {
        let entry = self.table.server(id).ok_or(ActError::Gone)?;
        let Some(provisionals) = &mut entry.reliable else { return Err(ActError::NotAllowed) };
        provisionals.held = Some(Box::new(reply.clone()));
        provisionals.is_accepted = true;
        Ok(entry.dialog)
    }

    /// Takes a PRACK in: whether it acknowledges a provisional response of its dialog.
    pub(super) fn on_prack(&mut self, now: Instant, id: DialogId, prack: &Message) -> bool {
        let Some(named) = Reliable::of_prack(prack) else { return false };
        let Some(dialog) = self.dialogs.get_mut(id) else { return false };
        if dialog.pending.reliable_out == Some(named) {
            dialog.pending.reliable_out = None;
            return true;
        }
        let Some(invite) = dialog.pending.invite_in else { return false };
        let Some(entry) = self.table.server(invite).filter(|entry| entry.cseq == named.cseq) else {
            return false;
        };
        let Some(provisionals) = &mut entry.reliable else { return false };
        let Some(next) = provisionals.machine.acknowledge(now, named.rseq.number()) else { return false };
        provisionals.unanswered = provisionals.unanswered.saturating_add(1);
        if let Some(next) = next {
            entry.send_provisional(now, next);
        }
        self.drain_server(now, invite);
        true
    }

    /// A PRACK has its answer, or will have none: the 2xx behind it may go.
    pub(super) fn on_prack_over(&mut self, now: Instant, dialog: DialogId) {
        let Some(invite) = self.dialogs.get(dialog).and_then(|dialog| dialog.pending.invite_in) else {
            return;
        };
        let Some(provisionals) = self.provisionals(invite) else { return };
        provisionals.unanswered = provisionals.unanswered.saturating_sub(1);
        if provisionals.holds() {
            return;
        }
        if let Some(reply) = provisionals.held.take() {
            // Gone: the INVITE has failed meanwhile.
            let _ = self.respond_now(now, invite, &reply);
        }
    }

    /// Repeats what is due; 64·T1 without a PRACK are the end of what waited for it.
    pub(super) fn on_provisional_due(&mut self, now: Instant, id: ServerTransaction) {
        let Some(entry) = self.table.server(id) else { return };
        let (flow, dialog) = (entry.flow, entry.dialog);
        let Some(provisionals) = &mut entry.reliable else { return };
        match provisionals.machine.handle_timeout(now) {
            Some(provisional::Output::Send(bytes)) => {
                self.counters.retransmissions_sent += 1;
                self.send(flow, bytes);
            }
            Some(provisional::Output::Missing) => {
                provisionals.held = None;
                provisionals.is_missing = true;
                if let Some(dialog) = dialog {
                    self.emit(Event::ProvisionalMissing { transaction: id, dialog });
                }
            }
            None => {}
        }
    }

    /// The final response goes out: nothing is repeated any more, but a PRACK that is on its way may still come.
    pub(super) fn end_provisionals(&mut self, id: ServerTransaction) {
        let Some(entry) = self.table.server(id) else { return };
        let Some(mut provisionals) = entry.reliable.take() else { return };
        let (cseq, dialog) = (entry.cseq, entry.dialog);
        let rseq = provisionals.machine.stop();
        if let Some(dialog) = dialog.and_then(|dialog| self.dialogs.get_mut(dialog)) {
            dialog.pending.reliable_out = rseq.and_then(RSeq::new).map(|rseq| Reliable { rseq, cseq });
        }
    }

    /// Ends an INVITE whose 2xx was given and held back: what is a BYE to the user is a failure to the caller.
    pub(super) fn retract(
        &mut self,
        now: Instant,
        dialog: DialogId,
        headers: Vec<Extra>,
    ) -> Result<(), ActError> {
        let invite = self.dialogs.get(dialog).and_then(|dialog| dialog.pending.invite_in);
        let invite = invite.ok_or(ActError::NotAllowed)?;
        let provisionals = self.provisionals(invite).filter(|provisionals| provisionals.is_accepted);
        let provisionals = provisionals.ok_or(ActError::NotAllowed)?;
        provisionals.held = None;
        let status = if provisionals.is_missing {
            StatusCode::SERVER_TIMEOUT
        } else {
            StatusCode::TEMPORARILY_UNAVAILABLE
        };
        self.respond_now(now, invite, &Reply { headers, ..Reply::new(status) }).map(drop)
    }

    fn provisionals(&mut self, invite: ServerTransaction) -> Option<&mut Provisionals> {
        self.table.server(invite)?.reliable.as_deref_mut()
    }

    /// Takes note of a session in a response to an INVITE that is reliable or final.
    pub(super) fn note_session_out(&mut self, id: ServerTransaction, reply: &Reply) {
        let Some(entry) = self.table.server(id) else { return };
        let (carrier, method, has_offer) = (Carrier::Server(id), entry.method.clone(), entry.has_offer);
        let counts = method == Method::Invite && carries_session(reply) && reply.status.class() < 3;
        entry.has_offer |= counts;
        let Some(dialog) = entry.dialog.and_then(|id| self.dialogs.get_mut(id)) else { return };
        if counts {
            dialog.pending.on_session_of_response(carrier, has_offer);
        } else if reply.status.is_final() {
            dialog.pending.end_offer(carrier);
        }
    }
}

impl Provisionals {
    fn new(machine: Provisional) -> Self {
        Self { machine, held: None, unanswered: 0, is_accepted: false, is_missing: false }
    }

    fn holds(&self) -> bool {
        self.unanswered > 0 || self.machine.holds_answer()
    }

    /// Whether a CANCEL comes too late: the user has decided, though his 2xx is not out.
    pub(super) fn is_accepted(&self) -> bool {
        self.is_accepted
    }
}

impl ServerEntry {
    fn send_provisional(&mut self, now: Instant, next: provisional::Reliable) {
        match &mut self.machine {
            ServerMachine::Invite(machine) => machine.respond(now, next.status, next.bytes),
            ServerMachine::Other(_) => false,
        };
    }
}

/// `RSeq` begins between 1 and 2³¹ − 1 (RFC 3262 §3).
const MAX_FIRST_RSEQ: u32 = (1 << 31) - 1;
