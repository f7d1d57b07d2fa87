//! The offer/answer state of one leg (RFC 3264, RFC 6337): which side's offer is pending, and what holds since the last answer.
//!
//! ```text
//!            handle_offer                answer / answer_locally / answer_joining
//!   Quiet ───────────────▶ PeerOffered ─────────────────────────▶ Quiet     (reject_offer: what held before still holds)
//!     │        offer                       handle_answer
//!     └──────────────────▶ WeOffered ───────────────────────────▶ Quiet     (withdraw_offer: likewise, until commit)
//! ```
//!
//! A call has one negotiation per dialog, a forked INVITE one per early dialog (its clones). The caller's becomes a [`Proposal`] for the
//! other leg, the far end's answer an [`Agreement`] from which the caller is answered. An answer given once is repeated as it was
//! (RFC 3261 section 13.2.1). The stream is audio, or a fax that took its place (T.38).

use std::{net::IpAddr, sync::Arc};

use bytes::Bytes;
use ipnet::IpNet;

use super::{
    answer::{AgreedCodec, Agreement, AudioAgreement, Kinship, clock_rate, common, payload_maps},
    audio::Audio,
    codec::Codec,
    description::{Description, LocalMedia, Stream},
    direction::Direction,
    draft::{AudioSketch, Draft, Sketch},
    error::{AnswerError, OfferError, Unusable, WrongState},
    image::{Image, ImageTerms},
    lines::{Kind, Lines, Placing},
    numbers::Numbers,
    offer::{AudioProposal, Proposal, Proposed},
    settled::{Agreed, Change, Settled},
};
use crate::command::{Payload, Remote};

mod answering;

/// One leg's side of offer and answer.
#[derive(Debug, Clone)]
pub struct Negotiation {
    session_id: u64,
    version: u64,
    local: LocalMedia,
    pending: Pending,
    settled: Option<Settled>,
    /// The m-lines of this dialog, since its first description.
    lines: Option<Lines>,
    numbers: Numbers,
    /// The last description that we sent.
    sent: Option<Bytes>,
    /// What held before our last offer.
    before: Option<Box<Before>>,
}

#[derive(Debug, Clone)]
enum Pending {
    Quiet,
    PeerOffered { stream: Stream, lines: Lines },
    WeOffered { offered: Offered },
}

/// What we offered.
#[derive(Debug, Clone)]
enum Offered {
    Audio { codecs: Vec<AgreedCodec>, direction: Direction },
    Image(ImageTerms),
}

