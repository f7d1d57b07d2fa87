//! The offer/answer state of one leg (RFC 3264, RFC 6337): which side's offer is pending, and what holds since the last answer.
//!
//! ```text
//!            handle_offer                answer / answer_locally
//!   Quiet ───────────────▶ PeerOffered ─────────────────────────▶ Quiet     (reject_offer: what held before still holds)
//!     │        offer                       handle_answer
//!     └──────────────────▶ WeOffered ───────────────────────────▶ Quiet     (withdraw_offer: likewise)
//! ```
//!
//! A call has one negotiation per dialog. The caller's becomes a [`Proposal`] for the other leg, the far end's answer an
//! [`Agreement`] from which the caller is answered. An answer given once is repeated as it was (RFC 3261 section 13.2.1).

use std::{net::IpAddr, sync::Arc};

use bytes::Bytes;
use ipnet::IpNet;

use super::{
    answer::{AgreedCodec, Agreement, Kinship, Offerer, clock_rate, common, payload_maps},
    audio::{Audio, RemoteMedia},
    codec::Codec,
    direction::Direction,
    error::{AnswerError, OfferError, WrongState},
    line::{Description, Draft, LocalMedia, Slots},
    offer::Proposal,
};
use crate::command::Remote;

/// One leg's side of offer and answer.
#[derive(Debug)]
pub struct Negotiation {
    session_id: u64,
    version: u64,
    local: LocalMedia,
    pending: Pending,
    settled: Option<Settled>,
    /// The m-lines of this dialog, since its first description.
    slots: Option<Slots>,
    /// The last description that we sent.
    sent: Option<Bytes>,
}

#[derive(Debug)]
enum Pending {
    Quiet,
    PeerOffered { audio: Audio, slots: Slots },
    WeOffered { proposal: Proposal },
}

/// What the last answer settled.
#[derive(Debug)]
struct Settled {
    offerer: Offerer,
    codecs: Vec<AgreedCodec>,
    /// What we offered, to match a repeated answer; what the peer offered, to offer it on once more.
    proposal: Proposal,
    remote: RemoteMedia,
    /// Our own direction.
    direction: Direction,
    /// Our answer, when the offer was the peer's.
    answer: Option<Bytes>,
}

/// An answer to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The description.
    pub body: Bytes,
    /// The far end no longer speaks every codec that this answer, given earlier, promises: a re-INVITE should follow.
    pub diverged: bool,
}

impl Negotiation {
    /// Creates the negotiation of a new dialog; `session_id` should be unpredictable and is used for `o=` only.
    pub fn new(session_id: u64, local: LocalMedia) -> Self {
        // Peers read the id as a signed number, some into a double.
        let session_id = session_id & ((1 << 53) - 1);
        Self {
            session_id,
            version: 0,
            local,
            pending: Pending::Quiet,
            settled: None,
            slots: None,
            sent: None,
        }
    }

    /// Takes an offer of the peer, in an INVITE or re-INVITE.
    ///
    /// # Errors
    /// When it is malformed (400), has no stream for us (488), or another offer is pending (491, 500). Nothing changes then.
    pub fn handle_offer(&mut self, body: &[u8]) -> Result<(), OfferError> {
        match self.pending {
            Pending::Quiet => {}
            Pending::PeerOffered { .. } => return Err(WrongState::PeerOfferPending.into()),
            Pending::WeOffered { .. } => return Err(WrongState::OurOfferPending.into()),
        }
        let description = Description::parse(body)?;
        let (slot, audio) = description.audio()?;
        self.pending = Pending::PeerOffered { audio: audio.clone(), slots: description.others(slot) };
        Ok(())
    }

    /// Returns what to offer to the other leg: all of the peer's pending offer; once it was answered, only the codecs answered.
    /// `None` when nothing was offered yet.
    pub fn proposal(&self) -> Option<Proposal> {
        match (&self.pending, &self.settled) {
            (Pending::PeerOffered { audio, slots }, _) => Some(proposal_of(audio, slots)),
            (Pending::Quiet | Pending::WeOffered { .. }, Some(settled)) => {
                let codecs = settled.codecs.iter().map(|codec| codec.call.clone()).collect();
                Some(Proposal { codecs, ..settled.proposal.clone() })
            }
            (Pending::Quiet | Pending::WeOffered { .. }, None) => None,
        }
    }

