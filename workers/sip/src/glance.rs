//! What a message is about, from its first bytes and at most its To tag: so that a driver can tell what belongs to a
//! call that is up from what would begin one, before anything is parsed (RFC 3261 §7, §12.2).
//!
//! Like [`crate::shard`], the scan trusts nothing and never fails: what it cannot read is [`Glance::Other`], and whoever
//! parses the message refuses it.

use crate::{
    endpoint::is_shed_tag,
    header_name::HeaderName,
    message::{header_end, leading_breaks, line_end, split_header},
    name_addr::NameAddrSpans,
};

/// The kinds of messages that a busy driver treats apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Glance {
    /// A response.
    Response,
    /// A request that belongs to a dialog or ends one: its To has a tag, or it is a BYE, PRACK or UPDATE.
    Inside,
    /// An ACK.
    Ack,
    /// A CANCEL, which may not overtake the INVITE that it is about.
    Cancel,
    /// An INVITE that would begin a call.
    Invite,
    /// A REGISTER.
    Register,
    /// Any other request outside of a dialog, a keep-alive, or no message at all.
    Other,
}

impl Glance {
    /// Looks at a message.
    #[must_use]
    pub fn at(message: &[u8]) -> Self {
        let message = message.get(leading_breaks(message)..).unwrap_or_default();
        let Some(blank) = memchr::memchr(b' ', message.get(..LONGEST_METHOD).unwrap_or(message)) else {
            return Self::Other;
        };
        let unless_inside = |kind| if to_tag(message).is_some() { Self::Inside } else { kind };
        match message.get(..blank).unwrap_or_default() {
            b"ACK" => Self::Ack,
            b"BYE" | b"PRACK" | b"UPDATE" => Self::Inside,
            b"CANCEL" => Self::Cancel,
            b"REGISTER" => Self::Register,
            b"INVITE" => unless_inside(Self::Invite),
            first if first.get(..4).is_some_and(|start| start.eq_ignore_ascii_case(b"SIP/")) => {
                Self::Response
            }
            _ => unless_inside(Self::Other),
        }
    }
}

/// Whether this ACK acknowledges a refusal for which no state was kept ([`crate::Endpoint::shed`]).
#[must_use]
pub fn acknowledges_shed(ack: &[u8]) -> bool {
    to_tag(ack).is_some_and(is_shed_tag)
}

fn to_tag(message: &[u8]) -> Option<&[u8]> {
    let start = leading_breaks(message);
    let mut at = line_end(message, start)?.next;
    loop {
        let end = header_end(message, at).filter(|end| end.content > at)?;
        let (name, value) = message.get(at..end.content).and_then(split_header)?;
        if HeaderName::from_bytes(name) == Some(HeaderName::To) {
            return Some(NameAddrSpans::scan(value).ok()?.tag(value).ok()??.of(value));
        }
        at = end.next;
    }
}

/// No method or version that is told apart here is longer, its blank included.
const LONGEST_METHOD: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    fn request(method: &str, to: &str) -> Vec<u8> {
        format!(
            "{method} sip:a@b SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\r\nFrom: <sip:c@d>;tag=1\r\n{to}\r\n\
             Call-ID: 1\r\nCSeq: 1 {method}\r\nContent-Length: 0\r\n\r\n"
        )
        .into_bytes()
    }

    #[test]
    fn a_to_tag_tells_what_belongs_to_a_dialog() {
        for method in ["INVITE", "OPTIONS", "REFER", "NOTIFY", "INFO", "NEWTHING"] {
            assert_eq!(Glance::at(&request(method, "To: <sip:a@b>;tag=x")), Glance::Inside, "{method}");
            assert_eq!(Glance::at(&request(method, "t : sip:a@b;tag=x")), Glance::Inside, "{method}");
        }
        assert_eq!(Glance::at(&request("INVITE", "To: <sip:a@b;tag=x>")), Glance::Invite);
        assert_eq!(Glance::at(&request("OPTIONS", "To: \";tag=x\" <sip:a@b>")), Glance::Other);
    }

    #[test]
    fn each_kind_is_told_by_its_first_word() {
        let to = "To: <sip:a@b>";
        for (method, kind) in [
            ("INVITE", Glance::Invite),
            ("REGISTER", Glance::Register),
            ("ACK", Glance::Ack),
            ("CANCEL", Glance::Cancel),
            ("BYE", Glance::Inside),
            ("PRACK", Glance::Inside),
            ("UPDATE", Glance::Inside),
            ("MESSAGE", Glance::Other),
            ("invite", Glance::Other),
        ] {
            assert_eq!(Glance::at(&request(method, to)), kind, "{method}");
        }
        assert_eq!(Glance::at(b"\r\n\r\nSIP/2.0 200 OK\r\n\r\n"), Glance::Response);
    }

    #[test]
    fn what_is_no_message_is_other_and_never_a_fault() {
        for bytes in
            [&b""[..], b"\r\n\r\n", b"\0\0\0", b"INVITE", b"INVITE ", b"GET / HTTP/1.1\r\n\r\n", &[0xff; 99]]
        {
            assert!(matches!(Glance::at(bytes), Glance::Other | Glance::Invite), "{bytes:?}");
            assert!(!acknowledges_shed(bytes));
        }
    }
}
