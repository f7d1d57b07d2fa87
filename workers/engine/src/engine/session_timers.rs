//! Session timers (RFC 4028) of the legs of calls that are up, each on its own terms: what our INVITEs and answers say,
//! refreshes, in-dialog OPTIONS where a dead peer has to be noticed in less than 90 s, and the end of a call whose
//! peer is gone. When and how long is the affair of [`SessionTimer`]; one is kept for each dialog that is bridged.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use um_sip::endpoint::{DialogId, Extra, Inside, Reply, ServerTransaction};
use um_sip::session_timer::{Asked, Failure, Grant, Output, Policy, SessionTimer, Wish};
use um_sip::{HeaderName, Message, Method, MinSe, OptionTag};

use super::Engine;
use super::errands::Task;
use super::session::Sender;
use crate::call::exchange::words::Event as Offers;
use crate::call::words::{AttemptId, Event, Side};
use crate::leg::{ALLOW, SDP, reply};

/// The timers of all dialogs of a shard, by dialog and deadline.
#[derive(Debug, Default)]
pub(super) struct SessionTimers {
    dialogs: BTreeMap<DialogId, Watched>,
    deadlines: BTreeSet<(Instant, DialogId)>,
    /// What a request of a peer is granted, once it is answered with a 2xx.
    granted: BTreeMap<ServerTransaction, (DialogId, Grant)>,
}

#[derive(Debug)]
struct Watched {
    timer: SessionTimer,
    /// The deadline under which it is filed.
    due: Option<Instant>,
}

impl SessionTimers {
    pub(super) fn insert(&mut self, dialog: DialogId, timer: SessionTimer) {
        self.remove(dialog);
        self.dialogs.insert(dialog, Watched { timer, due: None });
        self.file(dialog);
    }

    pub(super) fn remove(&mut self, dialog: DialogId) {
        let Some(watched) = self.dialogs.remove(&dialog) else { return };
        if let Some(due) = watched.due {
            self.deadlines.remove(&(due, dialog));
        }
        self.granted.retain(|_, (of, _)| *of != dialog);
    }

    pub(super) fn next_deadline(&self) -> Option<Instant> {
        self.deadlines.first().map(|(at, _)| *at)
    }

    pub(super) fn first_due(&self, now: Instant) -> Option<DialogId> {
        self.deadlines.first().filter(|(at, _)| *at <= now).map(|(_, dialog)| *dialog)
    }

    fn timer(&self, dialog: DialogId) -> Option<&SessionTimer> {
        self.dialogs.get(&dialog).map(|watched| &watched.timer)
    }

    /// Changes a timer, and files it anew; returns what it wants done.
    fn with(&mut self, dialog: DialogId, act: impl FnOnce(&mut SessionTimer)) -> Option<Output> {
        let watched = self.dialogs.get_mut(&dialog)?;
        act(&mut watched.timer);
        let output = watched.timer.poll_output();
        self.file(dialog);
        output
    }

    fn file(&mut self, dialog: DialogId) {
        let Some(watched) = self.dialogs.get_mut(&dialog) else { return };
        let due = watched.timer.poll_timeout();
        if watched.due == due {
            return;
        }
        if let Some(old) = std::mem::replace(&mut watched.due, due) {
            self.deadlines.remove(&(old, dialog));
        }
        if let Some(at) = due {
            self.deadlines.insert((at, dialog));
        }
    }
}

impl Engine {
    /// What an INVITE of ours says, and the timer that its answer starts.
    pub(super) fn ask_for_session(&mut self, serial: u64, attempt: AttemptId) -> Vec<Extra> {
        let Some(session) = self.sessions.get(serial) else { return Vec::new() };
        let Some(search) = &mut session.search else { return Vec::new() };
        let policy = search.plan.route.outbound.session_timeout.and_then(Policy::of);
        let Some(attempt) = search.attempt.as_mut().filter(|present| present.id == attempt) else {
            return Vec::new();
        };
        let Some(policy) = policy else { return Vec::new() };
        let timer = attempt.timer.get_or_insert_with(|| Box::new(SessionTimer::new(policy)));
        asking(&timer.ask())
    }

    /// Takes in a 422 to the INVITE of an attempt: whether the same INVITE may go once more, with a longer interval.
    pub(super) fn raise_session(&mut self, serial: u64, attempt: AttemptId, response: &Message) -> bool {
        let Some(session) = self.sessions.get(serial) else { return false };
        let Some(present) = session.attempt(attempt) else { return false };
        let min = response.min_se().ok().flatten();
        let raised = present.timer.as_mut().and_then(|timer| timer.handle_too_small(min)).is_some();
        if raised && let Some(search) = &mut session.search {
            search.identity = search.identity.as_ref().map(um_sip::endpoint::Identity::next);
        }
        raised
    }

