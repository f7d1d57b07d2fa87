//! `workers`: the fleet, which revision each worker runs, and what it rejects.

use std::fmt::Write as _;

use um_wire::v1;
use um_wire::v1::worker::State;

use super::no_such_form;
use super::programmed::rejection_line;
use crate::config::{Form, Workers};
use crate::connection::Connection;
use crate::failure::Failure;
use crate::{clock, duration, json, kind, output, table};

/// Shows the workers, or one of them in full.
///
/// # Errors
///
/// There is no such worker, or the server does not answer.
pub(crate) async fn run(connection: &Connection, form: Form, arguments: &Workers) -> Result<(), Failure> {
    let Some(id) = &arguments.id else {
        let (workers, revision) = connection.list_workers().await?;
        return output::line(&listed(form, workers, revision)?);
    };
    let name = if id.contains('/') { id.clone() } else { format!("workers/{id}") };
    let worker = connection.workers().get_worker(v1::GetWorkerRequest { name }).await?.into_inner();
    match form {
        Form::Table | Form::Wide => output::line(&in_full(&worker)),
        Form::Json => output::line(&json::text("Worker", &worker)?),
        Form::Name => output::line(&worker.name),
        Form::Yaml | Form::Tree => Err(no_such_form(form, "workers")),
    }
}

fn listed(form: Form, workers: Vec<v1::Worker>, revision: i64) -> Result<String, Failure> {
    Ok(match form {
        Form::Table | Form::Wide => {
            let wide = form == Form::Wide;
            let mut headings =
                vec!["NAME", "STATE", "REVISION", "TARGET", "REJECTS", "LINES", "CALLS", "CPS", "SEEN"];
            if wide {
                headings.extend(["ADDRESS", "VERSION", "INCARNATION"]);
            }
            let rows = workers.iter().map(|worker| row(worker, wide)).collect();
            let mut text = table::render(&headings, rows);
            for worker in &workers {
                for rejection in &worker.rejections {
                    text.push('\n');
                    text.push_str(&rejection_line(kind::bare_id(&worker.name), rejection));
                }
            }
            text
        }
        Form::Json => {
            let answer = v1::ListWorkersResponse { workers, revision, ..v1::ListWorkersResponse::default() };
            json::text("ListWorkersResponse", &answer)?
        }
        Form::Name => workers.iter().map(|worker| worker.name.as_str()).collect::<Vec<_>>().join("\n"),
        Form::Yaml | Form::Tree => return Err(no_such_form(form, "workers")),
    })
}

fn row(worker: &v1::Worker, wide: bool) -> Vec<String> {
    let report = worker.report.clone().unwrap_or_default();
    let listening =
        report.lines.iter().filter(|line| line.state() == v1::line_state::State::Listening).count();
    let mut cells = vec![
        kind::bare_id(&worker.name).to_owned(),
        state(worker),
        worker.applied_revision.to_string(),
        worker.target_revision.to_string(),
        worker.rejections.len().to_string(),
        format!("{listening}/{}", report.lines.len()),
        report.calls.to_string(),
        format!("{:.1}", report.cps),
        clock::age(worker.last_seen_time.as_ref()).map_or_else(|| "-".to_owned(), duration::rough),
    ];
    if wide {
        cells.extend(
            [&worker.address, &worker.version, &worker.incarnation].map(|text| table::or_none(text.clone())),
        );
    }
    cells
}

fn state(worker: &v1::Worker) -> String {
    let draining = worker.report.as_ref().is_some_and(|report| report.draining);
    let word = match worker.state() {
        State::Connected if draining => "DRAINING",
        State::Connected => "CONNECTED",
        State::Disconnected => "DISCONNECTED",
        State::Unspecified => "UNKNOWN",
    };
    word.to_owned()
}

