//! One UM server: answers, refuses, redirects, forks or falls silent as its [`Conduct`] says, and complains of what the
//! worker does wrong. A machine without a clock; RFC 3261 §17.2 as far as a server in trouble keeps to it.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use bytes::Bytes;
use um_sip::{Message, Method, Transport};

use crate::conduct::Conduct;
use crate::scenario::Routed;
use crate::talk::{Ends, Moves, Talk};
use crate::wire::{self, Path, Repeat, SERVER_PORTS, Said, T2};

mod leg;

pub use leg::{Leg, Phase};

/// A UM server.
#[derive(Debug)]
pub struct Server {
    number: usize,
    conduct: Conduct,
    /// Whether it calls itself by name in a redirection.
    named: bool,
    routed: Routed,
    moves: Moves,
    legs: Vec<Leg>,
    /// Legs by the branch of their INVITE; several if it forked.
    by_branch: BTreeMap<String, Vec<usize>>,
    outputs: VecDeque<ServerOutput>,
    complaints: Vec<String>,
    made: u32,
}

/// What a server wants done.
#[derive(Clone, Debug)]
pub enum ServerOutput {
    /// Send a message.
    Send(Path, Bytes),
    /// Close the connection of a path.
    Close(Path),
    /// It will receive the media of this caller here.
    Media(SocketAddr, String),
}

impl Server {
    /// Makes a server that answers.
    #[must_use]
    pub fn new(number: usize, conduct: Conduct, named: bool, routed: Routed, moves: Moves) -> Self {
        Self {
            number,
            conduct,
            named,
            routed,
            moves,
            legs: Vec::new(),
            by_branch: BTreeMap::new(),
            outputs: VecDeque::new(),
            complaints: Vec::new(),
            made: 0,
        }
    }

    /// Changes its conduct; one that is gone loses its calls.
    pub fn behave(&mut self, conduct: Conduct) {
        self.conduct = conduct;
        if conduct.is_gone() {
            self.by_branch.clear();
            for leg in &mut self.legs {
                leg.lose();
            }
        }
    }

    /// How it behaves.
    #[must_use]
    pub fn conduct(&self) -> Conduct {
        self.conduct
    }

    /// Every dialog that there ever was.
    #[must_use]
    pub fn legs(&self) -> &[Leg] {
        &self.legs
    }

    /// Takes a complaint about the worker.
    pub fn complaint(&mut self) -> Option<String> {
        self.complaints.pop()
    }

    /// Takes the next output.
    pub fn poll_output(&mut self) -> Option<ServerOutput> {
        self.outputs.pop_front()
    }

