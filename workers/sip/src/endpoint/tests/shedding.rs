//! Refusals without a parse and without state, while the worker is overloaded (RFC 3261 §8.2.7, §21.5.4).

use bytes::Bytes;

use super::alone::{Alone, invite, request};
use crate::{
    Glance, HeaderName, Message, Method,
    endpoint::{Config, Shed},
    flow::Transport,
    glance::acknowledges_shed,
};

fn wire(text: &str) -> Bytes {
    Bytes::from(text.replace('\n', "\r\n").into_bytes())
}

fn shed(alone: &mut Alone, text: &str) -> Shed {
    alone.endpoint.shed(alone.now, alone.flow, &wire(text))
}

fn texts(alone: &mut Alone) -> Vec<String> {
    alone.taken().iter().map(|(_, message)| String::from_utf8_lossy(message.bytes()).into_owned()).collect()
}

#[test]
fn a_shed_invite_gets_503_with_retry_after_and_leaves_no_transaction() {
    let mut alone = Alone::udp();
    assert_eq!(shed(&mut alone, &invite("z9hG4bKone")), Shed::Refused);
    let refusal = alone.taken_one();
    assert_eq!(refusal.status().map(crate::StatusCode::code), Some(503));
    let after: u32 =
        refusal.header_text(HeaderName::RetryAfter).and_then(|text| text.parse().ok()).unwrap_or(0);
    assert!((5..=15).contains(&after), "{after}");
    assert_eq!((alone.endpoint.transactions(), alone.endpoint.counters().shed), (0, 1));
    assert!(alone.events().is_empty());
}

#[test]
fn every_repetition_of_a_shed_invite_gets_the_same_bytes_even_when_there_is_room_again() {
    let mut alone = Alone::udp();
    shed(&mut alone, &invite("z9hG4bKone"));
    shed(&mut alone, &invite("z9hG4bKone"));
    let first = texts(&mut alone);
    assert_eq!(first[0], first[1]);
    alone.receive(&invite("z9hG4bKone"));
    let again = alone.taken_one();
    assert_eq!(again.status().map(crate::StatusCode::code), Some(503));
    let tag = |text: &str| text.split("tag=um").nth(1).map(|rest| rest[..20].to_owned());
    assert_eq!(tag(&first[0]), tag(&String::from_utf8_lossy(again.bytes())));
    assert!(alone.events().is_empty());
    // Another call of the same caller is let in.
    alone.receive(&invite("z9hG4bKtwo"));
    assert_eq!(alone.events().len(), 1);
}

#[test]
fn the_retry_after_of_many_refusals_is_spread() {
    let mut alone = Alone::udp();
    let mut seen = std::collections::BTreeMap::new();
    for number in 0..1_000 {
        shed(&mut alone, &invite(&format!("z9hG4bK{number}")));
        let refusal = alone.taken_one();
        *seen.entry(refusal.header_text(HeaderName::RetryAfter).map(str::to_owned)).or_insert(0) += 1;
    }
    assert_eq!(seen.len(), 11);
    assert!(seen.values().all(|count| *count > 40), "{seen:?}");
}

#[test]
fn a_repetition_of_an_admitted_invite_is_never_shed() {
    let mut alone = Alone::udp();
    alone.receive(&invite("z9hG4bKone"));
    assert_eq!(alone.events().len(), 1);
    assert_eq!(shed(&mut alone, &invite("z9hG4bKone")), Shed::Repeated);
    // A peer of RFC 2543 has no branch that tells its transactions apart.
    let mut alone = Alone::udp();
    alone.receive(&invite("one"));
    assert_eq!(shed(&mut alone, &invite("one")), Shed::Repeated);
    assert_eq!(alone.endpoint.counters().shed, 0);
}

#[test]
fn the_ack_of_a_shed_invite_is_told_by_its_to_tag() {
    let mut alone = Alone::udp();
    shed(&mut alone, &invite("z9hG4bKone"));
    let refusal = alone.taken_one();
    let to = format!(";tag={}", refusal.to_tag().unwrap_or_default());
    assert!(acknowledges_shed(&wire(&request("ACK", 1, "z9hG4bKone", &to))));
    assert_eq!(Glance::at(&wire(&request("ACK", 1, "z9hG4bKone", &to))), Glance::Ack);
    assert!(!acknowledges_shed(&wire(&request("ACK", 1, "z9hG4bKone", ";tag=um0-0123456789abcdef"))));
    assert!(!acknowledges_shed(&wire(&request("ACK", 1, "z9hG4bKone", ";tag=x123"))));
}

