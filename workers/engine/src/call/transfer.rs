//! A transfer within a call that is up, whether the caller's ACK has come or not (RFC 3515, RFC 5589 §5): the party on one side, the referrer, asks that the
//! other one, who stays, be connected to somebody else. The call searches for that party while the two go on
//! talking; when it is found it takes the referrer's side. What the referrer is told of it is ordered as reports.
//!
//! ```text
//! none --Referred--> Seeking --found--> Parting --referrer's BYE, or 5 s: ours--> none
//!                     |   |  \--found, referrer has hung up before--------------> none
//!                     |   \--nobody found: as it was, told why------------------> none
//!                     \--nobody found, referrer has hung up before: the call ends
//! ```
//!
//! # Races
//!
//! | event \ state | Seeking, referrer there | Seeking, referrer gone | Parting |
//! |---|---|---|---|
//! | another REFER | refused by the engine, [`Call::may_transfer`]: `only_one_transfer_at_a_time` | — no leg to come from | refused likewise |
//! | referrer's BYE | `a_referrer_may_hang_up_while_the_target_rings` | — | `a_referrer_who_hangs_up_after_success_is_not_hung_up` |
//! | staying side's BYE | `who_stays_may_hang_up_while_the_target_rings` | `who_stays_may_hang_up_when_the_referrer_has_gone` | `a_bye_after_success_ends_all_three` |
//! | found | `a_found_target_takes_the_referrers_side` | `a_target_found_after_the_referrer_has_gone_is_bridged` | — search is over |
//! | nobody found | `a_failed_transfer_leaves_the_call_as_it_was` | `a_failed_transfer_without_referrer_ends_the_call` | — search is over |
//! | target's BYE | — no dialog yet | — no dialog yet | `a_bye_after_success_ends_all_three` |
//! | operator, ACK of an answer missing | `a_forced_end_gives_the_search_up` | same | `a_forced_end_hangs_up_the_referrer_too` |
//! | no ACK of the caller yet: any of these | `a_transfer_may_begin_before_the_callers_ack` | `before_the_callers_ack_a_failed_transfer_waits_for_it` | `before_the_callers_ack_the_target_may_hang_up` |
//! | answer of an attempt given up | late: dismissed by the leg | same | same |

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::search::{Progress, Search};
use super::words::{Act, Reason, Side};
use super::{Call, Plan, State};

/// A transfer that is not over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Transfer {
    /// The search for the target is under way.
    Seeking { referrer: Side, presence: Presence },
    /// The target has taken the referrer's side; the referrer has until then to hang up by himself.
    Parting { until: Instant },
}

/// Whether the referrer has a leg in the call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Presence {
    There,
    Gone,
}

impl Call {
    /// Whether a transfer can begin now: the call is up, and no other one is under way.
    pub(crate) fn may_transfer(&self) -> bool {
        matches!(self.state, State::Answered | State::Established) && self.transfer.is_none()
    }

    /// Begins to search for the party that is to take `referrer`'s side.
    pub(super) fn on_referred(&mut self, now: Instant, referrer: Side, plan: Arc<Plan>) {
        if !self.may_transfer() {
            return;
        }
        self.transfer = Some(Transfer::Seeking { referrer, presence: Presence::There });
        self.search = Some(Box::new(Search::new(plan, self.next)));
        self.with_search(now, |search| search.begin(now));
    }

    /// The search of a call that is up has come to something.
    pub(super) fn on_sought(&mut self, now: Instant, progress: Progress) {
        let Some(Transfer::Seeking { referrer, presence }) = self.transfer else { return };
        match progress {
            Progress::None => {}
            Progress::Rang(attempt, status) => self.acts.push_back(Act::Preview(attempt, status)),
            Progress::Found(attempt) => {
                self.acts.extend([Act::Bridge(attempt), Act::Report(200)]);
                self.transfer = match presence {
                    Presence::There => Some(Transfer::Parting { until: now + PARTING_WAIT }),
                    Presence::Gone => None,
                };
                self.end_search();
            }
            Progress::Failed(rejection) => {
                self.give_up_search(rejection.reason, 408);
                self.acts.push_back(Act::Report(rejection.status));
                self.transfer = None;
                if presence == Presence::Gone && self.state == State::Answered {
                    self.state = State::Owing(Reason::TransferFailed);
                } else if presence == Presence::Gone {
                    self.acts.push_back(Act::HangUp(referrer.other()));
                    self.end(Reason::TransferFailed, 200);
                }
            }
        }
    }

    /// The referrer hangs up while the search goes on. Returns whether it was that.
    pub(super) fn is_referrer_leaving(&mut self, side: Side) -> bool {
        match self.transfer {
            Some(Transfer::Seeking { referrer, presence: Presence::There }) if referrer == side => {
                self.transfer = Some(Transfer::Seeking { referrer, presence: Presence::Gone });
                self.acts.push_back(Act::Release(side));
                true
            }
            Some(Transfer::Seeking { .. } | Transfer::Parting { .. }) | None => false,
        }
    }

    /// The referrer hangs up after the target was found.
    pub(super) fn on_parted(&mut self) {
        match self.transfer {
            Some(Transfer::Parting { .. }) => self.transfer = None,
            Some(Transfer::Seeking { .. }) | None => {}
        }
    }

    /// Hangs up the referrer if his time is over.
    pub(super) fn part_when_due(&mut self, now: Instant) {
        match self.transfer {
            Some(Transfer::Parting { until }) if until <= now => {
                self.transfer = None;
                self.acts.push_back(Act::Part);
            }
            Some(Transfer::Parting { .. } | Transfer::Seeking { .. }) | None => {}
        }
    }

    /// The call ends: whatever the transfer has come to ends with it.
    pub(super) fn end_transfer(&mut self, reason: Reason, status: u16) {
        match self.transfer.take() {
            Some(Transfer::Seeking { .. }) => {
                self.give_up_search(reason, status);
                self.acts.push_back(Act::Report(status));
            }
            Some(Transfer::Parting { .. }) => self.acts.push_back(Act::Part),
            None => {}
        }
    }

    pub(super) fn parting_deadline(&self) -> Option<Instant> {
        match self.transfer {
            Some(Transfer::Parting { until }) => Some(until),
            Some(Transfer::Seeking { .. }) | None => None,
        }
    }
}

/// How long a referrer has to hang up by himself after the success was told.
const PARTING_WAIT: Duration = Duration::from_secs(5);