    /// Takes in the 2xx to the INVITE of an attempt.
    pub(super) fn start_session(&mut self, now: Instant, serial: u64, attempt: AttemptId, answer: &Message) {
        let attempt = self.sessions.get(serial).and_then(|session| session.attempt(attempt));
        if let Some(timer) = attempt.and_then(|attempt| attempt.timer.as_mut()) {
            timer.handle_answer(now, answer.session_expires().ok().flatten());
        }
    }

    /// What the caller is granted with the answer, and the timer that this starts.
    pub(super) fn grant_caller(&mut self, serial: u64) -> Option<(SessionTimer, Grant)> {
        let session = self.sessions.get(serial)?;
        let policy = Policy::of(session.search.as_ref()?.plan.route.inbound.session_timeout?)?;
        let timer = SessionTimer::new(policy);
        // What is too small was refused when the INVITE came.
        let grant = timer.judge(&session.setup.as_ref()?.wish).ok()?;
        Some((timer, grant))
    }

    /// The caller was answered.
    pub(super) fn start_caller(&mut self, now: Instant, serial: u64, mut timer: SessionTimer, grant: &Grant) {
        timer.handle_request(now, grant);
        let caller = self.sessions.get(serial).and_then(|session| session.leg(Side::Inbound));
        if let Some(dialog) = caller.and_then(|leg| leg.dialog) {
            self.sessions.timers.insert(dialog, timer);
        }
    }

    /// Takes in a request of the peer within a dialog, before it is served.
    ///
    /// # Errors
    ///
    /// The 422 that it gets.
    pub(super) fn judge_session(
        &mut self,
        transaction: ServerTransaction,
        dialog: DialogId,
        request: &Message,
    ) -> Result<(), Box<Reply>> {
        if !matches!(request.method(), Method::Invite | Method::Update) {
            return Ok(());
        }
        let Some(timer) = self.sessions.timers.timer(dialog) else { return Ok(()) };
        let grant = timer.judge(&wish(request)).map_err(|min| Box::new(too_small(min)))?;
        self.sessions.timers.granted.insert(transaction, (dialog, grant));
        Ok(())
    }

    /// What the answer to such a request says of the session; a 2xx begins its time anew.
    pub(super) fn grant_session(
        &mut self,
        now: Instant,
        transaction: ServerTransaction,
        reply: &Reply,
    ) -> Option<Reply> {
        if self.sessions.timers.granted.is_empty() || !reply.status.is_final() {
            return None;
        }
        let (dialog, grant) = self.sessions.timers.granted.remove(&transaction)?;
        if !reply.status.is_success() {
            return None;
        }
        let output = self.sessions.timers.with(dialog, |timer| timer.handle_request(now, &grant));
        self.on_session_output(now, dialog, output);
        let mut reply = reply.clone();
        reply.headers.extend(granting(&grant));
        Some(reply)
    }

    /// What every session refresh request of ours says within a dialog (RFC 4028 §7.4).
    pub(super) fn refreshing(&self, dialog: DialogId, method: &Method) -> Vec<Extra> {
        let timer = self.sessions.timers.timer(dialog);
        let timer = timer.filter(|_| matches!(method, Method::Invite | Method::Update));
        timer.map(|timer| asking(&timer.ask())).unwrap_or_default()
    }

    /// Takes in the final response to any INVITE or UPDATE of ours within a dialog.
    pub(super) fn on_session_response(&mut self, now: Instant, dialog: DialogId, response: &Message) {
        let Some(status) = response.status().filter(|status| status.is_final()) else { return };
        if !matches!(response.method(), Method::Invite | Method::Update) {
            return;
        }
        let expires = response.session_expires().ok().flatten();
        let min = response.min_se().ok().flatten();
        let after = match status.code() {
            491 => self.after_glare(dialog),
            _ => RETRY,
        };
        let output = self.sessions.timers.with(dialog, |timer| match status.code() {
            200..300 => timer.handle_answer(now, expires),
            // Whoever sent the request ends the call.
            408 | 481 => {}
            422 if timer.handle_too_small(min).is_some() => {
                timer.handle_failure(now, Failure::Later(Duration::ZERO));
            }
            _ => timer.handle_failure(now, Failure::Later(after)),
        });
        self.on_session_output(now, dialog, output);
    }

