//! One caller with one call: INVITE with a diversion or without, CANCEL or BYE when he likes, ACK if he likes.
//! A machine without a clock that keeps its own timers.

use std::collections::{BTreeSet, VecDeque};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use bytes::Bytes;
use um_sip::{ConnectionId, HeaderName, Message, Method, Transport};

use crate::scenario::Routed;
use crate::talk::{Ends, Moves, Talk};
use crate::wire::{self, Path, Repeat, Said, T2};

/// What a caller is going to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plan {
    /// When, from the start of the run.
    pub at: Duration,
    /// Over what.
    pub transport: Transport,
    /// Whether the PBX diverted the call from user 2001; else he calls the pilot himself.
    pub diverted: bool,
    /// How he leaves.
    pub leave: Leave,
    /// Whether he acknowledges the answer.
    pub ack: Ack,
    /// When his connection breaks after the INVITE, on TCP.
    pub breaks: Option<Duration>,
}

/// How a caller leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Leave {
    /// CANCEL so long after the INVITE, as soon as a provisional allows it; BYE if it was answered.
    Cancel(Duration),
    /// BYE so long after the INVITE, also in an early dialog.
    Bye(Duration),
    /// BYE so long after the answer.
    Talk(Duration),
}

/// Whether a caller acknowledges.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ack {
    /// Every answer at once.
    Always,
    /// Only the third copy of the answer and later ones.
    Late,
    /// Never.
    Never,
}

/// Where a call of a caller stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Not begun.
    Idle,
    /// INVITE sent.
    Calling,
    /// Answered.
    Up,
    /// BYE sent.
    Leaving,
    /// Over.
    Over,
}

/// A caller.
#[derive(Debug)]
pub struct Caller {
    number: usize,
    plan: Plan,
    routed: Routed,
    moves: Moves,
    talk: Option<Talk>,
    start: Instant,
    path: Path,
    state: State,
    invite: Bytes,
    /// INVITE, then BYE.
    repeat: Option<Repeat>,
    cancel: Option<Repeat>,
    leave_at: Option<Instant>,
    heard: bool,
    wants_out: bool,
    cancelled: bool,
    /// To header and Contact of the dialog, early or confirmed.
    dialog: Option<(String, String)>,
    finals: BTreeSet<(u16, String)>,
    copies: u32,
    outputs: VecDeque<(Path, Bytes)>,
}

impl Caller {
    /// Makes a caller who begins at his time.
    #[must_use]
    pub fn new(number: usize, origin: Instant, plan: Plan, routed: Routed, moves: Moves) -> Self {
        let path = Path { transport: plan.transport, agent: wire::caller_address(number), link: None };
        let mut caller = Self {
            number,
            plan,
            routed,
            moves,
            talk: None,
            start: origin + plan.at,
            path,
            state: State::Idle,
            invite: Bytes::new(),
            repeat: None,
            cancel: None,
            leave_at: None,
            heard: false,
            wants_out: false,
            cancelled: false,
            dialog: None,
            finals: BTreeSet::new(),
            copies: 0,
            outputs: VecDeque::new(),
        };
        caller.invite = caller.write_invite();
        caller
    }

    /// What he does.
    #[must_use]
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// Where his call stands.
    #[must_use]
    pub fn state(&self) -> State {
        self.state
    }

    /// His end of the dialog, once it was up.
    #[must_use]
    pub fn talking(&self) -> Option<&Talk> {
        self.talk.as_ref()
    }

    /// Final responses to his INVITE: status and To tag, each once.
    #[must_use]
    pub fn finals(&self) -> &BTreeSet<(u16, String)> {
        &self.finals
    }

    /// When his INVITE goes out.
    #[must_use]
    pub fn start(&self) -> Instant {
        self.start
    }

    /// His connection, if he has one.
    #[must_use]
    pub fn link(&self) -> Option<ConnectionId> {
        self.path.link
    }

    /// Tells him which connection his messages use.
    pub fn linked(&mut self, link: Option<ConnectionId>) {
        self.path.link = link;
    }

    /// Takes the next message that he sends.
    pub fn poll_output(&mut self) -> Option<(Path, Bytes)> {
        self.outputs.pop_front()
    }

