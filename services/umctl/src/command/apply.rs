//! `apply` and `diff`: the manifests go to the server as they are, which says what it does or would do with each.

use indicatif::ProgressBar;
use prost::Message;
use um_wire::v1;
use um_wire::v1::apply_result::Action;

use super::{no_such_form, programmed};
use crate::config::{Apply, Diff, Files, Form};
use crate::connection::{Connection, request_id};
use crate::failure::{Failure, explain};
use crate::manifest::{self, Item, Manifest};
use crate::{duration, json, output};

/// Applies manifests.
///
/// # Errors
///
/// Manifests that cannot be read, a refusal, or with `--wait` a worker that does not run them in time.
pub(crate) async fn run(
    connection: &Connection,
    form: Option<Form>,
    arguments: &Apply,
) -> Result<(), Failure> {
    let manifest = manifest::read(&arguments.files.files)?;
    let (prune, atomic) = (arguments.files.prune, arguments.atomic);
    let batches = batches(manifest, if prune || atomic { usize::MAX } else { MAX_ITEMS });
    if batches.len() > 1 && (prune || atomic) {
        return Err(Failure::Usage(
            "so many resources do not fit one request, which --prune and --atomic need".to_owned(),
        ));
    }
    let bar = progress(batches.iter().map(|batch| batch.items.len()).sum());
    let mut applied = v1::ApplyResponse::default();
    for batch in &batches {
        let mut request = request(batch, &arguments.files);
        request.validate_only = arguments.dry_run;
        request.atomic = atomic;
        request.request_id = request_id();
        let answer = connection.topology().apply(request).await;
        let answer = answer.map_err(|status| Failure::from(status).about(batch))?.into_inner();
        bar.inc(u64::try_from(batch.items.len()).unwrap_or(0));
        applied.results.extend(answer.results);
        applied.revision = answer.revision;
    }
    bar.finish_and_clear();
    show(form, &applied, |result| result_line(result, arguments.dry_run))?;
    refused(&applied, &batches)?;
    if arguments.wait && !arguments.dry_run {
        programmed::wait(connection, &applied, arguments.wait_timeout).await?;
    }
    Ok(())
}

/// Shows what apply would change.
///
/// # Errors
///
/// As of [`run`]; [`Failure::Different`] where there is a difference.
pub(crate) async fn diff(
    connection: &Connection,
    form: Option<Form>,
    arguments: &Diff,
) -> Result<(), Failure> {
    let manifest = manifest::read(&arguments.files.files)?;
    let batches = batches(manifest, usize::MAX);
    if batches.len() > 1 {
        return Err(Failure::Usage(
            "so many resources do not fit one request; diff them in parts".to_owned(),
        ));
    }
    let mut compared = v1::ApplyResponse::default();
    for batch in &batches {
        let answer = connection.topology().diff(request(batch, &arguments.files)).await;
        let answer = answer.map_err(|status| Failure::from(status).about(batch))?.into_inner();
        compared.results.extend(answer.results);
        compared.revision = answer.revision;
    }
    show(form, &compared, difference)?;
    refused(&compared, &batches)?;
    let different = compared.results.iter().any(|result| result.action() != Action::Unchanged);
    if different { Err(Failure::Different) } else { Ok(()) }
}

fn request(batch: &Manifest, files: &Files) -> v1::ApplyRequest {
    v1::ApplyRequest {
        resources: batch.resources().cloned().collect(),
        manager: files.manager.clone(),
        prune: files.prune,
        force: files.force,
        ..v1::ApplyRequest::default()
    }
}

/// Cuts manifests into requests of bounded size. More than one are in an order in which each can stand.
fn batches(manifest: Manifest, max_items: usize) -> Vec<Manifest> {
    let size = |item: &Item| item.resource.encoded_len() + 8;
    let all = manifest.items.iter().map(size).sum::<usize>();
    if all <= MAX_BATCH && manifest.items.len() <= max_items {
        return vec![manifest];
    }
    let mut items = manifest.items;
    items.sort_by_key(|item| item.resource.kind());
    let mut batches = vec![Manifest::default()];
    let (mut filled, mut count) = (0, 0);
    for item in items {
        let size = size(&item);
        if filled + size > MAX_BATCH || count == max_items {
            batches.push(Manifest::default());
            (filled, count) = (0, 0);
        }
        (filled, count) = (filled + size, count + 1);
        if let Some(batch) = batches.last_mut() {
            batch.items.push(item);
        }
    }
    batches
}

