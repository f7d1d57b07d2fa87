//! The odd shapes that phones, gateways and UM servers really send, each with the meaning that it has.
//!
//! Most general-purpose parsers get a third of these wrong; each case names what it is about.

use bytes::Bytes;
use um_sip::{DiversionReason, HeaderName, Limits, Message, NameAddr, Scheme, Uri, Via};

const BASE: &str = "INVITE sip:2001@pbx.example.com SIP/2.0\r\n\
    Via: SIP/2.0/UDP 10.0.0.1:5070;branch=z9hG4bK1\r\n\
    Max-Forwards: 70\r\n\
    From: <sip:3001@pbx.example.com>;tag=9fx\r\n\
    To: <sip:2001@pbx.example.com>\r\n\
    Call-ID: a84b4c76e66710\r\n\
    CSeq: 1 INVITE\r\n\
    Contact: <sip:3001@10.0.0.1:5070>\r\n\r\n";

fn parse(bytes: impl Into<Bytes>) -> Message {
    Message::parse(bytes.into(), &Limits::default()).expect("valid")
}

/// The base message with `from` replaced by `to`.
fn with(from: &str, to: &str) -> Message {
    assert!(BASE.contains(from), "{from}");
    parse(BASE.replace(from, to))
}

/// The base message with its start line's URI replaced.
fn to_uri(uri: &str) -> Uri {
    with("INVITE sip:2001@pbx.example.com", &format!("INVITE {uri}")).request_uri().expect(uri)
}

/// The base message with another From value.
fn from(value: &str) -> NameAddr {
    with("<sip:3001@pbx.example.com>;tag=9fx", value).from().expect(value)
}

/// The base message with lines added.
fn plus(lines: &str) -> Message {
    with("Contact:", &format!("{lines}\r\nContact:"))
}

fn vias(message: &Message) -> Vec<String> {
    message
        .list::<Via>(HeaderName::Via)
        .expect("valid")
        .iter()
        .filter_map(|via| via.branch().map(str::to_owned))
        .collect()
}

fn display(value: &str) -> Option<String> {
    from(value).display.map(String::from)
}

#[test]
fn names_come_in_every_shape() {
    let compact = BASE
        .replace("Via", "v")
        .replace("From", "F")
        .replace("To:", "t \t:")
        .replace("Call-ID", "I")
        .replace("Contact", "m");
    assert_eq!(parse(compact).from_tag(), Some("9fx"));
    assert_eq!(with("CSeq", "cSEQ").cseq().number, 1);
    assert_eq!(with("Call-ID: ", "CALL-id:").call_id(), "a84b4c76e66710");
    assert_eq!(
        plus("x: 1800;refresher=uac").header(HeaderName::SessionExpires),
        Some(&b"1800;refresher=uac"[..])
    );
    assert_eq!(plus("Odd!Name%*_+`'~.: v").header_named("odd!name%*_+`'~."), Some(&b"v"[..]));
    assert_eq!(plus("Subject:").header(HeaderName::Subject), Some(&b""[..]));
    assert_eq!(plus("k:").list::<NameAddr>(HeaderName::Supported).map(|list| list.len()), Ok(0));
}

#[test]
fn lines_are_folded_with_blanks_and_tabs() {
    assert_eq!(
        with("<sip:3001@pbx.example.com>;tag", "\r\n\t<sip:3001@pbx.example.com>\r\n ;tag").from_tag(),
        Some("9fx")
    );
    assert_eq!(with("CSeq: 1 INVITE", "CSeq:\t0001\t \tINVITE").cseq().number, 1);
    assert_eq!(with("s: 70", "s: 0\r\n ").max_forwards(), Some(0));
}

