//! One dialog at a UM server, from its INVITE to its end.

use std::net::SocketAddr;
use std::time::Instant;

use bytes::Bytes;
use um_sip::{HeaderName, Message};

use super::{Ends, Moves, Path, Repeat, Said, ServerOutput, T2, Talk, Transport, wire};

/// One dialog, early or confirmed.
#[derive(Debug)]
pub struct Leg {
    invite: Message,
    path: Path,
    tag: String,
    caller: String,
    media: SocketAddr,
    record_route: String,
    phase: Phase,
    last: Option<Bytes>,
    repeat: Option<Repeat>,
    acknowledged: bool,
    pub(super) answer_at: Option<Instant>,
    pub(super) hang_up_at: Option<Instant>,
    pub(super) stubborn: bool,
    pub(super) talk: Option<Talk>,
}

/// Where a dialog stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Nothing sent yet.
    Waiting,
    /// A provisional was sent.
    Ringing,
    /// 200 was sent.
    Up,
    /// A final failure was sent.
    Failed,
    /// The server has sent BYE and waits for its answer.
    Leaving,
    /// Over by BYE.
    Over,
    /// The server has lost its memory.
    Lost,
}

impl Phase {
    /// Whether the server still has something to do for the dialog.
    #[must_use]
    pub fn is_open(self) -> bool {
        match self {
            Self::Waiting | Self::Ringing | Self::Up | Self::Leaving => true,
            Self::Failed | Self::Over | Self::Lost => false,
        }
    }
}

impl Leg {
    pub(super) fn new(
        invite: Message,
        path: Path,
        tag: String,
        media: SocketAddr,
        record_route: String,
    ) -> Self {
        let from = invite.header_text(HeaderName::From).unwrap_or_default();
        let caller = from.split("sip:").nth(1).and_then(|rest| rest.split('@').next()).unwrap_or_default();
        Self {
            caller: caller.to_owned(),
            invite,
            path,
            tag,
            media,
            record_route,
            phase: Phase::Waiting,
            last: None,
            repeat: None,
            acknowledged: false,
            answer_at: None,
            hang_up_at: None,
            stubborn: false,
            talk: None,
        }
    }

    /// The number of the caller.
    #[must_use]
    pub fn caller(&self) -> &str {
        &self.caller
    }

    /// The Call-ID of its INVITE.
    #[must_use]
    pub fn call_id(&self) -> &str {
        self.invite.call_id()
    }

    /// Where it stands.
    #[must_use]
    pub fn phase(&self) -> Phase {
        self.phase
    }

    /// The server's end of the dialog, once it was acknowledged.
    #[must_use]
    pub fn talking(&self) -> Option<&Talk> {
        self.talk.as_ref()
    }

    /// Whether its final response was acknowledged.
    #[must_use]
    pub fn is_acknowledged(&self) -> bool {
        self.acknowledged
    }

    pub(super) fn path(&self) -> Path {
        self.path
    }

    pub(super) fn last(&self) -> Option<Bytes> {
        self.last.clone().filter(|_| !self.acknowledged)
    }

