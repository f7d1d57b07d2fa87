//! What is under way in a dialog: INVITEs and UPDATEs without a final response, an offer without an answer, 2xx
//! without an ACK, and a BYE that has to wait.

use smallvec::SmallVec;

use super::Offer;
use crate::{
    endpoint::{ClientTransaction, Extra, Reliable, ServerTransaction},
    flow::Flow,
    method::Method,
};

/// The unfinished business of a dialog.
#[derive(Clone, Debug, Default)]
pub(crate) struct Pending {
    /// The peer's INVITE that we have not answered finally.
    pub(crate) invite_in: Option<ServerTransaction>,
    /// Our INVITE that has no final response.
    pub(crate) invite_out: Option<ClientTransaction>,
    /// The peer's UPDATE that we have not answered.
    pub(crate) update_in: Option<ServerTransaction>,
    /// Our UPDATE that has no final response.
    pub(crate) update_out: Option<ClientTransaction>,
    /// The offer that has no answer.
    pub(crate) offer: Option<Offer>,
    /// Our INVITE without an offer that was given one in a response.
    pub(crate) offered_in_response: Option<ClientTransaction>,
    /// The last reliable provisional response to our INVITE that came in order.
    pub(crate) reliable_in: Option<Reliable>,
    /// Our last reliable provisional response, when the final one went out before its PRACK came.
    pub(crate) reliable_out: Option<Reliable>,
    /// The 2xx to our INVITE that we have not acknowledged.
    pub(crate) unacknowledged: Option<Unacknowledged>,
    /// Our 2xx that the peer has not acknowledged, by CSeq.
    pub(crate) awaiting_ack: SmallVec<[(u32, ServerTransaction); 1]>,
    /// A BYE that must not be sent before the ACK of our 2xx has come or is given up (RFC 3261 §15).
    pub(crate) bye: Option<Box<DeferredBye>>,
    /// The peer has hung up and has his answer: the dialog stays for the ACKs of our 2xx only.
    pub(crate) is_closed: bool,
}

/// A 2xx whose ACK the user still owes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Unacknowledged {
    /// The INVITE; over by now if the 2xx was a stray one.
    pub(crate) invite: Option<ClientTransaction>,
    /// Number in the CSeq of INVITE and ACK.
    pub(crate) cseq: u32,
}

/// What a BYE needs once it may go.
#[derive(Clone, Debug)]
pub(crate) struct DeferredBye {
    pub(crate) flow: Flow,
    pub(crate) headers: Vec<Extra>,
}

impl Pending {
    /// Takes note of a request of the peer.
    pub(crate) fn on_request_in(&mut self, method: &Method, id: ServerTransaction, has_session: bool) {
        if *method == Method::Invite {
            self.invite_in = Some(id);
        } else if *method == Method::Update {
            self.update_in = Some(id);
        }
        if has_session {
            self.on_session_in(method, id);
        }
    }

    /// Takes note of a request of ours.
    pub(crate) fn on_request_out(&mut self, method: &Method, id: ClientTransaction, has_session: bool) {
        if *method == Method::Invite {
            self.invite_out = Some(id);
        } else if *method == Method::Update {
            self.update_out = Some(id);
        }
        if has_session {
            self.on_session_out(method, id);
        }
    }

    /// Our request has its final response, or will have none.
    pub(crate) fn on_request_over(&mut self, id: ClientTransaction) {
        if self.invite_out == Some(id) {
            self.invite_out = None;
        }
        if self.update_out == Some(id) {
            self.update_out = None;
        }
    }

    /// Takes the transaction whose 2xx an ACK with this number acknowledges.
    pub(crate) fn take_acknowledged(&mut self, cseq: u32) -> Option<ServerTransaction> {
        let at = self.awaiting_ack.iter().position(|(number, _)| *number == cseq)?;
        Some(self.awaiting_ack.remove(at).1)
    }
}
