//! Digits in an INFO, as gateways send them: `application/dtmf-relay` with `Signal=` and `Duration=` lines, and
//! `application/dtmf` with the digit alone. Neither is a standard; both are read as leniently as they are written.

use um_media::Tone;
use um_sip::{HeaderName, Message};

/// What the body of an INFO is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dtmf {
    /// A digit.
    Tone(Tone),
    /// It should be a digit and is none.
    Malformed,
    /// There is no body.
    Empty,
    /// Something else.
    Other,
}

/// Reads the body of an INFO.
pub(crate) fn dtmf(info: &Message) -> Dtmf {
    let kind = info.header(HeaderName::ContentType).unwrap_or_default();
    let kind = kind.split(|octet| *octet == b';').next().unwrap_or_default().trim_ascii();
    let body = String::from_utf8_lossy(info.body());
    if kind.eq_ignore_ascii_case(b"application/dtmf-relay") {
        relayed(&body).map_or(Dtmf::Malformed, Dtmf::Tone)
    } else if kind.eq_ignore_ascii_case(b"application/dtmf") {
        let tone = relayed(&body).or_else(|| tone(body.trim(), None));
        tone.map_or(Dtmf::Malformed, Dtmf::Tone)
    } else if info.body().is_empty() {
        Dtmf::Empty
    } else {
        Dtmf::Other
    }
}

fn relayed(body: &str) -> Option<Tone> {
    let value = |name: &str| {
        body.lines().find_map(|line| {
            let (key, value) = line.split_once('=')?;
            key.trim().eq_ignore_ascii_case(name).then(|| value.trim())
        })
    };
    tone(value("Signal")?, value("Duration"))
}

fn tone(signal: &str, duration: Option<&str>) -> Option<Tone> {
    let event = match signal.as_bytes() {
        [digit @ b'0'..=b'9'] => digit - b'0',
        [b'*'] => 10,
        [b'#'] => 11,
        [letter @ (b'A'..=b'D' | b'a'..=b'd')] => letter.to_ascii_uppercase() - b'A' + 12,
        [b'!'] => HOOK_FLASH,
        // Some write the number of the event.
        [b'1', unit @ b'0'..=b'6'] => 10 + unit - b'0',
        _ if signal.eq_ignore_ascii_case("hf") || signal.eq_ignore_ascii_case("flash") => HOOK_FLASH,
        _ => return None,
    };
    let milliseconds = match duration {
        Some(text) => text.parse().ok()?,
        None => DURATION,
    };
    Some(Tone { event, milliseconds })
}

/// RFC 4733 §3.3.
const HOOK_FLASH: u8 = 16;
/// In ms, where the sender says nothing.
const DURATION: u16 = 160;

#[cfg(test)]
mod tests {
    use super::*;

    fn read(kind: &str, body: &str) -> Dtmf {
        let info = format!(
            "INFO sip:a@192.0.2.1 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.2;branch=z9hG4bK1\r\nFrom: <sip:b@c>;tag=1\r\n\
             To: <sip:a@c>;tag=2\r\nCall-ID: x\r\nCSeq: 2 INFO\r\nMax-Forwards: 70\r\n{kind}Content-Length: {}\r\n\r\n{body}",
            body.len()
        );
        let message = Message::parse(info.into_bytes().into(), &um_sip::Limits::default());
        dtmf(&message.expect("a message"))
    }

    const RELAY: &str = "Content-Type: application/dtmf-relay\r\n";
    const PLAIN: &str = "Content-Type: application/dtmf\r\n";

    #[test]
    fn digits_are_read_in_both_forms() {
        let tone = |event, milliseconds| Dtmf::Tone(Tone { event, milliseconds });
        let cases = [
            (RELAY, "Signal=5\r\nDuration=250\r\n", tone(5, 250)),
            (RELAY, "Signal= *\nDuration= 100", tone(10, 100)),
            (RELAY, "signal=#\r\n", tone(11, 160)),
            (RELAY, "Signal=d\r\nDuration=80\r\n", tone(15, 80)),
            (RELAY, "Signal=11\r\nDuration=80\r\n", tone(11, 80)),
            (RELAY, "Signal=hf\r\n", tone(16, 160)),
            (PLAIN, "7", tone(7, 160)),
            (PLAIN, "A\r\n", tone(12, 160)),
            (PLAIN, "Signal=3\r\nDuration=90\r\n", tone(3, 90)),
            ("Content-Type: APPLICATION/DTMF-Relay;x=y\r\n", "Signal=1\r\nDuration=60\r\n", tone(1, 60)),
        ];
        for (kind, body, expected) in cases {
            assert_eq!(read(kind, body), expected, "{body:?}");
        }
    }

    #[test]
    fn what_should_be_a_digit_and_is_none_is_told_from_other_bodies() {
        for body in
            ["", "Signal=\r\n", "Signal=x\r\n", "Signal=17\r\n", "Signal=5\r\nDuration=long\r\n", "Tone=5"]
        {
            assert_eq!(read(RELAY, body), Dtmf::Malformed, "{body:?}");
        }
        assert_eq!(read("Content-Type: application/media_control+xml\r\n", "<x/>"), Dtmf::Other);
        assert_eq!(read("", ""), Dtmf::Empty);
    }
}
