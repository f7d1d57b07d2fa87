//! What never reaches the user, and what its sender is told: RFC 3261 §8.2.

use super::alone::Alone;
use crate::{
    endpoint::{Config, RefuseReason},
    flow::Transport,
    header_name::HeaderName,
    message::Message,
    method::Method,
    method_set::MethodSet,
    option_tags::{OptionTag, OptionTags},
};

fn config() -> Config {
    Config {
        seed: [7; 32],
        methods: MethodSet::of(&[
            Method::Invite,
            Method::Ack,
            Method::Bye,
            Method::Cancel,
            Method::Options,
            Method::Prack,
            Method::Refer,
        ]),
        extensions: OptionTags::of(&[OptionTag::Rel100, OptionTag::Replaces, OptionTag::Timer]),
        ..Config::default()
    }
}

fn request(method: &str, uri: &str, headers: &str, body: &str) -> String {
    format!(
        "{method} {uri} SIP/2.0\nVia: SIP/2.0/UDP 192.0.2.9:5070;branch=z9hG4bK{method}\nMax-Forwards: 70\nFrom: <sip:a@example.com>;tag=x\nTo: <sip:b@example.net>\nCall-ID: screened\nCSeq: 1 {method}\nContact: <sip:a@192.0.2.9:5070>\n{headers}Content-Length: {}\n\n{body}",
        body.replace('\n', "\r\n").len()
    )
}

/// Returns the refusal, and that nothing else came of the request.
fn refused(method: &str, uri: &str, headers: &str, body: &str) -> (u16, Message) {
    let mut alone = Alone::with(Transport::Udp, config());
    alone.receive(&request(method, uri, headers, body));
    assert!(alone.events().is_empty(), "{headers}");
    let refusal = alone.taken_one();
    assert_eq!(alone.endpoint.transactions(), 0);
    let counters = alone.endpoint.counters();
    let counted = counters.refused(RefuseReason::Unsupported) + counters.refused(RefuseReason::Malformed);
    assert_eq!(counted, 1, "{headers}");
    (refusal.status().expect("a response").code(), refusal)
}

fn passes(method: &str, headers: &str, body: &str) {
    let mut alone = Alone::with(Transport::Udp, config());
    alone.receive(&request(method, "sip:b@example.net", headers, body));
    assert_eq!(alone.events().len(), 1, "{method} {headers}: {:?}", alone.sent());
}

const URI: &str = "sip:b@example.net";
const SDP: &str = "c: application/sdp\n";

/// RFC 3261 §8.2.1.
#[test]
fn a_method_that_is_not_served_gets_405_and_an_unknown_one_501() {
    for (method, status) in [("REGISTER", 405), ("MESSAGE", 405), ("FROBNICATE", 501), ("invite", 501)] {
        let (code, refusal) = refused(method, URI, "", "");
        assert_eq!(code, status, "{method}");
        assert_eq!(
            refusal.header_text(HeaderName::Allow),
            Some("INVITE, ACK, BYE, CANCEL, OPTIONS, PRACK, REFER")
        );
    }
}

/// RFC 3261 §8.2.2.1; RFC 5118 §4.2 for the address without brackets.
#[test]
fn a_request_uri_is_judged_by_grammar_and_scheme() {
    for method in ["INVITE", "OPTIONS", "REGISTER"] {
        assert_eq!(refused(method, "sip:2001:db8::10", "", "").0, 400, "{method}");
    }
    assert_eq!(refused("OPTIONS", "nobodyKnowsThisScheme:totallyopaquecontent", "", "").0, 416);
    assert_eq!(refused("INVITE", "urn:service:sos", "", "").0, 416);
}

/// RFC 3261 §8.2.2.3.
#[test]
fn what_is_required_and_not_supported_is_named_in_a_420() {
    let headers =
        "Require: 100rel, nothingSupportsThis\nRequire: path\nProxy-Require: noProxiesSupportThis\n";
    let (code, refusal) = refused("OPTIONS", URI, headers, "");
    assert_eq!(
        (code, refusal.header_text(HeaderName::Unsupported)),
        (420, Some("nothingSupportsThis, path"))
    );
    passes("INVITE", "Require: 100rel\nProxy-Require: foo\n", "");
}

