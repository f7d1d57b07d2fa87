//! The calling side: one thread that sends INVITEs on schedule, repeats what is not answered as RFC 3261 wants it over UDP,
//! acknowledges, holds and hangs up, and notes what became of every call.

use std::{
    collections::VecDeque,
    sync::atomic::{AtomicU64, Ordering},
    thread,
    time::{Duration, Instant},
};

use anyhow::Result;

use super::{
    messages::{Party, Reached},
    text::Text,
    wire::{Transport, Wire},
};
use crate::{
    clock,
    figures::Figures,
    process::leave_core,
    rig::{CALLER, GATEWAY},
};

/// What to offer.
#[derive(Debug, Clone)]
pub struct Calls {
    /// What it runs over.
    pub transport: Transport,
    /// New calls per second, and for how long, one after the other.
    pub phases: Vec<(u32, Duration)>,
    /// How long an answered call is held.
    pub hold: Duration,
}

impl Calls {
    /// One rate for a while, calls that hang up at once.
    #[must_use]
    pub fn at(transport: Transport, rate: u32, duration: Duration) -> Self {
        Self { transport, phases: vec![(rate, duration)], hold: Duration::ZERO }
    }
}

/// What became of it.
#[derive(Debug, Clone, Default)]
pub struct Run {
    /// Calls begun.
    pub calls: u32,
    /// Calls answered.
    pub answered: u32,
    /// Calls whose BYE was answered.
    pub ended: u32,
    /// Calls refused with 503.
    pub refused: u32,
    /// Messages that came twice.
    pub repeated: u32,
    /// Requests that were sent again because nothing came back in time.
    pub sent_again: u32,
    /// From INVITE to 200, seconds.
    pub setup: Figures,
    /// How long the sending took.
    pub took: Duration,
    /// What happened in each [`SLICE`], from the first INVITE on.
    pub slices: Vec<Slice>,
}

/// What happened in one slice of time.
#[derive(Debug, Clone, Copy, Default)]
pub struct Slice {
    /// Calls begun.
    pub begun: u32,
    /// Calls ended as they should.
    pub ended: u32,
    /// Calls refused.
    pub refused: u32,
}

/// Length of a slice.
pub const SLICE: Duration = Duration::from_millis(100);

impl Run {
    /// Calls that neither ended as they should nor were refused.
    #[must_use]
    pub fn failed(&self) -> u32 {
        self.calls.saturating_sub(self.ended + self.refused)
    }

    /// Calls that were answered and did not end as they should.
    #[must_use]
    pub fn broken(&self) -> u32 {
        self.answered - self.ended
    }

    /// Whether every call ended, and nothing was sent twice by anybody on this side.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.failed() + self.refused + self.repeated + self.sent_again == 0
    }

    /// Whether the sending kept up with the rate, within 3 %.
    #[must_use]
    pub fn kept_rate(&self, rate: u32) -> bool {
        f64::from(self.calls) / self.took.as_secs_f64() > 0.97 * f64::from(rate)
    }

    /// Sums what happened between two times from the first INVITE on.
    #[must_use]
    pub fn between(&self, from: Duration, to: Duration) -> Slice {
        let place = |at: Duration| (at.as_millis() / SLICE.as_millis()) as usize;
        let slices = self.slices.iter().take(place(to)).skip(place(from));
        slices.fold(Slice::default(), |sum, slice| Slice {
            begun: sum.begun + slice.begun,
            ended: sum.ended + slice.ended,
            refused: sum.refused + slice.refused,
        })
    }
}

/// Tells the calls of one run from those of all others of this process.
static RUNS: AtomicU64 = AtomicU64::new(0);
/// Time for the last calls to end.
const TAIL: Duration = Duration::from_secs(3);
/// INVITEs between two looks at the socket.
const BURST: u32 = 16;
/// RFC 3261 §17.1.1.2 and §17.1.2.2 over UDP: each time twice as long.
const AGAIN: [Duration; 5] = [
    Duration::from_millis(500),
    Duration::from_millis(1_000),
    Duration::from_millis(2_000),
    Duration::from_millis(4_000),
    Duration::from_millis(4_000),
];

