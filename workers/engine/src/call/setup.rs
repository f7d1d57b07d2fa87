//! The set-up of a call: what the news of an attempt mean for it, and what is tried next.

use std::net::SocketAddr;
use std::time::Instant;

use um_routing::Left;
use um_routing::redirect::Contact;
use um_routing::retryable::{AttemptEnd, LocalFailure, Verdict, verdict};

use super::attempt::{Attempt, Consequence, Failure, Patience, Renewal, Step};
use super::failover::{Next, Redirected};
use super::words::{Act, AttemptId, Finish, Heard, Origin, Reach, Reason, Refusal, Rejection, Sign};
use super::{Call, State};
use crate::locate::Place;

impl Call {
    pub(super) fn on_heard(&mut self, now: Instant, id: AttemptId, heard: Heard) {
        let patience = self.patience();
        let Some(attempt) = self.attempt.as_mut().filter(|attempt| attempt.id == id) else { return };
        let step = attempt.handle(now, heard, &patience);
        self.on_step(now, step);
    }

    pub(super) fn on_step(&mut self, now: Instant, step: Step) {
        let Some(attempt) = &self.attempt else { return };
        let (id, target) = (attempt.id, attempt.target);
        match step {
            Step::Stay => {}
            Step::Found(addresses) => self.on_found(now, &addresses),
            Step::Rang(status) => {
                self.mark_life();
                self.acts.push_back(Act::Ring(id, status));
            }
            Step::Answered => self.on_answered(id),
            Step::AnsweredUnusable => {
                self.acts.extend([Act::Acknowledge(id), Act::HangUp(id)]);
                self.go_on(now, LocalFailure::UnusableAnswer, Consequence::Blame);
            }
            Step::Redirected(status, contacts) => self.on_redirected(now, status, contacts),
            Step::Refused(refusal) => self.on_refused(now, refusal),
            Step::Failed(failure) => self.on_failed(now, failure),
            Step::Withdraw => self.acts.push_back(Act::Cancel(id)),
            Step::NotAnswered => {
                self.cut(408, Rejection { status: 408, retry_after: None, reason: Reason::NotAnswered });
            }
            Step::Weakened => self.acts.push_back(Act::Mark(target, Sign::Failed)),
        }
    }

    fn on_found(&mut self, now: Instant, addresses: &[SocketAddr]) {
        self.failover.remember(addresses);
        if let Some(first) = addresses.first() {
            self.reach(now, *first);
        }
    }

    fn on_answered(&mut self, id: AttemptId) {
        self.mark_life();
        self.acts.push_back(Act::Acknowledge(id));
        self.acts.push_back(Act::Answer(id));
        self.acts.push_back(Act::Finished(id, Finish { reason: Reason::Answered, status: 200 }));
        self.attempt = None;
        self.budget = None;
        self.state = State::Answered(id);
    }

    fn on_redirected(&mut self, now: Instant, status: u16, contacts: Vec<Contact>) {
        let Some(attempt) = self.attempt.take() else { return };
        let route = &self.plan.route;
        let Some(target) = route.targets.get(attempt.target) else { return };
        if attempt.is_direct() {
            self.acts.push_back(Act::Mark(attempt.target, Sign::Life));
        }
        let (first, own) = (&target.request_uri, &self.plan.own);
        let reason = match self.failover.redirect(attempt.id, &route.redirect, contacts, first, own) {
            Redirected::Follow => Reason::Redirected,
            Redirected::Nowhere => {
                self.failover.note(AttemptEnd::Local(LocalFailure::RedirectFailed));
                if !self.failover.target_has_more() {
                    self.acts.push_back(Act::Mark(attempt.target, Sign::Failed));
                }
                Reason::RedirectFailed
            }
        };
        self.acts.push_back(Act::Finished(attempt.id, Finish { reason, status }));
        self.start_next(now, reason);
    }

    fn on_refused(&mut self, now: Instant, refusal: Refusal) {
        let Some(attempt) = self.attempt.take() else { return };
        let Refusal { status, retry_after } = refusal;
        if attempt.is_direct() {
            self.acts.push_back(Act::Mark(attempt.target, Sign::Refused(refusal)));
        }
        self.failover.note(AttemptEnd::Response { status, retry_after });
        self.acts.push_back(Act::Finished(attempt.id, Finish { reason: Reason::Refused, status }));
        match verdict(status, retry_after, &self.plan.route.plan) {
            Verdict::Final { status, .. } => {
                self.reject(Rejection { status, retry_after, reason: Reason::Refused });
            }
            Verdict::Accept | Verdict::Redirect | Verdict::Next { .. } => {
                if !attempt.is_direct() && !self.failover.target_has_more() {
                    self.acts.push_back(Act::Mark(attempt.target, Sign::Failed));
                }
                self.start_next(now, Reason::Refused);
            }
        }
    }

