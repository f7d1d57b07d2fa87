//! The story of calls and attempts, as observations; and what has to be given back when one ends.

use std::time::Instant;

use um_routing::TargetId;
use um_topology::{Id, Transport};

use super::Engine;
use super::session::{Leg, Search};
use super::view::same_line;
use super::way::User;
use crate::call::words::{AttemptId, Ending, Finish, Reach, Reason, Side};
use crate::configuration::Configuration;
use crate::locate::Answered;
use crate::observation::{CallRecord, Observation, Outcome};

impl Engine {
    /// An attempt is about to be sent somewhere.
    pub(super) fn observe_attempt(&mut self, now: Instant, serial: u64, reach: &Reach, transport: Transport) {
        let call = self.call_key(serial);
        let Some(session) = self.sessions.get(serial) else { return };
        let Some(search) = &mut session.search else { return };
        let targets = &search.plan.route.targets;
        let Some(target) = targets.get(reach.target).map(|target| target.id.clone()) else { return };
        session.story.attempts = session.story.attempts.saturating_add(1);
        let before = search.counted_target().cloned();
        search.counted = Some(reach.target);
        let moved = before.clone().filter(|before| *before != target);
        if let Some(before) = &moved {
            self.admission.end_target(now, before);
        }
        if before.is_none() || moved.is_some() {
            self.admission.begin_target(now, &target);
        }
        if let Some(from) = moved {
            self.observe(Observation::FailedOver { call, from, to: target.clone() });
        }
        self.observe(Observation::AttemptStarted {
            call,
            attempt: reach.attempt.0,
            target,
            remote: reach.address,
            transport,
        });
    }

    pub(super) fn finish_attempt(&mut self, now: Instant, serial: u64, attempt: AttemptId, finish: Finish) {
        let call = self.call_key(serial);
        let Some(session) = self.sessions.get(serial) else { return };
        let Some(search) = &mut session.search else { return };
        let Some(ended) = search.attempt.as_ref().filter(|present| present.id == attempt) else { return };
        let (started, way) = (ended.started, ended.way.clone());
        if let (Some(remote), Some(answered)) = (ended.remote, has_answered(finish.reason)) {
            self.locator.note(now, remote, answered);
        }
        let route = &search.plan.route;
        let Some(target) = route.targets.get(ended.target).map(|target| target.id.clone()) else { return };
        let line = route.line_out.clone();
        if finish.reason == Reason::Answered {
            session.story.answered_by = Some(target.clone());
        } else {
            search.attempt = None;
            self.leave(now, User::Attempt(serial, attempt), &way);
        }
        self.observe(Observation::AttemptEnded {
            call,
            attempt: attempt.0,
            line,
            target,
            outcome: Outcome::of(finish.reason, finish.status),
            reason: finish.reason,
            status: finish.status,
            duration: now.saturating_duration_since(started),
        });
    }

    pub(super) fn observe_answer(&mut self, now: Instant, serial: u64) {
        let call = self.call_key(serial);
        let slow = self.config.limits.slow_setup;
        let Some(session) = self.sessions.get(serial) else { return };
        let setup = now.saturating_duration_since(session.story.started);
        if setup < slow {
            session.story.explanation = None;
        }
        let line = session.story.line_in.clone();
        self.observe(Observation::CallAnswered { call, line, setup });
    }

    /// Takes a call out, gives back all that it counts against, and tells its story.
    pub(super) fn end_call(&mut self, now: Instant, serial: u64, ending: Ending) {
        let call = self.call_key(serial);
        self.end_talk(now, serial);
        let Some(mut session) = self.sessions.remove(serial) else { return };
        let line_in = session.story.line_in.clone();
        if let Some(search) = session.search.take() {
            self.end_search(now, serial, &line_in, *search, &session.configuration);
        }
        for leg in Side::ALL.into_iter().filter_map(|side| session.bridge(side, None)) {
            self.end_leg(now, &line_in, &leg);
        }
        self.admission.leave(now, &line_in);
        let story = &session.story;
        let decided = story.answered.unwrap_or(now);
        self.observe(Observation::CallEnded(Box::new(CallRecord {
            call,
            call_id: story.call_id.clone(),
            line_in,
            line_out: story.line_out.clone(),
            station: story.station.clone(),
            user: story.user.clone(),
            answered_by: story.answered_by.clone(),
            attempts: story.attempts,
            outcome: Outcome::of(ending.reason, ending.status),
            reason: ending.reason,
            status: ending.status,
            started: story.started,
            setup: decided.saturating_duration_since(story.started),
            talk: story.answered.map(|answered| now.saturating_duration_since(answered)),
            explanation: story.explanation.clone(),
        })));
    }

    /// Counts what a search for a call of this line may use.
    pub(super) fn begin_search(
        &mut self,
        now: Instant,
        line_in: &Id,
        search: &Search,
        configuration: &Configuration,
    ) {
        let line_out = &search.plan.route.line_out;
        self.lines.begin(&search.lines(configuration));
        self.admission.begin_outbound(now, line_out, same_line(line_in, line_out));
    }

    /// Gives back what a search without a result counted against.
    pub(super) fn end_search(
        &mut self,
        now: Instant,
        serial: u64,
        line_in: &Id,
        search: Search,
        configuration: &Configuration,
    ) {
        if let Some(target) = search.counted_target() {
            self.admission.end_target(now, target);
        }
        self.lines.end(now, &search.lines(configuration));
        let line_out = &search.plan.route.line_out;
        self.admission.end_outbound(now, line_out, same_line(line_in, line_out));
        if let Some(attempt) = search.attempt {
            self.leave(now, User::Attempt(serial, attempt.id), &attempt.way);
            if let Some(transaction) = attempt.transaction {
                self.senders.remove(&transaction);
            }
        }
    }

    /// Gives back what a leg of a call of this line counted against.
    pub(super) fn end_leg(&mut self, now: Instant, line_in: &Id, leg: &Leg) {
        self.lines.end(now, &[leg.flow.line]);
        if let Some(placed) = &leg.placed {
            self.admission.end_target(now, &placed.target);
            self.admission.end_outbound(now, &leg.line, same_line(line_in, &leg.line));
            let (user, way) = &placed.holds;
            self.leave(now, *user, way);
        }
    }

    pub(super) fn observe_target(&mut self, now: Instant, target: TargetId) {
        let condition = self.health.condition(&target, now);
        let (circuit, blocked_until) = (condition.circuit, condition.blocked_until);
        self.observe(Observation::TargetState { target, circuit, blocked_until });
    }
}

/// What the end of an attempt says of the address that it went to.
const fn has_answered(reason: Reason) -> Option<Answered> {
    match reason {
        Reason::Unreachable
        | Reason::ConnectTimeout
        | Reason::ConnectionLost
        | Reason::Silent
        | Reason::OnlyTrying => Some(Answered::No),
        Reason::Answered
        | Reason::NotAnswered
        | Reason::Refused
        | Reason::Redirected
        | Reason::RedirectFailed
        | Reason::NoMedia => Some(Answered::Yes),
        Reason::CallerHungUp
        | Reason::CalleeHungUp
        | Reason::CallerCancelled
        | Reason::AckMissing
        | Reason::SessionExpired
        | Reason::NameNotResolved
        | Reason::Unavailable
        | Reason::BudgetUsedUp
        | Reason::NoPorts
        | Reason::TransferFailed
        | Reason::Forced
        | Reason::AnswerMissing
        | Reason::DialogLost => None,
    }
}