    /// Writes our offer.
    ///
    /// # Errors
    /// When an offer is pending on this dialog.
    pub fn offer(&mut self, proposal: &Proposal) -> Result<Bytes, WrongState> {
        match self.pending {
            Pending::Quiet => {}
            Pending::PeerOffered { .. } => return Err(WrongState::PeerOfferPending),
            Pending::WeOffered { .. } => return Err(WrongState::OurOfferPending),
        }
        let slots = self.slots.get_or_insert_with(|| proposal.slots.clone()).clone();
        let codecs: Vec<&Codec> = proposal.codecs.iter().collect();
        let body = self.publish(&Draft {
            slots: &slots,
            protocol: "RTP/AVP",
            codecs: &codecs,
            direction: proposal.direction,
            ptime: proposal.ptime,
            max_ptime: proposal.max_ptime,
        });
        self.pending = Pending::WeOffered { proposal: Proposal { slots, ..proposal.clone() } };
        Ok(body)
    }

    /// Takes the answer to our offer, in a provisional or final response. A later answer to the same offer replaces an earlier one.
    ///
    /// # Errors
    /// When it is malformed, refuses our stream, or was not expected. The offer stays pending then.
    pub fn handle_answer(&mut self, body: &[u8]) -> Result<Agreement, AnswerError> {
        let proposal = match (&self.pending, &self.settled) {
            (Pending::WeOffered { proposal }, _) => proposal,
            (Pending::PeerOffered { .. }, _) => return Err(WrongState::PeerOfferPending.into()),
            (Pending::Quiet, Some(settled)) if settled.offerer == Offerer::Us => &settled.proposal,
            (Pending::Quiet, _) => return Err(WrongState::NoOffer.into()),
        };
        let description = Description::parse(body)?;
        let audio = description.audio_at(proposal.slots.audio())?;
        let agreement = Agreement::of(&proposal.codecs, audio);
        self.settled = Some(Settled {
            offerer: Offerer::Us,
            codecs: agreement.codecs.clone(),
            remote: agreement.remote,
            direction: proposal.direction.and(agreement.direction.mirrored()),
            proposal: proposal.clone(),
            answer: None,
        });
        self.pending = Pending::Quiet;
        Ok(agreement)
    }

    /// Answers the peer's offer with what the other leg's far end accepted. When it was answered before, the same answer again.
    ///
    /// # Errors
    /// When there is no offer to answer, or `agreement` is about another offer's codecs. The offer stays pending then.
    pub fn answer(&mut self, agreement: &Agreement) -> Result<Answer, AnswerError> {
        let Pending::PeerOffered { audio, .. } = &self.pending else { return self.repeat(agreement) };
        let codecs = match agreement.kinship {
            Kinship::Common => as_offered(&audio.codecs, agreement),
            Kinship::Foreign => agreement.codecs.clone(),
        };
        let direction = agreement.direction.and(audio.direction.mirrored());
        self.settle(codecs, direction, agreement.ptime, agreement.max_ptime)
    }

    /// Answers a later offer of the peer without asking the other leg: the codecs in use, the direction mirrored (hold and refresh).
    ///
    /// # Errors
    /// When there is no offer to answer, nothing was agreed before, or the codecs in use are not offered any more.
    pub fn answer_locally(&mut self) -> Result<Answer, AnswerError> {
        let Pending::PeerOffered { audio, .. } = &self.pending else {
            return Err(WrongState::NoOffer.into());
        };
        let settled = self.settled.as_ref().ok_or(WrongState::NoOffer)?;
        let in_use: Vec<Codec> = settled.codecs.iter().map(|codec| codec.call.clone()).collect();
        let codecs = common(&in_use, &audio.codecs);
        let (direction, ptime, max_ptime) = (audio.direction.mirrored(), audio.ptime, audio.max_ptime);
        self.settle(codecs, direction, ptime, max_ptime)
    }

    /// Forgets the peer's pending offer, after it was refused; what held before still holds.
    pub fn reject_offer(&mut self) {
        if matches!(self.pending, Pending::PeerOffered { .. }) {
            self.pending = Pending::Quiet;
        }
    }

    /// Forgets our pending offer, after it was refused; what held before still holds.
    pub fn withdraw_offer(&mut self) {
        if matches!(self.pending, Pending::WeOffered { .. }) {
            self.pending = Pending::Quiet;
        }
    }

    /// Returns what the relay must know of this leg's far end; `None` until an offer was answered.
    /// To be given to the relay right after the answer: it opens the time in which latching is allowed.
    pub fn remote(&self, signalling: IpAddr, allow: Arc<[IpNet]>) -> Option<Remote> {
        let settled = self.settled.as_ref()?;
        Some(Remote {
            media: settled.remote,
            direction: settled.direction,
            signalling,
            allow,
            payloads: payload_maps(&settled.codecs, settled.offerer),
            clock_rate: clock_rate(&settled.codecs),
        })
    }

