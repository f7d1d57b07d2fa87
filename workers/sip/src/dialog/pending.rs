//! What is under way in a dialog: INVITEs without a final response, 2xx without an ACK, and a BYE that has to wait.

use smallvec::SmallVec;

use crate::{
    endpoint::{ClientTransaction, Extra, ServerTransaction},
    flow::Flow,
};

/// The unfinished business of a dialog.
#[derive(Clone, Debug, Default)]
pub(crate) struct Pending {
    /// The peer's INVITE that we have not answered finally.
    pub(crate) invite_in: Option<ServerTransaction>,
    /// Our INVITE that has no final response.
    pub(crate) invite_out: Option<ClientTransaction>,
    /// The 2xx to our INVITE that we have not acknowledged.
    pub(crate) unacknowledged: Option<Unacknowledged>,
    /// Our 2xx that the peer has not acknowledged, by CSeq.
    pub(crate) awaiting_ack: SmallVec<[(u32, ServerTransaction); 1]>,
    /// A BYE that must not be sent before the ACK of our 2xx has come or is given up (RFC 3261 §15).
    pub(crate) bye: Option<Box<DeferredBye>>,
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
    /// Takes the transaction whose 2xx an ACK with this number acknowledges.
    pub(crate) fn take_acknowledged(&mut self, cseq: u32) -> Option<ServerTransaction> {
        let at = self.awaiting_ack.iter().position(|(number, _)| *number == cseq)?;
        Some(self.awaiting_ack.remove(at).1)
    }
}
