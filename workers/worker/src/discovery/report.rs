//! What control and people are told about the lines and targets of this worker.

use std::collections::BTreeMap;

use um_engine::{BoundLine, LinePhase};
use um_topology::{Name, Topology};
use um_wire::v1;

use crate::signalling::listeners::LineFailure;

/// The lines of a report: each with its listeners, and each failure by itself.
pub(super) fn line_states(
    bound: &[BoundLine],
    failures: &[LineFailure],
    calls: &BTreeMap<String, u32>,
) -> Vec<v1::LineState> {
    let mut states: Vec<v1::LineState> = Vec::new();
    for bound in bound {
        let name = Name::line(bound.id.clone()).to_string();
        let listener = format!("{}:{}", bound.transport, bound.local);
        let state = state_of(bound);
        match states.iter_mut().find(|known| known.name == name && known.state() == state) {
            Some(known) => known.listeners.push(listener),
            None => states.push(v1::LineState {
                name,
                state: state.into(),
                listeners: vec![listener],
                calls: calls.get(&*bound.id).copied().unwrap_or_default(),
                ..Default::default()
            }),
        }
    }
    states.extend(failures.iter().map(|failure| v1::LineState {
        name: Name::line(failure.line.clone()).to_string(),
        state: v1::line_state::State::Failed.into(),
        reason: failure.text.clone(),
        ..Default::default()
    }));
    states
}

fn state_of(bound: &BoundLine) -> v1::line_state::State {
    match bound.phase {
        LinePhase::Open => v1::line_state::State::Listening,
        LinePhase::Draining => v1::line_state::State::Draining,
    }
}

/// Every target that calls may go to: the entries of all lists, and the stations that are reached by their own address.
pub(super) fn targets_of(topology: &Topology) -> Vec<(String, String)> {
    let entries = topology
        .proxy_lists()
        .flat_map(|list| list.entries.iter().map(|entry| (list.id.to_string(), entry.id.to_string())));
    let alone = topology.stations().filter(|station| topology.target_list(station).is_none());
    entries.chain(alone.map(|station| (String::new(), station.id.to_string()))).collect()
}
