//! Reliable provisional responses of the peer (RFC 3262 §4): each once and in order, and the PRACK.

use std::time::Instant;

use super::{ActError, ClientTransaction, DialogId, DropReason, Endpoint, Inside, Reliable, inside::Act};
use crate::{
    dialog::{Carrier, State, brings_session},
    flow::Flow,
    message::Message,
    method::Method,
};

/// What a provisional response is within its dialog.
pub(super) enum Order {
    /// Not reliable: it may be lost or come twice.
    Unreliable,
    /// The next reliable one.
    Next(Reliable),
    /// Known already, or ahead of one that is missing: it is not to be used.
    Discarded,
}

impl Endpoint {
    /// Acknowledges a reliable provisional response, which is an event with `reliable`, over the flow towards the
    /// [`crate::Dialog::next_hop`]; `inside` has the SDP answer if the response had the offer, or a new offer if the exchange
    /// before is complete. The response to the PRACK is an event.
    ///
    /// # Errors
    ///
    /// [`ActError::Gone`] if the dialog is over, [`ActError::Full`], [`ActError::UnknownLine`].
    pub fn prack(
        &mut self,
        now: Instant,
        dialog: DialogId,
        flow: Flow,
        reliable: &Reliable,
        inside: &Inside,
    ) -> Result<ClientTransaction, ActError> {
        let known = self.dialogs.get(dialog).ok_or(ActError::Gone)?;
        match known.state {
            State::Early | State::Confirmed => {}
            State::Terminating | State::Lingering => return Err(ActError::Gone),
        }
        if self.table.is_full() {
            return Err(ActError::Full);
        }
        let act = Act { method: &Method::Prack, inside, reliable: Some(*reliable) };
        self.launch_inside(now, dialog, flow, &act)
    }

    /// Puts a provisional response in its place; each fork of an INVITE counts for itself.
    pub(super) fn order_of(&mut self, dialog: Option<DialogId>, response: &Message) -> Order {
        let Some(known) = dialog.and_then(|id| self.dialogs.get_mut(id)) else { return Order::Unreliable };
        let Some(named) = Reliable::of_response(response) else { return Order::Unreliable };
        match known.pending.reliable_in.filter(|last| last.cseq == named.cseq) {
            Some(last) if last.rseq.next() == Some(named.rseq) => {}
            Some(last) => {
                if named.rseq <= last.rseq {
                    self.counters.retransmissions_received += 1;
                } else {
                    self.counters.on_drop(DropReason::OutOfOrder);
                }
                return Order::Discarded;
            }
            None => {}
        }
        known.pending.reliable_in = Some(named);
        Order::Next(named)
    }

    /// Takes note of a session in a reliable provisional response or a 2xx to an INVITE of ours.
    pub(super) fn note_session_in(&mut self, id: ClientTransaction, dialog: DialogId, response: &Message) {
        let Some(entry) = self.table.client(id) else { return };
        let answers = entry.has_offer;
        let Some(known) = self.dialogs.get_mut(dialog) else { return };
        let is_first = known.pending.offered_in_response != Some(id);
        if brings_session(response) && (answers || is_first) {
            known.pending.offered_in_response = Some(id).filter(|_| !answers);
            known.pending.on_session_of_response(Carrier::Client(id), answers);
        } else if response.status().is_some_and(|status| status.is_final()) {
            known.pending.end_offer(Carrier::Client(id));
        }
    }
}
