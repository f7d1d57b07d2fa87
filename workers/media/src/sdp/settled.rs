//! What the last answer settled on one leg, and how a new offer of the peer differs from it.

use bytes::Bytes;

use super::{
    answer::AgreedCodec,
    audio::{Audio, RemoteMedia},
    codec::Codec,
    description::Stream,
    direction::Direction,
    image::{Image, ImageTerms},
    lines::{Kind, Lines, Placing},
    offer::{AudioProposal, Proposal, Proposed},
};

/// What the last answer settled.
#[derive(Debug, Clone)]
pub(super) struct Settled {
    /// What the peer said last, in its offer or its answer.
    pub(super) peer: Stream,
    pub(super) media: Agreed,
    /// Our own direction.
    pub(super) direction: Direction,
    /// What the other leg lets us do here, whatever the peer asks.
    pub(super) limit: Direction,
    /// Our answer, when the offer was the peer's.
    pub(super) answer: Option<Bytes>,
}

/// The stream that was settled.
#[derive(Debug, Clone)]
pub(super) enum Agreed {
    /// The codecs; `offered` is what we offered, empty if the peer did.
    Audio { codecs: Vec<AgreedCodec>, offered: Vec<AgreedCodec> },
    /// What we said of it; `ours`: we offered it.
    Image { terms: ImageTerms, ours: bool },
}

/// What a new offer of the peer changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// Nothing: a refresh.
    Nothing,
    /// Address, port, packet time, or codecs beside those in use.
    Place,
    /// The direction: hold or resume.
    Direction,
    /// A codec in use is offered no more.
    Codecs,
    /// The kind of stream, or what a fax stream is like.
    Kind,
}

impl Settled {
    pub(super) fn kind(&self) -> Kind {
        self.peer.kind()
    }

    /// Returns whether we offered.
    pub(super) fn is_ours(&self) -> bool {
        match &self.media {
            Agreed::Audio { offered, .. } => !offered.is_empty(),
            Agreed::Image { ours, .. } => *ours,
        }
    }

    pub(super) fn codecs(&self) -> &[AgreedCodec] {
        match &self.media {
            Agreed::Audio { codecs, .. } => codecs,
            Agreed::Image { .. } => &[],
        }
    }

    /// Returns the codecs in use, as the call numbers them.
    pub(super) fn in_use(&self) -> Vec<Codec> {
        self.codecs().iter().map(|codec| codec.call.clone()).collect()
    }

    pub(super) fn remote(&self) -> RemoteMedia {
        match &self.peer {
            Stream::Audio(audio) => audio.remote,
            Stream::Image(Image { remote, .. }) => RemoteMedia { rtp: *remote, rtcp: *remote },
        }
    }

    /// Returns what was settled as the content of an offer to the other leg, which is to say `direction`.
    pub(super) fn proposal(&self, lines: &Lines, direction: Direction) -> Proposal {
        let stream = match (&self.media, &self.peer) {
            (Agreed::Image { .. }, Stream::Image(image)) => Proposed::Image(image.terms.clone()),
            (Agreed::Image { terms, .. }, Stream::Audio(_)) => Proposed::Image(terms.clone()),
            (Agreed::Audio { .. }, peer) => {
                let (ptime, max_ptime) = match peer {
                    Stream::Audio(audio) => (audio.ptime, audio.max_ptime),
                    Stream::Image(_) => (None, None),
                };
                Proposed::Audio(AudioProposal { codecs: self.in_use(), direction, ptime, max_ptime })
            }
        };
        Proposal { stream, lines: lines.clone(), placing: Placing::Own }
    }

    /// Says what an offer would change.
    pub(super) fn change(&self, offered: &Stream) -> Change {
        match (&self.peer, offered) {
            (Stream::Audio(before), Stream::Audio(now)) => self.change_of_audio(before, now),
            (Stream::Image(before), Stream::Image(now)) if before.terms != now.terms => Change::Kind,
            (Stream::Image(before), Stream::Image(now)) if before == now => Change::Nothing,
            (Stream::Image(_), Stream::Image(_)) => Change::Place,
            (Stream::Audio(_), Stream::Image(_)) | (Stream::Image(_), Stream::Audio(_)) => Change::Kind,
        }
    }

    fn change_of_audio(&self, before: &Audio, now: &Audio) -> Change {
        let offered = |ours: &AgreedCodec| now.codecs.iter().any(|theirs| theirs.same_encoding(&ours.call));
        let mut speech = self.codecs().iter().filter(|codec| codec.call.is_speech());
        if !speech.all(offered) {
            Change::Codecs
        } else if before.direction != now.direction {
            Change::Direction
        } else if before != now {
            Change::Place
        } else {
            Change::Nothing
        }
    }
}
