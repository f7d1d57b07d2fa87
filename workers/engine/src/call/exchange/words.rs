//! The words of an exchange: what it is told and what it orders. No SIP message and no SDP is among them.

use std::time::Duration;

use um_media::Leg;

use crate::call::words::Reason;

/// What carries an offer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Carrier {
    /// INVITE or re-INVITE.
    Invite,
    /// UPDATE (RFC 3311).
    Update,
    /// PRACK (RFC 3262 §5); only a peer uses it for an offer, we do not.
    Prack,
}

/// What a new offer of a peer asks for, measured against what holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wish {
    /// Nothing: it is what holds (refresh).
    Same,
    /// Another address, port or packet time, or codecs beside those in use; the other leg need not know.
    Place,
    /// Another direction: hold or resume.
    Direction,
    /// A codec in use is offered no more.
    Codecs,
    /// Another kind of stream: T.38 instead of audio, or back.
    Kind,
}

/// How the answer to an offer of ours fits the other leg.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Both legs can go on as they are.
    Agreed,
    /// It can be used, but the other leg speaks something else.
    Differs,
    /// It cannot be used, or there was none.
    Missing,
}

/// What the offer that came in reply to a request of ours without one has for us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fit {
    /// What the other leg wants.
    Wished,
    /// Only what holds already.
    AsBefore,
    /// Neither.
    Nothing,
}

/// A final failure, received or to be given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    /// 300 to 699.
    pub(crate) status: u16,
    /// Seconds.
    pub(crate) retry_after: Option<u32>,
}

impl Refusal {
    pub(crate) const fn of(status: u16) -> Self {
        Self { status, retry_after: None }
    }
}

/// What an exchange is told. New requests of a peer come through `Exchange::admit` instead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    /// The answer to our offer came: in a 2xx, or in the ACK or PRACK of our own response.
    Answered(Leg, Verdict),
    /// The answer came in a reliable provisional response; the 2xx is still to come.
    AnsweredEarly(Leg),
    /// The 2xx to our request without an offer brought one.
    OfferedBack(Leg, Fit),
    /// Our request was refused.
    Refused(Leg, Refusal),
    /// Our request was not answered in time, or the peer does not know the dialog (408, 481).
    Lost(Leg),
    /// The peer acknowledged our 2xx, which held an answer.
    Acknowledged(Leg),
    /// The peer cancelled its re-INVITE.
    Cancelled(Leg),
    /// Our dialog of this leg is confirmed: it takes re-INVITEs.
    Confirmed(Leg),
    /// Offer this leg what the other one speaks.
    Align(Leg, Need),
    /// Refresh the session of this leg by a re-INVITE with what holds (RFC 4028 §7.4).
    Refresh(Leg),
    /// Another dialog takes the place of this leg's.
    Replaced(Leg),
    /// A leg is over.
    Gone(Leg),
}

/// How much depends on a leg being aligned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Need {
    /// Without it there is no common codec: if it is refused, the call ends.
    Must,
    /// It only tidies up.
    Should,
}

/// What an exchange orders.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Act {
    /// Answer the peer's pending request.
    Answer(Leg, Source),
    /// Answer the peer's pending request, which had no offer, with ours.
    OfferBack(Leg),
    /// Refuse the peer's pending request; what held before still holds (RFC 6141).
    Refuse(Leg, Refusal),
    /// Send a request with an offer.
    Offer(Leg, Carrier, Content),
    /// Send a re-INVITE without an offer.
    Ask(Leg),
    /// Acknowledge the 2xx to our re-INVITE.
    Acknowledge(Leg, Closing),
    /// Cancel our re-INVITE; its final response is still of interest.
    Cancel(Leg),
    /// Our offer came to nothing: what held before still holds.
    RollBack(Leg),
    /// The two legs cannot go on together.
    End(Reason),
}

/// What an answer is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// What holds on this leg.
    Here,
    /// What the far end of the other leg has just accepted.
    Other,
}

/// What an offer is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Content {
    /// The pending offer of the other leg's peer.
    Wish,
    /// What the other leg agreed on.
    Joined,
    /// What holds on this leg, unchanged.
    Same,
}

/// What the ACK of a 2xx carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Closing {
    /// Nothing.
    Plain,
    /// The answer that the other leg wants.
    Wished,
    /// The answer that keeps what holds.
    AsBefore,
    /// The refusal of every stream.
    Refused,
}

/// The settings of one leg.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Manners {
    /// Whether a hold by this leg's peer is told to the other leg.
    pub(crate) hold: Hold,
    /// Whether our re-INVITEs on this leg have an offer.
    pub(crate) timing: Timing,
    /// The least between the ACK of an INVITE and our next re-INVITE (`transport.reinvite_delay`).
    pub(crate) gap: Duration,
    /// Who chose the Call-ID: it decides who waits longer after a glare (RFC 3261 §14.1).
    pub(crate) owner: Owner,
}

/// Where a hold ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hold {
    /// Here.
    Local,
    /// At the other leg's peer.
    Forward,
}

/// Who makes the offer in a re-INVITE of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Timing {
    /// We do.
    Normal,
    /// The peer does, in its 2xx.
    Delayed,
}

/// Who chose the Call-ID of a dialog.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Owner {
    /// We did.
    Us,
    /// The peer did.
    Peer,
}

/// What we can send on a leg now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Means {
    /// re-INVITE: the dialog is confirmed.
    pub(crate) invite: bool,
    /// UPDATE with an offer: the peer allows it, and the first offer has had its reliable answer.
    pub(crate) update: bool,
}