/// Places calls and waits for their end; `on_held` is called once when all calls are up, if they are held.
///
/// # Errors
///
/// The caller's address is taken, or the gateway closed its connection.
pub fn call(calls: &Calls, mut on_held: impl FnMut() + Send) -> Result<Run> {
    let total = calls.phases.iter().map(|(rate, length)| count(*rate, *length)).sum::<u32>();
    let party = Party { run: RUNS.fetch_add(1, Ordering::Relaxed), transport: calls.transport };
    let mut caller = Caller {
        wire: Wire::caller(calls.transport, CALLER, GATEWAY)?,
        party,
        hold: calls.hold,
        begun: clock::now(),
        calls: vec![Call::default(); total as usize],
        unanswered: Default::default(),
        held: VecDeque::new(),
        run: Run::default(),
        setup: Vec::with_capacity(total as usize),
    };
    thread::scope(|scope| {
        let placed = scope.spawn(|| {
            leave_core(0);
            caller.place(calls, &mut NoticeOnce(Some(&mut on_held)))
        });
        placed.join().map_err(|_| anyhow::anyhow!("the caller's thread panicked"))?
    })?;
    let mut run = caller.run;
    run.setup = caller.setup.into_iter().collect();
    Ok(run)
}

/// Calls of a phase.
fn count(rate: u32, length: Duration) -> u32 {
    u32::try_from(u128::from(rate) * length.as_millis() / 1_000).unwrap_or(u32::MAX)
}

/// Something that is called once.
struct NoticeOnce<'a, F: FnMut()>(Option<&'a mut F>);

impl<F: FnMut()> NoticeOnce<'_, F> {
    fn give(&mut self) {
        if let Some(notice) = self.0.take() {
            notice();
        }
    }
}