#[test]
fn headers_that_decide_what_is_done_must_be_readable() {
    for (method, headers) in [
        ("REFER", ""),
        ("REFER", "Refer-To: <sip:a@\n"),
        ("OPTIONS", "Replaces: a;to-tag=1;from-tag=2\n"),
        ("INVITE", "Replaces: a;to-tag=1\n"),
        ("INVITE", "Replaces: a;to-tag=1;from-tag=2\nJoin: a;to-tag=1;from-tag=2\n"),
        ("INVITE", "Session-Expires: soon\n"),
        ("INVITE", "Min-SE: -1\n"),
    ] {
        assert_eq!(refused(method, URI, headers, "").0, 400, "{method} {headers}");
    }
    passes("INVITE", "Replaces: a;to-tag=1;from-tag=2\nSession-Expires: 90\nMin-SE: 90\n", "");
}

/// RFC 3261 §8.2.3.
#[test]
fn a_body_that_is_not_understood_gets_415_with_what_is() {
    for (headers, body) in [
        ("c: application/unknownformat\n", "<audio/>"),
        ("", "v=0\n"),
        ("c: application/sdp\nContent-Disposition: early-session\n", "v=0\n"),
        ("c: application/sdp\nContent-Transfer-Encoding: base64\n", "AAAA"),
        ("c: multipart/mixed;boundary=x\n", "--x\nc: text/plain\n\nhello\n--x--\n"),
    ] {
        let (code, refusal) = refused("INVITE", URI, headers, body);
        assert_eq!(
            (code, refusal.header_text(HeaderName::Accept)),
            (415, Some("application/sdp")),
            "{headers}"
        );
    }
    let (code, refusal) = refused("INVITE", URI, "c: application/sdp\ne: gzip\n", "xx");
    assert_eq!((code, refusal.header_text(HeaderName::AcceptEncoding)), (415, Some("identity")));
}

/// RFC 3261 §20.11, RFC 5621 §8.3.
#[test]
fn a_body_that_need_not_be_understood_is_let_through() {
    passes("INVITE", "c: text/html\nContent-Disposition: render;handling=optional\n", "<p>");
    passes(
        "INVITE",
        "c: multipart/mixed;boundary=x\n",
        "--x\nc: text/plain\n\nhello\n--x\nc: application/sdp\n\nv=0\n--x--\n",
    );
    passes("INVITE", "c: application/sdp;charset=utf-8\ne: identity\n", "v=0\n");
    passes("OPTIONS", "c: application/unknownformat\n", "x");
    passes("INVITE", SDP, "v=0\n");
}

#[test]
fn a_body_that_cannot_be_taken_apart_gets_400_and_an_encrypted_one_493() {
    assert_eq!(refused("INVITE", URI, "c: multipart/mixed\n", "--x\n\n--x--\n").0, 400);
    assert_eq!(refused("INVITE", URI, "c: sdp\n", "v=0\n").0, 400);
    assert_eq!(refused("INVITE", URI, "c: application/pkcs7-mime;smime-type=enveloped-data\n", "x").0, 493);
}

/// RFC 4475 §3.3.15.
#[test]
fn a_caller_who_takes_no_description_gets_406() {
    assert_eq!(refused("INVITE", URI, "Accept: text/nobodyKnowsThis\nc: application/sdp\n", "v=0\n").0, 406);
    passes("OPTIONS", "Accept: text/nobodyKnowsThis\n", "");
    passes("INVITE", "Accept: application/*\n", "");
}

/// RFC 3261 §12.2.2: that the dialog is gone is said first.
#[test]
fn what_is_in_no_dialog_gets_481_whatever_else_is_wrong() {
    let mut alone = Alone::with(Transport::Udp, config());
    for headers in ["Require: foo\n", ""] {
        let text = request("REFER", URI, headers, "")
            .replace("To: <sip:b@example.net>", "To: <sip:b@example.net>;tag=gone");
        alone.receive(&text);
        assert_eq!(alone.sent(), ["481"], "{headers}");
    }
}

/// RFC 3261 §8.2.2.2: so is that the request is a merged one.
#[test]
fn a_merged_request_gets_482_whatever_else_is_wrong() {
    let mut alone = Alone::with(Transport::Udp, config());
    alone.receive(&request("INVITE", URI, "", ""));
    alone.events();
    let again = request("INVITE", URI, "Require: foo\n", "").replace("z9hG4bKINVITE", "z9hG4bKother");
    alone.receive(&again);
    assert_eq!(alone.sent(), ["482"]);
}

#[test]
fn the_same_refusal_is_repeated_and_its_ack_absorbed() {
    let mut alone = Alone::with(Transport::Udp, config());
    let invite = request("INVITE", "urn:service:sos", "", "");
    alone.receive(&invite);
    let first = alone.taken_one();
    alone.receive(&invite);
    assert_eq!(alone.taken_one().bytes(), first.bytes());
}