    fn on_failed(&mut self, now: Instant, failure: Failure) {
        let Some(attempt) = &self.attempt else { return };
        self.acts.push_back(Act::Abandon(attempt.id));
        match (failure.consequence, attempt.address) {
            (Consequence::Renew, Some(address)) => {
                let (target, origin) = (attempt.target, attempt.origin.clone());
                self.finish_attempt(failure.local.into(), failure.local.synthetic());
                self.begin(now, target, origin, Some(address), Renewal::Second);
            }
            (Consequence::Blame | Consequence::Excuse | Consequence::Renew, _) => {
                self.go_on(now, failure.local, failure.consequence);
            }
        }
    }

    /// The attempt has failed by itself: note that and try what is next.
    fn go_on(&mut self, now: Instant, local: LocalFailure, consequence: Consequence) {
        let Some(attempt) = &self.attempt else { return };
        let target = attempt.target;
        self.failover.note(AttemptEnd::Local(local));
        let reason = match consequence {
            Consequence::Blame | Consequence::Renew => {
                if !self.failover.target_has_more() {
                    self.acts.push_back(Act::Mark(target, Sign::Failed));
                }
                local.into()
            }
            Consequence::Excuse => Reason::Unavailable,
        };
        self.finish_attempt(reason, local.synthetic());
        self.start_next(now, reason);
    }

    fn start_next(&mut self, now: Instant, reason: Reason) {
        let next = self.failover.advance();
        self.start_or_reject(now, next, reason);
    }

    pub(super) fn start_or_reject(&mut self, now: Instant, next: Option<Next>, reason: Reason) {
        let in_budget = self.budget.is_some_and(|budget| budget > now);
        match next {
            Some(Next::Target(target, address)) if in_budget => {
                self.begin(now, target, Origin::Fresh, address, Renewal::First);
            }
            Some(Next::Hop(base, hop, address)) if in_budget => {
                let target = self.failover.target();
                self.begin(now, target, Origin::Redirection(base, hop), address, Renewal::First);
            }
            Some(_) => self.reject_exhausted(Reason::BudgetUsedUp),
            None => self.reject_exhausted(reason),
        }
    }

    fn begin(
        &mut self,
        now: Instant,
        target: usize,
        origin: Origin,
        address: Option<SocketAddr>,
        renewal: Renewal,
    ) {
        let id = AttemptId(self.last);
        self.last += 1;
        let place = match &origin {
            Origin::Fresh => self.plan.route.targets.get(target).map(Place::from),
            Origin::Redirection(_, hop) => Some(Place::from(hop)),
        };
        self.attempt = Some(Attempt::new(id, target, origin, renewal));
        self.failover.continued_by(id);
        match (address, place) {
            (Some(address), _) => self.reach(now, address),
            (None, Some(place)) => self.acts.push_back(Act::Locate(id, target, place)),
            (None, None) => {}
        }
    }

    fn reach(&mut self, now: Instant, address: SocketAddr) {
        let patience = self.patience();
        let Some(attempt) = &mut self.attempt else { return };
        let connect_by = attempt.go(now, address, &patience);
        self.acts.push_back(Act::Reach(Reach {
            attempt: attempt.id,
            target: attempt.target,
            address,
            origin: attempt.origin.clone(),
            connect_by,
        }));
    }

    pub(super) fn finish_attempt(&mut self, reason: Reason, status: u16) {
        if let Some(attempt) = self.attempt.take() {
            self.acts.push_back(Act::Finished(attempt.id, Finish { reason, status }));
        }
    }

    fn mark_life(&mut self) {
        if let Some(attempt) = self.attempt.as_ref().filter(|attempt| attempt.is_direct()) {
            self.acts.push_back(Act::Mark(attempt.target, Sign::Life));
        }
    }

    /// The times of the present attempt: short while something else could be tried.
    fn patience(&self) -> Patience {
        let plan = &self.plan.route.plan;
        let left = if self.failover.has_more() { Left::Another } else { Left::Nothing };
        Patience {
            connect: plan.connect_limit(left),
            response: plan.silence_limit(left),
            timeout: plan.timeout,
            answer: plan.answer_timeout,
        }
    }
}