/// Writes one worker with its lines, targets and rejections.
fn in_full(worker: &v1::Worker) -> String {
    let mut text = format!(
        "{} {}, revision {} of {}, version {}, incarnation {}, from {}\n",
        worker.name,
        state(worker),
        worker.applied_revision,
        worker.target_revision,
        table::or_none(worker.version.clone()),
        table::or_none(worker.incarnation.clone()),
        table::or_none(worker.address.clone())
    );
    for network in &worker.networks {
        let advertised = &network.advertised_address;
        let shown = if advertised.is_empty() { String::new() } else { format!(", shown as {advertised}") };
        let _ = writeln!(text, "  network {} {}{shown}", network.interface, network.addresses.join(" "));
    }
    if let Some(report) = &worker.report {
        text.push_str(&load(report));
        if !report.lines.is_empty() {
            let lines = report
                .lines
                .iter()
                .map(|line| format!("  {} {}", kind::bare_id(&line.name), line_state(line)));
            let _ = writeln!(text, "\nLines:\n{}", lines.collect::<Vec<_>>().join("\n"));
        }
        if !report.health.is_empty() {
            let headings = ["TARGET", "STATE", "SINCE", "CALLS", "ROUND-TRIP", "LAST"];
            let rows = report.health.iter().map(target).collect();
            let _ = writeln!(text, "\n{}", table::render(&headings, rows));
        }
    }
    for rejection in &worker.rejections {
        let _ = writeln!(text, "\n{}", rejection_line(kind::bare_id(&worker.name), rejection));
    }
    text
}

fn load(report: &v1::Report) -> String {
    let mut text = format!("  {} calls, {:.1} calls/s", report.calls, report.cps);
    if let Some(load) = &report.load {
        let _ = write!(
            text,
            ", {:.2} cores, {} MiB, media ports {}/{}",
            load.cpu_cores,
            load.memory_bytes >> 20,
            load.media_ports_used,
            load.media_ports_limit
        );
    }
    text.push('\n');
    text
}

fn target(target: &v1::TargetHealth) -> Vec<String> {
    let list = kind::bare_id(&target.proxy_list);
    let since = clock::age(target.since.as_ref()).map_or_else(|| "-".to_owned(), duration::rough);
    let round_trip = target.round_trip.as_ref().and_then(um_wire::time::duration_from_proto);
    vec![
        if list.is_empty() { target.entry.clone() } else { format!("{list}/{}", target.entry) },
        target.state().as_str_name().to_owned(),
        since,
        target.calls.to_string(),
        round_trip.map_or_else(|| "-".to_owned(), |time| format!("{:.1}ms", time.as_secs_f64() * 1e3)),
        table::or_none(target.last_result.clone()),
    ]
}

/// Writes the state of a line: `LISTENING 127.0.0.1:5060, 2 calls`.
pub(super) fn line_state(line: &v1::LineState) -> String {
    let mut text = line.state().as_str_name().to_owned();
    for part in [&line.listeners.join(" "), &line.reason] {
        if !part.is_empty() {
            let _ = write!(text, " {part}");
        }
    }
    let _ = write!(text, ", {} calls", line.calls);
    text
}

#[cfg(test)]
mod tests {
    use um_wire::sync;

    use super::*;

    fn worker() -> v1::Worker {
        let status = Some(sync::rpc_status(&tonic::Status::failed_precondition("5060 is taken")));
        v1::Worker {
            name: "workers/w1".into(),
            state: State::Connected.into(),
            applied_revision: 7,
            target_revision: 7,
            rejections: vec![v1::worker::Rejection { name: "lines/pbx".into(), revision: 7, status }],
            report: Some(v1::Report {
                calls: 3,
                cps: 1.5,
                lines: vec![v1::LineState {
                    name: "lines/um".into(),
                    state: v1::line_state::State::Listening.into(),
                    listeners: vec!["127.0.0.1:5070".into()],
                    ..Default::default()
                }],
                ..Default::default()
            }),
            ..Default::default()
        }
    }

    #[test]
    fn the_table_ends_with_what_is_rejected() {
        let text = listed(Form::Table, vec![worker()], 7).unwrap();
        let expected = "NAME  STATE      REVISION  TARGET  REJECTS  LINES  CALLS  CPS  SEEN\n\
                        w1    CONNECTED  7         7       1        1/1    3      1.5  -\n\
                        worker w1 rejects lines/pbx: 5060 is taken";
        assert_eq!(text, expected);
    }

    #[test]
    fn one_worker_is_shown_with_its_lines() {
        let text = in_full(&worker());
        assert!(text.contains("um LISTENING 127.0.0.1:5070, 0 calls"), "{text}");
        assert!(text.contains("revision 7 of 7"), "{text}");
    }

    #[test]
    fn a_draining_worker_says_so() {
        let mut worker = worker();
        worker.report.as_mut().unwrap().draining = true;
        assert_eq!(state(&worker), "DRAINING");
    }
}
