//! When each leg was up and over as far as the worker could know, and that no leg outlived the other (the table in the engine's
//! `call.rs`): what ends on one leg ends on the other at once, or when its ACK is in or given up.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use um_sip::{HeaderName, Message, Method};

use crate::ledger::Fault;
use crate::{caller, wire};

/// The life of one leg.
#[derive(Debug, Default)]
pub(super) struct Ends {
    /// The caller of the call that it belongs to.
    call: Option<usize>,
    is_callers: bool,
    up: Option<Instant>,
    over: Option<Instant>,
    /// A leg of which the far end changed while the other one stayed.
    transferred: bool,
}

impl Ends {
    pub(super) fn on_request(&mut self, now: Instant, message: &Message) {
        if *message.method() == Method::Invite && message.to_tag().is_none() {
            self.call = caller::of_call_id(message.call_id());
            self.is_callers = true;
        }
        self.end_by(now, message.method());
        self.transferred |= *message.method() == Method::Refer;
    }

    pub(super) fn on_response(&mut self, now: Instant, message: &Message, status: u16) {
        if *message.method() != Method::Invite {
            return;
        }
        if (200..300).contains(&status) {
            self.up.get_or_insert(now);
        } else if status >= 300 && self.up.is_none() {
            self.over.get_or_insert(now);
        }
    }

    pub(super) fn request(&mut self, now: Instant, message: &Message) {
        if *message.method() == Method::Invite && message.to_tag().is_none() {
            let from = message.header_text(HeaderName::From).unwrap_or_default();
            let user = from.split("sip:").nth(1).and_then(|rest| rest.split('@').next());
            self.call = user.and_then(wire::caller_of_number);
        }
        self.end_by(now, message.method());
    }

    pub(super) fn response(&mut self, now: Instant, request: &Message, status: u16) {
        if *request.method() != Method::Invite || request.to_tag().is_some() {
            return;
        }
        if (200..300).contains(&status) {
            self.up.get_or_insert(now);
        } else if status >= 300 {
            self.over.get_or_insert(now);
        }
    }

    fn end_by(&mut self, now: Instant, method: &Method) {
        if *method == Method::Bye {
            self.over.get_or_insert(now);
        }
    }
}

/// Judges the legs of all calls.
pub(super) fn judge<'a>(legs: impl Iterator<Item = &'a Ends>) -> Result<(), Fault> {
    let mut calls: BTreeMap<usize, (Vec<&Ends>, Vec<&Ends>)> = BTreeMap::new();
    for leg in legs {
        let Some(call) = leg.call else { continue };
        let (callers, far) = calls.entry(call).or_default();
        if leg.is_callers { callers.push(leg) } else { far.push(leg) }
    }
    for (call, (callers, far)) in calls {
        let [caller] = callers[..] else { continue };
        if far.iter().any(|leg| leg.transferred) || caller.transferred {
            continue;
        }
        let ended = caller.over.ok_or_else(|| format!("the leg of call {call} never ended"))?;
        for leg in &far {
            let Some(up) = leg.up else { continue };
            let over = leg.over.ok_or_else(|| format!("a far leg of call {call} never ended"))?;
            if over > ended.max(up) + GRACE {
                let late = over - ended.max(up);
                return Err(format!("a far leg of call {call} outlived the caller's by {late:?}"));
            }
        }
        let answered = far.iter().filter(|leg| leg.up.is_some()).filter_map(|leg| leg.over).max();
        if let (Some(up), Some(answered)) = (caller.up, answered)
            && ended > answered.max(up) + GRACE
        {
            let late = ended - answered.max(up);
            return Err(format!("the caller's leg of call {call} outlived the far one by {late:?}"));
        }
    }
    Ok(())
}

/// A BYE of ours may have to wait for the ACK of our 2xx, which is given up after 64·T1 (RFC 3261 §15).
const GRACE: Duration = Duration::from_secs(33);