#[derive(Debug, Clone)]
struct Before {
    settled: Option<Settled>,
    lines: Option<Lines>,
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
            lines: None,
            numbers: Numbers::default(),
            sent: None,
            before: None,
        }
    }

    /// Takes an offer of the peer: in an INVITE, UPDATE or PRACK, or in the response to a request of ours without one.
    ///
    /// # Errors
    /// When it is malformed (400), has no stream for us (488), or another offer is pending (491, 500). Nothing changes then.
    pub fn handle_offer(&mut self, body: &[u8]) -> Result<(), OfferError> {
        self.check_quiet()?;
        let (stream, lines) = self.read_offer(body)?;
        self.pending = Pending::PeerOffered { stream, lines };
        Ok(())
    }

    /// Says what an offer of the peer would change, before it is taken.
    ///
    /// # Errors
    /// As [`Self::handle_offer`], but for a pending offer.
    pub fn judge(&self, body: &[u8]) -> Result<Change, OfferError> {
        let (stream, _) = self.read_offer(body)?;
        Ok(self.settled.as_ref().map_or(Change::Codecs, |settled| settled.change(&stream)))
    }

    /// Returns what to offer to the other leg: all of the peer's pending offer; once it was answered, only the codecs answered.
    /// `None` when nothing was offered yet.
    pub fn proposal(&self) -> Option<Proposal> {
        match &self.pending {
            Pending::PeerOffered { stream, lines } => Some(self.proposal_of(stream, lines)),
            Pending::Quiet | Pending::WeOffered { .. } => {
                let settled = self.settled.as_ref()?;
                let direction = match (&settled.peer, settled.is_ours()) {
                    (Stream::Audio(audio), false) => audio.direction,
                    (Stream::Audio(_), true) => settled.limit,
                    (Stream::Image(_), _) => Direction::SendRecv,
                };
                Some(settled.proposal(self.lines.as_ref()?, direction))
            }
        }
    }

    /// Returns what this leg agreed on as an offer to the other one, which is to say `direction`; `None` until there is an agreement.
    pub fn joined(&self, direction: Direction) -> Option<Proposal> {
        Some(self.settled.as_ref()?.proposal(self.lines.as_ref()?, direction))
    }

    /// Writes our offer.
    ///
    /// # Errors
    /// When an offer is pending on this dialog.
    pub fn offer(&mut self, proposal: &Proposal) -> Result<Bytes, WrongState> {
        self.check_quiet()?;
        self.remember();
        let mut lines = self.lines.clone().unwrap_or_else(|| proposal.lines.clone());
        lines.place(proposal.kind(), proposal.placing);
        let (body, offered) = match &proposal.stream {
            Proposed::Audio(AudioProposal { codecs, direction, ptime, max_ptime }) => {
                let assigned = self.numbers.assign(codecs);
                let formats: Vec<&Codec> = assigned.iter().map(|codec| &codec.leg).collect();
                let sketch = Sketch::Audio(AudioSketch {
                    protocol: "RTP/AVP",
                    codecs: &formats,
                    direction: *direction,
                    ptime: *ptime,
                    max_ptime: *max_ptime,
                });
                let body = self.publish(lines, sketch);
                (body, Offered::Audio { codecs: assigned, direction: *direction })
            }
            Proposed::Image(terms) => {
                (self.publish(lines, Sketch::Image(terms)), Offered::Image(terms.clone()))
            }
        };
        self.pending = Pending::WeOffered { offered };
        Ok(body)
    }

    /// Offers once more what holds, by the same description with the same version (RFC 4028 section 7.4).
    ///
    /// # Errors
    /// When an offer is pending on this dialog, or nothing was agreed yet.
    pub fn offer_again(&mut self) -> Result<Bytes, WrongState> {
        self.check_quiet()?;
        let (Some(settled), Some(sent)) = (&self.settled, self.sent.clone()) else {
            return Err(WrongState::NoOffer);
        };
        let offered = match &settled.media {
            Agreed::Audio { codecs, offered } => {
                let codecs = if offered.is_empty() { codecs } else { offered };
                Offered::Audio { codecs: codecs.clone(), direction: settled.limit }
            }
            Agreed::Image { terms, .. } => Offered::Image(terms.clone()),
        };
        self.remember();
        self.pending = Pending::WeOffered { offered };
        Ok(sent)
    }

    /// Takes the answer to our offer, in a response, ACK or PRACK. A later answer to the same offer replaces an earlier one.
    ///
    /// # Errors
    /// When it is malformed, refuses our stream, or was not expected. The offer stays pending then.
    pub fn handle_answer(&mut self, body: &[u8]) -> Result<Agreement, AnswerError> {
        let offered = match (&self.pending, &self.settled) {
            (Pending::WeOffered { offered }, _) => offered.clone(),
            (Pending::PeerOffered { .. }, _) => return Err(WrongState::PeerOfferPending.into()),
            (Pending::Quiet, Some(settled)) if settled.is_ours() => offered(settled),
            (Pending::Quiet, _) => return Err(WrongState::NoOffer.into()),
        };
        let description = Description::parse(body)?;
        let slot = self.lines.as_ref().map_or(0, Lines::active);
        let kind = match offered {
            Offered::Audio { .. } => Kind::Audio,
            Offered::Image(_) => Kind::Image,
        };
        let (agreement, settled) = match (offered, description.stream_at(slot, kind)?) {
            (Offered::Audio { codecs, direction }, Stream::Audio(audio)) => {
                let agreement = AudioAgreement::of(&codecs, audio);
                let settled = Settled {
                    peer: Stream::Audio(audio.clone()),
                    direction: direction.and(agreement.direction.mirrored()),
                    limit: direction,
                    media: Agreed::Audio { codecs: agreement.codecs.clone(), offered: codecs },
                    answer: None,
                };
                (Agreement::Audio(agreement), settled)
            }
            (Offered::Image(terms), Stream::Image(image)) => {
                let settled = Settled {
                    peer: Stream::Image(image.clone()),
                    direction: Direction::SendRecv,
                    limit: Direction::SendRecv,
                    media: Agreed::Image { terms, ours: true },
                    answer: None,
                };
                (Agreement::Image(image.clone()), settled)
            }
            (Offered::Audio { .. }, Stream::Image(_)) | (Offered::Image(_), Stream::Audio(_)) => {
                return Err(Unusable::NoAudio.into());
            }
        };
        self.settled = Some(settled);
        self.pending = Pending::Quiet;
        Ok(agreement)
    }

    /// Forgets the peer's pending offer, after it was refused; what held before still holds.
    pub fn reject_offer(&mut self) {
        if matches!(self.pending, Pending::PeerOffered { .. }) {
            self.pending = Pending::Quiet;
        }
    }

    /// Forgets our offer, after it was refused; what held before still holds, even if it had an early answer (RFC 6141 section 3.4).
    pub fn withdraw_offer(&mut self) {
        if matches!(self.pending, Pending::WeOffered { .. }) {
            self.pending = Pending::Quiet;
        }
        if let Some(before) = self.before.take() {
            (self.settled, self.lines) = (before.settled, before.lines);
        }
    }

    /// The request with our offer had its 2xx: from here on nothing of it can be withdrawn.
    pub fn commit(&mut self) {
        self.before = None;
    }

    /// Returns this negotiation as it stands for another dialog that the same INVITE has made: our offer there has no answer yet.
    #[must_use]
    pub fn fork(&self) -> Self {
        let pristine = Self { before: None, settled: None, ..self.clone() };
        match (&self.pending, &self.settled) {
            (Pending::Quiet, Some(settled)) if settled.is_ours() => {
                Self { pending: Pending::WeOffered { offered: offered(settled) }, ..pristine }
            }
            (Pending::WeOffered { .. }, _) => pristine,
            (Pending::Quiet | Pending::PeerOffered { .. }, _) => Self::new(self.session_id, self.local),
        }
    }

    /// Returns what the relay must know of this leg's far end; `None` until an offer was answered.
    /// To be given to the relay right after the answer: it opens the time in which latching is allowed.
    pub fn remote(&self, signalling: IpAddr, allow: Arc<[IpNet]>) -> Option<Remote> {
        let settled = self.settled.as_ref()?;
        let payload = match &settled.media {
            Agreed::Audio { codecs, offered } => Payload::Rtp {
                maps: Box::new(payload_maps(codecs, offered)),
                clock_rate: clock_rate(codecs),
                own: super::own::own(codecs),
            },
            Agreed::Image { .. } => Payload::Opaque,
        };
        Some(Remote { media: settled.remote(), direction: settled.direction, signalling, allow, payload })
    }

    /// Returns what holds on this leg, for a party that newly comes to the other one to be answered with; `None` until an
    /// offer was answered.
    pub fn standing(&self) -> Option<Agreement> {
        let settled = self.settled.as_ref()?;
        Some(match (&settled.media, &settled.peer) {
            (Agreed::Audio { codecs, .. }, Stream::Audio(audio)) => Agreement::Audio(AudioAgreement {
                kinship: Kinship::Common,
                codecs: codecs.clone(),
                remote: audio.remote,
                direction: settled.direction.mirrored(),
                ptime: audio.ptime,
                max_ptime: audio.max_ptime,
            }),
            (Agreed::Image { .. }, Stream::Image(image)) => Agreement::Image(image.clone()),
            (Agreed::Audio { .. }, Stream::Image(_)) | (Agreed::Image { .. }, Stream::Audio(_)) => {
                return None;
            }
        })
    }

    /// Returns our own direction on this leg; `None` until an offer was answered.
    pub fn direction(&self) -> Option<Direction> {
        self.settled.as_ref().map(|settled| settled.direction)
    }

    /// Returns the direction that the peer said last, seen by itself; `None` until an offer was answered.
    pub fn peer_direction(&self) -> Option<Direction> {
        match &self.settled.as_ref()?.peer {
            Stream::Audio(audio) => Some(audio.direction),
            Stream::Image(_) => Some(Direction::SendRecv),
        }
    }

    /// Returns what the stream is; `None` until an offer was answered.
    pub fn kind(&self) -> Option<Kind> {
        self.settled.as_ref().map(Settled::kind)
    }

    /// Returns what this leg agreed on; empty until an offer was answered, and while the stream is a fax.
    pub fn codecs(&self) -> &[AgreedCodec] {
        self.settled.as_ref().map_or(&[], Settled::codecs)
    }

    /// Returns where we receive.
    pub fn local(&self) -> &LocalMedia {
        &self.local
    }

    /// Whether our offer waits for its answer.
    pub fn is_offering(&self) -> bool {
        matches!(self.pending, Pending::WeOffered { .. })
    }

    /// Whether the peer takes telephone events.
    pub fn takes_events(&self) -> bool {
        super::own::own(self.codecs()).events.is_some()
    }

    /// Whether both legs can go on with what they agreed on: the same kind of stream, and the codec that this leg prefers is one of the
    /// other's.
    pub fn fits(&self, other: &Self) -> bool {
        let (Some(ours), Some(theirs)) = (&self.settled, &other.settled) else { return false };
        if ours.kind() != theirs.kind() {
            return false;
        }
        let preferred = ours.codecs().iter().find(|codec| codec.call.is_speech());
        preferred.is_none_or(|preferred| {
            theirs.codecs().iter().any(|codec| codec.call.same_encoding(&preferred.call))
        })
    }

    fn check_quiet(&self) -> Result<(), WrongState> {
        match self.pending {
            Pending::Quiet => Ok(()),
            Pending::PeerOffered { .. } => Err(WrongState::PeerOfferPending),
            Pending::WeOffered { .. } => Err(WrongState::OurOfferPending),
        }
    }

    fn read_offer(&self, body: &[u8]) -> Result<(Stream, Lines), OfferError> {
        let description = Description::parse(body)?;
        let (slot, stream) = description.stream(self.lines.as_ref().map(Lines::active))?;
        let lines = description.lines(slot);
        Ok((stream, lines))
    }

    fn remember(&mut self) {
        let (settled, lines) = (self.settled.clone(), self.lines.clone());
        self.before = Some(Box::new(Before { settled, lines }));
    }

    fn proposal_of(&self, stream: &Stream, lines: &Lines) -> Proposal {
        let changed = self.settled.as_ref().is_some_and(|settled| settled.kind() != stream.kind());
        let same_line = self.lines.as_ref().is_some_and(|before| before.active() == lines.active());
        let placing = if changed && same_line { Placing::Instead } else { Placing::Own };
        let stream = match stream {
            Stream::Audio(Audio { codecs, direction, ptime, max_ptime, .. }) => {
                Proposed::Audio(AudioProposal {
                    codecs: codecs.clone(),
                    direction: *direction,
                    ptime: *ptime,
                    max_ptime: *max_ptime,
                })
            }
            Stream::Image(Image { terms, .. }) => Proposed::Image(terms.clone()),
        };
        Proposal { stream, lines: lines.clone(), placing }
    }

    /// Writes a description; its version grows if it differs from the last one (RFC 3264 section 8).
    fn publish(&mut self, mut lines: Lines, stream: Sketch<'_>) -> Bytes {
        if let Some(line) = stream.line() {
            lines.write(line);
        }
        let draft = Draft { lines: &lines, stream };
        let mut body = draft.write(self.session_id, self.version, &self.local);
        if self.sent.as_ref() != Some(&body) {
            self.version += 1;
            body = draft.write(self.session_id, self.version, &self.local);
            self.sent = Some(body.clone());
        }
        self.lines = Some(lines);
        body
    }
}

/// What we had offered when this was settled.
fn offered(settled: &Settled) -> Offered {
    match &settled.media {
        Agreed::Audio { offered, .. } => Offered::Audio { codecs: offered.clone(), direction: settled.limit },
        Agreed::Image { terms, .. } => Offered::Image(terms.clone()),
    }
}

#[cfg(test)]
mod tests;
