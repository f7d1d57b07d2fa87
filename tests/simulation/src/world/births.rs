//! How the servers stood when a call was born, and the oracle that needs it: no call fails while a live server that it has
//! not tried could have been reached within the budget.

use bytes::Bytes;
use um_engine::Circuit;
use um_sip::{Message, Method};

use super::World;
use crate::caller;
use crate::ledger::{Birth, Standing};
use crate::site::Site;

impl World {
    /// How things stand for the INVITE of a caller that has not begun yet.
    pub(super) fn birth_of(&self, shard: usize, bytes: &Bytes) -> Option<(usize, Birth)> {
        if !bytes.starts_with(b"INVITE ") {
            return None;
        }
        let message = super::parse(bytes)?;
        let caller = caller::of_call_id(message.call_id())?;
        let fresh = self.ledger.calls.get(caller)?.birth.is_none();
        let birth = || Birth { at: self.now, shard, standing: self.standing(shard) };
        fresh.then(|| (caller, birth()))
    }

    /// The servers of the list in its order, as a shard sees them.
    fn standing(&self, shard: usize) -> Vec<(usize, Standing)> {
        let reports: Vec<_> = self.engines[shard].targets(self.now).collect();
        let stands = |server: usize| {
            let report = reports.iter().find(|report| Site::server_of(&report.target) == Some(server));
            report.map_or(Standing::Up, |report| {
                if report.blocked_until.is_some_and(|until| until > self.now) {
                    return Standing::Blocked;
                }
                match report.circuit {
                    Circuit::Up => Standing::Up,
                    Circuit::Suspect => Standing::Suspect,
                    Circuit::Down | Circuit::Probing => Standing::Down,
                }
            })
        };
        self.site.entries.iter().map(|server| (*server, stands(*server))).collect()
    }

    /// Judges a failure that goes to a caller.
    pub(super) fn judge_refusal(&mut self, shard: usize, message: &Message) {
        let status = message.status().map_or(0, um_sip::StatusCode::code);
        if message.is_request()
            || *message.method() != Method::Invite
            || status < 300
            || message.cseq().number > 1
        {
            return;
        }
        let Some(number) = caller::of_call_id(message.call_id()) else { return };
        let missed = self.missed(shard, number, status);
        self.expect(missed.is_none(), || {
            let server = missed.unwrap_or(0) + 1;
            format!("call {number}: {status} to the caller while um{server} was alive and would have taken the call")
        });
    }

    /// The server that should have taken a call that fails now.
    fn missed(&self, shard: usize, number: usize, status: u16) -> Option<usize> {
        let facts = self.ledger.calls.get(number)?;
        let line_is_open = self.site.pbx.is_some_and(|(_, phase)| phase == um_engine::LinePhase::Open);
        let quiet = self.scenario.network_is_sound() && !self.draining && line_is_open;
        if !quiet || facts.disturbed || self.resolver_failed || status == 487 {
            return None;
        }
        let born = facts.birth.as_ref();
        let at = born.map_or(self.now, |birth| birth.at);
        if facts.budget.is_some_and(|budget| budget <= self.now) {
            return None;
        }
        let ended = facts
            .tried
            .iter()
            .any(|server| self.servers[*server].conduct().may_end_the_call() || self.since[*server] >= at);
        if ended {
            return None;
        }
        let standing = born.map_or_else(|| self.standing(shard), |birth| birth.standing.clone());
        let now = self.standing(shard);
        let blocked = |server: usize| now.iter().any(|(s, st)| *s == server && *st == Standing::Blocked);
        let alive = standing.iter().find(|(server, standing)| {
            *standing != Standing::Blocked
                && !blocked(*server)
                && self.servers[*server].conduct().is_good()
                && self.since[*server] < at
        });
        alive.map(|(server, _)| *server)
    }
}
