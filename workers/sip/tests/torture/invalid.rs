//! Invalid messages: RFC 4475 §3.1.2 and §3.3, RFC 5118 §4.2.

use um_sip::{Cause, Fault, HeaderError, HeaderName};

use super::{Sample, assert_usable, uri};

macro_rules! request {
    ($start:literal, $cseq:literal, $rest:literal) => {
        concat!(
            $start,
            "\nVia: SIP/2.0/UDP 192.0.2.15;branch=z9hG4bKkdjuw\nMax-Forwards: 7\nFrom: sip:caller@example.net;tag=134161461246\n",
            "To: sip:j.user@example.com\nCall-ID: sample.0ha0isndaksdj\nCSeq: ",
            $cseq,
            "\n",
            $rest,
            "\n"
        )
    };
}

const fn of(name: HeaderName, fault: Fault) -> Cause {
    Cause::Header(HeaderError { name, fault })
}

/// Name, message and fault of requests that are answered 400.
const MALFORMED: &[(&str, &str, Cause)] = &[
    (
        "badinv01",
        "INVITE sip:user@example.com SIP/2.0\nTo: sip:j.user@example.com\nFrom: sip:caller@example.net;tag=134161461246\nMax-Forwards: 7\nCall-ID: badinv01.0ha0isndaksdjasdf3234nas\nCSeq: 8 INVITE\nVia: SIP/2.0/UDP 192.0.2.15;;,;,,\nContact: \"Joe\" <sip:joe@example.org>;;;;\nContent-Length: 0\n\n",
        of(HeaderName::Via, Fault::Syntax),
    ),
    (
        "clerr",
        request!("INVITE sip:user@example.com SIP/2.0", "0 INVITE", "Content-Length: 9999\n\nv=0"),
        Cause::BodyCutOff,
    ),
    (
        "ncl",
        request!("INVITE sip:user@example.com SIP/2.0", "5 INVITE", "Content-Length: -999\n\nv=0"),
        of(HeaderName::ContentLength, Fault::Number),
    ),
    (
        "scalar02",
        request!(
            "REGISTER sip:example.com SIP/2.0",
            "36893488147419103232 REGISTER",
            "Expires: 1000000000000000000000000\nl: 0\n"
        ),
        of(HeaderName::CSeq, Fault::Number),
    ),
    ("lwsruri", request!("INVITE sip:user@example.com; lr SIP/2.0", "1 INVITE", "l: 0\n"), Cause::StartLine),
    ("ltgtruri", request!("INVITE <sip:user@example.com> SIP/2.0", "1 INVITE", "l: 0\n"), Cause::StartLine),
    ("lwsstart", request!("INVITE  sip:user@example.com  SIP/2.0", "1 INVITE", "l: 0\n"), Cause::StartLine),
    (
        "trws",
        request!("OPTIONS sip:remote-target@example.com SIP/2.0  ", "1 OPTIONS", "l: 0\n"),
        Cause::StartLine,
    ),
    (
        "mismatch01",
        request!("OPTIONS sip:user@example.com SIP/2.0", "8 INVITE", "l: 0\n"),
        Cause::MethodMismatch,
    ),
    (
        "multi01",
        request!("INVITE sip:user@company.com SIP/2.0", "8 INVITE", "CSeq: 59 INVITE\nl: 0\n"),
        Cause::Duplicate(HeaderName::CSeq),
    ),
    (
        "mcl01",
        request!(
            "OPTIONS sip:user@example.com SIP/2.0",
            "8 OPTIONS",
            "Content-Length: 13\nContent-Length: 5\n\nThere's no way to know how many octets"
        ),
        Cause::Duplicate(HeaderName::ContentLength),
    ),
];

#[test]
fn malformed_requests_are_answered_400() {
    for (name, text, cause) in MALFORMED.iter().copied() {
        assert_eq!(Sample { name, text }.refused(), (cause, Some(400)), "{name}");
    }
}

#[test]
fn faults_in_from_and_to_are_answered_400() {
    let quotbal = "INVITE sip:user@example.com SIP/2.0\nTo: \"Mr. J. User <sip:j.user@example.com>\nFrom: sip:caller@example.net;tag=93334\nMax-Forwards: 10\nCall-ID: quotbal.aksdj\nContact: <sip:caller@host59.example.net>\nCSeq: 8 INVITE\nVia: SIP/2.0/UDP 192.0.2.59:5050;branch=z9hG4bKkdjuw39234\nContent-Length: 0\n\n";
    let refused = Sample { name: "quotbal", text: quotbal }.refused();
    assert_eq!(refused, (of(HeaderName::To, Fault::Unbalanced), Some(400)));
    let insuf = "INVITE sip:user@example.com SIP/2.0\nCSeq: 193942 INVITE\nVia: SIP/2.0/UDP 192.0.2.95;branch=z9hG4bKkdj.insuf\nContent-Type: application/sdp\nl: 0\n\n";
    assert_eq!(
        Sample { name: "insuf", text: insuf }.refused(),
        (Cause::Missing(HeaderName::From), Some(400))
    );
}

