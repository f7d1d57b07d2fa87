//! What fuzzing found, by name: each of these once failed.

use bytes::Bytes;
use um_fuzz::{engine, ladder};
use um_sip::{Limits, Message, NameAddr, Uri};

#[test]
fn a_uri_that_loses_its_user_does_not_find_another_in_its_parameters() {
    let uri = Uri::parse(b"sip:alice@example.com:5060;x=y?subje@ct=a").expect("a URI");
    let bare = uri.with_user(None);
    assert_eq!(bare.host().map(ToString::to_string).as_deref(), Some("example.com"));
    assert_eq!(Uri::parse(bare.to_string().as_bytes()).as_ref(), Ok(&bare), "{bare}");
}

#[test]
fn a_uri_with_the_same_part_twice_is_the_same_as_itself() {
    let uri = Uri::parse(b"sip:a@example.com;u?x=1&x=2").expect("a URI");
    assert!(uri.equivalent(&uri));
}

#[test]
fn a_header_name_does_not_reach_over_a_fold() {
    let text = "OPTIONS sip:a@b SIP/2.0\r\nVia: SIP/2.0/UDP c;branch=z9hG4bK1\r\nMax-Forwards: 70\r\nFrom: <sip:a@b>;tag=1\r\n\
        To: <sip:c@d>\r\nCall-ID: e\r\nCSeq: 1 OPTIONS\r\nSubject\r\n : x\r\nContent-Length: 0\r\n\r\n";
    assert!(Message::parse(Bytes::from(text), &Limits::default()).is_err());
}

#[test]
fn a_bracket_that_opens_in_a_parameter_does_not_swallow_our_tag() {
    assert!(NameAddr::parse(b"<sip:a@b>;counter=1, <sip:c@d").is_err());
    assert!(NameAddr::parse(b"<sip:a@b>;text=\"1 < 2\"").is_ok());
}

#[test]
fn a_line_that_drains_long_after_its_last_call_is_idle_at_once() {
    let ladders = ladder::engine();
    let (_, bytes) =
        ladders.iter().find(|(name, _)| *name == "line-drained-after-its-calls").expect("the ladder");
    engine::run(bytes);
}

#[test]
fn a_name_that_is_resolved_after_the_time_for_its_connection_leaves_no_deadline_in_the_past() {
    engine::run(include_bytes!("../corpus/engine/found-name-resolved-after-its-deadline"));
}
