//! The control port of a server: one command a line, one JSON object a line back.

use std::time::Instant;

use serde_json::{Value, json};
use um_double::{Behaviour, ServerAgent};

use super::clock;

/// Does a command and returns the reply.
pub(super) fn obey(agent: &mut ServerAgent, now: Instant, line: &str) -> String {
    let (word, rest) = line.split_once(' ').map_or((line, ""), |(word, rest)| (word, rest.trim()));
    let reply = match (word, rest) {
        ("stats", "") => stats(agent),
        ("behave", "") => json!({ "behaviour": agent.behaviour().to_string() }),
        ("behave", form) => behave(agent, form),
        ("calls", "") => json!({ "calls": agent.records().collect::<Vec<_>>() }),
        ("active", "") => json!({ "calls": agent.active(now) }),
        ("ladder", call_id) => ladder(agent, call_id),
        ("help", "") => json!({
            "help": "stats | behave [BEHAVIOUR] | calls | active | ladder [CALL-ID]",
            "behaviours": Behaviour::FORMS,
        }),
        _ => error("no such command; try help"),
    };
    reply.to_string()
}

fn error(text: &str) -> Value {
    json!({ "error": text })
}

fn stats(agent: &ServerAgent) -> Value {
    let mut stats = json!(agent.stats());
    stats["name"] = json!(agent.config().name);
    stats["behaviour"] = json!(agent.behaviour().to_string());
    stats
}

fn behave(agent: &mut ServerAgent, form: &str) -> Value {
    match form.parse().and_then(|behaviour| agent.behave(behaviour)) {
        Ok(()) => json!({ "behaviour": agent.behaviour().to_string() }),
        Err(wrong) => error(&wrong.to_string()),
    }
}

fn ladder(agent: &ServerAgent, call_id: &str) -> Value {
    let ladder = agent.ladder();
    let rungs: Vec<_> = ladder.rungs().filter(|rung| call_id.is_empty() || rung.call_id == call_id).collect();
    json!({
        "name": agent.config().name,
        "born_unix_ms": clock::unix_ms(ladder.born()),
        "dropped": ladder.dropped(),
        "rungs": rungs,
    })
}
