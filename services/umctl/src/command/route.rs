//! `route simulate`: how a call would be routed, and why.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use um_topology::Kind;
use um_wire::v1;
use um_wire::v1::target_state::Value;

use super::no_such_form;
use crate::config::{Form, Simulate};
use crate::connection::Connection;
use crate::failure::{Failure, nearest};
use crate::{duration, json, kind, output, table};

/// Asks how a call would be routed.
///
/// # Errors
///
/// The question makes no sense, or the server does not answer. A rejected call is an answer.
pub(crate) async fn run(connection: &Connection, form: Form, facts: Simulate) -> Result<(), Failure> {
    let request = v1::SimulateRouteRequest {
        line: facts.line.map(|line| kind::full_name(Kind::Line, &line)).unwrap_or_default(),
        source: facts.source.unwrap_or_default(),
        request_uri: facts.request_uri,
        from: facts.from.unwrap_or_default(),
        diversion: facts.diversion,
        assume_state: assumed(&facts.assume)?,
        worker: facts.worker.map(|id| format!("workers/{id}")).unwrap_or_default(),
    };
    let explanation = connection.routing().simulate_route(request).await?.into_inner();
    match form {
        Form::Table | Form::Wide => output::line(&explained(&explanation)),
        Form::Json => output::line(&json::text("RouteExplanation", &explanation)?),
        Form::Yaml | Form::Name | Form::Tree => Err(no_such_form(form, "route simulate")),
    }
}

/// Reads `um/um1=DOWN`.
fn assumed(texts: &[String]) -> Result<BTreeMap<String, i32>, Failure> {
    let states = ["UP", "SUSPECT", "DOWN", "PROBING", "BLOCKED"];
    let mut assumed = BTreeMap::new();
    for text in texts {
        let Some((target, word)) = text.split_once('=') else {
            return Err(Failure::Usage(format!("--assume {text}: is not LIST/ENTRY=STATE")));
        };
        let state = Value::from_str_name(word).filter(|state| *state != Value::Unspecified);
        let Some(state) = state else {
            let hint =
                nearest(word, states).map(|word| format!("; did you mean {word}?")).unwrap_or_default();
            let states = states.join(", ");
            return Err(Failure::Usage(format!("--assume {text}: the states are {states}{hint}")));
        };
        assumed.insert(target.to_owned(), state.into());
    }
    Ok(assumed)
}

/// Writes an explanation for a person.
fn explained(explanation: &v1::RouteExplanation) -> String {
    let mut text = String::new();
    if let Some(matched) = &explanation.matched {
        let parts = [
            ("line", &matched.line),
            ("user", &matched.user),
            ("station", &matched.station),
            ("route", &matched.route),
            ("leaves on", &matched.line_out),
            ("proxy list", &matched.proxy_list),
        ];
        let parts = parts.iter().filter(|(_, name)| !name.is_empty());
        let parts: Vec<_> = parts.map(|(what, name)| format!("{what} {}", kind::bare_id(name))).collect();
        let _ = writeln!(text, "Matched: {}", table::or_none(parts.join(", ")));
    }
    for step in &explanation.text {
        let _ = writeln!(text, "  {step}");
    }
    if !explanation.targets.is_empty() {
        let rows = explanation.targets.iter().map(target).collect();
        let headings = ["ORDER", "TARGET", "ADDRESS", "TRANSPORT", "PRIORITY", "WEIGHT", "CALLS", "STATE"];
        let _ = writeln!(text, "\n{}", table::render(&headings, rows));
    }
    if let Some(headers) = &explanation.headers {
        text.push('\n');
        let lines = [
            ("INVITE", &headers.request_uri),
            ("To:", &headers.to),
            ("From:", &headers.from),
            ("Diversion:", &headers.diversion),
        ];
        for (name, value) in lines.iter().filter(|(_, value)| !value.is_empty()) {
            let _ = writeln!(text, "  {name} {value}");
        }
    }
    if let Some(timers) = &explanation.timers {
        let _ = writeln!(text, "\n{}", timers_line(timers));
    }
    if let (Some(response), rejected) = (&explanation.final_response, &explanation.rejected_by) {
        let by = rejected.as_ref().map(|by| format!(" by {} ({})", by.stage, by.reason)).unwrap_or_default();
        let _ = writeln!(text, "\nRejected with {} {}{by}", response.code, response.reason);
    }
    let _ = writeln!(text, "\nTopology revision {}", explanation.topology_revision);
    text
}

