//! A BYE that crosses a final response: the INVITE gets its own all the same (RFC 3261 §15.1.2).

use super::alone::{Alone, invite, request, tag_of};
use crate::{
    endpoint::{DialogId, Event, ServerTransaction},
    message::Message,
};

fn answered(alone: &mut Alone) -> (ServerTransaction, DialogId, Message) {
    alone.receive(&invite("1"));
    let (transaction, ..) = alone.requested();
    let dialog = alone.respond(transaction, 200).expect("a dialog");
    (transaction, dialog, alone.taken_one())
}

fn hung_up(alone: &mut Alone, ok: &Message) {
    alone.receive(&request("BYE", 2, "b", &tag_of(ok)));
    let (bye, ..) = alone.requested();
    alone.respond(bye, 200);
    assert_eq!(alone.sent(), ["200"]);
}

#[test]
fn a_200_that_a_bye_crosses_is_repeated_until_its_ack() {
    let mut alone = Alone::udp();
    let (_, _, ok) = answered(&mut alone);
    hung_up(&mut alone, &ok);
    alone.pass(500);
    assert_eq!(alone.taken_one().bytes(), ok.bytes());
    assert_eq!(alone.endpoint.dialogs(), 1, "kept for the ACK");
    alone.receive(&request("ACK", 1, "ack", &tag_of(&ok)));
    assert!(alone.events().is_empty(), "the user has done with it");
    assert_eq!(alone.endpoint.dialogs(), 0);
    alone.assert_empty_after(32_000);
    assert!(alone.sent().is_empty());
}

#[test]
fn a_200_that_a_bye_crosses_is_given_up_in_silence() {
    let mut alone = Alone::tcp();
    let (_, _, ok) = answered(&mut alone);
    hung_up(&mut alone, &ok);
    alone.assert_empty_after(32_000);
    assert!(alone.events().is_empty());
    assert!(alone.sent().iter().all(|sent| sent == "200"));
}

#[test]
fn a_dialog_kept_for_the_ack_serves_nothing_else() {
    let mut alone = Alone::udp();
    let (_, _, ok) = answered(&mut alone);
    hung_up(&mut alone, &ok);
    alone.receive(&request("INFO", 3, "i", &tag_of(&ok)));
    alone.receive(&request("BYE", 4, "b4", &tag_of(&ok)));
    assert_eq!(alone.sent(), ["481", "200"]);
    assert!(alone.events().is_empty());
}

#[test]
fn the_ack_between_a_bye_and_its_answer_is_reported_and_ends_the_repetitions() {
    let mut alone = Alone::udp();
    let (_, _, ok) = answered(&mut alone);
    alone.receive(&request("BYE", 2, "b", &tag_of(&ok)));
    let (bye, ..) = alone.requested();
    alone.receive(&request("ACK", 1, "ack", &tag_of(&ok)));
    assert!(matches!(alone.event(), Event::Acknowledged { .. }));
    assert_eq!(alone.respond(bye, 200), None);
    assert_eq!((alone.sent(), alone.endpoint.dialogs()), (vec!["200".to_owned()], 0));
}

#[test]
fn a_bye_of_the_peer_takes_the_place_of_ours_that_waits() {
    let mut alone = Alone::udp();
    let (_, dialog, ok) = answered(&mut alone);
    let flow = alone.flow;
    assert_eq!(alone.endpoint.bye(alone.now, dialog, flow, Vec::new()), Ok(None));
    alone.receive(&request("BYE", 2, "b", &tag_of(&ok)));
    assert_eq!(alone.sent(), ["200"]);
    alone.pass(500);
    assert_eq!(alone.sent(), ["200"], "the INVITE still needs its final response");
    alone.receive(&request("ACK", 1, "ack", &tag_of(&ok)));
    assert_eq!(alone.endpoint.dialogs(), 0);
    alone.assert_empty_after(32_000);
    assert!(alone.sent().is_empty(), "no BYE of ours");
    assert!(alone.events().is_empty());
}

#[test]
fn a_re_invite_that_a_bye_follows_gets_487() {
    let mut alone = Alone::udp();
    let (_, _, ok) = answered(&mut alone);
    alone.receive(&request("ACK", 1, "ack", &tag_of(&ok)));
    alone.events();
    alone.receive(&request("INVITE", 2, "2", &tag_of(&ok)));
    alone.requested();
    alone.receive(&request("BYE", 3, "b", &tag_of(&ok)));
    let (bye, ..) = alone.requested();
    alone.respond(bye, 200);
    assert_eq!(alone.sent(), ["200", "487"]);
    alone.receive(&request("ACK", 2, "2", &tag_of(&ok)));
    alone.assert_empty_after(32_000);
}

#[test]
fn a_2xx_to_a_re_invite_that_a_bye_crosses_is_repeated_too() {
    let mut alone = Alone::udp();
    let (_, _, ok) = answered(&mut alone);
    alone.receive(&request("ACK", 1, "ack", &tag_of(&ok)));
    alone.events();
    alone.receive(&request("INVITE", 2, "2", &tag_of(&ok)));
    let (again, ..) = alone.requested();
    alone.respond(again, 200);
    alone.taken();
    alone.receive(&request("BYE", 3, "b", &tag_of(&ok)));
    let (bye, ..) = alone.requested();
    alone.respond(bye, 200);
    alone.taken();
    alone.pass(500);
    assert_eq!(alone.sent(), ["200"]);
    alone.receive(&request("ACK", 2, "a2", &tag_of(&ok)));
    alone.assert_empty_after(32_000);
    assert!(alone.sent().is_empty());
}