    /// A refresh of ours has no answer (§10), or could not be sent.
    pub(super) fn on_refresh_lost(&mut self, now: Instant, dialog: DialogId, failure: Failure) {
        let output = self.sessions.timers.with(dialog, |timer| timer.handle_failure(now, failure));
        self.on_session_output(now, dialog, output);
    }

    /// The in-dialog OPTIONS was answered, or was not.
    pub(super) fn on_pulse(&mut self, now: Instant, dialog: DialogId, result: Result<(), Failure>) {
        let output = self.sessions.timers.with(dialog, |timer| timer.handle_probed(now, result));
        self.on_session_output(now, dialog, output);
    }

    /// The deadline of a session has come.
    pub(super) fn on_session_due(&mut self, now: Instant, dialog: DialogId) {
        let output = self.sessions.timers.with(dialog, |timer| timer.handle_timeout(now));
        self.on_session_output(now, dialog, output);
    }

    fn on_session_output(&mut self, now: Instant, dialog: DialogId, output: Option<Output>) {
        let Some(output) = output else { return };
        let Some((serial, side)) = self.sessions.by_dialog(dialog) else {
            return self.sessions.timers.remove(dialog);
        };
        match output {
            Output::Dead => {
                self.sessions.timers.remove(dialog);
                self.tell(serial, Event::Expired(side));
            }
            Output::Probe => self.send_within(now, dialog, Method::Options, Sender::Pulse(dialog)),
            Output::Refresh => {
                let peer = self.endpoint.dialog(dialog).map(um_sip::Dialog::peer);
                if peer.and_then(|peer| peer.allows(&Method::Update)) == Some(true) {
                    self.send_within(now, dialog, Method::Update, Sender::Refresh(dialog));
                } else {
                    self.tell_exchange(now, serial, Offers::Refresh(side));
                }
            }
        }
    }

    fn send_within(&mut self, now: Instant, dialog: DialogId, method: Method, sender: Sender) {
        let place = self.sessions.by_dialog(dialog);
        let leg = place.and_then(|(serial, side)| self.sessions.get(serial)?.leg(side));
        let Some(flow) = leg.map(|leg| leg.flow) else { return };
        let named = if method == Method::Options {
            Extra::Named(HeaderName::Accept, SDP.to_owned())
        } else {
            Extra::Named(HeaderName::Allow, ALLOW.to_owned())
        };
        let inside = Inside { headers: vec![named], body: None };
        self.run_errand(now, dialog, flow, Task::Request(method, Box::new(inside), sender));
    }

    /// RFC 3261 §14.1: who made the Call-ID waits longer than the other.
    fn after_glare(&mut self, dialog: DialogId) -> Duration {
        let steps = self.draw.next();
        let ours = self.endpoint.dialog(dialog).is_some_and(|dialog| match dialog.role() {
            um_sip::dialog::Role::Uac => true,
            um_sip::dialog::Role::Uas => false,
        });
        let (base, span) = if ours { (2_100, 191) } else { (0, 201) };
        Duration::from_millis(base + 10 * (steps % span))
    }
}

/// What a request says of the session.
pub(super) fn wish(request: &Message) -> Wish {
    let tags = [HeaderName::Supported, HeaderName::Require].map(|name| request.option_tags(name));
    Wish {
        expires: request.session_expires().ok().flatten(),
        min: request.min_se().ok().flatten(),
        supports_timer: tags.iter().any(|tags| tags.contains(OptionTag::Timer)),
    }
}

/// The refusal of an interval that is too small.
pub(super) fn too_small(min: MinSe) -> Reply {
    reply(422).header(HeaderName::MinSe, min.to_string())
}

/// The headers of a 2xx.
pub(super) fn granting(grant: &Grant) -> Vec<Extra> {
    let Some(expires) = grant.expires else { return Vec::new() };
    let mut headers = vec![
        Extra::Named(HeaderName::SessionExpires, expires.to_string()),
        Extra::Named(HeaderName::Supported, OptionTag::Timer.to_string()),
    ];
    if grant.requires_timer {
        headers.push(Extra::Named(HeaderName::Require, OptionTag::Timer.to_string()));
    }
    headers
}

/// The headers of a request.
fn asking(asked: &Asked) -> Vec<Extra> {
    vec![
        Extra::Named(HeaderName::Supported, OptionTag::Timer.to_string()),
        Extra::Named(HeaderName::SessionExpires, asked.expires.to_string()),
        Extra::Named(HeaderName::MinSe, asked.min.to_string()),
    ]
}

/// When a refresh that was refused for a reason of its own is tried again.
const RETRY: Duration = Duration::from_secs(10);