fn target(target: &v1::route_explanation::Target) -> Vec<String> {
    let port = if target.port == 0 { String::new() } else { format!(":{}", target.port) };
    let list = kind::bare_id(&target.proxy_list);
    vec![
        if target.order == 0 { "-".to_owned() } else { target.order.to_string() },
        if list.is_empty() { target.entry.clone() } else { format!("{list}/{}", target.entry) },
        format!("{}{port}", target.address),
        target.transport().as_str_name().to_owned(),
        target.priority.to_string(),
        target.weight.to_string(),
        target.calls.to_string(),
        target.why().as_str_name().to_owned(),
    ]
}

fn timers_line(timers: &v1::route_explanation::Timers) -> String {
    let parts = [
        ("attempt", &timers.attempt_timeout),
        ("100 only", &timers.timeout),
        ("all attempts", &timers.failover_budget),
        ("answer", &timers.answer_timeout),
        ("connect", &timers.connect_timer),
        ("T1", &timers.t1),
        ("T2", &timers.t2),
    ];
    let parts = parts.iter().filter_map(|(name, value)| {
        let value = um_wire::time::duration_from_proto(value.as_ref()?)?;
        Some(format!("{name} {}", duration::format(value)))
    });
    let parts: Vec<_> = parts.collect();
    format!("Timers: {}; next target on {}", parts.join(", "), table::or_none(timers.retryable_codes.clone()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn assumed_states_are_read_and_wrong_ones_named() {
        let read = assumed(&["um/um1=DOWN".to_owned()]).unwrap();
        assert_eq!(read, [("um/um1".to_owned(), Value::Down.into())].into());
        assert!(assumed(&["um/um1=DONW".to_owned()]).unwrap_err().to_string().contains("did you mean DOWN?"));
        assert_eq!(assumed(&["um1".to_owned()]).unwrap_err().exit_code(), 2);
    }

    #[test]
    fn an_explanation_shows_targets_headers_and_timers() {
        let explanation = v1::RouteExplanation {
            topology_revision: 7,
            matched: Some(v1::route_explanation::Matched {
                line: "lines/pbx".into(),
                user: "users/dana".into(),
                ..Default::default()
            }),
            targets: vec![v1::route_explanation::Target {
                proxy_list: "proxyLists/um".into(),
                entry: "um1".into(),
                address: "127.0.0.1".into(),
                port: 5071,
                transport: v1::transport::Protocol::Tcp.into(),
                priority: 1,
                weight: 100,
                eligible: true,
                why: v1::route_explanation::target::Why::Up.into(),
                order: 1,
                ..Default::default()
            }],
            headers: Some(v1::route_explanation::Headers {
                request_uri: "sip:6000@um".into(),
                ..Default::default()
            }),
            timers: Some(v1::route_explanation::Timers {
                attempt_timeout: Some(prost_types::Duration { seconds: 2, nanos: 0 }),
                retryable_codes: "480, 500-599".into(),
                ..Default::default()
            }),
            text: vec!["the user part is the extension of dana".into()],
            ..Default::default()
        };
        let text = explained(&explanation);
        for expected in [
            "Matched: line pbx, user dana",
            "  the user part is the extension of dana",
            "1      um/um1  127.0.0.1:5071  TCP",
            "  INVITE sip:6000@um",
            "Timers: attempt 2s; next target on 480, 500-599",
            "Topology revision 7",
        ] {
            assert!(text.contains(expected), "{expected} is not in\n{text}");
        }
    }

    #[test]
    fn a_rejection_says_who_and_with_what() {
        let explanation = v1::RouteExplanation {
            rejected_by: Some(v1::route_explanation::Rejection {
                stage: "called".into(),
                reason: "USER_UNKNOWN".into(),
            }),
            final_response: Some(v1::route_explanation::FinalResponse {
                code: 404,
                reason: "Not Found".into(),
            }),
            ..Default::default()
        };
        assert!(explained(&explanation).contains("Rejected with 404 Not Found by called (USER_UNKNOWN)"));
    }
}
