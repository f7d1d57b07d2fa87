//! Offers and answers of one leg (RFC 3264 §4, RFC 6337 §2): never two offers at once, never an answer that nobody asked for, never an
//! offer that is accepted without an answer. Each early dialog of a fork stands alone.

use std::collections::BTreeMap;

use um_sip::{HeaderName, Message, Method};

use super::sdp;
use crate::ledger::Fault;

/// What is pending, by the peer's tag.
#[derive(Debug, Default)]
pub(super) struct Offers {
    dialogs: BTreeMap<String, Pending>,
    /// Whether our INVITE outside of a dialog had an offer; each dialog begins with it.
    first: Option<Key>,
    /// Requests of theirs with an offer that crossed another one: none may be accepted.
    crossed: Vec<Key>,
}

/// A request by method and number.
type Key = (Method, u32);

#[derive(Clone, Debug, Default, PartialEq, Eq)]
enum Pending {
    #[default]
    Quiet,
    Ours(Key),
    Theirs(Key),
}

impl Offers {
    /// Their request.
    pub(super) fn on_request(&mut self, tag: &str, message: &Message) {
        let key = key(message);
        let pending = self.dialogs.entry(tag.to_owned()).or_default();
        let carries = sdp(message).is_some();
        match (message.method(), carries) {
            (Method::Ack, _) => {
                let invite = (Method::Invite, key.1);
                if *pending == Pending::Ours(invite) {
                    *pending = Pending::Quiet;
                }
            }
            (Method::Prack, true) if matches!(pending, Pending::Ours((Method::Invite, _))) => {
                *pending = Pending::Quiet;
            }
            (Method::Invite | Method::Update | Method::Prack, true) => match pending {
                Pending::Quiet => *pending = Pending::Theirs(key),
                Pending::Ours(_) | Pending::Theirs(_) => self.crossed.push(key),
            },
            (_, _) => {}
        }
    }

    /// Their response.
    pub(super) fn on_response(&mut self, message: &Message, status: u16) {
        let key = key(message);
        if status >= 300 {
            self.first = self.first.take().filter(|first| *first != key);
            for pending in self.dialogs.values_mut() {
                if *pending == Pending::Ours(key.clone()) {
                    *pending = Pending::Quiet;
                }
            }
            return;
        }
        let first = self.first.clone().map_or(Pending::Quiet, Pending::Ours);
        let Some(tag) = message.to_tag() else { return };
        let pending = self.dialogs.entry(tag.to_owned()).or_insert(first);
        let counts = status >= 200 || message.lists_token(HeaderName::Require, "100rel");
        if !counts {
            return;
        }
        let carries = sdp(message).is_some();
        if *pending == Pending::Ours(key.clone()) && (carries || status >= 200) {
            *pending = Pending::Quiet;
        } else if *pending == Pending::Quiet && carries && key.0 == Method::Invite && self.first.is_none() {
            *pending = Pending::Theirs(key);
        }
    }

    /// Our request.
    pub(super) fn request(&mut self, message: &Message) -> Result<(), Fault> {
        let key = key(message);
        let carries = sdp(message).is_some();
        let Some(tag) = message.to_tag() else {
            self.first = Some(key).filter(|(method, _)| carries && *method == Method::Invite);
            return Ok(());
        };
        let pending = self.dialogs.entry(tag.to_owned()).or_default();
        if key.0 == Method::Invite {
            self.first = None;
        }
        match (&key.0, carries) {
            (Method::Ack, true) if *pending == Pending::Theirs((Method::Invite, key.1)) => {
                *pending = Pending::Quiet
            }
            (Method::Ack, true) => return Err("an answer in the ACK that nobody asked for".to_owned()),
            (Method::Prack, true) if matches!(pending, Pending::Theirs((Method::Invite, _))) => {
                *pending = Pending::Quiet;
            }
            (Method::Invite | Method::Update | Method::Prack, true) => {
                if *pending != Pending::Quiet {
                    return Err(format!("an offer while {pending:?} is pending"));
                }
                *pending = Pending::Ours(key);
            }
            _ => {}
        }
        Ok(())
    }

    /// Our response.
    pub(super) fn response(
        &mut self,
        tag: &str,
        request: &Message,
        message: &Message,
        status: u16,
    ) -> Result<(), Fault> {
        let key = key(request);
        let negotiates = matches!(key.0, Method::Invite | Method::Update | Method::Prack);
        if !negotiates {
            return Ok(());
        }
        let pending = self.dialogs.entry(tag.to_owned()).or_default();
        let asked = *pending == Pending::Theirs(key.clone());
        if status >= 300 {
            if asked {
                *pending = Pending::Quiet;
            }
            return Ok(());
        }
        if status >= 200 && self.crossed.contains(&key) {
            return Err(format!("{status} to an offer that crossed another"));
        }
        let counts = status >= 200 || message.lists_token(HeaderName::Require, "100rel");
        match (counts, sdp(message).is_some()) {
            (true, true) if asked => *pending = Pending::Quiet,
            (true, true)
                if *pending == Pending::Quiet && sdp(request).is_none() && key.0 == Method::Invite =>
            {
                *pending = Pending::Ours(key);
            }
            (true, true) if sdp(request).is_none() && key.0 != Method::Invite => {
                return Err(format!("an answer in the {status} that nobody asked for"));
            }
            (true, false) if asked && status >= 200 => return Err(format!("{status} without an answer")),
            (true | false, true | false) => {}
        }
        Ok(())
    }
}

fn key(message: &Message) -> Key {
    (message.method().clone(), message.cseq().number)
}