    /// When something is due.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        let start = (self.state == State::Idle).then_some(self.start);
        let repeat = self.repeat.as_ref().map(|repeat| repeat.next);
        let cancel = self.cancel.as_ref().map(|repeat| repeat.next);
        let talk = self.talk.as_ref().and_then(Talk::poll_timeout);
        [start, repeat, cancel, self.leave_at, talk].into_iter().flatten().min()
    }

    /// Does what is due.
    pub fn handle_timeout(&mut self, now: Instant) {
        if self.state == State::Idle && self.start <= now {
            self.begin(now);
        }
        for repeat in [&mut self.repeat, &mut self.cancel] {
            match repeat {
                Some(running) if running.end <= now => *repeat = None,
                Some(running) => self.outputs.extend(running.take(now).map(|bytes| (self.path, bytes))),
                None => {}
            }
        }
        let said = self.talk.as_mut().map(|talk| talk.handle_timeout(now, self.path)).unwrap_or_default();
        self.outputs.extend(said.into_iter().map(|bytes| (self.path, bytes)));
        if self.leave_at.is_some_and(|at| at <= now) {
            self.leave_at = None;
            self.wants_out = true;
            self.leave(now);
        }
    }

    /// Takes a message.
    pub fn handle(&mut self, now: Instant, path: Path, message: &Message) {
        if path.link.is_some() {
            self.path.link = path.link;
        }
        if message.is_request() {
            return self.on_request(now, path, message);
        }
        let status = message.status().map_or(0, um_sip::StatusCode::code);
        let method = message.method();
        if *method == Method::Cancel {
            self.cancel = self.cancel.take().filter(|_| status < 200);
        } else if *method == Method::Bye && status >= 200 {
            self.repeat = None;
            self.state = State::Over;
        } else if *method == Method::Invite && message.cseq().number == 1 {
            self.on_answer(now, status, message);
        } else if let Some(bytes) = self.talk.as_mut().and_then(|talk| talk.on_response(self.path, message)) {
            self.send(bytes);
        }
    }

    fn begin(&mut self, now: Instant) {
        self.state = State::Calling;
        self.send(self.invite.clone());
        if self.plan.transport == Transport::Udp {
            self.repeat = Some(Repeat::new(now, self.invite.clone(), Duration::MAX / 4));
        }
        self.leave_at = match self.plan.leave {
            Leave::Cancel(after) | Leave::Bye(after) => Some(now + after),
            Leave::Talk(_) => None,
        };
    }

    /// A response to the INVITE.
    fn on_answer(&mut self, now: Instant, status: u16, message: &Message) {
        self.heard = true;
        if self.state == State::Calling {
            self.repeat = None;
        }
        let to = message.header_text(HeaderName::To).unwrap_or_default().to_owned();
        if status >= 200 {
            self.finals.insert((status, message.to_tag().unwrap_or_default().to_owned()));
        }
        if status < 200 {
            if status > 100 && self.state == State::Calling {
                self.dialog = Some((to, wire::contact_uri(message)));
            }
            if self.wants_out {
                self.leave(now);
            }
        } else if status < 300 {
            self.on_success(now, to, message);
        } else {
            self.send(self.write_ack(&to, "z9hG4bKinvite", &pilot()));
            self.cancel = None;
            self.leave_at = None;
            if self.state == State::Calling {
                self.state = State::Over;
            }
        }
    }

    fn on_success(&mut self, now: Instant, to: String, message: &Message) {
        let target = wire::contact_uri(message);
        self.copies += 1;
        let acknowledges = match self.plan.ack {
            Ack::Always => true,
            Ack::Late => self.copies >= 3,
            Ack::Never => false,
        };
        if acknowledges {
            let branch = format!("z9hG4bKack{}", message.to_tag().unwrap_or_default());
            self.send(self.write_ack(&to, &branch, &target));
        }
        self.dialog = Some((to.clone(), target.clone()));
        if self.state != State::Calling {
            return;
        }
        self.state = State::Up;
        let ends = Ends {
            from: self.from(),
            to,
            target,
            call_id: call_id(self.number),
            media: media_address(self.number),
            cseq: 1,
        };
        let moves = if self.plan.ack == Ack::Always { self.moves } else { [None; 2] };
        self.talk = Some(Talk::new(now, ends, moves));
        self.cancel = None;
        match self.plan.leave {
            Leave::Talk(time) => self.leave_at = Some(now + time),
            Leave::Cancel(_) | Leave::Bye(_) => {}
        }
        if self.wants_out {
            self.leave(now);
        }
    }

    /// Leaves as far as that is allowed now.
    fn leave(&mut self, now: Instant) {
        let early_bye = matches!(self.plan.leave, Leave::Bye(_)) && self.dialog.is_some();
        if self.state == State::Up || (self.state == State::Calling && early_bye && !self.cancelled) {
            self.hang_up(now);
        } else if self.state == State::Calling && self.heard && !self.cancelled {
            let bytes = self.write("CANCEL", "z9hG4bKinvite", 1, &pilot(), None, "");
            if self.plan.transport == Transport::Udp {
                self.cancel = Some(Repeat::new(now, bytes.clone(), T2));
            }
            self.cancelled = true;
            self.send(bytes);
        }
    }

    fn hang_up(&mut self, now: Instant) {
        let Some((to, target)) = self.dialog.clone() else { return };
        let cseq = self.talk.as_mut().map_or(2, Talk::next_cseq);
        if let Some(talk) = &mut self.talk {
            talk.end();
        }
        let bytes = self.write("BYE", "z9hG4bKbye", cseq, &target, Some(&to), "");
        self.repeat = Some(Repeat::new(now, bytes.clone(), T2));
        self.state = State::Leaving;
        self.leave_at = None;
        self.send(bytes);
    }

    fn on_request(&mut self, now: Instant, path: Path, message: &Message) {
        if *message.method() != Method::Bye
            && self.state == State::Up
            && let Some(talk) = &mut self.talk
        {
            let said = talk.on_request(now, path, message);
            return self.outputs.extend(said.map(|bytes| (path, bytes)));
        }
        let known = self.dialog.is_some() && *message.method() == Method::Bye;
        let status = if known { 200 } else { 481 };
        self.outputs.push_back((path, wire::response(message, status, Said::default())));
        if known {
            if let Some(talk) = &mut self.talk {
                talk.end();
            }
            self.repeat = None;
            self.leave_at = None;
            self.state = State::Over;
        }
    }

    fn send(&mut self, bytes: Bytes) {
        self.outputs.push_back((self.path, bytes));
    }

    fn write_invite(&self) -> Bytes {
        let contact = wire::uri("pbx", self.path.agent, self.plan.transport);
        let diversion = "Diversion: <sip:2001@pbx.example.com>;reason=no-answer\r\n";
        let diversion = if self.plan.diverted { diversion } else { "" };
        let media = media_address(self.number);
        let record_route = wire::record_route(self.routed, self.path);
        let extra =
            format!("Contact: <{contact}>\r\n{record_route}{diversion}{}", wire::content(&wire::sdp(media)));
        self.write("INVITE", "z9hG4bKinvite", 1, &pilot(), None, &extra)
    }

    fn write_ack(&self, to: &str, branch: &str, target: &str) -> Bytes {
        self.write("ACK", branch, 1, target, Some(to), "")
    }

    fn from(&self) -> String {
        let number = self.number;
        format!("\"Caller\" <sip:555{number:04}@pbx.example.com>;tag=caller{number}")
    }

    /// Writes a request; `rest` is what follows the headers that all have, or nothing.
    fn write(&self, method: &str, branch: &str, cseq: u32, uri: &str, to: Option<&str>, rest: &str) -> Bytes {
        let (number, transport, agent) = (self.number, self.plan.transport, self.path.agent);
        let to = to.unwrap_or("<sip:6000@pbx.example.com>");
        let rest = if rest.is_empty() { wire::content("") } else { rest.to_owned() };
        Bytes::from(format!(
            "{method} {uri} SIP/2.0\r\nVia: SIP/2.0/{transport} {agent};branch={branch}-{number}\r\nMax-Forwards: 70\r\n\
             From: {}\r\nTo: {to}\r\nCall-ID: {}\r\nCSeq: {cseq} {method}\r\n{rest}",
            self.from(),
            call_id(number)
        ))
    }
}

/// Where a caller wants his media.
#[must_use]
pub fn media_address(number: usize) -> SocketAddr {
    wire::address(2, 30_000 + 2 * u16::try_from(number).expect("few callers"))
}

/// The Call-ID of a caller's call.
#[must_use]
pub fn call_id(number: usize) -> String {
    format!("call-{number}@simulation")
}

/// The caller whose Call-ID this is.
#[must_use]
pub fn of_call_id(call_id: &str) -> Option<usize> {
    call_id.strip_prefix("call-")?.strip_suffix("@simulation")?.parse().ok()
}

/// What a PBX dials: the pilot.
fn pilot() -> String {
    format!("sip:6000@{}", wire::pbx_line())
}
