//! Messages by seed, half of them damaged, in any order: nothing panics, everything is bounded, and what the user answers
//! goes away again.

use std::time::Duration;

use bytes::Bytes;

use super::{
    alone::{Alone, CONTACT, answer_to, request},
    pair::Dice,
};
use crate::{
    endpoint::{Config, Event, Inside, Reply},
    flow::{ConnectionId, Transport},
    method::Method,
    status::StatusCode,
};

const METHODS: [&str; 9] =
    ["INVITE", "ACK", "BYE", "CANCEL", "OPTIONS", "INFO", "UPDATE", "PRACK", "NEWFANGLED"];

fn random_text(dice: &mut Dice, known_tags: &[String], sent: &[crate::message::Message]) -> String {
    if dice.chance(30) && !sent.is_empty() {
        let status = [100, 180, 183, 200, 200, 302, 404, 486, 503, 699][dice.roll(10) as usize];
        let tag = ["", "a", "b"][dice.roll(3) as usize];
        return answer_to(&sent[dice.roll(sent.len() as u64) as usize], status, tag, CONTACT);
    }
    let to = if dice.chance(50) && !known_tags.is_empty() {
        format!(";tag={}", known_tags[dice.roll(known_tags.len() as u64) as usize])
    } else {
        String::new()
    };
    let method = METHODS[dice.roll(METHODS.len() as u64) as usize];
    request(method, 1 + u32::try_from(dice.roll(4)).unwrap_or(0), &dice.roll(6).to_string(), &to)
}

fn damage(text: &str, dice: &mut Dice) -> Vec<u8> {
    let mut bytes = text.replace('\n', "\r\n").into_bytes();
    if dice.chance(50) {
        return bytes;
    }
    for _ in 0..=dice.roll(4) {
        let at = dice.roll(bytes.len() as u64) as usize;
        match dice.roll(4) {
            0 => bytes[at] = dice.roll(256) as u8,
            1 => bytes.truncate(at.max(1)),
            2 => bytes.insert(at, b"\r\n;,<>\"\0 "[dice.roll(9) as usize]),
            _ => {
                bytes.remove(at);
                bytes.push(b'\n');
            }
        }
    }
    bytes
}

fn react(alone: &mut Alone, dice: &mut Dice) -> usize {
    let (now, flow) = (alone.now, alone.flow);
    let events = alone.events();
    let count = events.len();
    for event in events {
        match event {
            Event::Request { transaction, .. } => {
                let status = [100, 180, 200, 200, 404, 500][dice.roll(6) as usize];
                let reply = Reply::new(StatusCode::new(status).unwrap_or(StatusCode::OK));
                let early = Reply::new(StatusCode::RINGING).body("application/sdp", "v=0").reliable();
                let _ = alone.endpoint.respond(now, transaction, &early);
                let _ = alone.endpoint.respond(now, transaction, &reply);
                // The user must not leave a request unanswered for ever.
                let _ = alone.endpoint.respond(now, transaction, &Reply::new(StatusCode::DECLINE));
            }
            Event::Cancelled { transaction, .. } => {
                let reply = Reply::new(StatusCode::REQUEST_TERMINATED);
                let _ = alone.endpoint.respond(now, transaction, &reply);
            }
            Event::ProvisionalMissing { transaction, .. } => {
                let _ = alone.endpoint.respond(now, transaction, &Reply::new(StatusCode::SERVER_TIMEOUT));
            }
            Event::Acknowledged { dialog, .. } | Event::AckMissing { dialog } => {
                let _ = alone.endpoint.bye(now, dialog, flow, Vec::new());
            }
            Event::Response { dialog, reliable, .. } => {
                if let (Some(dialog), Some(reliable)) = (dialog, reliable) {
                    let _ = alone.endpoint.prack(now, dialog, flow, &reliable, &Inside::default());
                }
                if let Some(dialog) = dialog
                    && alone.endpoint.ack(dialog, flow, &Inside::default()).is_ok()
                {
                    let _ = alone.endpoint.bye(now, dialog, flow, Vec::new());
                }
            }
            Event::StrayAnswer { flow, message } => {
                if let Ok(dialog) = alone.endpoint.adopt(flow.line, &message) {
                    let _ = alone.endpoint.bye(now, dialog, flow, Vec::new());
                }
            }
            Event::TimedOut { .. } | Event::Unreachable { .. } | Event::FlowLost { .. } => {}
        }
    }
    count
}

/// Returns how many events came of it.
fn ordeal(seed: u64, transport: Transport) -> usize {
    let mut events = 0;
    let config = Config { max_transactions: 40, max_dialogs: 10, ..Config::default() };
    let mut alone = Alone::with(transport, config);
    let mut dice = Dice(seed);
    let (mut tags, mut ours, mut calls) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..120 {
        if dice.chance(8) {
            let method = if dice.chance(70) { Method::Invite } else { Method::Options };
            let draft = alone.draft(method);
            let flow = alone.flow;
            if let Ok(id) = alone.endpoint.request(alone.now, flow, &draft) {
                calls.push(id);
            }
        }
        let text = random_text(&mut dice, &tags, &ours);
        let flow = alone.flow;
        alone.endpoint.handle_message(alone.now, flow, Bytes::from(damage(&text, &mut dice)));
        events += react(&mut alone, &mut dice);
        for (_, message) in alone.parsable() {
            if message.is_request() {
                ours.push(message);
            } else if let Some(tag) = message.to_tag() {
                tags.push(tag.to_owned());
            }
        }
        if dice.chance(5) {
            alone.endpoint.handle_connection_lost(alone.now, ConnectionId { shard: 0, serial: 1 });
        }
        alone.pass(dice.roll(3_000));
        assert!(alone.endpoint.transactions() <= 40 + 2 * 40, "seed {seed}: unbounded");
        assert!(alone.endpoint.dialogs() <= 10 + 40, "seed {seed}: unbounded");
    }
    for id in calls {
        alone.endpoint.abandon(alone.now, id);
    }
    for _ in 0..8 {
        react(&mut alone, &mut dice);
        alone.pass(33_000);
        alone.parsable();
    }
    alone.now += Duration::from_secs(1);
    assert_eq!(
        (alone.endpoint.transactions(), alone.endpoint.dialogs(), alone.endpoint.rows()),
        (0, 0, 0),
        "seed {seed} on {transport}"
    );
    events
}

#[test]
fn survives_whatever_comes() {
    let events: usize =
        (0..300).map(|seed| ordeal(seed, Transport::Udp) + ordeal(seed, Transport::Tcp)).sum();
    assert!(events > 10_000, "only {events} events: too little of it was understood");
}
