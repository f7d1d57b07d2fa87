//! Whole messages: what is read, what is refused, and who can be told.

use std::net::IpAddr;

use super::*;
use crate::{
    error::{Fault, HeaderError},
    header_name::HeaderName,
    host::Host,
    method::Method,
    name_addr::NameAddr,
    status::StatusCode,
};

fn parse(text: &str) -> Result<Message, ParseError> {
    Message::parse(Bytes::copy_from_slice(text.as_bytes()), &Limits::default())
}

fn valid(text: &str) -> Message {
    parse(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

/// The cause of a refusal and whether a response can be addressed.
fn refusal(text: &str) -> (Cause, bool) {
    let error = parse(text).map(|_| ()).expect_err(text);
    (error.cause, error.salvage.is_some())
}

const INVITE: &str = "INVITE sip:2001@pbx.example.com SIP/2.0\r\n\
    Via: SIP/2.0/UDP 10.0.0.1:5070;branch=z9hG4bK1;rport\r\n\
    Max-Forwards: 70\r\n\
    From: \"Carol\" <sip:3001@pbx.example.com>;tag=9fx\r\n\
    To: <sip:2001@pbx.example.com>\r\n\
    Call-ID: a84b4c76e66710\r\n\
    CSeq: 314159 INVITE\r\n\
    Contact: <sip:3001@10.0.0.1:5070>\r\n\
    Content-Length: 0\r\n\r\n";

#[test]
fn hands_out_what_every_message_has() {
    let message = valid(INVITE);
    assert!(message.is_request() && message.status().is_none());
    assert_eq!(message.method(), &Method::Invite);
    assert_eq!(message.request_uri().expect("valid").user(), Some("2001"));
    assert_eq!((message.call_id(), message.cseq().number), ("a84b4c76e66710", 314_159));
    assert_eq!((message.from_tag(), message.to_tag()), (Some("9fx"), None));
    assert_eq!((message.branch(), message.sent_by()), (Some("z9hG4bK1"), ("10.0.0.1", Some(5070))));
    assert_eq!(message.max_forwards(), Some(70));
    assert_eq!(message.from().expect("valid").display.as_deref(), Some("Carol"));
    assert!(message.body().is_empty());
}

#[test]
fn hands_out_what_a_response_has() {
    let text = INVITE.replace("INVITE sip:2001@pbx.example.com SIP/2.0", "SIP/2.0 486 Besetzt \u{fc}");
    let message =
        valid(&text.replace("To: <sip:2001@pbx.example.com>", "To: <sip:2001@pbx.example.com>;tag=x"));
    assert_eq!(message.status(), Some(StatusCode::BUSY_HERE));
    assert_eq!(message.phrase(), Some("Besetzt \u{fc}".as_bytes()));
    assert_eq!(message.method(), &Method::Invite);
    assert_eq!(message.to_tag(), Some("x"));
    assert!(message.request_uri_bytes().is_empty());
}

/// RFC 4475 §3.1.1.1, with the folds and blanks of the original.
const TORTUOUS: &str = "INVITE sip:vivekg@chair-dnrc.example.com;unknownparam SIP/2.0\r\n\
    TO :\r\n sip:vivekg@chair-dnrc.example.com ;   tag    = 1918181833n\r\n\
    from   : \"J Rosenberg \\\\\\\"\"       <sip:jdrosen@example.com>\r\n  ;\r\n  tag = 98asjd8\r\n\
    MaX-fOrWaRdS: 0068\r\n\
    Call-ID: wsinv.ndaksdj@192.0.2.1\r\n\
    Content-Length   : 5\r\n\
    cseq: 0009\r\n  INVITE\r\n\
    Via  : SIP  /   2.0\r\n /UDP\r\n    192.0.2.2;branch=390skdjuw\r\n\
    s :\r\n\
    NewFangledHeader:   newfangled value\r\n continued newfangled value\r\n\
    UnknownHeaderWithUnusualValue: ;;,,;;,;\r\n\
    Content-Type: application/sdp\r\n\
    Route:\r\n <sip:services.example.com;lr;unknownwith=value;unknown-no-value>\r\n\
    v:  SIP  / 2.0  / TCP     spindle.example.com   ;\r\n  branch  =   z9hG4bK9ikj8  ,\r\n \
    SIP  /    2.0   / UDP  192.168.255.111   ; branch=\r\n z9hG4bK30239\r\n\
    m:\"Quoted string \\\"\\\"\" <sip:jdrosen@example.com> ; newparam =\r\n      newvalue ;\r\n  \
    secondparam ; q = 0.33\r\n\r\nv=0\r\n";

#[test]
fn reads_the_tortuous_invite() {
    let message = valid(TORTUOUS);
    assert_eq!((message.to_tag(), message.from_tag()), (Some("1918181833n"), Some("98asjd8")));
    assert_eq!((message.cseq().number, message.max_forwards()), (9, Some(68)));
    assert_eq!(message.branch(), Some("390skdjuw"));
    let vias: Vec<crate::via::Via> = message.list(HeaderName::Via).expect("valid");
    let branches: Vec<_> = vias.iter().filter_map(crate::via::Via::branch).collect();
    assert_eq!(branches, ["390skdjuw", "z9hG4bK9ikj8", "z9hG4bK30239"]);
    let contacts = message.contacts().expect("valid");
    assert_eq!(contacts.list()[0].q, 330);
    assert_eq!(contacts.list()[0].address.display.as_deref(), Some("Quoted string \"\""));
    assert!(message.list::<NameAddr>(HeaderName::Route).expect("valid")[0].uri.is_loose_router());
    assert_eq!(
        message.header_named("newfangledheader"),
        Some(&b"newfangled value\r\n continued newfangled value"[..])
    );
    assert_eq!(message.header(HeaderName::Subject), Some(&b""[..]));
    assert_eq!(message.body(), b"v=0\r\n");
}

#[test]
fn every_untouched_line_is_there_byte_by_byte() {
    for text in [INVITE, TORTUOUS] {
        let message = valid(text);
        let start = text.find("\r\n").expect("a line") + 2;
        let raw: Vec<u8> = message.lines().flat_map(|line| line.raw().to_vec()).collect();
        let end = start + raw.len();
        assert_eq!(&text.as_bytes()[start..end], raw);
        assert_eq!(&text[end..end + 2], "\r\n");
    }
}

#[test]
fn several_values_in_a_line_are_several_values() {
    let text = INVITE.replace(
        "Contact: <sip:3001@10.0.0.1:5070>",
        "Contact: \"a,b\" <sip:x;p=1,2@h>;q=0.5, <sip:y@[2001:db8::1]>,,\r\n <sip:z@h>\r\nm: <sip:w@h>\r\nSupported: 100rel , TIMER\r\nk:,replaces",
    );
    let message = valid(&text);
    let users: Vec<_> = message
        .contacts()
        .expect("valid")
        .list()
        .iter()
        .map(|c| c.address.uri.user().map(str::to_owned))
        .collect();
    assert_eq!(users, ["x;p=1,2", "y", "z", "w"].map(|user| Some(user.to_owned())));
    for token in ["100rel", "timer", "Replaces"] {
        assert!(message.lists_token(HeaderName::Supported, token), "{token}");
    }
    assert!(!message.lists_token(HeaderName::Supported, "rel"));
}

#[test]
fn upper_case_names_of_exchange_are_read() {
    let text = "NOTIFY sip:2001@10.0.0.5:5060;User=phone SIP/2.0\r\nVIA: SIP/2.0/TCP [2001:db8::7]:5067;branch=z9hG4bKx\r\n\
        FROM: <sip:um1.example.com:5067;transport=Tcp;ms-opaque=x>;epid=x;tag=x1\r\nTO: <sip:2001@10.0.0.5:5060;User=phone>\r\n\
        CSEQ: 1 NOTIFY\r\nCALL-ID: y\r\nEVENT: message-summary\r\nCONTENT-TYPE: application/simple-message-summary\r\n\r\nMessages-Waiting: yes\r\n";
    let message = valid(text);
    assert_eq!(message.from_tag(), Some("x1"));
    assert_eq!(message.from().expect("valid").uri.transport(), Some("Tcp"));
    let host = message.top_via().expect("valid").sent_by.host;
    assert_eq!(host, Host::Ip("2001:db8::7".parse::<IpAddr>().expect("address")));
    assert_eq!(message.body(), b"Messages-Waiting: yes\r\n");
}

#[test]
fn content_length_cuts_a_datagram_and_asks_for_all_of_it() {
    let with = |length: &str, body: &str| INVITE.replace("Content-Length: 0", length) + body;
    assert_eq!(valid(&with("l: 3", "abcdef")).body(), b"abc");
    assert_eq!(valid(&with("X: 0", "abcdef")).body(), b"abcdef");
    let mut binary = with("Content-Length: 4", "").into_bytes();
    binary.extend_from_slice(b"\x00\xff\r\n\r\nmore");
    let message = Message::parse(binary.into(), &Limits::default()).expect("valid");
    assert_eq!((message.body(), &message.body_bytes()[..]), (&b"\x00\xff\r\n"[..], &b"\x00\xff\r\n"[..]));
    assert_eq!(refusal(&with("l: 7", "abcdef")), (Cause::BodyCutOff, true));
    assert_eq!(refusal(&with("l: 18446744073709551615", "abcdef")), (Cause::BodyCutOff, true));
    let number = Cause::Header(HeaderError { name: HeaderName::ContentLength, fault: Fault::Number });
    assert_eq!(refusal(&with("l: -999", "")), (number, true));
    assert_eq!(refusal(&with("l:", "")), (number, true));
}

#[test]
fn header_bytes_need_not_be_utf_8() {
    let mut text = INVITE.replace("Max", "Subject: J\u{1}rg\r\nMax").into_bytes();
    let at = text.iter().position(|byte| *byte == 1).expect("marker");
    text[at] = 0xf6;
    let message = Message::parse(text.into(), &Limits::default()).expect("valid");
    assert_eq!(message.header(HeaderName::Subject), Some(&b"J\xf6rg"[..]));
    assert_eq!(message.header_text(HeaderName::Subject), None);
}

#[test]
fn line_feeds_alone_and_breaks_in_front_are_tolerated() {
    let message = valid(&("\r\n\n\r\n".to_owned() + &TORTUOUS.replace("\r\n", "\n").replace(": 5", ": 4")));
    assert_eq!((message.to_tag(), message.body()), (Some("1918181833n"), &b"v=0\n"[..]));
}

#[test]
fn each_mandatory_header_is_named_when_it_is_missing() {
    for (line, name) in [
        ("From: \"Carol\" <sip:3001@pbx.example.com>;tag=9fx\r\n", HeaderName::From),
        ("To: <sip:2001@pbx.example.com>\r\n", HeaderName::To),
        ("Call-ID: a84b4c76e66710\r\n", HeaderName::CallId),
        ("CSeq: 314159 INVITE\r\n", HeaderName::CSeq),
    ] {
        assert_eq!(refusal(&INVITE.replace(line, "")), (Cause::Missing(name), true));
    }
    let via = "Via: SIP/2.0/UDP 10.0.0.1:5070;branch=z9hG4bK1;rport\r\n";
    assert_eq!(refusal(&INVITE.replace(via, "")), (Cause::Missing(HeaderName::Via), false));
    assert_eq!(valid(&INVITE.replace("Max-Forwards: 70\r\n", "")).max_forwards(), None);
}

#[test]
fn single_headers_may_not_stand_twice() {
    for name in
        [HeaderName::From, HeaderName::To, HeaderName::CallId, HeaderName::CSeq, HeaderName::MaxForwards]
    {
        let line = valid(INVITE).lines_of(name).map(|line| line.raw().to_vec()).next().expect("there");
        let text = INVITE.replace("Contact:", &(String::from_utf8(line).expect("text") + "Contact:"));
        assert_eq!(refusal(&text), (Cause::Duplicate(name), true));
    }
    let mixed = INVITE.replace("Contact:", "l: 0\r\nContact:");
    assert_eq!(refusal(&mixed), (Cause::Duplicate(HeaderName::ContentLength), true));
    valid(&INVITE.replace("Contact:", "User-Agent: a\r\nUser-Agent: b\r\nContact:"));
}

#[test]
fn a_message_without_a_usable_answer_address_is_dropped() {
    let broken = INVITE.replace("10.0.0.1:5070;branch", "10.0.0.1:x;branch");
    let fault = Cause::Header(HeaderError { name: HeaderName::Via, fault: Fault::Number });
    assert_eq!(refusal(&broken), (fault, false));
    let ack = INVITE.replace("INVITE", "ACK").replace("Call-ID", "X");
    assert_eq!(refusal(&ack), (Cause::Missing(HeaderName::CallId), false));
    let response =
        INVITE.replace("INVITE sip:2001@pbx.example.com SIP/2.0", "SIP/2.0 200 OK").replace("Call-ID", "X");
    assert_eq!(refusal(&response), (Cause::Missing(HeaderName::CallId), false));
    for text in ["", "\r\n\r\n", "\r\n"] {
        assert_eq!(refusal(text), (Cause::Empty, false));
    }
    assert_eq!(refusal("hello"), (Cause::StartLine, false));
}

#[test]
fn structure_that_is_broken_is_refused() {
    let with = |line: &str| refusal(&INVITE.replace("Contact:", &format!("{line}\r\nContact:")));
    assert_eq!(with("no colon here"), (Cause::HeaderLine, true));
    assert_eq!(with(": no name"), (Cause::HeaderLine, true));
    assert_eq!(with("Bad Name: x"), (Cause::HeaderLine, true));
    assert_eq!(with("Subject: a\rVia: b"), (Cause::HeaderLine, true));
    assert_eq!(with(&format!("Subject: {}", "x".repeat(8192))), (Cause::HeaderLineTooLong, true));
    assert_eq!(with(&vec!["X: y"; 250].join("\r\n")), (Cause::TooManyHeaders, true));
    assert_eq!(refusal(INVITE.trim_end()), (Cause::Unended, true));
    assert_eq!(refusal(&(INVITE.to_owned() + &"x".repeat(256 * 1024))), (Cause::TooLong, true));
    let folded = format!("Subject: a\r\n{}", " xxxxxxxxx\r\n".repeat(800));
    assert_eq!(with(folded.trim_end()), (Cause::HeaderLineTooLong, true));
}

#[test]
fn values_that_every_message_needs_are_checked() {
    let with = |from: &str, to: &str| refusal(&INVITE.replace(from, to)).0;
    let of = |name, fault| Cause::Header(HeaderError { name, fault });
    assert_eq!(with("314159 INVITE", "314159 OPTIONS"), Cause::MethodMismatch);
    assert_eq!(with("314159 INVITE", "2147483648 INVITE"), of(HeaderName::CSeq, Fault::Number));
    assert_eq!(with("Max-Forwards: 70", "Max-Forwards: 300"), of(HeaderName::MaxForwards, Fault::Number));
    assert_eq!(with("\"Carol\" <", "\"Carol <"), of(HeaderName::From, Fault::Unbalanced));
    assert_eq!(with("a84b4c76e66710", "a b"), of(HeaderName::CallId, Fault::Syntax));
    assert_eq!(with("a84b4c76e66710", ""), of(HeaderName::CallId, Fault::Empty));
    assert_eq!(with("tag=9fx", "tag=\"9fx\""), of(HeaderName::From, Fault::Syntax));
}

#[test]
fn the_status_follows_the_cause() {
    let status =
        |text: &str| parse(text).map(|_| ()).expect_err("refused").salvage.map(|salvage| salvage.status());
    assert_eq!(
        status(&INVITE.replace("SIP/2.0\r\nVia", "SIP/7.0\r\nVia")),
        Some(StatusCode::VERSION_NOT_SUPPORTED)
    );
    assert_eq!(status(&INVITE.replace("CSeq", "X-CSeq")), Some(StatusCode::BAD_REQUEST));
    assert_eq!(status(&(INVITE.to_owned() + &"x".repeat(256 * 1024))), Some(StatusCode::MESSAGE_TOO_LARGE));
    let long = INVITE.replacen("sip:", &format!("sip:{}@", "x".repeat(8192)), 1);
    assert_eq!(status(&long), Some(StatusCode::REQUEST_URI_TOO_LONG));
    let unknown = INVITE.replacen("INVITE", "NEWMETHOD", 1);
    assert_eq!(status(&unknown), Some(StatusCode::NOT_IMPLEMENTED));
}

#[test]
fn optional_values_are_read_when_asked_for() {
    let text = INVITE.replace(
        "Contact:",
        "Retry-After: 18000 (busy);duration=3600\r\nExpires: 99999999999\r\nc: Application/SDP\r\n\
         Diversion: <sip:2002@h>;reason=user-busy, <sip:2001@h>;reason=no-answer\r\n\
         History-Info: <sip:2001@h>;index=1\r\nHistory-Info: <sip:6000@h;cause=486>;index=1.1;mp=1\r\nContact:",
    );
    let message = valid(&text);
    assert_eq!(message.retry_after().expect("valid").map(|value| value.delay.as_secs()), Some(18000));
    assert_eq!(message.expires(), Ok(Some(u32::MAX)));
    assert!(message.content_type().expect("valid").expect("there").is_sdp());
    let diversions = message.diversions().expect("valid");
    assert_eq!(diversions[0].uri().user(), Some("2002"));
    assert_eq!(message.history().expect("valid").len(), 2);
    let wrong = valid(&INVITE.replace("Contact:", "Retry-After: soon\r\nContact:"));
    assert_eq!(wrong.retry_after(), Err(HeaderError { name: HeaderName::RetryAfter, fault: Fault::Number }));
    assert_eq!(valid(INVITE).retry_after(), Ok(None));
}
