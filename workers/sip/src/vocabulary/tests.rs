//! Both vocabularies name the same things.

use super::*;
use crate::limits::Limits;

fn parse(text: &str) -> Message {
    Message::parse(text.to_owned().into(), &Limits::default()).expect("valid")
}

#[test]
fn what_rsips_parser_refuses_still_has_its_form() {
    let message = SipMessage::try_from(&parse(
        "OPTIONS sip:john.doe@[2001:db8::1]:5070;transport=tcp SIP/2.0\r\nv: SIP/2.0/UDP h\r\n ;branch=z9hG4bKa\r\n\
         f: <sip:a@b>;tag=1\r\nt: <sip:c@d>\r\ni: x\r\nCSeq: 1 OPTIONS\r\nX-Own: y\r\nDiversion: <sip:1@h>\r\nl: 2\r\n\r\nab",
    ));
    let Ok(SipMessage::Request(request)) = message else { panic!("a request: {message:?}") };
    assert_eq!(request.method, rsip::Method::Options);
    assert_eq!(request.uri.user(), Some("john.doe"));
    assert_eq!(request.uri.host(), &rsip::Host::IpAddr("2001:db8::1".parse().expect("address")));
    assert_eq!(request.uri.port().map(ToString::to_string).as_deref(), Some("5070"));
    let headers: Vec<_> = request.headers.iter().cloned().collect();
    assert_eq!(headers[0], rsip::Header::Via("SIP/2.0/UDP h ;branch=z9hG4bKa".into()));
    assert_eq!(headers[3], rsip::Header::CallId("x".into()));
    assert_eq!(headers[5], rsip::Header::Other("X-Own".into(), "y".into()));
    assert_eq!(headers[6], rsip::Header::Other("Diversion".into(), "<sip:1@h>".into()));
    assert_eq!(request.body, b"ab");
}

#[test]
fn methods_and_codes_agree() {
    for method in Method::KNOWN {
        let theirs = rsip::Method::try_from(&method).expect("known to both");
        assert_eq!(theirs.to_string(), method.as_str());
        assert_eq!(Method::from(theirs), method);
    }
    for code in StatusCode::KNOWN {
        let theirs = rsip::StatusCode::from(*code);
        assert_eq!(status_code(&theirs), Some(*code));
    }
    assert_eq!(status_code(&rsip::StatusCode::Other(7, String::new())), None);
}

#[test]
fn what_has_no_form_is_named() {
    let with = |method: &str, uri: &str| {
        let message = parse(&format!(
            "{method} {uri} SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bKa\r\nFrom: <sip:a@b>\r\nTo: <sip:c@d>\r\n\
             Call-ID: x\r\nCSeq: 1 {method}\r\n\r\n"
        ));
        SipMessage::try_from(&message).map(|_| ())
    };
    assert_eq!(with("NEWMETHOD", "sip:a@b"), Err(Untranslatable::Method));
    assert_eq!(with("INVITE", "tel:+1202"), Err(Untranslatable::Uri));
    assert_eq!(with("INVITE", "sip:a@b"), Ok(()));
}