#[test]
fn via_values_share_lines_and_stand_apart() {
    let list = with(
        "bK1\r\n",
        "bK1 , SIP/2.0/TCP [::1]:5060;branch=z9hG4bK2,\r\n SIP/2.0/TLS h;branch=z9hG4bK3\r\n",
    );
    assert_eq!(vias(&list), ["z9hG4bK1", "z9hG4bK2", "z9hG4bK3"]);
    assert_eq!(vias(&plus("v: SIP/2.0/UDP h;branch=z9hG4bK2")), ["z9hG4bK1", "z9hG4bK2"]);
    assert_eq!(list.branch(), Some("z9hG4bK1"));
    let multicast = with(
        "branch=z9hG4bK1",
        "ttl=16;maddr=224.2.0.1;rport=5070;received=[2001:db8::9];branch=a7c6a8dlze.1",
    );
    let via = multicast.top_via().expect("valid");
    assert_eq!((via.branch(), via.rport()), (Some("a7c6a8dlze.1"), Some(5070)));
    assert_eq!(via.received(), "2001:db8::9".parse().ok());
}

#[test]
fn contacts_are_lists_stars_and_instances() {
    let contacts = |value: &str| with("<sip:3001@10.0.0.1:5070>", value).contacts().expect(value);
    assert!(contacts("*").list().is_empty());
    assert_eq!(contacts("<sip:a@b>,<sip:c@d>;q=0.5 , sip:e@f").list().len(), 3);
    assert_eq!(
        contacts("\"a, <b>; \\\"c\\\"\" <sip:x@y>").list()[0].address.display.as_deref(),
        Some("a, <b>; \"c\"")
    );
    assert_eq!(contacts("<sip:x@y>;expires=60;q=0.25").list()[0].expires(), Ok(Some(60)));
    assert_eq!(contacts("<sip:x@y?Subject=a%2Cb>").list()[0].address.uri.headers().count(), 1);
    let instance = contacts("<sip:x@[2001:db8::9]>;+sip.instance=\"<urn:uuid:f8-1d>\";reg-id=1");
    assert_eq!(instance.list()[0].address.params.value("+sip.instance").as_deref(), Some("<urn:uuid:f8-1d>"));
    assert_eq!(
        instance.list()[0].address.uri.host().map(ToString::to_string).as_deref(),
        Some("[2001:db8::9]")
    );
}

#[test]
fn request_uris_are_of_any_kind() {
    assert_eq!(to_uri("sip:[2001:db8::1]:5062;transport=tcp").port(), Some(5062));
    assert_eq!(to_uri("sip:john.doe@example.com").user(), Some("john.doe"));
    assert_eq!(to_uri("sip:6000;phone-context=+1@um.example.com").user(), Some("6000;phone-context=+1"));
    assert_eq!(to_uri("sip:lee%20roy@example.com").user_text().as_deref(), Some("lee roy"));
    assert_eq!(to_uri("sip:%2B12025550100@example.com").user_text().as_deref(), Some("+12025550100"));
    assert_eq!(to_uri("sip:%F6@example.com").user_text().as_deref(), Some("\u{fffd}"));
    assert_eq!(to_uri("sip:a:p%40w@example.com").password(), Some("p%40w"));
    assert_eq!(to_uri("SIP:um.example.com;User=phone").param("user"), Some(Some("phone")));
    assert_eq!(to_uri("sips:a@example.com").port_or_default(), 5061);
    assert_eq!(to_uri("tel:+1555;phone-context=example.com").user(), Some("+1555"));
    assert_eq!(to_uri("urn:service:sos").scheme(), Scheme::Other);
    let voicemail = to_uri("sip:6000@um.example.com;target=sip:2001%40pbx.example.com;cause=408");
    assert_eq!(voicemail.target().and_then(|uri| uri.user().map(str::to_owned)).as_deref(), Some("2001"));
    assert_eq!(voicemail.cause(), Some(408));
}