    /// When something is due.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.legs.iter().filter_map(Leg::poll_timeout).min()
    }

    /// Does what is due.
    pub fn handle_timeout(&mut self, now: Instant) {
        for index in 0..self.legs.len() {
            self.on_due(now, index);
        }
    }

    /// Takes a message.
    pub fn handle(&mut self, now: Instant, path: Path, message: &Message) {
        if self.conduct.is_gone() {
            return;
        }
        if !message.is_request() {
            return self.on_response(path, message);
        }
        let method = message.method();
        if *method == Method::Invite && message.to_tag().is_none() {
            self.on_invite(now, path, message);
        } else if *method == Method::Options && message.to_tag().is_none() {
            if self.conduct.answers_probes() {
                self.reply(path, message, 200, "probe");
            }
        } else if *method == Method::Ack {
            self.on_ack(now, message);
        } else if *method == Method::Cancel {
            self.on_cancel(now, path, message);
        } else if *method == Method::Bye {
            self.on_bye(path, message);
        } else {
            self.on_inside(now, path, message);
        }
    }

    /// A request in the middle of a dialog.
    fn on_inside(&mut self, now: Instant, path: Path, message: &Message) {
        let leg = self.find(message).filter(|leg| leg.phase() == Phase::Up);
        match leg.and_then(|leg| leg.talk.as_mut()) {
            Some(talk) => {
                let said = talk.on_request(now, path, message);
                self.outputs.extend(said.map(|bytes| ServerOutput::Send(path, bytes)));
            }
            None => self.reply(path, message, 481, "none"),
        }
    }

    fn on_invite(&mut self, now: Instant, path: Path, message: &Message) {
        let branch = message.branch().unwrap_or_default().to_owned();
        if let Some(legs) = self.by_branch.get(&branch) {
            for index in legs.clone() {
                if let Some(bytes) = self.legs[index].last() {
                    self.outputs.push_back(ServerOutput::Send(path, bytes));
                }
            }
            return;
        }
        if self.conduct == Conduct::CloseConnection {
            self.outputs.push_back(ServerOutput::Close(path));
        }
        if matches!(self.conduct, Conduct::CloseConnection | Conduct::ProbesOnly) {
            return;
        }
        let legs = if let Conduct::Fork { answers } = self.conduct { answers } else { 1 };
        let first = self.legs.len();
        self.by_branch.insert(branch, (first..first + legs).collect());
        for _ in 0..legs {
            self.begin(now, path, message);
        }
    }

    /// Makes a dialog and does what comes first.
    fn begin(&mut self, now: Instant, path: Path, message: &Message) {
        self.made += 1;
        let index = self.legs.len();
        let port = 10_000 + 2 * u16::try_from(self.made).expect("few calls in a run");
        let media = SocketAddr::new(path.agent.ip(), port);
        let tag = format!("s{}-{}", self.number + 1, self.made);
        let leg = Leg::new(message.clone(), path, tag, media, wire::record_route(self.routed, path));
        self.outputs.push_back(ServerOutput::Media(media, leg.caller().to_owned()));
        self.legs.push(leg);
        let ms = Duration::from_millis;
        match self.conduct {
            Conduct::Answer { after } => self.ring_and_answer(now, index, after),
            Conduct::HangUp { .. } => self.ring_and_answer(now, index, ms(300)),
            Conduct::Stubborn { after } => {
                self.ring_and_answer(now, index, after);
                self.legs[index].stubborn = true;
            }
            Conduct::CallsOnly | Conduct::Fork { .. } | Conduct::NoSdp => {
                let delay = ms(20 * u64::try_from(index % 4).unwrap_or(0));
                self.legs[index].answer_at = Some(now + delay);
                self.on_due(now, index);
            }
            Conduct::Late { after } => self.legs[index].answer_at = Some(now + after),
            Conduct::TryingOnly => self.provisional(index, 100),
            Conduct::RingsForever => {
                self.provisional(index, 100);
                self.provisional(index, 180);
            }
            Conduct::Refuse { status, retry_after } => {
                let extra = retry_after.map_or_else(String::new, |s| format!("Retry-After: {s}\r\n"));
                self.fail(now, index, status, "", &extra);
            }
            Conduct::Redirect { hops } => self.redirect(now, index, hops),
            Conduct::RedirectLoop => {
                let port =
                    if path.agent.port() == SERVER_PORTS[0] { SERVER_PORTS[1] } else { SERVER_PORTS[0] };
                self.redirect_to(now, index, port);
            }
            Conduct::RedirectDead => self.redirect_to(now, index, 5099),
            Conduct::ProbesOnly | Conduct::CloseConnection | Conduct::BlackHole | Conduct::Refusing => {}
        }
    }

    fn redirect(&mut self, now: Instant, index: usize, hops: usize) {
        let here = self.legs[index].path().agent.port();
        let at = SERVER_PORTS.iter().position(|port| *port == here).unwrap_or(hops);
        if at < hops {
            self.redirect_to(now, index, SERVER_PORTS[at + 1]);
        } else {
            self.ring_and_answer(now, index, Duration::from_millis(200));
        }
    }

    fn redirect_to(&mut self, now: Instant, index: usize, port: u16) {
        let path = self.legs[index].path();
        let address = SocketAddr::new(path.agent.ip(), port);
        let mut contact = wire::uri("6000", address, path.transport);
        if self.named {
            contact = contact.replace(&address.ip().to_string(), &wire::server_name(self.number));
        }
        self.fail(now, index, 302, &contact, "");
    }

    fn ring_and_answer(&mut self, now: Instant, index: usize, after: Duration) {
        self.provisional(index, 100);
        self.provisional(index, 180);
        self.legs[index].answer_at = Some(now + after);
    }

    fn provisional(&mut self, index: usize, status: u16) {
        let send = self.legs[index].provisional(status);
        self.outputs.push_back(send);
    }

    fn fail(&mut self, now: Instant, index: usize, status: u16, contact: &str, extra: &str) {
        let send = self.legs[index].fail(now, status, contact, extra);
        self.outputs.push_back(send);
    }

    fn on_due(&mut self, now: Instant, index: usize) {
        let with_sdp = self.conduct != Conduct::NoSdp;
        let leg = &mut self.legs[index];
        if leg.answer_at.is_some_and(|at| at <= now) {
            let send = leg.answer(now, with_sdp);
            self.outputs.push_back(send);
        }
        let leg = &mut self.legs[index];
        if leg.hang_up_at.is_some_and(|at| at <= now) {
            let send = leg.hang_up(now);
            self.outputs.push_back(send);
        }
        for send in self.legs[index].talk(now) {
            self.outputs.push_back(send);
        }
        if let Some(send) = self.legs[index].repeat(now) {
            self.outputs.push_back(send);
        }
    }

    fn on_ack(&mut self, now: Instant, message: &Message) {
        let hang_up = if let Conduct::HangUp { after } = self.conduct { Some(now + after) } else { None };
        let moves = self.moves;
        if let Some(leg) = self.find(message) {
            leg.acknowledged(hang_up);
            leg.begin_talk(now, moves, message);
        }
    }

    fn on_cancel(&mut self, now: Instant, path: Path, message: &Message) {
        let Some(legs) = self.by_branch.get(message.branch().unwrap_or_default()).cloned() else {
            return self.reply(path, message, 481, "none");
        };
        self.reply(path, message, 200, "cancel");
        for index in legs {
            let leg = &mut self.legs[index];
            if leg.phase() == Phase::Waiting {
                let text = format!("um{} got a CANCEL before it sent any provisional", self.number + 1);
                self.complaints.push(text);
            } else if leg.phase() == Phase::Ringing && leg.stubborn {
                let send = leg.answer(now, true);
                self.outputs.push_back(send);
            } else if leg.phase() == Phase::Ringing {
                self.fail(now, index, 487, "", "");
            }
        }
    }

    fn on_bye(&mut self, path: Path, message: &Message) {
        let status = match self.find(message) {
            Some(leg) => {
                leg.hung_up();
                200
            }
            None => 481,
        };
        self.reply(path, message, status, "none");
    }

    fn on_response(&mut self, path: Path, message: &Message) {
        let ended = message.status().is_some_and(|status| status.is_final());
        let (call_id, tag) = (message.call_id(), message.from_tag().unwrap_or_default());
        let leg = self.legs.iter_mut().find(|leg| leg.is(call_id, tag));
        let Some(leg) = leg else { return };
        if *message.method() == Method::Bye {
            if ended {
                leg.bye_answered();
            }
        } else if let Some(bytes) = leg.talk.as_mut().and_then(|talk| talk.on_response(path, message)) {
            self.outputs.push_back(ServerOutput::Send(path, bytes));
        }
    }

    /// The dialog of a request inside it.
    fn find(&mut self, message: &Message) -> Option<&mut Leg> {
        let (call_id, tag) = (message.call_id(), message.to_tag().unwrap_or_default());
        self.legs.iter_mut().find(|leg| leg.is(call_id, tag) && leg.phase() != Phase::Lost)
    }

    fn reply(&mut self, path: Path, message: &Message, status: u16, tag: &str) {
        let said = Said { tag, ..Said::default() };
        self.outputs.push_back(ServerOutput::Send(path, wire::response(message, status, said)));
    }
}
