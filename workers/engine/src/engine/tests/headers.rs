//! What goes from the caller's INVITE into ours, and what does not.

use super::*;

fn diverted(number: &str) -> Caller {
    Caller::new("a").with(&format!("Diversion: <sip:{number}@pbx.example.com>;reason=no-answer"))
}

fn count(sent: &Sent, name: HeaderName) -> usize {
    sent.message.values(name).count()
}

#[test]
fn a_diverted_call_carries_exactly_one_diversion_of_the_mailbox_owner() {
    let mut rig = Rig::new();
    let caller = diverted("2001").with("Diversion: <sip:7777@pbx.example.com>;reason=user-busy");
    let invite = rig.call(&caller);
    assert_eq!(count(&invite, HeaderName::Diversion), 1);
    let diversion = invite.header(HeaderName::Diversion);
    assert!(diversion.contains("2001@") && diversion.contains("reason=no-answer"), "{diversion}");
    assert_eq!(invite.message.request_uri().unwrap().user(), Some("6000"));
    assert!(invite.header(HeaderName::From).contains("5551234"), "{}", invite.header(HeaderName::From));
}

#[test]
fn a_caller_who_dials_the_pilot_is_sent_without_diversion() {
    let mut rig = Rig::new();
    let invite = rig.call(&Caller::new("a"));
    assert_eq!(count(&invite, HeaderName::Diversion), 0);
    assert!(invite.header(HeaderName::To).contains("sip:6000@um.example.com"));
}

#[test]
fn a_call_for_a_user_without_phone_goes_to_his_mailbox() {
    let mut rig = Rig::new();
    let invite = rig.call(&Caller::new("a").dialling("2001"));
    assert!(invite.header(HeaderName::Diversion).contains("2001@"));
    assert_eq!(invite.message.request_uri().unwrap().user(), Some("6000"));
}

#[test]
fn our_invite_shows_our_address_and_counts_hops_down() {
    let mut rig = Rig::new();
    let invite = rig.call(&Caller::new("a"));
    assert_eq!(invite.message.max_forwards(), Some(69));
    assert!(invite.header(HeaderName::Contact).contains("127.0.0.1:5060"), "{}", invite.text());
    assert!(invite.header(HeaderName::Via).contains("127.0.0.1:5060"));
    assert_eq!(count(&invite, HeaderName::Via), 1);
}

#[test]
fn headers_that_nobody_knows_do_not_pass() {
    let mut rig = Rig::new();
    let invite = rig.call(&Caller::new("a").with("X-Secret: 1").with("Subject: hello"));
    assert!(!invite.text().contains("X-Secret") && !invite.text().contains("Subject"));
}

#[test]
fn the_dialogs_of_both_legs_have_nothing_in_common() {
    let mut rig = Rig::new();
    let caller = Caller::new("a");
    let (invite, ok) = rig.answered_call(&caller);
    assert_ne!(invite.message.call_id(), caller.call_id);
    assert_ne!(invite.message.from_tag(), Some("caller"));
    assert_ne!(ok.message.to_tag(), Some("um"));
}
