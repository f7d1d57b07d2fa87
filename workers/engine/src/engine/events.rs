//! What the SIP endpoint reports, sorted by whom it concerns.

use std::time::Instant;

use um_sip::endpoint::{ClientTransaction, DialogId, Event as Sip, Output as SipOutput, ServerTransaction};
use um_sip::session_timer::Failure;
use um_sip::{Message, Transport};

use super::Engine;
use super::session::Sender;
use crate::call::exchange::words::{Event as Offers, Refusal};
use crate::call::words::{Event, Side};
use crate::observation::Observation;
use crate::output::Output;

impl Engine {
    pub(super) fn on_endpoint(&mut self, now: Instant, output: SipOutput) {
        match output {
            // A response whose connection is gone asks for a new one (RFC 3261 §18.2.2).
            SipOutput::Send { flow, bytes }
                if flow.transport == Transport::Tcp && flow.connection.is_none() =>
            {
                self.deliver(now, flow, bytes);
            }
            SipOutput::Send { flow, bytes } => self.outputs.push_back(Output::Send { flow, bytes }),
            SipOutput::Event(event) => self.on_event(now, event),
        }
    }

    fn on_event(&mut self, now: Instant, event: Sip) {
        match event {
            Sip::Request { transaction, dialog, flow, message } => {
                self.on_request(now, transaction, dialog, flow, &message);
            }
            Sip::Cancelled { transaction, .. } => {
                if let Some(serial) = self.sessions.by_server(transaction)
                    && !self.on_talk_cancelled(now, serial, transaction)
                {
                    self.tell(serial, Event::Cancelled);
                }
            }
            Sip::Acknowledged { dialog, flow, message } => {
                self.tell_of_dialog(dialog, Event::Acknowledged);
                self.on_talk_acknowledged(now, dialog, flow, &message);
            }
            Sip::AckMissing { dialog } | Sip::ProvisionalMissing { dialog, .. } => {
                self.tell_of_dialog(dialog, Event::Unacknowledged);
            }
            Sip::Response { transaction, dialog, kind, reliable, flow, message } => {
                if let Some(dialog) = dialog {
                    self.on_session_response(now, dialog, &message);
                }
                match self.senders.get(&transaction).copied() {
                    Some(Sender::Attempt(serial, attempt)) => self.on_attempt_response(
                        now,
                        (serial, attempt),
                        transaction,
                        (dialog, kind, reliable),
                        flow,
                        &message,
                    ),
                    Some(Sender::Probe(probe)) => self.on_probe_response(now, probe, transaction, &message),
                    Some(Sender::Notice(number)) => {
                        self.on_notice_response(now, transaction, number, &message)
                    }
                    Some(Sender::Exchange(serial, side)) => {
                        self.on_offer_response(
                            now,
                            (serial, side),
                            transaction,
                            (kind, reliable),
                            flow,
                            &message,
                        );
                    }
                    Some(Sender::PassedOn(request)) => {
                        self.on_passed_on_response(now, transaction, request, &message);
                    }
                    Some(Sender::Refresh(dialog)) => {
                        self.on_refresh_response(now, transaction, dialog, &message)
                    }
                    Some(Sender::Pulse(dialog)) => self.on_pulse_response(now, transaction, dialog, &message),
                    None => self.on_unexpected_response(now, dialog, kind, flow),
                }
            }
            Sip::TimedOut { transaction } => self.on_unanswered(now, transaction, Unanswered::Silent),
            Sip::Unreachable { transaction } => self.on_unanswered(now, transaction, Unanswered::Lost),
            Sip::FlowLost { transaction } => {
                if let Some(Sender::Attempt(serial, attempt)) = self.senders.get(&transaction).copied() {
                    self.on_attempt_lost(serial, attempt);
                }
            }
            // It belongs to nothing that we remember: to answer it would let anybody make us send.
            Sip::StrayAnswer { .. } => {
                self.observe(Observation::Dropped { reason: "stray_answer", count: 1 })
            }
        }
    }

