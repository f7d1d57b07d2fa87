//! Who has his turn when: what belongs to admitted calls at once, what would begin something after all else in the
//! engine's lobby, and the measured lag that decides how many are let in from there.

use std::time::{Duration, Instant, SystemTime};

use bytes::Bytes;
use um_engine::{Input, Lag, ShedReason, Verdict, Waiting};
use um_media::{RelayCommand, RelayId};
use um_sip::{Flow, Glance, endpoint::Shed, shard};

use super::{Driver, Surroundings};
use crate::{clock, signalling::mailbox::Command};

/// Longest time that calling in may take before the sockets are looked at again.
const CALLING: Duration = Duration::from_millis(1);
/// A lag that no datagram can have: the wall clock was set.
const IMPOSSIBLE: Duration = Duration::from_secs(60);

/// An order to the media threads whose confirmation is awaited, to learn how far behind they are.
#[derive(Debug, Clone, Copy)]
pub(super) struct Errand {
    relay: RelayId,
    given: Instant,
}

impl<S: Surroundings> Driver<S> {
    /// Hands a message to the shard that owns its transaction or dialog.
    pub(super) fn dispatch(&mut self, now: Instant, arrived: Instant, flow: Flow, bytes: Bytes) {
        let owner = match self.peers.len() {
            0 | 1 => self.shard,
            shards => shard::owner(&bytes, u16::try_from(shards).unwrap_or(u16::MAX)),
        };
        match self.peers.get(usize::from(owner)) {
            Some(peer) if owner != self.shard => peer.post(Command::Message { arrived, flow, bytes }),
            _ => self.receive(now, arrived, flow, bytes),
        }
    }

    /// Takes a message of this shard in.
    pub(super) fn receive(&mut self, now: Instant, arrived: Instant, flow: Flow, bytes: Bytes) {
        let kind = Glance::at(&bytes);
        let waits = match kind {
            Glance::Response | Glance::Inside => false,
            Glance::Ack if self.engine.absorb_shed_ack(now, kind, &bytes) => return,
            Glance::Ack => false,
            Glance::Cancel => !self.lobby.is_empty(),
            Glance::Invite | Glance::Register | Glance::Other => true,
        };
        if !waits || !HOLDS_BACK {
            return self.handle(now, Input::Message { flow, bytes });
        }
        if let Some((waiting, verdict)) = self.lobby.enter(Waiting { arrived, flow, bytes, kind }) {
            self.decide(now, waiting, verdict);
        }
    }

    /// Lets those in who have waited, until it is time to look at the sockets again; returns the time then.
    pub(super) fn call_in(&mut self, now: Instant) -> Instant {
        let mut at = now;
        while at.saturating_duration_since(now) < CALLING {
            let Some((waiting, verdict)) = self.lobby.call(at) else { break };
            self.lag = self.lag.max(at.saturating_duration_since(waiting.arrived));
            self.decide(at, waiting, verdict);
            at = clock::now();
        }
        at
    }

    fn decide(&mut self, now: Instant, waiting: Waiting, verdict: Verdict) {
        let Waiting { flow, bytes, kind, .. } = waiting;
        match verdict {
            Verdict::Serve => self.handle(now, Input::Message { flow, bytes }),
            Verdict::Refuse(reason) => self.refuse(now, reason, kind, flow, bytes),
            Verdict::Drop => self.traffic.forgotten += 1,
        }
    }

    fn refuse(&mut self, now: Instant, reason: ShedReason, kind: Glance, flow: Flow, bytes: Bytes) {
        if self.engine.handle_shed(now, flow, bytes) == Shed::Refused {
            self.traffic.shed.count(kind, reason);
        }
        self.carry_out(now);
    }

    /// Takes note of how long a message of an admitted call has waited. For the controller only the time counts that we
    /// were busy with others: being woken late by the system is no backlog, and refusing calls would not mend it.
    pub(super) fn note_lag(&mut self, now: Instant, lag: Duration) {
        self.lag = self.lag.max(lag);
        if HOLDS_BACK {
            self.lobby.note_lag(now, Lag::Signalling, lag.saturating_sub(self.polled));
        }
    }

    /// Remembers an order to the media threads; one at a time says enough.
    pub(super) fn note_order(&mut self, now: Instant, command: &RelayCommand) {
        if HOLDS_BACK && let (None, RelayCommand::Open(open)) = (self.errand, command) {
            self.errand = Some(Errand { relay: open.relay, given: now });
        }
    }

    /// Measures how long the media threads took for the order that was remembered.
    pub(super) fn note_confirmation(&mut self, now: Instant, relay: RelayId) {
        if let Some(errand) = self.errand.take_if(|errand| errand.relay == relay) {
            self.lobby.note_lag(now, Lag::Media, now.saturating_duration_since(errand.given));
        }
    }

    /// An order that is not yet confirmed tells of lag too; the measure is at least its age.
    pub(super) fn note_unconfirmed(&mut self, now: Instant) {
        if let Some(errand) = self.errand {
            let age = now.saturating_duration_since(errand.given);
            if age > UNCONFIRMED {
                self.lobby.note_lag(now, Lag::Media, age);
            }
            if age > IMPOSSIBLE {
                self.errand = None;
            }
        }
    }
}

/// Whether newcomers wait in the lobby and may be refused there. Not yet: on a core that media and signalling share the measure
/// takes short bursts for an overload and refuses calls that could be served.
const HOLDS_BACK: bool = false;

/// How long ago a kernel's time stamp was; nothing when it cannot be told.
pub(super) fn age(wall: SystemTime, stamp: Option<Duration>) -> Duration {
    let since_epoch = wall.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let age = stamp.map_or(Duration::ZERO, |stamp| since_epoch.saturating_sub(stamp));
    if age > IMPOSSIBLE { Duration::ZERO } else { age }
}

/// An order is worth a sample of its own before its confirmation when it is older.
const UNCONFIRMED: Duration = Duration::from_millis(50);