#[test]
fn display_names_hold_anything() {
    assert_eq!(display("\"x;tag=evil\" <sip:a@b>;tag=9fx").as_deref(), Some("x;tag=evil"));
    assert_eq!(display("\"<sip:evil@h>\" <sip:a@b>;tag=9fx").as_deref(), Some("<sip:evil@h>"));
    assert_eq!(display("\"\" <sip:a@b>;tag=9fx").as_deref(), Some(""));
    assert_eq!(display("Dana van Reed <sip:a@b>;tag=9fx").as_deref(), Some("Dana van Reed"));
    assert_eq!(display("Dana<sip:a@b>;tag=9fx").as_deref(), Some("Dana"));
    assert_eq!(display("\"J\u{f6}rg \u{10d}\" <sip:a@b>;tag=9fx").as_deref(), Some("J\u{f6}rg \u{10d}"));
    assert_eq!(display("\"a\\\\\\\"b\" <sip:a@b>;tag=9fx").as_deref(), Some("a\\\"b"));
    assert_eq!(display("< sip:a@b >;tag=9fx"), None);
    let bare = from("sip:a@b;user=phone;tag=9fx");
    assert_eq!((bare.uri.as_str(), bare.params.value("user").as_deref()), ("sip:a@b", Some("phone")));
}

#[test]
fn methods_and_phrases_are_open() {
    assert_eq!(parse(BASE.replace("INVITE", "FETCH")).method().as_str(), "FETCH");
    assert_eq!(parse(BASE.replace("INVITE", "invite")).method().as_str(), "invite");
    let status = |line: &str| parse(BASE.replace("INVITE sip:2001@pbx.example.com SIP/2.0", line));
    assert_eq!(status("SIP/2.0 480 Nobody home").phrase(), Some(&b"Nobody home"[..]));
    assert_eq!(status("SIP/2.0 200 ").phrase(), Some(&b""[..]));
    assert_eq!(status("SIP/2.0 200").status().map(|code| code.code()), Some(200));
}

#[test]
fn bodies_are_bytes() {
    let message = |length: &str, body: &[u8]| {
        let head = BASE.replace("Contact:", &format!("{length}Contact:")).into_bytes();
        parse([&head, body].concat()).body_bytes()
    };
    assert_eq!(message("", b"\xff\x00\r\n"), &b"\xff\x00\r\n"[..]);
    assert_eq!(message("l:2\r\n", b"\xff\x00\r\n"), &b"\xff\x00"[..]);
    assert_eq!(message("Content-Length: 0\r\n", b"v=0"), &b""[..]);
    assert_eq!(parse(format!("\r\n\r\n{BASE}")).body(), b"");
    assert_eq!(parse(BASE.replace("\r\n", "\n")).call_id(), "a84b4c76e66710");
}

#[test]
fn diversions_and_identities_are_read_as_the_field_writes_them() {
    let message = plus(
        "Diversion: \"D\" <tel:10001>;reason=\"no-answer\";counter=1, <sip:2@h>;REASON=User-Busy\r\n\
         P-Asserted-Identity: \"D\" <sip:2001@h>, <tel:+12025550100>\r\n\
         Remote-Party-ID: \"D\" <sip:2001@h>;party=calling;screen=yes;privacy=off",
    );
    let reasons: Vec<_> =
        message.diversions().expect("valid").iter().map(|diversion| diversion.reason).collect();
    assert_eq!(reasons, [DiversionReason::NoAnswer, DiversionReason::UserBusy]);
    assert_eq!(message.list::<NameAddr>(HeaderName::PAssertedIdentity).map(|list| list.len()), Ok(2));
    let party = message.value::<NameAddr>(HeaderName::RemotePartyId).expect("valid").expect("there");
    assert_eq!(party.params.value("party").as_deref(), Some("calling"));
}

#[test]
fn what_is_no_list_is_not_split() {
    let digest = "Digest username=\"a,b\", realm=\"x\", qop=\"auth,auth-int\"";
    assert_eq!(
        plus(&format!("Authorization: {digest}")).header_text(HeaderName::Authorization),
        Some(digest)
    );
    let kind = plus("Content-Type: Multipart/Mixed; Boundary=\"a;b,c\"")
        .content_type()
        .expect("valid")
        .expect("there");
    assert_eq!(
        (kind.essence(), kind.params.value("boundary").as_deref()),
        ("multipart/mixed", Some("a;b,c"))
    );
}
