//! One call of a caller: where it stands, and the report of it.

use std::time::Instant;

use um_sip::{
    Flow,
    endpoint::{ClientTransaction, DialogId},
};

use super::{
    PATIENCE,
    plan::Plan,
    report::{Outcome, Report},
};
use crate::{
    audio::Audio,
    ladder::{Ladder, milliseconds},
};

/// Where a call stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// The INVITE is out.
    Trying,
    /// A 101–199 has come.
    Ringing,
    /// CANCEL is wanted; the final response is awaited.
    Cancelling,
    /// Answered and acknowledged.
    Up,
    /// BYE is out.
    Leaving,
    /// Nothing more will happen.
    Over,
}

/// One call.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) stage: Stage,
    pub(super) flow: Flow,
    pub(super) invite: ClientTransaction,
    pub(super) dialog: Option<DialogId>,
    pub(super) plan: Plan,
    pub(super) audio: Audio,
    pub(super) outcome: Option<Outcome>,
    /// Outcome that the end of the BYE confirms.
    pub(super) verdict: Option<Outcome>,
    call_id: String,
    at: Instant,
    pub(super) ringing: Option<Instant>,
    pub(super) answered: Option<Instant>,
    pub(super) understood: Option<Instant>,
    pub(super) ended: Option<Instant>,
}

impl Call {
    pub(super) fn new(
        now: Instant,
        flow: Flow,
        invite: ClientTransaction,
        call_id: String,
        plan: Plan,
        audio: Audio,
    ) -> Self {
        Self {
            stage: Stage::Trying,
            flow,
            invite,
            dialog: None,
            plan,
            audio,
            outcome: None,
            verdict: None,
            call_id,
            at: now,
            ringing: None,
            answered: None,
            understood: None,
            ended: None,
        }
    }

    /// Returns when the caller loses patience: the CANCEL before the answer, the BYE after it.
    pub(super) fn act_at(&self) -> Option<Instant> {
        match self.stage {
            Stage::Trying | Stage::Ringing => Some(self.at + self.plan.cancel_after.unwrap_or(PATIENCE)),
            Stage::Up => Some(self.answered? + self.plan.hold?),
            Stage::Cancelling | Stage::Leaving | Stage::Over => None,
        }
    }

    /// Returns when something is due.
    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        let speaks = self.audio.poll_timeout().filter(|_| self.stage == Stage::Up);
        [self.act_at(), speaks].into_iter().flatten().min()
    }

    pub(super) fn report(&self, ladder: &Ladder) -> Report {
        let since = |at: Instant| milliseconds(at.saturating_duration_since(self.at));
        let heard = self.audio.heard();
        Report {
            call_id: self.call_id.clone(),
            outcome: self.outcome.clone(),
            at_ms: milliseconds(self.at.saturating_duration_since(ladder.born())),
            ringing_ms: self.ringing.map(since),
            setup_ms: self.answered.map(since),
            ended_ms: self.ended.map(since),
            heard_ms: self.understood.map(since),
            announcement: heard.iter().find_map(|text| text.parse().ok()),
            heard,
            packets: self.audio.packets(),
            ladder: ladder.of_call(&self.call_id),
        }
    }
}