    /// Returns what holds on this leg, for a party that newly comes to the other one to be answered with; `None` until an
    /// offer was answered.
    pub fn standing(&self) -> Option<Agreement> {
        let settled = self.settled.as_ref()?;
        Some(Agreement {
            kinship: Kinship::Common,
            codecs: settled.codecs.clone(),
            remote: settled.remote,
            direction: settled.direction.mirrored(),
            ptime: settled.proposal.ptime,
            max_ptime: settled.proposal.max_ptime,
        })
    }

    /// Returns our own direction on this leg; `None` until an offer was answered.
    pub fn direction(&self) -> Option<Direction> {
        self.settled.as_ref().map(|settled| settled.direction)
    }

    /// Returns what this leg agreed on; empty until an offer was answered.
    pub fn codecs(&self) -> &[AgreedCodec] {
        self.settled.as_ref().map_or(&[], |settled| &settled.codecs)
    }

    /// Returns where we receive.
    pub fn local(&self) -> &LocalMedia {
        &self.local
    }

    /// Writes the answer to the pending offer and makes it hold.
    fn settle(
        &mut self,
        codecs: Vec<AgreedCodec>,
        direction: Direction,
        ptime: Option<u16>,
        max_ptime: Option<u16>,
    ) -> Result<Answer, AnswerError> {
        if !codecs.iter().any(|codec| codec.leg.is_speech()) {
            return Err(AnswerError::NoCommonCodec);
        }
        match std::mem::replace(&mut self.pending, Pending::Quiet) {
            Pending::PeerOffered { audio, slots } => {
                let formats: Vec<&Codec> = codecs.iter().map(|codec| &codec.leg).collect();
                let body = self.publish(&Draft {
                    slots: &slots,
                    protocol: &audio.protocol,
                    codecs: &formats,
                    direction,
                    ptime,
                    max_ptime,
                });
                let (remote, proposal) = (audio.remote, proposal_of(&audio, &slots));
                self.slots = Some(slots);
                let answer = Some(body.clone());
                self.settled =
                    Some(Settled { offerer: Offerer::Peer, codecs, proposal, remote, direction, answer });
                Ok(Answer { body, diverged: false })
            }
            other @ (Pending::Quiet | Pending::WeOffered { .. }) => {
                self.pending = other;
                Err(WrongState::NoOffer.into())
            }
        }
    }

    /// Repeats the answer that was given, if `agreement` still fits it.
    fn repeat(&self, agreement: &Agreement) -> Result<Answer, AnswerError> {
        let settled = self.settled.as_ref().ok_or(WrongState::NoOffer)?;
        let body = settled.answer.as_ref().ok_or(WrongState::NoOffer)?;
        let mut promised = settled.codecs.iter().filter(|codec| codec.call.is_speech());
        let kept =
            |codec: &AgreedCodec| agreement.codecs.iter().any(|far| far.call.same_encoding(&codec.call));
        if !promised.clone().any(kept) {
            return Err(AnswerError::NoCommonCodec);
        }
        Ok(Answer { body: body.clone(), diverged: !promised.all(kept) })
    }

    /// Writes a description; its version grows if it differs from the last one (RFC 3264 section 8).
    fn publish(&mut self, draft: &Draft<'_>) -> Bytes {
        let same = draft.write(self.session_id, self.version, &self.local);
        if self.sent.as_ref() == Some(&same) {
            return same;
        }
        self.version += 1;
        let body = draft.write(self.session_id, self.version, &self.local);
        self.sent = Some(body.clone());
        body
    }
}

/// Expresses what the far end accepted in the numbers and names of the one who offered; order and parameters stay the far end's.
fn as_offered(offered: &[Codec], agreement: &Agreement) -> Vec<AgreedCodec> {
    let accepted: Vec<Codec> = agreement.codecs.iter().map(|codec| codec.call.clone()).collect();
    let in_offered_terms = |codec: AgreedCodec| {
        let AgreedCodec { call: ours, leg: call } = codec;
        let far = agreement.codecs.iter().find(|far| far.call.payload == call.payload);
        let parameters = far.and_then(|far| far.leg.parameters.clone());
        AgreedCodec { call, leg: Codec { parameters, ..ours } }
    };
    common(offered, &accepted).into_iter().map(in_offered_terms).collect()
}

fn proposal_of(audio: &Audio, slots: &Slots) -> Proposal {
    Proposal {
        codecs: audio.codecs.clone(),
        direction: audio.direction,
        ptime: audio.ptime,
        max_ptime: audio.max_ptime,
        slots: slots.clone(),
    }
}

#[cfg(test)]
mod tests;
