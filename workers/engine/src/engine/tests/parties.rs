//! The parties of a call, speaking by hand: a PBX that calls, a UM server that answers what we sent.

use super::*;

/// One message that the worker sent.
#[derive(Clone, Debug)]
pub(super) struct Sent {
    pub(super) flow: Flow,
    pub(super) message: Message,
}

impl Sent {
    pub(super) fn is(&self, method: &Method) -> bool {
        self.message.method() == method
    }

    pub(super) fn text(&self) -> String {
        String::from_utf8_lossy(self.message.bytes()).into_owned()
    }

    pub(super) fn header(&self, name: HeaderName) -> &str {
        self.message.header_text(name).unwrap_or_default()
    }

    pub(super) fn body(&self) -> String {
        String::from_utf8_lossy(self.message.body()).into_owned()
    }

    /// A response of the UM server, with its tag and Contact.
    pub(super) fn answer(&self, status: u16, body: &str) -> String {
        self.answer_as(status, body, "um", "")
    }

    pub(super) fn answer_as(&self, status: u16, body: &str, tag: &str, extra: &str) -> String {
        let mut text = format!("SIP/2.0 {status} Whatever\r\n");
        for line in self.message.lines() {
            let keep = [HeaderName::Via, HeaderName::From, HeaderName::CallId, HeaderName::CSeq];
            if line.name.is_some_and(|name| keep.contains(&name)) {
                text.push_str(std::str::from_utf8(line.raw()).unwrap());
            }
        }
        let to = self.header(HeaderName::To);
        let tag = if status == 100 || to.contains(";tag=") { String::new() } else { format!(";tag={tag}") };
        let contact = if extra.contains("Contact:") || !self.is(&Method::Invite) {
            String::new()
        } else {
            let transport = if self.flow.transport == Transport::Tcp { ";transport=tcp" } else { "" };
            format!("Contact: <sip:um@{}{transport}>\r\n", self.flow.remote)
        };
        text.push_str(&format!("To: {to}{tag}\r\n{contact}{extra}"));
        text.push_str(&content(body));
        text
    }

    /// A request that the UM server sends inside the dialog of this INVITE of ours.
    pub(super) fn inside(&self, method: &str, cseq: u32, body: &str) -> String {
        let from = self.header(HeaderName::To).to_owned() + ";tag=um";
        let to = self.header(HeaderName::From);
        let call_id = self.message.call_id();
        let remote = self.flow.remote;
        format!(
            "{method} sip:umgate@127.0.0.1:5060 SIP/2.0\r\nVia: SIP/2.0/UDP {remote};branch=z9hG4bKum{cseq}{call_id}\r\n\
             Max-Forwards: 70\r\nFrom: {from}\r\nTo: {to}\r\nCall-ID: {call_id}\r\nCSeq: {cseq} {method}\r\n{}",
            content(body)
        )
    }
}

/// A PBX that calls.
pub(super) struct Caller {
    pub(super) flow: Flow,
    pub(super) call_id: String,
    pub(super) number: String,
    pub(super) extra: String,
    pub(super) body: &'static str,
}

impl Caller {
    pub(super) fn new(call_id: &str) -> Self {
        let flow = Flow {
            line: LineIndex(0),
            transport: Transport::Udp,
            local: address(1, 5060),
            remote: address(2, 5070),
            connection: None,
        };
        Self {
            flow,
            call_id: call_id.to_owned(),
            number: "6000".to_owned(),
            extra: String::new(),
            body: OFFER,
        }
    }

    pub(super) fn dialling(mut self, number: &str) -> Self {
        number.clone_into(&mut self.number);
        self
    }

    pub(super) fn with(mut self, header: &str) -> Self {
        self.extra.push_str(header);
        self.extra.push_str("\r\n");
        self
    }

    pub(super) fn invite(&self) -> String {
        let mut text = self.start("INVITE", 1, "z9hG4bKc1", None);
        text.push_str("Contact: <sip:pbx@127.0.0.2:5070>\r\n");
        text.push_str(&self.extra);
        text.push_str(&content(self.body));
        text
    }

    pub(super) fn cancel(&self) -> String {
        self.start("CANCEL", 1, "z9hG4bKc1", None) + &content("")
    }

    pub(super) fn ack(&self, ok: &Sent) -> String {
        self.start("ACK", 1, "z9hG4bKc2", Some(ok)) + &content("")
    }

    /// The ACK of a failure belongs to the INVITE's transaction.
    pub(super) fn ack_failure(&self, failure: &Sent) -> String {
        self.start("ACK", 1, "z9hG4bKc1", Some(failure)) + &content("")
    }

    pub(super) fn inside(&self, method: &str, cseq: u32, ok: &Sent, body: &str) -> String {
        let branch = format!("z9hG4bKc{method}{cseq}");
        self.start(method, cseq, &branch, Some(ok)) + "Contact: <sip:pbx@127.0.0.2:5070>\r\n" + &content(body)
    }

    pub(super) fn start(&self, method: &str, cseq: u32, branch: &str, answered: Option<&Sent>) -> String {
        let to = answered.map_or_else(
            || format!("<sip:{}@pbx.example.com>", self.number),
            |ok| ok.header(HeaderName::To).to_owned(),
        );
        format!(
            "{method} sip:{}@127.0.0.1:5060 SIP/2.0\r\nVia: SIP/2.0/{} {};branch={branch}{}\r\nMax-Forwards: 70\r\n\
             From: \"Caller\" <sip:5551234@pbx.example.com>;tag=caller\r\nTo: {to}\r\nCall-ID: {}\r\nCSeq: {cseq} {method}\r\n",
            self.number, self.flow.transport, self.flow.remote, self.call_id, self.call_id
        )
    }
}

pub(super) fn content(body: &str) -> String {
    let kind = if body.is_empty() { "" } else { "Content-Type: application/sdp\r\n" };
    format!("{kind}Content-Length: {}\r\n\r\n{body}", body.len())
}
