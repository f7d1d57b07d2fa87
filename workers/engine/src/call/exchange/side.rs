//! One leg of an exchange: whose turn it is, what we still want to send, and when that may go.

use std::time::{Duration, Instant};

use super::words::{Carrier, Manners, Means, Need, Owner, Wish};

/// One leg.
#[derive(Clone, Debug)]
pub(super) struct Side {
    pub(super) manners: Manners,
    pub(super) means: Means,
    pub(super) turn: Turn,
    /// Our 2xx to the peer's re-INVITE waits for its ACK; it holds the answer, so that the peer may go on but we may not.
    pub(super) unacknowledged: bool,
    pub(super) want: Option<Want>,
    /// Before that no re-INVITE of ours.
    pub(super) clear_at: Option<Instant>,
}

/// Whose offer is pending on a leg.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    /// Nobody's.
    Quiet,
    /// The peer's; it waits for the other leg until `until`.
    Theirs { carrier: Carrier, wish: Wish, until: Instant },
    /// Ours, in a request. `early`: its answer has come in a reliable provisional response.
    Ours { intent: Intent, carrier: Carrier, tries: u8, early: bool },
    /// Ours, in a response; the answer is to come in ACK or PRACK.
    AnswerDue,
}

/// Why we offer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Intent {
    /// The other leg's peer wants it, and waits.
    Forward,
    /// So that both legs speak the same.
    Align(Need),
    /// So that the session does not expire.
    Refresh,
}

/// An offer of ours that has yet to go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Want {
    pub(super) intent: Intent,
    pub(super) carrier: Carrier,
    /// The end of a back-off.
    pub(super) not_before: Option<Instant>,
    pub(super) tries: u8,
}

impl Side {
    pub(super) const fn new(manners: Manners, means: Means) -> Self {
        Self { manners, means, turn: Turn::Quiet, unacknowledged: false, want: None, clear_at: None }
    }

    /// Forgets the dialog that was, for another one.
    pub(super) fn reset(&mut self) {
        *self = Self::new(self.manners, Means { invite: false, update: false });
    }

    /// The carrier with which what we want could go, disregarding time; `None` while nothing can.
    pub(super) fn carrier(&self) -> Option<Carrier> {
        let want = self.want.filter(|_| self.turn == Turn::Quiet)?;
        match want.carrier {
            Carrier::Update if self.means.update => Some(Carrier::Update),
            Carrier::Invite | Carrier::Update | Carrier::Prack => {
                let open = self.means.invite && !self.unacknowledged;
                let update = self.means.update && !self.means.invite;
                if open { Some(Carrier::Invite) } else { update.then_some(Carrier::Update) }
            }
        }
    }

    /// When what we want may go; `None` while nothing is wanted, or something else has to happen first.
    pub(super) fn ready_at(&self, now: Instant) -> Option<Instant> {
        let carrier = self.carrier()?;
        let gap = match carrier {
            Carrier::Invite => self.clear_at,
            Carrier::Update | Carrier::Prack => None,
        };
        let back_off = self.want.and_then(|want| want.not_before);
        Some(gap.into_iter().chain(back_off).fold(now, Instant::max))
    }

    /// Whether anything could ever be offered on this leg.
    pub(super) const fn can_offer(&self) -> bool {
        self.means.invite || self.means.update
    }

    /// The next moment at which this leg has something to do by itself.
    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        match self.turn {
            Turn::Theirs { until, .. } => Some(until),
            Turn::Quiet => {
                let carrier = self.carrier()?;
                let gap = self.clear_at.filter(|_| carrier == Carrier::Invite);
                self.want.and_then(|want| want.not_before).into_iter().chain(gap).max()
            }
            Turn::Ours { .. } | Turn::AnswerDue => None,
        }
    }

    /// An INVITE of this dialog is over: the next one of ours keeps its distance.
    pub(super) fn keep_distance(&mut self, now: Instant) {
        self.clear_at = Some(now + self.manners.gap);
    }

    /// How long we wait after a 491 (RFC 3261 §14.1): 2.1 to 4 s when we chose the Call-ID, else 0 to 2 s, in
    /// steps of 10 ms.
    pub(super) fn back_off(&self, chance: u64) -> Duration {
        let millis = match self.manners.owner {
            Owner::Us => 2_100 + chance % 191 * 10,
            Owner::Peer => chance % 201 * 10,
        };
        Duration::from_millis(millis)
    }
}
