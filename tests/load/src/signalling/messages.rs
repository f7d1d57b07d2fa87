//! What a caller writes: INVITE, ACK, BYE, with the route and target that the answer gave (RFC 3261 §12.1.2).

use super::{text::Text, wire::Transport};
use crate::rig::{CALLER, GATEWAY};

/// Who calls: the run tells its calls from those of other runs.
#[derive(Debug, Clone, Copy)]
pub(super) struct Party {
    pub(super) run: u64,
    pub(super) transport: Transport,
}

/// What an answer says of the way to the other end.
#[derive(Debug, Clone)]
pub(super) struct Reached {
    to: String,
    target: String,
    routes: String,
}

impl Reached {
    pub(super) fn of(answer: Text<'_>) -> Self {
        let mut routes: Vec<&str> = answer.headers("\r\nRecord-Route: ").collect();
        routes.reverse();
        Self {
            to: answer.header("\r\nTo: ").unwrap_or_default().to_owned(),
            target: answer.uri("\r\nContact: ").unwrap_or("sip:lost@invalid").to_owned(),
            routes: routes.iter().map(|route| format!("Route: {route}\r\n")).collect(),
        }
    }
}

impl Party {
    /// The number of the call with this Call-ID; nothing when it is of another run.
    pub(super) fn number(&self, call_id: &str) -> Option<u32> {
        let (run, number) = call_id.split_once('-')?;
        (run.parse() == Ok(self.run)).then_some(())?;
        number.split('@').next()?.parse().ok()
    }

    pub(super) fn invite(&self, number: u32) -> String {
        let ip = CALLER.ip();
        let sdp = format!(
            "v=0\r\no=u 1 1 IN IP4 {ip}\r\ns=-\r\nc=IN IP4 {ip}\r\nt=0 0\r\nm=audio 40000 RTP/AVP 8\r\na=rtpmap:8 PCMA/8000\r\n"
        );
        let target = format!("sip:6000@{GATEWAY}");
        let head = self.head("INVITE", number, 1, &target, &format!("<{target}>"));
        let contact = match self.transport {
            Transport::Udp => "",
            Transport::Tcp => ";transport=tcp",
        };
        let length = sdp.len();
        format!(
            "{head}Contact: <sip:phone@{CALLER}{contact}>\r\nContent-Type: application/sdp\r\nContent-Length: {length}\r\n\r\n{sdp}"
        )
    }

    pub(super) fn ack(&self, number: u32, reached: &Reached) -> String {
        let head = self.head("ACK", number, 1, &reached.target, &reached.to);
        format!("{head}{}Content-Length: 0\r\n\r\n", reached.routes)
    }

    pub(super) fn bye(&self, number: u32, reached: &Reached) -> String {
        let head = self.head("BYE", number, 2, &reached.target, &reached.to);
        format!("{head}{}Content-Length: 0\r\n\r\n", reached.routes)
    }

    /// The ACK of a failure has the branch of its INVITE (RFC 3261 §17.1.1.3).
    pub(super) fn ack_failure(&self, number: u32, failure: Text<'_>) -> String {
        let to = failure.header("\r\nTo: ").unwrap_or_default();
        let head = self.head("ACK", number, 1, &format!("sip:6000@{GATEWAY}"), to);
        format!("{}Content-Length: 0\r\n\r\n", head.replacen("x1ACK\r\n", "x1INVITE\r\n", 1))
    }

    fn head(&self, method: &str, number: u32, cseq: u32, target: &str, to: &str) -> String {
        let (run, transport) = (self.run, self.transport.name());
        format!(
            "{method} {target} SIP/2.0\r\n\
             Via: SIP/2.0/{transport} {CALLER};branch=z9hG4bK{run}x{number}x{cseq}{method}\r\n\
             Max-Forwards: 70\r\n\
             From: \"Phone\" <sip:u{number}@pbx.test>;tag=c{run}x{number}\r\n\
             To: {to}\r\n\
             Call-ID: {run}-{number}@load\r\n\
             CSeq: {cseq} {method}\r\n"
        )
    }
}