#[test]
fn quick_and_parsed_refusals_say_the_same() {
    let plain = invite("z9hG4bKone");
    // A fold in a line that is repeated is not for the quick reader.
    let folded = plain.replace("CSeq: 1 INVITE", "CSeq: 1\n INVITE");
    assert_ne!(plain, folded);
    let answer = |text: &str| {
        let mut alone = Alone::udp();
        assert_eq!(shed(&mut alone, text), Shed::Refused);
        alone.taken_one()
    };
    let (quick, parsed) = (answer(&plain), answer(&folded));
    for name in [
        HeaderName::Via,
        HeaderName::From,
        HeaderName::To,
        HeaderName::CallId,
        HeaderName::RetryAfter,
        HeaderName::ContentLength,
    ] {
        let values =
            |message: &Message| -> Vec<Vec<u8>> { message.values(name).map(<[u8]>::to_vec).collect() };
        assert_eq!(values(&quick), values(&parsed), "{name:?}");
    }
    assert_eq!((quick.cseq(), quick.method()), (parsed.cseq(), &Method::Invite));
}

#[test]
fn the_refusal_goes_where_rport_or_sent_by_say_and_names_what_was_seen() {
    let text = |via: &str| {
        format!(
            "REGISTER sip:192.0.2.1 SIP/2.0\nVia: SIP/2.0/UDP {via}, SIP/2.0/UDP below;branch=z9hG4bKb\n\
             v: SIP/2.0/TCP third;branch=z9hG4bKc\nf: <sip:a@b>;tag=1\nt: <sip:a@b>\ni: r1\nCSeq: 7 REGISTER\nl: 0\n\n"
        )
    };
    for (via, port, stamped) in [
        (
            "phone:5066;rport;branch=z9hG4bKa",
            5070,
            "phone:5066;rport=5070;branch=z9hG4bKa;received=192.0.2.9",
        ),
        (
            "phone:5066;branch=z9hG4bKa;rport",
            5070,
            "phone:5066;branch=z9hG4bKa;rport=5070;received=192.0.2.9",
        ),
        ("192.0.2.9:5066;branch=z9hG4bKa", 5066, "192.0.2.9:5066;branch=z9hG4bKa"),
        ("phone;branch=z9hG4bKa", 5060, "phone;branch=z9hG4bKa;received=192.0.2.9"),
    ] {
        let mut alone = Alone::udp();
        shed(&mut alone, &text(via));
        let (flow, message) = alone.taken().remove(0);
        assert_eq!(flow.remote.port(), port, "{via}");
        let vias: Vec<String> =
            message.values(HeaderName::Via).map(|via| String::from_utf8_lossy(via).into_owned()).collect();
        let whole = format!("SIP/2.0/UDP {stamped}");
        assert_eq!(vias.first(), Some(&whole));
        assert_eq!(vias.len(), 3, "{vias:?}");
    }
}

#[test]
fn nothing_that_is_refused_reaches_the_answer_broken() {
    let odd = [
        invite("z9hG4bKone").replace("tag=", "tag=\u{1}"),
        invite("z9hG4bKone").replace("CSeq: 1 INVITE", "CSeq: 1 INVITE\nCSeq: 2 INVITE"),
        invite("z9hG4bKone").replace("CSeq: 1 INVITE", "CSeq: x"),
        "INVITE".to_owned(),
        String::new(),
        "\n\n".to_owned(),
        "INVITE sip:a@b SIP/2.0\n\n".to_owned(),
    ];
    for text in odd {
        let mut alone = Alone::with(Transport::Tcp, Config { seed: [7; 32], ..Config::default() });
        shed(&mut alone, &text);
        for line in alone.start_lines() {
            assert!(line.starts_with("SIP/2.0 400") || line.starts_with("SIP/2.0 503"), "{line}");
        }
        assert_eq!(alone.endpoint.transactions(), 0);
    }
}

#[test]
fn what_was_refused_is_forgotten_when_nobody_repeats_it_any_more() {
    let mut alone = Alone::udp();
    shed(&mut alone, &invite("z9hG4bKone"));
    alone.taken();
    assert!(alone.endpoint.has_shed(alone.now));
    alone.pass(32_000);
    assert!(!alone.endpoint.has_shed(alone.now));
    alone.receive(&invite("z9hG4bKone"));
    assert_eq!(alone.events().len(), 1);
}