/// Takes the first one if it is as wanted.
fn take_if<T>(queue: &mut VecDeque<T>, wanted: impl Fn(&T) -> bool) -> Option<T> {
    if queue.front().is_some_and(wanted) { queue.pop_front() } else { None }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum State {
    #[default]
    Unborn,
    /// Nothing has come back.
    Calling,
    /// A provisional response has.
    Proceeding,
    Answered,
    Ending,
    Over,
}

#[derive(Debug, Clone, Default)]
struct Call {
    state: State,
    sent: Option<Instant>,
    reached: Option<Box<Reached>>,
}

struct Caller {
    wire: Wire,
    party: Party,
    hold: Duration,
    begun: Instant,
    calls: Vec<Call>,
    /// What waits for a response, by how often it was sent, soonest first.
    unanswered: [VecDeque<(Instant, u32, State)>; AGAIN.len()],
    /// Answered calls, soonest to end first.
    held: VecDeque<(Instant, u32)>,
    run: Run,
    setup: Vec<f64>,
}

impl Caller {
    fn place<F: FnMut()>(&mut self, calls: &Calls, on_held: &mut NoticeOnce<'_, F>) -> Result<()> {
        self.begun = clock::now();
        let mut phase_begun = self.begun;
        for (rate, length) in &calls.phases {
            let interval = Duration::from_secs(1) / (*rate).max(1);
            let mut placed = 0;
            while placed < count(*rate, *length) {
                let now = clock::now();
                let mut burst = 0;
                while burst < BURST
                    && placed < count(*rate, *length)
                    && phase_begun + interval * placed <= now
                {
                    self.begin(now)?;
                    placed += 1;
                    burst += 1;
                }
                self.serve(now)?;
            }
            phase_begun += *length;
        }
        self.run.took = clock::now().duration_since(self.begun);
        let until = clock::now() + TAIL + self.hold;
        let mut now = clock::now();
        while self.run.ended + self.run.refused < self.run.calls && now < until {
            if self.run.answered + self.run.refused == self.run.calls {
                on_held.give();
            }
            self.serve(now)?;
            now = clock::now();
        }
        Ok(())
    }

    /// Takes what has come and does what is due; sleeps a little when there is nothing.
    fn serve(&mut self, now: Instant) -> Result<()> {
        let mut replies = Vec::new();
        let Self { wire, .. } = self;
        let mut received = Vec::new();
        let any = wire.receive(|bytes, _| received.push(bytes.to_vec()))?;
        for bytes in &received {
            self.on_message(now, Text(bytes), &mut replies);
        }
        self.hang_up(now, &mut replies);
        if self.party.transport == Transport::Udp {
            self.repeat(now, &mut replies);
        }
        for reply in replies {
            self.wire.send(reply.as_bytes(), GATEWAY)?;
        }
        if !any {
            thread::sleep(Duration::from_micros(50));
        }
        Ok(())
    }

    fn begin(&mut self, now: Instant) -> Result<()> {
        let number = self.run.calls;
        self.run.calls += 1;
        let text = self.party.invite(number);
        if let Some(call) = self.calls.get_mut(number as usize) {
            (call.state, call.sent) = (State::Calling, Some(now));
        }
        self.unanswered[0].push_back((now + AGAIN[0], number, State::Calling));
        self.slice(now).begun += 1;
        self.wire.send(text.as_bytes(), GATEWAY)
    }

    fn on_message(&mut self, now: Instant, text: Text<'_>, replies: &mut Vec<String>) {
        let Some(number) = text.header("\r\nCall-ID: ").and_then(|id| self.party.number(id)) else { return };
        let Some(status) = text.status() else { return };
        let is_invite = text.header("\r\nCSeq: ").is_some_and(|cseq| cseq.ends_with("INVITE"));
        let Some(call) = self.calls.get_mut(number as usize) else { return };
        match (is_invite, call.state, status) {
            (true, State::Calling, 100..=199) => call.state = State::Proceeding,
            (true, State::Calling | State::Proceeding, 200..=299) => {
                let reached = Reached::of(text);
                replies.push(self.party.ack(number, &reached));
                (call.state, call.reached) = (State::Answered, Some(Box::new(reached)));
                let waited = call.sent.map(|sent| now.saturating_duration_since(sent));
                self.setup.extend(waited.map(|waited| waited.as_secs_f64()));
                self.run.answered += 1;
                self.held.push_back((now + self.hold, number));
            }
            (true, State::Answered | State::Ending | State::Over, 200..=299) => {
                self.run.repeated += 1;
                replies.extend(call.reached.as_ref().map(|reached| self.party.ack(number, reached)));
            }
            (true, State::Calling | State::Proceeding, 300..) => {
                call.state = State::Over;
                replies.push(self.party.ack_failure(number, text));
                if status == 503 {
                    self.run.refused += 1;
                    self.slice(now).refused += 1;
                }
            }
            (true, State::Over, 300..) => {
                self.run.repeated += 1;
                replies.push(self.party.ack_failure(number, text));
            }
            (false, State::Ending, 200..=299) => {
                call.state = State::Over;
                self.run.ended += 1;
                self.slice(now).ended += 1;
            }
            (false, State::Over, _) => self.run.repeated += 1,
            (_, _, _) => {}
        }
    }

    fn hang_up(&mut self, now: Instant, replies: &mut Vec<String>) {
        while let Some((_, number)) = take_if(&mut self.held, |(at, _)| *at <= now) {
            let Some(call) = self.calls.get_mut(number as usize) else { continue };
            call.state = State::Ending;
            replies.extend(call.reached.as_ref().map(|reached| self.party.bye(number, reached)));
            self.unanswered[0].push_back((now + AGAIN[0], number, State::Ending));
        }
    }

    /// Sends again what was not answered: an INVITE without any response, a BYE.
    fn repeat(&mut self, now: Instant, replies: &mut Vec<String>) {
        for step in 0..AGAIN.len() {
            while let Some((_, number, state)) = take_if(&mut self.unanswered[step], |(at, ..)| *at <= now) {
                let Some(call) = self.calls.get(number as usize).filter(|call| call.state == state) else {
                    continue;
                };
                self.run.sent_again += 1;
                replies.push(match (&call.reached, state) {
                    (Some(reached), State::Ending) => self.party.bye(number, reached),
                    (_, _) => self.party.invite(number),
                });
                if let Some(next) = self.unanswered.get_mut(step + 1) {
                    next.push_back((now + AGAIN[step + 1], number, state));
                }
            }
        }
    }

    fn slice(&mut self, now: Instant) -> &mut Slice {
        let place = (now.saturating_duration_since(self.begun).as_millis() / SLICE.as_millis()) as usize;
        if self.run.slices.len() <= place {
            self.run.slices.resize(place + 1, Slice::default());
        }
        &mut self.run.slices[place]
    }
}
