//! Dialogs made of messages, one fact a test.

use bytes::Bytes;

use super::*;
use crate::{limits::Limits, message::Message};

fn message(text: &str) -> Message {
    let bytes = Bytes::from(text.replace('\n', "\r\n").into_bytes());
    Message::parse(bytes, &Limits::default()).expect("a valid message")
}

fn invite(more: &str) -> Message {
    message(&format!(
        "INVITE sip:6000@um SIP/2.0\nVia: SIP/2.0/UDP pbx;branch=z9hG4bK1\nFrom: <sip:1@pbx>;tag=f\n\
         To: <sip:6000@um>\nCall-ID: c\nCSeq: 5 INVITE\n{more}Content-Length: 0\n\n"
    ))
}

fn uas(more: &str) -> Dialog {
    Dialog::of_request(&invite(more), LineIndex(3), "ours").expect("a dialog")
}

#[test]
fn the_uas_takes_its_side_from_to_and_the_other_from_from() {
    let dialog = uas("Contact: <sip:1@192.0.2.5:5099>\n");
    assert_eq!((dialog.local_tag(), dialog.remote_tag(), dialog.call_id()), ("ours", "f", "c"));
    assert_eq!((dialog.local_cseq(), dialog.remote_cseq()), (0, Some(5)));
    assert_eq!((dialog.role(), dialog.state(), dialog.line()), (Role::Uas, State::Early, LineIndex(3)));
    assert_eq!(dialog.remote_target().to_string(), "sip:1@192.0.2.5:5099");
}

#[test]
fn a_peer_without_contact_is_reached_at_its_from() {
    assert_eq!(uas("").remote_target().to_string(), "sip:1@pbx");
}

#[test]
fn an_unreadable_route_makes_no_dialog() {
    let broken = invite("Record-Route: <sip:p1;lr\n");
    assert!(Dialog::of_request(&broken, LineIndex(0), "ours").is_err());
}

#[test]
fn cseq_may_stay_or_grow_but_not_shrink() {
    let mut dialog = uas("");
    assert_eq!(dialog.check_cseq(5), Ok(()));
    assert_eq!(dialog.check_cseq(9), Ok(()));
    assert_eq!(dialog.check_cseq(8), Err(Disorder::Lower));
    assert_eq!(dialog.remote_cseq(), Some(9));
}

#[test]
fn our_cseq_begins_with_one() {
    let mut dialog = uas("");
    assert_eq!((dialog.take_cseq(), dialog.take_cseq(), dialog.local_cseq()), (1, 2, 2));
}

#[test]
fn dialogs_are_found_by_our_tag_then_by_the_rest() {
    let mut table = DialogTable::new(1, 10);
    let id = table.insert(Box::new(uas("")));
    assert_eq!(table.find("ours", "f", "c"), Some(id));
    for (local, remote, call_id) in
        [("x", "f", "c"), ("ours", "x", "c"), ("ours", "f", "x"), ("ours", "", "c")]
    {
        assert_eq!(table.find(local, remote, call_id), None);
    }
    assert!(table.remove(id).is_some());
    assert_eq!((table.find("ours", "f", "c"), table.len()), (None, 0));
}

#[test]
fn the_uac_takes_its_side_from_from_and_the_routes_in_reverse() {
    let answer = message(
        "SIP/2.0 200 OK\nVia: SIP/2.0/UDP us;branch=z9hG4bK1\nFrom: <sip:1@us>;tag=ours\nTo: <sip:6000@um>;tag=um\n\
         Call-ID: c\nCSeq: 3 INVITE\nContact: <sip:um@192.0.2.5>\n\
         Record-Route: <sip:p2;lr>, <sip:p1;lr>\nContent-Length: 0\n\n",
    );
    let made = Dialog::of_response(&answer, LineIndex(0), || None, Some("6000".into()), State::Confirmed);
    let dialog = made.expect("a dialog");
    assert_eq!((dialog.local_tag(), dialog.remote_tag()), ("ours", "um"));
    assert_eq!((dialog.local_cseq(), dialog.remote_cseq()), (3, None));
    assert_eq!((dialog.role(), dialog.state()), (Role::Uac, State::Confirmed));
    assert_eq!(dialog.next_hop().to_string(), "sip:p1;lr");
    assert_eq!(dialog.remote_target().to_string(), "sip:um@192.0.2.5");
    assert_eq!(dialog.route_set().hops().len(), 2);
}
