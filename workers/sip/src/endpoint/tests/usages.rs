//! What the peer knows, dialogs found by name, and subscriptions that outlive their call (RFC 5057).

use super::alone::{Alone, invite, request, tag_of};
use crate::{
    dialog::State,
    endpoint::{ActError, DialogId, Inside},
    method::Method,
    option_tags::OptionTag,
};

fn taken_call(alone: &mut Alone, more: &str) -> (DialogId, String) {
    alone.receive(&invite("1").replace("Max-Forwards", &format!("{more}Max-Forwards")));
    let (transaction, ..) = alone.requested();
    let dialog = alone.respond(transaction, 200).expect("a dialog");
    let tag = tag_of(&alone.taken_one());
    alone.receive(&request("ACK", 1, "ack", &tag));
    alone.events();
    (dialog, tag)
}

fn hang_up(alone: &mut Alone, tag: &str) {
    alone.receive(&request("BYE", 5, "bye", tag));
    let (bye, ..) = alone.requested();
    alone.respond(bye, 200);
    alone.taken();
}

#[test]
fn a_dialog_knows_what_its_peer_said_last() {
    let mut alone = Alone::udp();
    let said = "Allow: INVITE, ACK, UPDATE\nSupported: timer\nRequire: 100rel\n";
    let (dialog, tag) = taken_call(&mut alone, said);
    let peer = *alone.endpoint.dialog(dialog).expect("a dialog").peer();
    assert_eq!((peer.allows(&Method::Update), peer.allows(&Method::Refer)), (Some(true), Some(false)));
    assert_eq!(peer.allows(&Method::from_bytes(b"FOO").expect("a token")), None);
    assert!(peer.supports(OptionTag::Timer) && peer.supports(OptionTag::Rel100));
    assert!(!peer.supports(OptionTag::Replaces));
    let later = request("UPDATE", 2, "u", &tag).replace("Max-Forwards", "k: replaces\nMax-Forwards");
    alone.receive(&later);
    let peer = *alone.endpoint.dialog(dialog).expect("a dialog").peer();
    assert_eq!(peer.allows(&Method::Update), Some(true), "not mentioned, so it stays");
    assert!(peer.supports(OptionTag::Replaces) && !peer.supports(OptionTag::Timer));
}

#[test]
fn a_peer_that_said_nothing_is_unknown() {
    let mut alone = Alone::udp();
    let (dialog, _) = taken_call(&mut alone, "");
    let peer = alone.endpoint.dialog(dialog).expect("a dialog").peer();
    assert_eq!((peer.allows(&Method::Update), peer.supports(OptionTag::Timer)), (None, false));
}

#[test]
fn a_dialog_is_found_by_call_id_and_both_tags() {
    let mut alone = Alone::udp();
    let (dialog, tag) = taken_call(&mut alone, "");
    let ours = tag.trim_start_matches(";tag=");
    assert_eq!(alone.endpoint.find_dialog("call@192.0.2.9", ours, "peer"), Some(dialog));
    assert_eq!(alone.endpoint.find_dialog("call@192.0.2.9", "peer", ours), None);
    assert_eq!(alone.endpoint.find_dialog("other", ours, "peer"), None);
}

#[test]
fn a_subscription_keeps_the_dialog_after_the_bye_for_notify_only() {
    let mut alone = Alone::udp();
    let (dialog, tag) = taken_call(&mut alone, "");
    alone.endpoint.begin_usage(dialog).expect("a dialog");
    hang_up(&mut alone, &tag);
    assert_eq!(alone.endpoint.dialog(dialog).expect("still there").state(), State::Lingering);
    for (at, method) in ["INVITE", "UPDATE", "INFO", "BYE", "OPTIONS"].into_iter().enumerate() {
        alone.receive(&request(method, 6 + at as u32, method, &tag));
        assert_eq!(alone.sent(), ["481"], "{method}");
    }
    alone.receive(&request("NOTIFY", 20, "n", &tag));
    let (notify, inside, _) = alone.requested();
    assert_eq!(inside, Some(dialog));
    alone.respond(notify, 200);
    alone.taken();
    let inside = Inside::default();
    assert!(alone.send_inside(dialog, &Method::Notify, &inside).is_ok());
    let sent = alone.taken_one();
    assert_eq!(alone.send_inside(dialog, &Method::Info, &inside), Err(ActError::Gone));
    alone.answer(&sent, 200, "", "");
    alone.events();
    alone.endpoint.end_usage(dialog);
    assert!(alone.endpoint.dialog(dialog).is_none());
    alone.assert_empty_after(32_000);
}

#[test]
fn a_subscription_that_ends_first_leaves_the_call() {
    let mut alone = Alone::udp();
    let (dialog, tag) = taken_call(&mut alone, "");
    alone.endpoint.begin_usage(dialog).expect("a dialog");
    alone.endpoint.end_usage(dialog);
    assert_eq!(alone.endpoint.dialog(dialog).expect("a call").state(), State::Confirmed);
    hang_up(&mut alone, &tag);
    alone.assert_empty_after(32_000);
}

#[test]
fn a_dialog_that_is_forgotten_goes_with_all_its_usages() {
    let mut alone = Alone::udp();
    let (dialog, _) = taken_call(&mut alone, "");
    alone.endpoint.begin_usage(dialog).expect("a dialog");
    alone.endpoint.forget(dialog);
    assert_eq!(alone.endpoint.begin_usage(dialog), Err(ActError::Gone));
    alone.assert_empty_after(32_000);
}

#[test]
fn requests_for_a_dialog_that_is_over_or_never_was_get_481() {
    let mut alone = Alone::udp();
    let (_, tag) = taken_call(&mut alone, "");
    hang_up(&mut alone, &tag);
    for (at, method) in
        ["INVITE", "UPDATE", "INFO", "NOTIFY", "REFER", "PRACK", "OPTIONS", "BYE"].into_iter().enumerate()
    {
        alone.receive(&request(method, 6 + at as u32, method, &tag));
        alone.receive(&request(method, 6 + at as u32, &format!("{method}x"), ";tag=um0-0"));
        assert_eq!(alone.sent(), ["481", "481"], "{method}");
    }
    for method in ["BYE", "PRACK", "UPDATE"] {
        alone.receive(&request(method, 30, &format!("{method}o"), ""));
        assert_eq!(alone.sent(), ["481"], "{method} outside of any dialog");
    }
    alone.receive(&request("NOTIFY", 30, "n", ""));
    assert_eq!(alone.requested().1, None, "an unsolicited NOTIFY is the user's to judge");
}
