//! Bodies as gateways and phones send them.

use super::*;
use crate::limits::Limits;

const SDP: &str = "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\n";

fn message(headers: &str, body: &str) -> Message {
    let text = format!(
        "INVITE sip:a@b SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\r\nFrom: <sip:c@d>;tag=1\r\nTo: <sip:a@b>\r\nCall-ID: x\r\nCSeq: 1 INVITE\r\n{headers}Content-Length: {}\r\n\r\n{body}",
        body.len()
    );
    Message::parse(text.into(), &Limits::default()).expect("valid")
}

fn mixed(kind: &str, parts: &[&str]) -> Message {
    let mut body = String::from("a preamble that nobody reads\r\n");
    for part in parts {
        body.push_str(&format!("--b1\r\n{part}\r\n"));
    }
    body.push_str("--b1--  \r\nan epilogue");
    message(&format!("Content-Type: multipart/{kind};boundary=\"b1\"\r\n"), &body)
}

fn sdp_part() -> String {
    format!("Content-Type: application/sdp\r\nContent-Length: {}\r\n\r\n{SDP}", SDP.len())
}

const ISUP: &str = "c: application/ISUP;version=nxv3\r\nContent-Disposition: signal;\r\n handling=optional\r\n\r\n\x01\x00\x49--b1";

#[test]
fn a_plain_body_is_its_own_part() {
    let message = message("c: application/sdp\r\nContent-Disposition: session\r\n", SDP);
    let parts = Parts::of(&message).expect("readable");
    assert_eq!(parts.description(), Some(SDP.as_bytes()));
    let (kind, body) = parts.with_description(b"v=0\r\n").expect("a body");
    assert_eq!((kind.essence(), &body[..]), ("application/sdp", &b"v=0\r\n"[..]));
}

#[test]
fn no_body_has_no_parts() {
    let message = message("", "");
    let parts = Parts::of(&message).expect("readable");
    assert!(parts.as_slice().is_empty() && parts.description().is_none());
    assert_eq!(parts.with_description(b"v=0\r\n"), None);
}

/// RFC 5621 §4, RFC 3372 §3: ISUP beside SDP.
#[test]
fn the_description_is_found_beside_other_parts() {
    let message = mixed("mixed", &[ISUP, &sdp_part()]);
    let parts = Parts::of(&message).expect("readable");
    assert_eq!(parts.description(), Some(SDP.as_bytes()));
    let [isup, sdp] = parts.as_slice() else { panic!("two parts: {parts:?}") };
    assert_eq!((isup.content_type.essence(), isup.handling()), ("application/isup", Handling::Optional));
    assert_eq!(isup.content, b"\x01\x00\x49--b1");
    assert_eq!(sdp.handling(), Handling::Required);
}

#[test]
fn another_description_leaves_everything_else_as_it_was() {
    let message = mixed("mixed", &[ISUP, &sdp_part(), "\r\nplain text"]);
    let parts = Parts::of(&message).expect("readable");
    let (kind, body) = parts.with_description(b"v=0\r\ns=new\r\n").expect("a body");
    let before = String::from_utf8(message.body().to_vec()).expect("text");
    let wanted = before.replace(&sdp_part(), "Content-Type: application/sdp\r\n\r\nv=0\r\ns=new\r\n");
    assert_eq!(String::from_utf8(body).expect("text"), wanted);
    assert_eq!(kind.to_string(), "multipart/mixed;boundary=\"b1\"");
}

/// RFC 2046 §5.1.4: the last alternative is the best.
#[test]
fn the_last_of_two_alternatives_is_taken_and_the_first_of_a_mixture() {
    let (one, two) = ("Content-Type: application/sdp\r\n\r\nv=1", "Content-Type: application/sdp\r\n\r\nv=2");
    let first = mixed("mixed", &[one, two]);
    assert_eq!(Parts::of(&first).expect("readable").description(), Some(&b"v=1"[..]));
    let last = mixed("alternative", &[one, two]);
    assert_eq!(Parts::of(&last).expect("readable").description(), Some(&b"v=2"[..]));
}

/// RFC 5621 §4.3: an unknown multipart is read as a mixture; RFC 3261 §23.3 nests them.
#[test]
fn a_description_within_a_signed_part_is_found() {
    let inner =
        format!("Content-Type: multipart/strange;boundary=b2\r\n\r\n--b2\r\n{}\r\n--b2--\r\n", sdp_part());
    let signature =
        "Content-Type: application/pkcs7-signature\r\nContent-Transfer-Encoding: base64\r\n\r\nAAAA";
    let message = mixed("signed", &[&inner, signature]);
    let parts = Parts::of(&message).expect("readable");
    assert_eq!(parts.description(), Some(SDP.as_bytes()));
    assert!(!parts.as_slice()[1].is_plain);
}

#[test]
fn what_is_encoded_or_for_something_else_is_no_description() {
    for head in ["Content-Transfer-Encoding: base64\r\n", "Content-Disposition: early-session\r\n"] {
        let message = message(&format!("Content-Type: application/sdp\r\n{head}"), SDP);
        assert_eq!(Parts::of(&message).expect("readable").description(), None, "{head}");
    }
}

#[test]
fn line_feeds_alone_and_a_missing_end_are_tolerated() {
    let body = "--b1\nContent-Type: application/sdp\n\nv=0\n--b1\nContent-Type: text/plain\n\nhello";
    let message = message("Content-Type: multipart/mixed;boundary=b1\r\n", body);
    let parts = Parts::of(&message).expect("readable");
    assert_eq!(parts.description(), Some(&b"v=0"[..]));
    assert_eq!(parts.as_slice()[1].content, b"hello");
}

#[test]
fn bodies_that_cannot_be_taken_apart_are_refused() {
    let fault = |headers: &str, body: &str| Parts::of(&message(headers, body)).err();
    assert_eq!(fault("", "x"), Some(BodyFault::Untyped));
    assert_eq!(fault("c: sdp\r\n", "x"), Some(BodyFault::Header));
    assert_eq!(fault("c: multipart/mixed\r\n", "--x\r\n\r\n\r\n--x--\r\n"), Some(BodyFault::Boundary));
    assert_eq!(fault("c: multipart/mixed;boundary=x\r\n", "nothing here"), Some(BodyFault::Boundary));
    assert_eq!(fault("c: multipart/mixed;boundary=x\r\n", "--x--\r\n"), Some(BodyFault::Boundary));
    let long = format!("c: multipart/mixed;boundary={}\r\n", "x".repeat(71));
    assert_eq!(fault(&long, "--x\r\n"), Some(BodyFault::Boundary));
}

#[test]
fn parts_are_bounded_in_number_and_depth() {
    let many = vec!["\r\nx"; PARTS_MAX + 1];
    assert_eq!(Parts::of(&mixed("mixed", &many)).err(), Some(BodyFault::TooMany));
    let mut body = String::from("\r\nx");
    for depth in (0..=DEPTH_MAX).rev() {
        body = format!(
            "Content-Type: multipart/mixed;boundary=n{depth}\r\n\r\n--n{depth}\r\n{body}\r\n--n{depth}--"
        );
    }
    let (head, body) = body.split_once("\r\n\r\n").expect("headers");
    assert_eq!(Parts::of(&message(&format!("{head}\r\n"), body)).err(), Some(BodyFault::TooMany));
}
