//! `describe`: one resource with what follows from it, what control says of it, who refers to it, what workers do.

use std::fmt::Write as _;

use um_topology::Kind;
use um_wire::v1;
use um_wire::v1::resource::Spec;

use super::delete::in_use;
use super::programmed::rejection_line;
use super::workers::line_state;
use crate::config::One;
use crate::connection::{Connection, Deletion};
use crate::failure::Failure;
use crate::{clock, duration, kind, manifest, output, table};

/// Shows everything about a resource.
///
/// # Errors
///
/// It does not exist, or the server does not answer.
pub(crate) async fn run(connection: &Connection, one: &One) -> Result<(), Failure> {
    let kind = kind::parse(&one.kind)?;
    let resource = connection.get(kind, kind::full_name(kind, &one.id)).await?;
    let mut text = manifest::write(&resource)?;
    if let Some(spec) = &resource.spec {
        text.push_str(&effective(spec)?);
        text.push_str(&observed(spec));
    }
    text.push_str(&referents(connection, kind, resource.name()).await?);
    let (workers, _) = connection.list_workers().await?;
    text.push_str(&in_workers(resource.name(), &workers));
    output::line(&text)
}

/// Writes the values that hold where the manifest is silent.
fn effective(spec: &Spec) -> Result<String, Failure> {
    match spec {
        Spec::Line(line) => {
            let Some(transport) = &line.effective_transport else { return Ok(String::new()) };
            let transport = v1::Line { transport: Some(transport.clone()), ..v1::Line::default() };
            let mut text = format!("\nEffective transport:\n{}", fields(&transport.into())?);
            if line.effective_session.is_some() {
                let session = v1::Line { session: line.effective_session, ..v1::Line::default() };
                let _ = write!(text, "\nEffective session:\n{}", fields(&session.into())?);
            }
            Ok(text)
        }
        Spec::Station(station) => station.effective.as_ref().map_or_else(|| Ok(String::new()), of_station),
        Spec::Credential(credential) => {
            let word = if credential.has_password { "stored, sealed" } else { "none" };
            Ok(format!("\nPassword: {word}\n"))
        }
        Spec::ProxyList(_) | Spec::User(_) | Spec::Route(_) | Spec::Settings(_) => Ok(String::new()),
    }
}

fn of_station(effective: &v1::station::Effective) -> Result<String, Failure> {
    let shown = v1::Station { session: effective.session, ..v1::Station::default() };
    let mut session = fields(&shown.into())?;
    for (field, origin) in [
        ("session_timeout", &effective.session_timeout_origin),
        ("media_timing", &effective.media_timing_origin),
        ("media_reinvite_timing", &effective.media_reinvite_timing_origin),
    ] {
        let marked = session.lines().map(|line| match line.trim_start().split_once(':') {
            Some((name, _)) if name == field => format!("{line} (from {origin})\n"),
            Some(_) | None => format!("{line}\n"),
        });
        session = marked.collect();
    }
    Ok(format!(
        "\nEffective:\n  contact_line: {} (from {})\n  use_proxy: {} (from {})\n{session}",
        kind::bare_id(&effective.contact_line),
        effective.contact_line_origin,
        effective.use_proxy,
        effective.use_proxy_origin
    ))
}

/// Returns the lines of the one message field that a resource has, without the field's own.
fn fields(resource: &v1::Resource) -> Result<String, Failure> {
    let shown = manifest::write(resource)?;
    Ok(shown.lines().filter(|line| line.starts_with("  ")).map(|line| format!("{line}\n")).collect())
}

