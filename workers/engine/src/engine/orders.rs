//! Carries out what a call orders, one function per order.

use std::time::{Duration, Instant};

use um_routing::retryable::{Effect, effect};
use um_sip::endpoint::Reply;

use super::Engine;
use super::errands::Task;
use super::way::{User, Way};
use crate::call::words::{Act, AttemptId, Reason, Refusal, Rejection, Side, Sign};
use crate::health::Evidence;
use crate::leg::reply_later;

impl Engine {
    pub(super) fn carry_out(&mut self, now: Instant, serial: u64, act: Act) {
        match act {
            Act::OpenRelay => self.open_relay(now, serial),
            Act::CloseRelay => self.close_relay(now, serial),
            Act::Locate(attempt, target, place) => self.locate_attempt(now, serial, attempt, target, place),
            Act::Reach(reach) => self.reach(now, serial, reach),
            Act::Cancel(attempt) => self.cancel_attempt(now, serial, attempt),
            Act::Abandon(attempt) => self.abandon_attempt(now, serial, attempt),
            Act::Acknowledge(attempt) => self.acknowledge_attempt(now, serial, attempt),
            Act::Dismiss(attempt) => self.dismiss_attempt(now, serial, attempt),
            Act::HangUp(side) => self.hang_up(now, serial, side),
            Act::Ring(attempt, status) => self.ring(now, serial, attempt, status),
            Act::Answer(attempt) => self.answer(now, serial, attempt),
            Act::Preview(attempt, status) => self.preview(now, serial, attempt, status),
            Act::Bridge(attempt) => self.bridge_target(now, serial, attempt),
            Act::Report(status) => self.report_transfer(now, serial, status),
            Act::Part => self.part(now, serial),
            Act::Release(side) => self.release(now, serial, side),
            Act::Unsought => self.end_seeking(now, serial),
            Act::Reject(rejection) => self.reject(now, serial, rejection),
            Act::Mark(target, sign) => self.mark(now, serial, target, sign),
            Act::Finished(attempt, finish) => self.finish_attempt(now, serial, attempt, finish),
            Act::Over(ending) => self.end_call(now, serial, ending),
        }
    }

    fn cancel_attempt(&mut self, now: Instant, serial: u64, attempt: AttemptId) {
        let transaction = self.sessions.get(serial).and_then(|session| session.attempt(attempt)?.transaction);
        if let Some(transaction) = transaction {
            // Gone: its final response is on its way through the queue.
            let _ = self.endpoint.cancel(now, transaction);
        }
    }

    /// From here on the endpoint alone deals with what comes late; a 2xx comes back as an errand.
    fn abandon_attempt(&mut self, now: Instant, serial: u64, attempt: AttemptId) {
        let Some(present) = self.sessions.get(serial).and_then(|session| session.attempt(attempt)) else {
            return;
        };
        let way = std::mem::replace(&mut present.way, Way::Idle);
        let (transaction, leg) = (present.transaction.take(), present.leg.take());
        self.leave(now, User::Attempt(serial, attempt), &way);
        if let Some(transaction) = transaction {
            self.senders.remove(&transaction);
            self.endpoint.abandon(now, transaction);
        }
        // Its 2xx came in the same breath: nobody will take it.
        if let Some(leg) = leg {
            self.dismiss(now, leg.dialog, leg.flow);
        }
    }

    /// ACK or BYE towards the server, over the way that its Contact and the route set ask for.
    pub(super) fn run_on_attempt(&mut self, now: Instant, serial: u64, attempt: AttemptId, task: Task) {
        let session = self.sessions.get(serial);
        let leg = session.and_then(|session| session.attempt(attempt)?.leg.as_ref());
        if let Some((Some(dialog), flow)) = leg.map(|leg| (leg.dialog, leg.flow)) {
            self.run_errand(now, dialog, flow, task);
        }
    }

    fn hang_up(&mut self, now: Instant, serial: u64, side: Side) {
        let leg = self.sessions.get(serial).and_then(|session| session.leg(side));
        if let Some((Some(dialog), flow)) = leg.map(|leg| (leg.dialog, leg.flow)) {
            self.run_errand(now, dialog, flow, Task::HangUp);
        }
    }

    fn reject(&mut self, now: Instant, serial: u64, rejection: Rejection) {
        let Rejection { status, retry_after, reason } = rejection;
        let mut reply = reply_later(status, retry_after);
        if reason == Reason::NoPorts {
            reply = reply.reason("No Media Ports");
        }
        let setup = self.sessions.get(serial).and_then(|session| session.setup.as_ref());
        if let Some(transaction) = setup.map(|setup| setup.transaction) {
            self.respond(now, transaction, &reply);
        }
    }

    /// A response that belongs to the caller's dialog.
    pub(super) fn respond_to_caller(&mut self, now: Instant, serial: u64, mut reply: Reply) {
        let setup = self.sessions.get(serial).and_then(|session| session.setup.as_ref());
        let Some(setup) = setup else { return };
        reply.contact_user.clone_from(&setup.contact_user);
        let Ok(Some(dialog)) = self.endpoint.respond(now, setup.transaction, &reply) else { return };
        if let Some(leg) = self.sessions.get(serial).and_then(|session| session.leg_mut(Side::Inbound)) {
            leg.dialog = Some(dialog);
        }
        self.sessions.name_dialog(dialog, serial, Side::Inbound);
    }

    fn mark(&mut self, now: Instant, serial: u64, target: usize, sign: Sign) {
        let Some(session) = self.sessions.get(serial) else { return };
        let Some(search) = &session.search else { return };
        let Some(id) = search.plan.route.targets.get(target).map(|target| target.id.clone()) else { return };
        let evidence = match sign {
            Sign::Life => Evidence::Life,
            Sign::Failed => Evidence::Failed,
            Sign::Refused(Refusal { status, retry_after }) => {
                match effect(status, retry_after, self.health.is_dead_code(&id, status)) {
                    Effect::Alive => Evidence::Life,
                    Effect::Failed => Evidence::Failed,
                    Effect::Blocked(for_) => Evidence::Blocked { for_ },
                }
            }
        };
        self.health.mark(now, &id, evidence);
    }

    /// How long a connection for an errand may take.
    pub(super) const ERRAND_CONNECT: Duration = Duration::from_secs(2);
}
