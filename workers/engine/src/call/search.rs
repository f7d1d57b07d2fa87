//! The search for a party to take one side of a call: attempts, one after the other, until one is answered
//! or nothing is left. A new call searches for its called side; a running one for the side that is transferred,
//! while the other stays where it is. What the end of a search means is the call's affair.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use um_routing::redirect::Contact;
use um_routing::retryable::{AttemptEnd, LocalFailure, Verdict, verdict};
use um_routing::{Left, Peer};

use super::Plan;
use super::attempt::{Attempt, Consequence, Failure, Patience, Renewal, Step};
use super::failover::{Failover, Next, Redirected};
use super::words::{Act, AttemptId, Finish, Heard, Origin, Reach, Reason, Refusal, Rejection, Sign};
use crate::locate::Place;

/// Attempts towards the targets of one plan.
#[derive(Debug)]
pub(crate) struct Search {
    plan: Arc<Plan>,
    failover: Failover,
    /// The attempt under way; those given up are the legs' affair.
    attempt: Option<Attempt>,
    /// When the failover budget is used up.
    budget: Option<Instant>,
    /// The name of the next attempt.
    next: AttemptId,
    acts: VecDeque<Act>,
}

/// What a search has come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Progress {
    /// Nothing new.
    None,
    /// This attempt is told of with 101–199.
    Rang(AttemptId, u16),
    /// This attempt has found the party; the search is over.
    Found(AttemptId),
    /// Nobody was found, or not in time; what is under way has to be given up.
    Failed(Rejection),
}

impl Search {
    /// Makes a search that has not begun; its attempts are counted on from `next`.
    pub(crate) fn new(plan: Arc<Plan>, next: AttemptId) -> Self {
        let targets = &plan.route.targets;
        let regular = targets.iter().filter(|target| !target.last_resort).count();
        Self {
            failover: Failover::new(targets.len(), regular),
            plan,
            attempt: None,
            budget: None,
            next,
            acts: VecDeque::new(),
        }
    }

    /// Begins with the first target.
    pub(crate) fn begin(&mut self, now: Instant) -> Progress {
        self.budget = Some(now + self.plan.route.plan.failover_budget);
        let first = self.failover.first();
        self.start(now, first, Reason::Unavailable)
    }

    /// Takes in what was heard of an attempt.
    pub(crate) fn handle(&mut self, now: Instant, id: AttemptId, heard: Heard) -> Progress {
        let patience = self.patience();
        let Some(attempt) = self.attempt.as_mut().filter(|attempt| attempt.id == id) else {
            return Progress::None;
        };
        let step = attempt.handle(now, heard, &patience);
        self.on_step(now, step)
    }

    /// Handles a deadline of [`Search::poll_timeout`].
    pub(crate) fn handle_timeout(&mut self, now: Instant) -> Progress {
        if self.budget.is_some_and(|budget| budget <= now) {
            self.budget = None;
            let progress = self.on_budget_used_up();
            if progress != Progress::None {
                return progress;
            }
        }
        let Some(attempt) = &mut self.attempt else { return Progress::None };
        let step = attempt.handle_timeout(now);
        self.on_step(now, step)
    }