#[test]
fn another_version_is_answered_505() {
    let text = request!("OPTIONS sip:t.watson@example.org SIP/7.0", "8 OPTIONS", "l: 0\n");
    assert_eq!(Sample { name: "badvers", text }.refused(), (Cause::Version, Some(505)));
}

/// RFC 4475 §3.1.2.18.
#[test]
fn an_unknown_method_is_answered_501_even_if_cseq_names_another() {
    let text = request!("NEWMETHOD sip:user@example.com SIP/2.0", "8 INVITE", "l: 0\n");
    assert_eq!(Sample { name: "mismatch02", text }.refused(), (Cause::MethodMismatch, Some(501)));
}

#[test]
fn malformed_responses_are_dropped() {
    let bigcode = "SIP/2.0 4294967301 better not break the receiver\nVia: SIP/2.0/UDP 192.0.2.105;branch=z9hG4bK2398ndaoe\nCall-ID: bigcode.asdof3uj203asdnf3429uasdhfas3ehjasdfas9i\nCSeq: 353494 INVITE\nFrom: <sip:user@example.com>;tag=39ansfi3\nTo: <sip:user@example.edu>;tag=902jndnke3\nContent-Length: 0\n\n";
    assert_eq!(Sample { name: "bigcode", text: bigcode }.refused(), (Cause::StartLine, None));
    let scalarlg = "SIP/2.0 503 Service Unavailable\nVia: SIP/2.0/TCP host129.example.com;branch=z9hG4bKzzxdiwo34sw;received=192.0.2.129\nTo: <sip:user@example.com>\nFrom: <sip:other@example.net>;tag=2easdjfejw\nCSeq: 9292394834772304023312 OPTIONS\nCall-ID: scalarlg.noase0of0234hn2qofoaf0232aewf2394r\nRetry-After: 949302838503028349304023988\nWarning: 1812 overture \"In Progress\"\nContent-Length: 0\n\n";
    assert_eq!(
        Sample { name: "scalarlg", text: scalarlg }.refused(),
        (of(HeaderName::CSeq, Fault::Number), None)
    );
}

/// The address that the request is about is judged by who needs it; the fault is named then.
#[test]
fn faults_in_values_that_not_every_message_needs_show_when_they_are_read() {
    let regbadct = request!(
        "REGISTER sip:example.com SIP/2.0",
        "9 REGISTER",
        "Contact: sip:user@example.com?Route=%3Csip:sip.example.com%3E\nl: 0\n"
    );
    let message = Sample { name: "regbadct", text: regbadct }.valid();
    assert_eq!(message.contacts(), Err(HeaderError { name: HeaderName::Contact, fault: Fault::Syntax }));
    let ipv6_bad = request!("REGISTER sip:2001:db8::10 SIP/2.0", "98176 REGISTER", "l: 0\n");
    assert!(Sample { name: "ipv6-bad", text: ipv6_bad }.valid().request_uri().is_err());
}

/// What the standard allows to be taken leniently: RFC 4475 §3.1.2.11, §3.1.2.12, §3.1.2.14, §3.1.2.15.
#[test]
fn what_can_be_understood_without_doubt_is_taken() {
    let escruri =
        request!("INVITE sip:user@example.com?Route=%3Csip:example.com%3E SIP/2.0", "1 INVITE", "l: 0\n");
    let message = Sample { name: "escruri", text: escruri }.valid();
    assert_eq!(uri(&message).without_headers().as_str(), "sip:user@example.com");
    let baddate = request!(
        "INVITE sip:user@example.com SIP/2.0",
        "1 INVITE",
        "Date: Fri, 01 Jan 2010 16:00:00 EST\nl: 0\n"
    );
    assert_usable("baddate", &Sample { name: "baddate", text: baddate }.valid());
    let badaspec = "OPTIONS sip:user@example.org SIP/2.0\nVia: SIP/2.0/UDP host4.example.com:5060;branch=z9hG4bKkdju43234\nMax-Forwards: 70\nFrom: Bell, Alexander <sip:a.g.bell@example.com>;tag=433423\nTo: \"Watson, Thomas\" < sip:t.watson@example.org >\nCall-ID: badaspec.sdf0234n2nds0a099u23h3hnnw009cdkne3\nAccept: application/sdp\nCSeq: 3923239 OPTIONS\nl: 0\n\n";
    let message = Sample { name: "badaspec and baddn", text: badaspec }.valid();
    assert_usable("badaspec and baddn", &message);
    assert_eq!(
        message.from().expect("valid").to_string(),
        "\"Bell, Alexander\" <sip:a.g.bell@example.com>;tag=433423"
    );
    assert_eq!(message.to().expect("valid").to_string(), "\"Watson, Thomas\" <sip:t.watson@example.org>");
}
