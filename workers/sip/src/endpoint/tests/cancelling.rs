//! CANCEL sent, attempts abandoned: the attempt rules of a failover gateway.

use super::alone::{Alone, CONTACT, name};
use crate::{
    endpoint::{ClientTransaction, Event, ResponseKind},
    message::Message,
    method::Method,
};

fn ringing(alone: &mut Alone) -> (ClientTransaction, Message) {
    let (id, invite) = alone.request(Method::Invite);
    alone.answer(&invite, 180, "um", CONTACT);
    alone.events();
    (id, invite)
}

#[test]
fn cancel_waits_for_a_provisional_response() {
    let mut alone = Alone::udp();
    let (id, invite) = alone.request(Method::Invite);
    alone.endpoint.cancel(alone.now, id).expect("an open transaction");
    assert!(alone.sent().is_empty());
    alone.answer(&invite, 100, "", "");
    let cancel = alone.taken_one();
    assert_eq!(name(&cancel), "CANCEL");
    assert_eq!((cancel.branch(), cancel.cseq().number), (invite.branch(), 1));
    assert_eq!(cancel.to_tag(), None);
}

#[test]
fn the_answers_to_a_cancelled_call_are_told_apart() {
    let mut alone = Alone::udp();
    let (id, invite) = ringing(&mut alone);
    alone.endpoint.cancel(alone.now, id).expect("an open transaction");
    let cancel = alone.taken_one();
    alone.answer(&cancel, 200, "um", "");
    assert!(alone.events().is_empty(), "the 200 to the CANCEL is nobody's business");
    alone.answer(&invite, 487, "um", "");
    assert_eq!(alone.responded().0, ResponseKind::Failure);
    assert_eq!(alone.sent(), ["ACK"]);
    alone.assert_empty_after(32_000);
}

#[test]
fn a_cancel_that_loses_the_race_ends_in_an_answer() {
    let mut alone = Alone::udp();
    let (id, invite) = ringing(&mut alone);
    alone.endpoint.cancel(alone.now, id).expect("an open transaction");
    alone.answer(&invite, 200, "um", CONTACT);
    assert_eq!(alone.responded().0, ResponseKind::Success);
}

#[test]
fn a_cancelled_call_without_a_final_response_times_out() {
    let mut alone = Alone::tcp();
    let (id, _) = ringing(&mut alone);
    alone.endpoint.cancel(alone.now, id).expect("an open transaction");
    alone.assert_empty_after(32_000);
    assert!(matches!(alone.event(), Event::TimedOut { transaction } if transaction == id));
}

#[test]
fn an_abandoned_attempt_is_silent() {
    let mut alone = Alone::udp();
    let (id, _) = alone.request(Method::Invite);
    alone.endpoint.abandon(alone.now, id);
    alone.assert_empty_after(32_000);
    assert!(alone.sent().is_empty());
    assert!(alone.events().is_empty());
}

#[test]
fn a_late_provisional_response_of_an_abandoned_attempt_is_cancelled() {
    let mut alone = Alone::udp();
    let (id, invite) = alone.request(Method::Invite);
    alone.endpoint.abandon(alone.now, id);
    alone.answer(&invite, 180, "um", CONTACT);
    assert_eq!(alone.sent(), ["CANCEL"]);
    alone.answer(&invite, 487, "um", "");
    assert_eq!(alone.sent(), ["ACK"]);
    assert!(alone.events().is_empty());
    assert_eq!(alone.endpoint.dialogs(), 0);
}

#[test]
fn a_late_200_of_an_abandoned_attempt_is_ended_by_one_act() {
    let mut alone = Alone::udp();
    let (id, invite) = alone.request(Method::Invite);
    alone.endpoint.abandon(alone.now, id);
    alone.answer(&invite, 200, "um", CONTACT);
    let (kind, dialog, _) = alone.responded();
    assert_eq!(kind, ResponseKind::Late);
    alone.answer(&invite, 200, "um", CONTACT);
    assert!(alone.events().is_empty(), "reported once");
    let flow = alone.flow;
    alone.endpoint.bye(alone.now, dialog.expect("a dialog"), flow, Vec::new()).expect("a dialog to end");
    let taken = alone.taken();
    assert_eq!(taken.iter().map(|(_, message)| name(message)).collect::<Vec<_>>(), ["ACK", "BYE"]);
    alone.answer(&taken[1].1, 200, "", "");
    alone.events();
    alone.assert_empty_after(32_000);
}

#[test]
fn an_attempt_given_up_by_its_timer_is_kept_for_late_answers() {
    let mut alone = Alone::udp();
    let (id, invite) = alone.request(Method::Invite);
    alone.pass(32_000);
    assert!(matches!(alone.event(), Event::TimedOut { transaction } if transaction == id));
    alone.pass(10_000);
    alone.answer(&invite, 200, "um", CONTACT);
    assert_eq!(alone.responded().0, ResponseKind::Late);
}

#[test]
fn abandoning_any_other_request_removes_it() {
    let mut alone = Alone::udp();
    let (id, options) = alone.request(Method::Options);
    alone.endpoint.abandon(alone.now, id);
    alone.answer(&options, 200, "x", "");
    assert!(alone.events().is_empty());
    alone.assert_empty_after(0);
}