    fn tell_of_dialog(&mut self, dialog: DialogId, event: impl FnOnce(Side) -> Event) {
        if let Some((serial, side)) = self.sessions.by_dialog(dialog) {
            self.tell(serial, event(side));
        }
    }

    fn on_unanswered(&mut self, now: Instant, transaction: ClientTransaction, how: Unanswered) {
        match (self.senders.get(&transaction).copied(), how) {
            (Some(Sender::Attempt(serial, attempt)), Unanswered::Silent) => {
                self.on_attempt_silent(serial, attempt)
            }
            (Some(Sender::Attempt(serial, attempt)), Unanswered::Lost) => {
                self.on_attempt_lost(serial, attempt)
            }
            (Some(Sender::Probe(probe)), _) => self.on_probe_unanswered(now, probe, transaction),
            (Some(Sender::Notice(number)), _) => {
                self.senders.remove(&transaction);
                self.unsubscribe(number);
            }
            (Some(Sender::Exchange(serial, side)), how) => {
                let event = match how {
                    Unanswered::Silent => Offers::Lost(side),
                    Unanswered::Lost => Offers::Refused(side, Refusal::of(503)),
                };
                self.on_offer_unanswered(now, (serial, side), transaction, event);
            }
            (Some(Sender::PassedOn(request)), _) => {
                self.senders.remove(&transaction);
                self.on_not_passed_on(now, request);
            }
            (Some(Sender::Refresh(dialog)), _) => {
                self.senders.remove(&transaction);
                self.on_refresh_lost(now, dialog, Failure::Gone);
            }
            (Some(Sender::Pulse(dialog)), _) => {
                self.senders.remove(&transaction);
                self.on_pulse(now, dialog, Err(Failure::Gone));
            }
            // A BYE without an answer: the dialog is gone all the same.
            (None, _) => {}
        }
    }

    fn on_notice_response(
        &mut self,
        now: Instant,
        transaction: ClientTransaction,
        number: u64,
        response: &Message,
    ) {
        if let Some(status) = response.status().filter(|status| status.is_final()) {
            self.senders.remove(&transaction);
            self.on_notice_answered(now, number, status.code());
        }
    }

    fn on_passed_on_response(
        &mut self,
        now: Instant,
        transaction: ClientTransaction,
        request: ServerTransaction,
        response: &Message,
    ) {
        if response.status().is_some_and(|status| status.is_final()) {
            self.senders.remove(&transaction);
            self.on_passed_on(now, request, response);
        }
    }

    /// What else the answer means for the session is dealt with already.
    fn on_refresh_response(
        &mut self,
        now: Instant,
        transaction: ClientTransaction,
        dialog: DialogId,
        response: &Message,
    ) {
        let Some(status) = response.status().filter(|status| status.is_final()) else { return };
        self.senders.remove(&transaction);
        if matches!(status.code(), 408 | 481) {
            self.on_refresh_lost(now, dialog, Failure::Gone);
        }
    }

    /// Any answer is a sign of life but one: nobody there knows the call (RFC 5057 §5.1).
    fn on_pulse_response(
        &mut self,
        now: Instant,
        transaction: ClientTransaction,
        dialog: DialogId,
        response: &Message,
    ) {
        let Some(status) = response.status().filter(|status| status.is_final()) else { return };
        self.senders.remove(&transaction);
        let is_gone = matches!(status.code(), 408 | 481);
        self.on_pulse(now, dialog, if is_gone { Err(Failure::Gone) } else { Ok(()) });
    }

    /// A response to a BYE, or one to an attempt that was given up.
    fn on_unexpected_response(
        &mut self,
        now: Instant,
        dialog: Option<DialogId>,
        kind: um_sip::endpoint::ResponseKind,
        flow: um_sip::Flow,
    ) {
        use um_sip::endpoint::ResponseKind;
        match kind {
            ResponseKind::Fork | ResponseKind::Late => self.dismiss(now, dialog, flow),
            ResponseKind::Provisional
            | ResponseKind::Success
            | ResponseKind::Failure
            | ResponseKind::Broken => {}
        }
    }
}

/// How a request of ours went without a response.
#[derive(Clone, Copy)]
enum Unanswered {
    Silent,
    Lost,
}
