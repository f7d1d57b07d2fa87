//! What the control plane observed about a resource: accepted, programmed in every worker, healthy.

use um_topology::Topology;
use um_wire::v1::{self, condition::Status, resource::Spec};

use crate::{
    fleet::{Fleet, Programmed},
    stored::Stored,
};

/// What a client gets of a resource: what was written, what the server knows, and what was observed.
#[must_use]
pub fn decorate(stored: &Stored, topology: &Topology, fleet: &Fleet) -> v1::Resource {
    let name = stored.name.to_string();
    let programmed = fleet.programmed(&name, stored.revision);
    let reconciling = matches!(programmed, Programmed::Pending(_) | Programmed::Refused { .. });
    let mut conditions = vec![accepted(stored), programmed_condition(stored, programmed)];
    if let Some(Spec::ProxyList(list)) = &stored.written.spec {
        conditions.push(healthy(stored, list, fleet));
    }
    let mut resource = stored.shown(reconciling, conditions);
    um_wire::effective::fill(&mut resource, topology);
    resource
}

fn condition(stored: &Stored, kind: &str, status: Status, reason: &str, message: String) -> v1::Condition {
    v1::Condition {
        r#type: kind.to_owned(),
        status: status.into(),
        reason: reason.to_owned(),
        message,
        observed_revision: stored.revision,
        last_transition_time: Some(stored.update_time.into()),
    }
}

fn accepted(stored: &Stored) -> v1::Condition {
    condition(stored, "Accepted", Status::True, "Compiles", "fits the whole topology".to_owned())
}

fn programmed_condition(stored: &Stored, programmed: Programmed) -> v1::Condition {
    let (status, reason, message) = match programmed {
        Programmed::True => {
            (Status::True, "Acknowledged".to_owned(), "in force in every connected worker".to_owned())
        }
        Programmed::Unknown => (Status::Unknown, "NoWorker".to_owned(), "no worker is connected".to_owned()),
        Programmed::Pending(workers) => {
            (Status::False, "Pending".to_owned(), format!("not yet in force in {}", workers.join(", ")))
        }
        Programmed::Refused { worker, failure } => {
            (Status::False, upper_camel(&failure.reason), format!("{worker}: {}", failure.message))
        }
    };
    condition(stored, "Programmed", status, &reason, message)
}

/// A proxy list is healthy while at least one worker sees at least one of its targets UP.
fn healthy(stored: &Stored, list: &v1::ProxyList, fleet: &Fleet) -> v1::Condition {
    let reports =
        fleet.all().into_iter().filter(|(_, known)| known.connected).filter_map(|(_, known)| known.report);
    let health: Vec<v1::TargetHealth> = reports
        .flat_map(|report| report.health)
        .filter(|target| target.proxy_list == stored.name.to_string())
        .collect();
    let up = |entry: &&v1::proxy_list::Entry| {
        health.iter().any(|one| one.entry == entry.id() && one.state() == v1::target_state::Value::Up)
    };
    let (status, reason, message) = if health.is_empty() {
        (Status::Unknown, "NotReported", "no worker has reported about it".to_owned())
    } else {
        let down: Vec<&str> =
            list.entries.iter().filter(|entry| !up(entry)).map(|entry| entry.id()).collect();
        match (down.is_empty(), down.len() == list.entries.len()) {
            (true, _) => (Status::True, "AllUp", "every target is UP".to_owned()),
            (false, false) => (Status::True, "SomeDown", format!("not UP: {}", down.join(", "))),
            (false, true) => (Status::False, "NoneUp", "no target is UP".to_owned()),
        }
    };
    condition(stored, "Healthy", status, reason, message)
}

/// `PORT_TAKEN` as conditions write it, `PortTaken`.
fn upper_camel(reason: &str) -> String {
    let word = |word: &str| {
        let mut letters = word.chars();
        let first = letters.next().map(|first| first.to_ascii_uppercase());
        first.into_iter().chain(letters.map(|letter| letter.to_ascii_lowercase())).collect::<String>()
    };
    reason.split('_').map(word).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_of_workers_become_reasons_of_conditions() {
        assert_eq!(upper_camel("PORT_TAKEN"), "PortTaken");
        assert_eq!(upper_camel(""), "");
    }
}
