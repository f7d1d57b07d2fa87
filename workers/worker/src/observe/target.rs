//! One target as the observer sees it, and how that is shown: in words for people, as messages for control.

use std::time::{Duration, Instant};

use um_engine::{Circuit, TargetId};
use um_telemetry::TargetState;
use um_wire::v1;

use crate::{clock, status::TargetStatus};

/// What was last seen of a target.
#[derive(Default)]
pub(super) struct Target {
    pub(super) circuit: Circuit,
    pub(super) blocked_until: Option<Instant>,
    pub(super) since: Option<Instant>,
    pub(super) calls: u32,
    pub(super) last_result: String,
    pub(super) round_trip: Option<Duration>,
}

impl Target {
    /// Its line in the status document.
    pub(super) fn status(&self, (proxy_list, entry): &(String, String), now: Instant) -> TargetStatus {
        TargetStatus {
            proxy_list: proxy_list.clone(),
            entry: entry.clone(),
            state: word_of(shown_state(self.circuit, self.blocked_until, now)),
            calls: self.calls,
            last_result: self.last_result.clone(),
        }
    }

    /// Its line in a report.
    pub(super) fn health(&self, (proxy_list, entry): &(String, String), now: Instant) -> v1::TargetHealth {
        let wall = |at: Instant| {
            let now_wall = clock::wall();
            let time = match at.checked_duration_since(now) {
                Some(ahead) => now_wall + ahead,
                None => now_wall - now.saturating_duration_since(at),
            };
            time.into()
        };
        let proxy_list =
            if proxy_list.is_empty() { String::new() } else { format!("proxyLists/{proxy_list}") };
        v1::TargetHealth {
            proxy_list,
            entry: entry.clone(),
            state: state_of(shown_state(self.circuit, self.blocked_until, now)).into(),
            since: self.since.map(wall),
            blocked_until: self.blocked_until.filter(|until| *until > now).map(wall),
            calls: self.calls,
            last_result: self.last_result.clone(),
            round_trip: self.round_trip.map(um_wire::time::duration_to_proto),
        }
    }
}

/// The list (empty for a station of its own address) and the entry of a target.
pub(super) fn key_of(target: &TargetId) -> (String, String) {
    match target {
        TargetId::Entry { list, entry } => (list.to_string(), entry.to_string()),
        TargetId::Station(station) => (String::new(), station.to_string()),
    }
}

/// What people are shown: BLOCKED hides the circuit behind it.
pub(super) fn shown_state(circuit: Circuit, blocked_until: Option<Instant>, now: Instant) -> TargetState {
    if blocked_until.is_some_and(|until| until > now) {
        return TargetState::Blocked;
    }
    match circuit {
        Circuit::Up => TargetState::Up,
        Circuit::Suspect => TargetState::Suspect,
        Circuit::Down => TargetState::Down,
        Circuit::Probing => TargetState::Probing,
    }
}

const fn state_of(state: TargetState) -> v1::target_state::Value {
    match state {
        TargetState::Up => v1::target_state::Value::Up,
        TargetState::Suspect => v1::target_state::Value::Suspect,
        TargetState::Down => v1::target_state::Value::Down,
        TargetState::Probing => v1::target_state::Value::Probing,
        TargetState::Blocked => v1::target_state::Value::Blocked,
        TargetState::Inactive => v1::target_state::Value::Unspecified,
    }
}

const fn word_of(state: TargetState) -> &'static str {
    match state {
        TargetState::Up => "UP",
        TargetState::Suspect => "SUSPECT",
        TargetState::Down => "DOWN",
        TargetState::Probing => "PROBING",
        TargetState::Blocked => "BLOCKED",
        TargetState::Inactive => "INACTIVE",
    }
}
