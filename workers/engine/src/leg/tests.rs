//! From a caller's INVITE to facts, and from a plan to the INVITE of an attempt.

use bytes::Bytes;
use um_routing::{Diversion, HeaderPlan, HistoryEntry, HistoryRelation, Party};
use um_sip::Limits;
use um_sip::endpoint::{Extra, Identity, Request};
use um_topology::Id;

use super::facts::{Unreadable, facts};
use super::*;

fn message(start: &str, headers: &str) -> Message {
    let text = format!(
        "{start}\r\nVia: SIP/2.0/UDP 127.0.0.2;branch=z9hG4bK1\r\nMax-Forwards: 70\r\nTo: <sip:6000@pbx.example.com>\r\n\
         Call-ID: c\r\nCSeq: 1 INVITE\r\n{headers}Content-Length: 0\r\n\r\n"
    );
    Message::parse(Bytes::from(text), &Limits::default()).unwrap()
}

fn invite(headers: &str) -> Message {
    message("INVITE sip:6000@pbx.example.com SIP/2.0", headers)
}

fn read(headers: &str) -> um_routing::Facts {
    facts(&Id::new("trunk"), "127.0.0.2".parse().unwrap(), &invite(headers)).unwrap()
}

fn identity() -> Identity {
    Identity { call_id: "ours".to_owned(), tag: "t".to_owned(), cseq: 1 }
}

fn uri(text: &str) -> um_topology::Uri {
    text.parse().unwrap()
}

fn party(display: Option<&str>, text: &str) -> Party {
    Party { display: display.map(Box::from), uri: uri(text) }
}

fn plan() -> HeaderPlan {
    HeaderPlan {
        to: uri("sip:6000@um.example.com"),
        from: party(None, "sip:5551234@pbx.example.com;user=phone"),
        diversion: None,
        history: Vec::new(),
    }
}

fn written(plan: &HeaderPlan) -> Request {
    headers::invite(plan, &uri("sip:6000@127.0.0.11:5060"), identity(), 69, Some(Bytes::from_static(b"v=0")))
        .unwrap()
}

fn header(request: &Request, wanted: HeaderName) -> Vec<&str> {
    let values = request.headers.iter().filter_map(|extra| match extra {
        Extra::Named(name, value) if *name == wanted => Some(value.as_str()),
        Extra::Named(..) | Extra::Other(..) | Extra::Copied(_) => None,
    });
    values.collect()
}

#[test]
fn the_caller_and_all_diversions_are_read_topmost_first() {
    let facts = read(
        "From: \"Lee\" <sip:5551234@pbx.example.com>;tag=1\r\n\
         Diversion: <sip:2001@pbx.example.com>;reason=no-answer, <sip:2002@pbx.example.com>;reason=user-busy\r\n",
    );
    assert_eq!(facts.from.display.as_deref(), Some("Lee"));
    assert_eq!(facts.from.uri.user.as_deref(), Some("5551234"));
    let users: Vec<_> =
        facts.diversions.iter().map(|diversion| diversion.party.uri.user.as_deref()).collect();
    assert_eq!(users, [Some("2001"), Some("2002")]);
    assert_eq!(facts.diversions[1].cause, um_routing::Cause::UserBusy);
}

#[test]
fn history_and_asserted_identity_are_read() {
    let facts = read(
        "From: <sip:5551234@pbx.example.com>;tag=1\r\nP-Asserted-Identity: <sip:2001@pbx.example.com>\r\n\
         History-Info: <sip:2001@pbx.example.com>;index=1, <sip:6000@pbx.example.com;cause=408>;index=1.1;mp=1\r\n",
    );
    assert_eq!(facts.asserted.unwrap().uri.user.as_deref(), Some("2001"));
    assert_eq!(facts.history[1].relation, Some(HistoryRelation::Mapped("1".into())));
    assert_eq!(facts.history[1].uri.param("cause"), Some("408"));
}

