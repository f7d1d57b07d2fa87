//! The story of calls and attempts, as observations; and what has to be given back when one ends.

use std::time::Instant;

use um_routing::TargetId;
use um_topology::Transport;

use super::Engine;
use super::view::same_line;
use super::way::User;
use crate::call::words::{AttemptId, Ending, Finish, Reach, Reason};
use crate::observation::{CallRecord, Observation, Outcome};

impl Engine {
    /// An attempt is about to be sent somewhere.
    pub(super) fn observe_attempt(&mut self, now: Instant, serial: u64, reach: &Reach, transport: Transport) {
        let call = self.call_key(serial);
        let Some(session) = self.sessions.get(serial) else { return };
        let Some(target) = session.plan.route.targets.get(reach.target).map(|target| target.id.clone())
        else {
            return;
        };
        session.story.attempts = session.story.attempts.saturating_add(1);
        let before = session.story.last_target.replace(reach.target).filter(|before| *before != reach.target);
        let moved =
            before.and_then(|before| session.plan.route.targets.get(before)).map(|before| before.id.clone());
        let first = session.story.attempts == 1;
        if let Some(before) = &moved {
            self.admission.end_target(now, before);
        }
        if first || moved.is_some() {
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
        let Some(outbound) = session.attempt(attempt) else { return };
        let (started, target, way) = (outbound.started, outbound.target, outbound.way.clone());
        let route = &session.plan.route;
        let Some(target) = route.targets.get(target).map(|target| target.id.clone()) else { return };
        let line = route.line_out.clone();
        if finish.reason == Reason::Answered {
            session.story.answered_by = Some(target.clone());
        } else {
            session.outbound = None;
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
        let line = session.inbound.line.id.clone();
        self.observe(Observation::CallAnswered { call, line, setup });
    }

    /// Takes a call out, gives back all that it counts against, and tells its story.
    pub(super) fn end_call(&mut self, now: Instant, serial: u64, ending: Ending) {
        let call = self.call_key(serial);
        let Some(session) = self.sessions.remove(serial) else { return };
        if let Some(outbound) = &session.outbound {
            self.leave(now, User::Attempt(serial, outbound.attempt), &outbound.way);
            if let Some(transaction) = outbound.transaction {
                self.senders.remove(&transaction);
            }
        }
        let route = &session.plan.route;
        self.lines.end(now, &session.lines());
        self.admission.leave(now, &route.line_in);
        self.admission.end_outbound(now, &route.line_out, same_line(&route.line_in, &route.line_out));
        if let Some(target) = session.story.last_target.and_then(|index| route.targets.get(index)) {
            self.admission.end_target(now, &target.id);
        }
        let story = &session.story;
        let decided = story.answered.unwrap_or(now);
        self.observe(Observation::CallEnded(Box::new(CallRecord {
            call,
            call_id: story.call_id.clone(),
            line_in: route.line_in.clone(),
            line_out: route.line_out.clone(),
            station: route.station.id.clone(),
            user: route.user.as_ref().map(|user| user.id.clone()),
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

    pub(super) fn observe_target(&mut self, now: Instant, target: TargetId) {
        let condition = self.health.condition(&target, now);
        let (circuit, blocked_until) = (condition.circuit, condition.blocked_until);
        self.observe(Observation::TargetState { target, circuit, blocked_until });
    }
}