    pub(crate) fn poll_output(&mut self) -> Option<Act> {
        self.acts.pop_front()
    }

    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        self.attempt.as_ref().and_then(Attempt::poll_timeout).into_iter().chain(self.budget).min()
    }

    /// The name of the attempt that the next search of the call begins with.
    pub(crate) const fn next(&self) -> AttemptId {
        self.next
    }

    /// Gives up the attempt under way, if there is one.
    pub(crate) fn give_up(&mut self, reason: Reason, status: u16) {
        if let Some(attempt) = &self.attempt {
            self.acts.push_back(Act::Abandon(attempt.id));
            self.finish_attempt(reason, status);
        }
    }

    fn on_step(&mut self, now: Instant, step: Step) -> Progress {
        let Some(attempt) = &self.attempt else { return Progress::None };
        let (id, target) = (attempt.id, attempt.target);
        match step {
            Step::Stay => Progress::None,
            Step::Found(addresses) => {
                self.on_located(now, &addresses);
                Progress::None
            }
            Step::Rang(status) => {
                self.mark_life();
                Progress::Rang(id, status)
            }
            Step::Answered => {
                self.mark_life();
                self.acts.push_back(Act::Acknowledge(id));
                self.finish_attempt(Reason::Answered, 200);
                Progress::Found(id)
            }
            Step::AnsweredUnusable => {
                self.acts.push_back(Act::Dismiss(id));
                self.go_on(now, LocalFailure::UnusableAnswer, Consequence::Blame)
            }
            Step::Redirected(status, contacts) => self.on_redirected(now, status, contacts),
            Step::Refused(refusal) => self.on_refused(now, refusal),
            Step::Failed(failure) => self.on_failed(now, failure),
            Step::Withdraw => {
                self.acts.push_back(Act::Cancel(id));
                Progress::None
            }
            Step::NotAnswered => {
                // A UM server that calls a person is told of the person, not of a time (play on phone).
                let status = match self.plan.route.inbound_peer {
                    Peer::Um => 480,
                    Peer::Other => 408,
                };
                Progress::Failed(Rejection { status, retry_after: None, reason: Reason::NotAnswered })
            }
            Step::Weakened => {
                self.acts.push_back(Act::Mark(target, Sign::Failed));
                Progress::None
            }
        }
    }

    fn on_located(&mut self, now: Instant, addresses: &[SocketAddr]) {
        self.failover.remember(addresses);
        if let Some(first) = addresses.first() {
            self.reach(now, *first);
        }
    }

    fn on_redirected(&mut self, now: Instant, status: u16, contacts: Vec<Contact>) -> Progress {
        let Some(attempt) = self.attempt.take() else { return Progress::None };
        let route = &self.plan.route;
        let Some(target) = route.targets.get(attempt.target) else { return Progress::None };
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
        self.start_next(now, reason)
    }

    fn on_refused(&mut self, now: Instant, refusal: Refusal) -> Progress {
        let Some(attempt) = self.attempt.take() else { return Progress::None };
        let Refusal { status, retry_after } = refusal;
        if attempt.is_direct() {
            self.acts.push_back(Act::Mark(attempt.target, Sign::Refused(refusal)));
        }
        self.failover.note(AttemptEnd::Response { status, retry_after });
        self.acts.push_back(Act::Finished(attempt.id, Finish { reason: Reason::Refused, status }));
        match verdict(status, retry_after, &self.plan.route.plan) {
            Verdict::Final { status, .. } => {
                Progress::Failed(Rejection { status, retry_after, reason: Reason::Refused })
            }
            Verdict::Accept | Verdict::Redirect | Verdict::Next { .. } => {
                if !attempt.is_direct() && !self.failover.target_has_more() {
                    self.acts.push_back(Act::Mark(attempt.target, Sign::Failed));
                }
                self.start_next(now, Reason::Refused)
            }
        }
    }

    fn on_failed(&mut self, now: Instant, failure: Failure) -> Progress {
        let Some(attempt) = &self.attempt else { return Progress::None };
        self.acts.push_back(Act::Abandon(attempt.id));
        match (failure.consequence, attempt.address) {
            (Consequence::Renew, Some(address)) => {
                let (target, origin) = (attempt.target, attempt.origin.clone());
                self.finish_attempt(failure.local.into(), failure.local.synthetic());
                self.attempt(now, target, origin, Some(address), Renewal::Second);
                Progress::None
            }
            (Consequence::Blame | Consequence::Excuse | Consequence::Renew, _) => {
                self.go_on(now, failure.local, failure.consequence)
            }
        }
    }

    /// The attempt has failed by itself: note that and try what is next.
    fn go_on(&mut self, now: Instant, local: LocalFailure, consequence: Consequence) -> Progress {
        let Some(attempt) = &self.attempt else { return Progress::None };
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
        self.start_next(now, reason)
    }

    /// A ringing attempt is not cut; anything else ends here.
    fn on_budget_used_up(&mut self) -> Progress {
        let Some(attempt) = self.attempt.as_ref().filter(|attempt| !attempt.is_ringing()) else {
            return Progress::None;
        };
        self.acts.push_back(Act::Mark(attempt.target, Sign::Failed));
        self.failover.note(AttemptEnd::Local(LocalFailure::Silence));
        self.exhausted(Reason::BudgetUsedUp)
    }

    fn exhausted(&self, reason: Reason) -> Progress {
        let response = self.failover.exhausted();
        Progress::Failed(Rejection { status: response.status, retry_after: response.retry_after, reason })
    }

    fn start_next(&mut self, now: Instant, reason: Reason) -> Progress {
        let next = self.failover.advance();
        self.start(now, next, reason)
    }

    fn start(&mut self, now: Instant, next: Option<Next>, reason: Reason) -> Progress {
        let in_budget = self.budget.is_some_and(|budget| budget > now);
        match next {
            Some(Next::Target(target, address)) if in_budget => {
                self.attempt(now, target, Origin::Fresh, address, Renewal::First);
            }
            Some(Next::Hop(base, hop, address)) if in_budget => {
                let target = self.failover.target();
                self.attempt(now, target, Origin::Redirection(base, hop), address, Renewal::First);
            }
            Some(_) => return self.exhausted(Reason::BudgetUsedUp),
            None => return self.exhausted(reason),
        }
        Progress::None
    }

    fn attempt(
        &mut self,
        now: Instant,
        target: usize,
        origin: Origin,
        address: Option<SocketAddr>,
        renewal: Renewal,
    ) {
        let id = self.next;
        self.next = AttemptId(id.0 + 1);
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

    fn finish_attempt(&mut self, reason: Reason, status: u16) {
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