    pub(super) fn is(&self, call_id: &str, tag: &str) -> bool {
        self.invite.call_id() == call_id && self.tag == tag
    }

    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        let repeat = self.repeat.as_ref().map(|repeat| repeat.next);
        let talk = self.talk.as_ref().and_then(Talk::poll_timeout);
        [self.answer_at, self.hang_up_at, repeat, talk].into_iter().flatten().min()
    }

    pub(super) fn lose(&mut self) {
        self.end_talk();
        self.phase = match self.phase {
            Phase::Failed if self.acknowledged => Phase::Failed,
            Phase::Over => Phase::Over,
            Phase::Waiting | Phase::Ringing | Phase::Up | Phase::Failed | Phase::Leaving | Phase::Lost => {
                Phase::Lost
            }
        };
        self.repeat = None;
        self.answer_at = None;
        self.hang_up_at = None;
    }

    pub(super) fn provisional(&mut self, status: u16) -> ServerOutput {
        self.phase = Phase::Ringing;
        let (tag, contact) =
            if status == 100 { Default::default() } else { (self.tag.clone(), self.contact()) };
        self.say(status, Said { tag: &tag, contact: &contact, ..Said::default() })
    }

    pub(super) fn answer(&mut self, now: Instant, with_sdp: bool) -> ServerOutput {
        self.phase = Phase::Up;
        self.answer_at = None;
        let body = if with_sdp { wire::sdp(self.media) } else { String::new() };
        let (tag, contact) = (self.tag.clone(), self.contact());
        let send = self.say(200, Said { tag: &tag, contact: &contact, body: &body, extra: "" });
        self.repeat = self.last.clone().map(|bytes| Repeat::new(now, bytes, T2));
        send
    }

    pub(super) fn fail(&mut self, now: Instant, status: u16, contact: &str, extra: &str) -> ServerOutput {
        self.phase = Phase::Failed;
        self.answer_at = None;
        let tag = self.tag.clone();
        let send = self.say(status, Said { tag: &tag, contact, extra, body: "" });
        if self.path.transport == Transport::Udp {
            self.repeat = self.last.clone().map(|bytes| Repeat::new(now, bytes, T2));
        }
        send
    }

    pub(super) fn acknowledged(&mut self, hang_up_at: Option<Instant>) {
        let first = !self.acknowledged;
        match self.phase {
            Phase::Up => {
                self.acknowledged = true;
                self.repeat = None;
                self.hang_up_at = hang_up_at.filter(|_| first).or(self.hang_up_at);
            }
            Phase::Failed => {
                self.acknowledged = true;
                self.repeat = None;
            }
            Phase::Over | Phase::Leaving => self.acknowledged = true,
            Phase::Waiting | Phase::Ringing | Phase::Lost => {}
        }
    }

    /// With the first ACK the talk begins; later ones are its own.
    pub(super) fn begin_talk(&mut self, now: Instant, moves: Moves, ack: &Message) {
        if let Some(talk) = &mut self.talk {
            talk.on_request(now, self.path, ack);
        } else if self.phase == Phase::Up {
            let ends = Ends {
                from: format!("{};tag={}", self.header(HeaderName::To), self.tag),
                to: self.header(HeaderName::From).to_owned(),
                target: wire::contact_uri(&self.invite),
                call_id: self.invite.call_id().to_owned(),
                media: self.media,
                cseq: 0,
            };
            self.talk = Some(Talk::new(now, ends, moves));
        }
    }

    /// What is due in the talk.
    pub(super) fn talk(&mut self, now: Instant) -> Vec<ServerOutput> {
        let path = self.path;
        let said = self.talk.as_mut().map(|talk| talk.handle_timeout(now, path)).unwrap_or_default();
        said.into_iter().map(|bytes| ServerOutput::Send(path, bytes)).collect()
    }

    fn end_talk(&mut self) {
        if let Some(talk) = &mut self.talk {
            talk.end();
        }
    }

    /// A BYE came; a repeated one changes nothing.
    pub(super) fn hung_up(&mut self) {
        self.end_talk();
        self.phase = Phase::Over;
        self.repeat = None;
        self.hang_up_at = None;
    }

    pub(super) fn hang_up(&mut self, now: Instant) -> ServerOutput {
        let cseq = self.talk.as_mut().map_or(1, Talk::next_cseq);
        self.end_talk();
        self.phase = Phase::Leaving;
        self.hang_up_at = None;
        let uri = wire::contact_uri(&self.invite);
        let (from, to) = (self.header(HeaderName::To), self.header(HeaderName::From));
        let (tag, agent, call_id) = (&self.tag, self.path.agent, self.invite.call_id());
        let text = format!(
            "BYE {uri} SIP/2.0\r\nVia: SIP/2.0/{} {agent};branch=z9hG4bKbye-{tag}\r\nMax-Forwards: 70\r\n\
             From: {from};tag={tag}\r\nTo: {to}\r\nCall-ID: {call_id}\r\nCSeq: {cseq} BYE\r\n{}",
            self.path.transport,
            wire::content("")
        );
        let bytes = Bytes::from(text);
        self.repeat = Some(Repeat::new(now, bytes.clone(), T2));
        ServerOutput::Send(self.path, bytes)
    }

    pub(super) fn bye_answered(&mut self) {
        if self.phase == Phase::Leaving {
            self.hung_up();
        }
    }

    /// What is due to be said again; given up after 64·T1.
    pub(super) fn repeat(&mut self, now: Instant) -> Option<ServerOutput> {
        let repeat = self.repeat.as_mut()?;
        if repeat.end <= now {
            self.repeat = None;
            return None;
        }
        let bytes = repeat.take(now)?;
        Some(ServerOutput::Send(self.path, bytes))
    }

    fn say(&mut self, status: u16, said: Said<'_>) -> ServerOutput {
        let record_route = if (101..300).contains(&status) { self.record_route.as_str() } else { "" };
        let extra = format!("{record_route}{}", said.extra);
        let bytes = wire::response(&self.invite, status, Said { extra: &extra, ..said });
        self.last = Some(bytes.clone());
        ServerOutput::Send(self.path, bytes)
    }

    fn contact(&self) -> String {
        wire::uri("um", self.path.agent, self.path.transport)
    }

    fn header(&self, name: HeaderName) -> &str {
        self.invite.header_text(name).unwrap_or_default()
    }
}