fn show(
    form: Option<Form>,
    response: &v1::ApplyResponse,
    line: impl Fn(&v1::ApplyResult) -> String,
) -> Result<(), Failure> {
    match form {
        None | Some(Form::Table | Form::Wide) => {
            let lines: Vec<_> = response.results.iter().map(line).filter(|line| !line.is_empty()).collect();
            if lines.is_empty() { Ok(()) } else { output::line(&lines.join("\n")) }
        }
        Some(Form::Name) => {
            let changed = response.results.iter().filter(|result| result.action() != Action::Unchanged);
            let names: Vec<_> = changed.map(|result| result.name.as_str()).collect();
            if names.is_empty() { Ok(()) } else { output::line(&names.join("\n")) }
        }
        Some(Form::Json) => output::line(&json::text("ApplyResponse", response)?),
        Some(form @ (Form::Yaml | Form::Tree)) => Err(no_such_form(form, "apply and diff")),
    }
}

fn result_line(result: &v1::ApplyResult, dry_run: bool) -> String {
    let done = word(result.action());
    format!("{} {done}{}", result.name, if dry_run { " (dry run)" } else { "" })
}

/// Writes one resource of a diff: a sign, the name, and below it the fields.
fn difference(result: &v1::ApplyResult) -> String {
    let sign = match result.action() {
        Action::Unchanged => return String::new(),
        Action::Created => '+',
        Action::Deleted => '-',
        Action::Updated => '~',
        Action::Conflict | Action::Failed | Action::Unspecified => '!',
    };
    let mut text = format!("{sign} {}", result.name);
    for field in &result.diff {
        let (before, after) = (readable(&field.before), readable(&field.after));
        let change = match (before.as_str(), after.as_str()) {
            ("", after) => format!("+ {}: {after}", field.path),
            (before, "") => format!("- {}: {before}", field.path),
            (before, after) => format!("~ {}: {before} -> {after}", field.path),
        };
        text.push_str("\n    ");
        text.push_str(&change);
    }
    text
}

/// Writes a JSON value as a manifest has it: `"7.500s"`, protobuf's form of a duration, as `7500ms`.
fn readable(json: &str) -> String {
    let inner = json.strip_prefix('"').and_then(|rest| rest.strip_suffix("s\""));
    let seconds = inner.filter(|inner| inner.bytes().all(|b| b.is_ascii_digit() || b == b'.'));
    match seconds.and_then(|seconds| duration::parse(&format!("{seconds}s")).ok()) {
        Some(time) => duration::format(time),
        None => json.to_owned(),
    }
}

const fn word(action: Action) -> &'static str {
    match action {
        Action::Created => "created",
        Action::Updated => "updated",
        Action::Unchanged => "unchanged",
        Action::Deleted => "deleted",
        Action::Conflict => "in conflict",
        Action::Failed => "refused",
        Action::Unspecified => "unknown",
    }
}

/// Fails when the server refused single resources, and says why for each.
fn refused(response: &v1::ApplyResponse, batches: &[Manifest]) -> Result<(), Failure> {
    let mut reasons = Vec::new();
    let mut conflict_only = true;
    for result in &response.results {
        match result.action() {
            Action::Failed => conflict_only = false,
            Action::Conflict => {}
            Action::Created | Action::Updated | Action::Unchanged | Action::Deleted | Action::Unspecified => {
                continue;
            }
        }
        let manifest =
            batches.iter().find(|batch| batch.resources().any(|resource| resource.name() == result.name));
        let why = result.status.as_ref().map(|status| explain(&grpc_status(status), manifest));
        reasons.push(format!("{}: {}", result.name, why.unwrap_or_else(|| word(result.action()).to_owned())));
    }
    match reasons.is_empty() {
        true => Ok(()),
        false if conflict_only => Err(Failure::Conflict(reasons.join("\n"))),
        false => Err(Failure::Other(reasons.join("\n"))),
    }
}