/// Writes what the server keeps and says.
fn observed(spec: &Spec) -> String {
    let outputs = table::Outputs::of(spec);
    let ago = |time| clock::age(time).map(|age| format!("{} ago", duration::rough(age)));
    let mut text = format!(
        "\nRevision {}, created {}, changed {}, uid {}\n",
        outputs.revision,
        ago(outputs.create_time).unwrap_or_else(|| "at an unknown time".to_owned()),
        ago(outputs.update_time).unwrap_or_else(|| "at an unknown time".to_owned()),
        outputs.uid
    );
    if !outputs.conditions.is_empty() {
        text.push_str("\nConditions:\n");
    }
    for condition in outputs.conditions {
        let message =
            if condition.message.is_empty() { String::new() } else { format!(": {}", condition.message) };
        // Writing to a String cannot fail.
        let _ = writeln!(text, "  {} {}{message}", condition.r#type, table::status(condition));
    }
    text
}

/// Writes who refers to a resource. A deletion that is only checked tells it.
async fn referents(connection: &Connection, kind: Kind, name: &str) -> Result<String, Failure> {
    if matches!(kind, Kind::User | Kind::Route | Kind::Settings) {
        return Ok(String::new());
    }
    let check =
        Deletion { name: name.to_owned(), etag: String::new(), allow_missing: false, validate_only: true };
    match connection.delete(kind, check).await {
        Ok(()) => Ok("\nReferred to by nothing\n".to_owned()),
        Err(failure) => match in_use(&failure) {
            Some(users) => Ok(format!("\nReferred to by {users}\n")),
            None => Err(failure),
        },
    }
}

/// Writes what each connected worker does with a resource.
fn in_workers(name: &str, workers: &[v1::Worker]) -> String {
    let mut text = String::new();
    for worker in workers {
        let id = kind::bare_id(&worker.name);
        for rejection in worker.rejections.iter().filter(|rejection| rejection.name == name) {
            let _ = writeln!(text, "  {}", rejection_line(id, rejection));
        }
        let Some(report) = &worker.report else { continue };
        for line in report.lines.iter().filter(|line| line.name == name) {
            let _ = writeln!(text, "  {id}: {}", line_state(line));
        }
        for target in report.health.iter().filter(|target| target.proxy_list == name) {
            let calls = target.calls;
            let _ =
                writeln!(text, "  {id}: {} {}, {calls} calls", target.entry, target.state().as_str_name());
        }
    }
    if text.is_empty() { text } else { format!("\nIn the workers:\n{text}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn workers_that_reject_a_line_or_probe_a_list_are_shown() {
        let report = v1::Report {
            health: vec![v1::TargetHealth {
                proxy_list: "proxyLists/um".into(),
                entry: "um1".into(),
                state: v1::target_state::Value::Down.into(),
                calls: 2,
                ..Default::default()
            }],
            lines: vec![v1::LineState {
                name: "lines/pbx".into(),
                state: v1::line_state::State::Listening.into(),
                listeners: vec!["127.0.0.1:5060".into()],
                ..Default::default()
            }],
            ..Default::default()
        };
        let worker = v1::Worker { name: "workers/w1".into(), report: Some(report), ..Default::default() };
        let workers = [worker];
        assert_eq!(in_workers("proxyLists/um", &workers), "\nIn the workers:\n  w1: um1 DOWN, 2 calls\n");
        assert!(in_workers("lines/pbx", &workers).contains("LISTENING 127.0.0.1:5060"));
        assert_eq!(in_workers("lines/other", &workers), "");
    }

    #[test]
    fn effective_values_of_a_line_are_shown_as_fields() {
        let transport = v1::line::LineTransport { receive_port: Some(5060), ..Default::default() };
        let line = v1::Line { effective_transport: Some(transport), ..Default::default() };
        let text = effective(&Spec::Line(line)).unwrap();
        assert_eq!(text, "\nEffective transport:\n  receive_port: 5060\n");
    }

    #[test]
    fn session_values_of_a_station_are_shown_with_their_origin() {
        let session = v1::station::Session {
            session_timeout: Some(prost_types::Duration { seconds: 90, nanos: 0 }),
            ..Default::default()
        };
        let effective = v1::station::Effective {
            session: Some(session),
            session_timeout_origin: "line".into(),
            ..Default::default()
        };
        let text = of_station(&effective).unwrap();
        assert!(text.ends_with("  session_timeout: 90s (from line)\n"), "{text}");
    }
}
