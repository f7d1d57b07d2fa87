//! What the media threads count for metrics: plain integers while packets pass, published once a second.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use um_media::{Discard, Leg, RelayEvent, Transmit};

/// One of the counted things; all but [`Counter::RelaysOpen`] only grow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Counter {
    /// Relays that are open now.
    RelaysOpen,
    /// Relays opened.
    RelaysOpened,
    /// Relays that could not be opened.
    RelaysFailed,
    /// Datagrams, RTP and RTCP, received from callers' side.
    ReceivedInbound,
    /// Datagrams received from UM servers' side.
    ReceivedOutbound,
    /// Datagrams handed on to callers' side.
    SentInbound,
    /// Datagrams handed on to UM servers' side.
    SentOutbound,
    /// Datagrams that are neither RTP nor RTCP.
    Malformed,
    /// Datagrams from a source that is not the leg's.
    ForeignSource,
    /// Datagrams to a port whose relay is closed.
    NoRelay,
    /// Datagrams with nowhere to go.
    NoDestination,
    /// Datagrams that the negotiated direction forbids.
    WrongDirection,
    /// Datagrams of a stream that was replaced.
    StaleStream,
    /// RTP packets that never came, of relays that are closed.
    Lost,
    /// Datagrams that a socket would not take at once.
    SendBlocked,
    /// Datagrams that the system refused to send.
    SendFailed,
    /// Reads that the system refused.
    ReceiveFailed,
}

impl Counter {
    /// All of them.
    pub const ALL: [Self; 17] = [
        Self::RelaysOpen,
        Self::RelaysOpened,
        Self::RelaysFailed,
        Self::ReceivedInbound,
        Self::ReceivedOutbound,
        Self::SentInbound,
        Self::SentOutbound,
        Self::Malformed,
        Self::ForeignSource,
        Self::NoRelay,
        Self::NoDestination,
        Self::WrongDirection,
        Self::StaleStream,
        Self::Lost,
        Self::SendBlocked,
        Self::SendFailed,
        Self::ReceiveFailed,
    ];

    const fn index(self) -> usize {
        self as usize
    }
}

/// A value for each counter.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Totals([u64; Counter::ALL.len()]);

impl Totals {
    /// Returns the value of a counter.
    pub fn get(&self, counter: Counter) -> u64 {
        self.0.get(counter.index()).copied().unwrap_or(0)
    }

    /// Adds to a counter.
    pub(super) fn add(&mut self, counter: Counter, count: u64) {
        if let Some(value) = self.0.get_mut(counter.index()) {
            *value = value.wrapping_add(count);
        }
    }

    /// Counts a datagram that came from `leg`, and where it went.
    pub(super) fn on_outcome(&mut self, leg: Leg, outcome: Result<Transmit, Discard>) {
        let (received, sent) = match leg {
            Leg::Inbound => (Counter::ReceivedInbound, Counter::SentOutbound),
            Leg::Outbound => (Counter::ReceivedOutbound, Counter::SentInbound),
        };
        self.add(received, 1);
        let fate = match outcome {
            Ok(_) => sent,
            Err(Discard::Malformed) => Counter::Malformed,
            Err(Discard::ForeignSource) => Counter::ForeignSource,
            Err(Discard::NoDestination) => Counter::NoDestination,
            Err(Discard::WrongDirection) => Counter::WrongDirection,
            Err(Discard::StaleStream) => Counter::StaleStream,
        };
        self.add(fate, 1);
    }

    /// Counts a packet that a relay made by itself.
    pub(super) fn on_generated(&mut self, transmit: Transmit) {
        self.add(
            match transmit.leg {
                Leg::Inbound => Counter::SentInbound,
                Leg::Outbound => Counter::SentOutbound,
            },
            1,
        );
    }

    /// Counts what became of a relay.
    pub(super) fn on_event(&mut self, event: &RelayEvent) {
        match event {
            RelayEvent::Opened { .. } => {
                self.add(Counter::RelaysOpen, 1);
                self.add(Counter::RelaysOpened, 1);
            }
            RelayEvent::Failed { .. } => self.add(Counter::RelaysFailed, 1),
            RelayEvent::Closed { counters, .. } => {
                self.add(Counter::RelaysOpen, u64::MAX);
                self.add(Counter::Lost, counters.inbound.rtp_lost + counters.outbound.rtp_lost);
            }
        }
    }
}

/// The counters that one thread publishes.
#[derive(Debug, Clone)]
pub(super) struct Snapshot(Arc<[AtomicU64; Counter::ALL.len()]>);

impl Snapshot {
    /// Makes `totals` what readers see.
    pub(super) fn publish(&self, totals: &Totals) {
        for (shared, value) in self.0.iter().zip(totals.0) {
            shared.store(value, Ordering::Relaxed);
        }
    }

    fn read(&self) -> [u64; Counter::ALL.len()] {
        std::array::from_fn(|index| self.0.get(index).map_or(0, |value| value.load(Ordering::Relaxed)))
    }
}

/// The counters of all threads, at most a second old.
#[derive(Debug, Clone)]
pub struct Board(Vec<Snapshot>);

impl Board {
    pub(super) fn new(threads: u16) -> Self {
        let blank = || Snapshot(Arc::new(std::array::from_fn(|_| AtomicU64::new(0))));
        Self((0..threads).map(|_| blank()).collect())
    }

    /// Returns the place where a thread publishes.
    pub(super) fn snapshot(&self, thread: u16) -> Snapshot {
        self.0.get(usize::from(thread)).cloned().expect("one snapshot was made per thread")
    }

    /// Sums what the threads published.
    pub fn read(&self) -> Totals {
        let mut sum = Totals::default();
        for thread in &self.0 {
            for (total, value) in sum.0.iter_mut().zip(thread.read()) {
                *total = total.wrapping_add(value);
            }
        }
        sum
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_counter_has_its_own_place() {
        let mut totals = Totals::default();
        for (value, counter) in (1..).zip(Counter::ALL) {
            totals.add(counter, value);
        }
        assert_eq!(totals.0.to_vec(), (1..).take(Counter::ALL.len()).collect::<Vec<u64>>());
    }

    #[test]
    fn the_board_sums_what_threads_published() {
        let board = Board::new(2);
        for (thread, count) in [(0, 3), (1, 4)] {
            let mut totals = Totals::default();
            totals.add(Counter::Lost, count);
            board.snapshot(thread).publish(&totals);
        }
        assert_eq!(board.read().get(Counter::Lost), 7);
    }
}