/// Returns the gRPC status that an embedded one stands for.
pub(super) fn grpc_status(status: &tonic_types::Status) -> tonic::Status {
    let details = status.encode_to_vec().into();
    tonic::Status::with_details(tonic::Code::from(status.code), status.message.clone(), details)
}

/// Shows how far it is, where there is much to do and somebody watches.
fn progress(total: usize) -> ProgressBar {
    if total < LARGE {
        return ProgressBar::hidden();
    }
    ProgressBar::new(u64::try_from(total).unwrap_or(0))
}

/// Bytes of one request; the server takes 4 MiB.
const MAX_BATCH: usize = 3 << 20;
/// Resources of one request, so that each is answered in its time and the bar moves.
const MAX_ITEMS: usize = 500;
const LARGE: usize = 1_000;

#[cfg(test)]
mod tests {
    use um_wire::sync;

    use super::*;

    fn result(action: Action, diff: &[(&str, &str, &str)]) -> v1::ApplyResult {
        let diff = diff.iter().map(|(path, before, after)| v1::FieldDiff {
            path: (*path).to_owned(),
            before: (*before).to_owned(),
            after: (*after).to_owned(),
        });
        v1::ApplyResult {
            name: "lines/a".into(),
            action: action.into(),
            diff: diff.collect(),
            status: Some(sync::rpc_status(&tonic::Status::aborted("managed by ops"))),
        }
    }

    #[test]
    fn a_difference_shows_each_field_with_before_and_after() {
        let fields = [("t1", "", "1"), ("t2", "1", ""), ("t3", "1", "2")];
        let text = difference(&result(Action::Updated, &fields));
        assert_eq!(text, "~ lines/a\n    + t1: 1\n    - t2: 1\n    ~ t3: 1 -> 2");
        assert_eq!(difference(&result(Action::Unchanged, &[])), "");
        let durations = difference(&result(Action::Updated, &[("timeout", "\"7.500s\"", "\"8s\"")]));
        assert_eq!(durations, "~ lines/a\n    ~ timeout: 7500ms -> 8s");
    }

    #[test]
    fn conflicts_alone_end_with_4_and_refusals_with_1() {
        let of = |actions: &[Action]| {
            let results = actions.iter().map(|action| result(*action, &[])).collect();
            refused(&v1::ApplyResponse { results, revision: 1 }, &[])
        };
        assert!(of(&[Action::Created, Action::Unchanged]).is_ok());
        let conflict = of(&[Action::Conflict]).unwrap_err();
        assert_eq!((conflict.exit_code(), conflict.to_string().as_str()), (4, "lines/a: managed by ops"));
        assert_eq!(of(&[Action::Conflict, Action::Failed]).unwrap_err().exit_code(), 1);
    }

    #[test]
    fn large_manifests_become_several_requests_with_references_first() {
        let mut text = String::new();
        for index in 0..200 {
            text.push_str(&format!(
                "kind: User\nname: u{index}\nextension: \"{index}\"\ndescription: {}\n---\n",
                "x".repeat(30_000)
            ));
        }
        text.push_str("kind: ProxyList\nname: um\nentries: [{id: a, address: 127.0.0.1}]\n");
        let manifest = manifest::parse("users.yaml", &text).unwrap();
        assert!(batches(manifest.clone(), 50).iter().all(|batch| batch.items.len() <= 50));
        let batches = batches(manifest, usize::MAX);
        assert_eq!(batches.iter().map(|batch| batch.items.len()).sum::<usize>(), 201);
        assert!(batches.len() > 1);
        assert_eq!(batches[0].items[0].resource.name(), "proxyLists/um");
        for batch in &batches {
            assert!(request(batch, &files()).encoded_len() < 4 << 20);
        }
    }

    fn files() -> Files {
        Files { files: Vec::new(), manager: "umctl".into(), prune: false, force: false }
    }
}