#[test]
fn a_caller_that_cannot_be_read_is_anonymous_and_a_bad_diversion_is_left_out() {
    let facts = read(
        "From: <mailto:lee@example.com>;tag=1\r\nDiversion: <sip:>;reason=no-answer, <sip:2001@pbx.example.com>\r\n",
    );
    assert_eq!(facts.from.uri.to_string(), "sip:anonymous@anonymous.invalid");
    assert_eq!(facts.diversions.len(), 1);
}

#[test]
fn a_scheme_that_is_not_served_is_told_from_a_malformed_uri() {
    let ask = |start: &str| {
        let message = message(start, "From: <sip:a@example.com>;tag=1\r\n");
        facts(&Id::new("trunk"), "127.0.0.2".parse().unwrap(), &message).err()
    };
    assert_eq!(ask("INVITE mailto:lee@example.com SIP/2.0"), Some(Unreadable::Scheme));
    assert_eq!(ask("INVITE sip:6000@[::1 SIP/2.0"), Some(Unreadable::Malformed));
    assert_eq!(ask("INVITE tel:+12025550100 SIP/2.0"), None);
}

#[test]
fn one_diversion_is_written_with_all_its_parts() {
    let diverting = party(Some("Dana Reed"), "sip:2001@pbx.example.com;user=phone");
    let diversion = Diversion { party: diverting, cause: um_routing::Cause::NoAnswer };
    let request = written(&HeaderPlan { diversion: Some(diversion), ..plan() });
    assert_eq!(
        header(&request, HeaderName::Diversion),
        [
            "\"Dana Reed\" <sip:2001@pbx.example.com;user=phone>;reason=no-answer;counter=1;privacy=off;screen=no"
        ]
    );
}

#[test]
fn history_is_written_with_index_and_relation() {
    let entry =
        |text: &str, index: &str, relation| HistoryEntry { uri: uri(text), index: index.into(), relation };
    let history = vec![
        entry("sip:2001@pbx.example.com", "1", None),
        entry("sip:6000@um.example.com;cause=408", "1.1", Some(HistoryRelation::Mapped("1".into()))),
    ];
    let request = written(&HeaderPlan { history, ..plan() });
    assert_eq!(
        header(&request, HeaderName::HistoryInfo),
        ["<sip:2001@pbx.example.com>;index=1, <sip:6000@um.example.com;cause=408>;index=1.1;mp=1"]
    );
}

#[test]
fn a_plain_call_has_neither_diversion_nor_history() {
    let request = written(&plan());
    assert!(
        header(&request, HeaderName::Diversion).is_empty()
            && header(&request, HeaderName::HistoryInfo).is_empty()
    );
    assert_eq!(request.uri.as_str(), "sip:6000@127.0.0.11:5060");
    assert_eq!((request.max_forwards, request.contact_user.as_deref()), (69, Some("6000")));
}

#[test]
fn a_name_cannot_smuggle_a_header_in() {
    let from = party(Some("x\" <sip:a@b>\r\nX-Evil: 1\r\n"), "sip:5551234@pbx.example.com");
    let request = written(&HeaderPlan { from, ..plan() });
    let from = request.from.to_string();
    assert!(!from.contains('\n') && from.ends_with("<sip:5551234@pbx.example.com>"), "{from:?}");
}

#[test]
fn contacts_of_a_redirection_keep_their_preference() {
    let response = message(
        "SIP/2.0 302 Moved",
        "From: <sip:a@example.com>;tag=1\r\nContact: <sip:6000@a;transport=tcp>;q=0.1, <sip:6000@b:5067>;q=0.9\r\n\
         Retry-After: 18 (later)\r\n",
    );
    let preferences: Vec<_> = contacts(&response).into_iter().map(|contact| contact.q).collect();
    assert_eq!(preferences, [Some(100), Some(900)]);
    assert_eq!(retry_after(&response), Some(18));
}
