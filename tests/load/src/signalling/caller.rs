//! The calling side: one thread sends INVITEs on schedule, one answers what comes back and hangs up at once.

use std::{
    net::UdpSocket,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use bytes::Bytes;
use um_sip::{HeaderName, Limits, Message, Method};

use crate::{
    clock,
    figures::Figures,
    process::leave_core,
    rig::{CALLER, GATEWAY},
};

/// What to offer.
#[derive(Debug, Clone, Copy)]
pub struct Calls {
    /// New calls per second.
    pub rate: u32,
    /// For how long.
    pub duration: Duration,
}

/// What became of it.
#[derive(Debug, Clone)]
pub struct Run {
    /// Calls begun.
    pub calls: u32,
    /// Calls answered.
    pub answered: u32,
    /// Calls whose BYE was answered.
    pub ended: u32,
    /// Messages that came twice.
    pub repeated: u32,
    /// From INVITE to 200, seconds.
    pub setup: Figures,
    /// How long the sending took.
    pub took: Duration,
}

impl Run {
    /// Calls that were not answered or not ended.
    #[must_use]
    pub fn failed(&self) -> u32 {
        (self.calls - self.answered) + (self.answered - self.ended)
    }

    /// Whether the sending kept up with the rate, within 3 %.
    #[must_use]
    pub fn kept_rate(&self, rate: u32) -> bool {
        f64::from(self.calls) / self.took.as_secs_f64() > 0.97 * f64::from(rate)
    }
}

/// Tells the calls of one run from those of all others of this process.
static RUNS: AtomicU64 = AtomicU64::new(0);
/// Time for the last calls to end.
const TAIL: Duration = Duration::from_secs(3);

/// Places calls and waits for their end.
///
/// # Errors
///
/// The caller's address is taken.
pub fn call(calls: &Calls) -> Result<Run> {
    let socket = UdpSocket::bind(CALLER).with_context(|| format!("{CALLER} is taken"))?;
    socket.set_read_timeout(Some(Duration::from_millis(20)))?;
    let run = RUNS.fetch_add(1, Ordering::Relaxed);
    let total = u32::try_from(u64::from(calls.rate) * calls.duration.as_millis() as u64 / 1000)?;
    let begun = clock::now();
    let sent: Arc<Vec<AtomicU64>> = Arc::new((0..total).map(|_| AtomicU64::new(0)).collect());
    let done = Arc::new(AtomicBool::new(false));
    let receiver = Receiver {
        socket: socket.try_clone()?,
        run,
        begun,
        sent: Arc::clone(&sent),
        done: Arc::clone(&done),
        state: vec![State::Calling; total as usize],
    };
    let receiver = thread::Builder::new().name("caller".into()).spawn(move || receiver.receive())?;
    let interval = Duration::from_secs(1) / calls.rate.max(1);
    for number in 0..total {
        let due = begun + interval * number;
        let now = clock::now();
        if due > now {
            thread::sleep(due - now);
        }
        let at = clock::now().duration_since(begun).as_nanos() as u64;
        sent[number as usize].store(at.max(1), Ordering::Relaxed);
        socket.send_to(invite(run, number).as_bytes(), GATEWAY)?;
    }
    let took = clock::now().duration_since(begun);
    done.store(true, Ordering::Release);
    let mut result = receiver.join().map_err(|_| anyhow::anyhow!("the caller's thread panicked"))?;
    result.calls = total;
    result.took = took;
    Ok(result)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Calling,
    Answered,
    Ended,
}

struct Receiver {
    socket: UdpSocket,
    run: u64,
    begun: Instant,
    sent: Arc<Vec<AtomicU64>>,
    done: Arc<AtomicBool>,
    state: Vec<State>,
}

impl Receiver {
    fn receive(mut self) -> Run {
        leave_core(0);
        let mut run = Run {
            calls: 0,
            answered: 0,
            ended: 0,
            repeated: 0,
            setup: Figures::default(),
            took: Duration::ZERO,
        };
        let mut setup = Vec::with_capacity(self.state.len());
        let mut buffer = vec![0; 65_535];
        let mut deadline = None;
        while run.ended < self.state.len() as u32 {
            if self.done.load(Ordering::Acquire) {
                let until = *deadline.get_or_insert_with(|| clock::now() + TAIL);
                if clock::now() > until {
                    break;
                }
            }
            let Ok((length, _)) = self.socket.recv_from(&mut buffer) else { continue };
            self.on_datagram(&buffer[..length], &mut run, &mut setup);
        }
        run.setup = setup.into_iter().collect();
        run
    }

    fn on_datagram(&mut self, bytes: &[u8], run: &mut Run, setup: &mut Vec<f64>) {
        let Ok(message) = Message::parse(Bytes::copy_from_slice(bytes), &Limits::default()) else { return };
        let Some(number) = self.number(&message) else { return };
        let (Some(status), index) = (message.status(), number as usize) else { return };
        if status.code() < 200 || index >= self.state.len() {
            return;
        }
        let to = message.header_text(HeaderName::To).unwrap_or_default().to_owned();
        match (message.method() == &Method::Invite, self.state[index]) {
            (true, State::Calling) if status.code() == 200 => {
                self.state[index] = State::Answered;
                run.answered += 1;
                let sent = self.sent[index].load(Ordering::Relaxed);
                let now = clock::now().duration_since(self.begun).as_nanos() as u64;
                setup.push(now.saturating_sub(sent) as f64 / 1e9);
                self.send(&ack(self.run, number, &to));
                self.send(&bye(self.run, number, &to));
            }
            (true, State::Answered | State::Ended) if status.code() == 200 => {
                run.repeated += 1;
                self.send(&ack(self.run, number, &to));
            }
            (false, State::Answered) => {
                self.state[index] = State::Ended;
                run.ended += 1;
            }
            (false, State::Ended) => run.repeated += 1,
            (_, _) => {}
        }
    }

    /// The number of the call, from its Call-ID; nothing when it is of another run.
    fn number(&self, message: &Message) -> Option<u32> {
        let (run, number) = message.call_id().split_once('-')?;
        (run.parse() == Ok(self.run)).then_some(())?;
        number.split('@').next()?.parse().ok()
    }

    fn send(&self, text: &str) {
        // A full socket buffer shows as a call that does not end.
        let _ = self.socket.send_to(text.as_bytes(), GATEWAY);
    }
}

fn head(method: &str, run: u64, number: u32, cseq: u32, to: &str) -> String {
    format!(
        "{method} sip:6000@{GATEWAY} SIP/2.0\r\n\
         Via: SIP/2.0/UDP {CALLER};branch=z9hG4bK{run}x{number}x{cseq}{method}\r\n\
         Max-Forwards: 70\r\n\
         From: \"Phone\" <sip:u{number}@pbx.test>;tag=c{run}x{number}\r\n\
         To: {to}\r\n\
         Call-ID: {run}-{number}@load\r\n\
         CSeq: {cseq} {method}\r\n"
    )
}

fn invite(run: u64, number: u32) -> String {
    let sdp = format!(
        "v=0\r\no=u 1 1 IN IP4 {ip}\r\ns=-\r\nc=IN IP4 {ip}\r\nt=0 0\r\nm=audio 40000 RTP/AVP 8\r\na=rtpmap:8 PCMA/8000\r\n",
        ip = CALLER.ip()
    );
    let head = head("INVITE", run, number, 1, &format!("<sip:6000@{GATEWAY}>"));
    let length = sdp.len();
    format!(
        "{head}Contact: <sip:phone@{CALLER}>\r\nContent-Type: application/sdp\r\nContent-Length: {length}\r\n\r\n{sdp}"
    )
}

fn ack(run: u64, number: u32, to: &str) -> String {
    format!("{}Content-Length: 0\r\n\r\n", head("ACK", run, number, 1, to))
}

fn bye(run: u64, number: u32, to: &str) -> String {
    format!("{}Content-Length: 0\r\n\r\n", head("BYE", run, number, 2, to))
}
