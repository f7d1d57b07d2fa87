//! Waiting until every connected worker runs what was applied.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use tonic::Code;
use um_wire::v1;
use um_wire::v1::apply_result::Action;
use um_wire::v1::worker::State;

use crate::connection::Connection;
use crate::failure::{Failure, explain};
use crate::{clock, duration, kind, output};

/// Waits until every connected worker has answered the revision, and none rejects what was applied.
///
/// # Errors
///
/// A worker rejects something, or time is over.
pub(crate) async fn wait(
    connection: &Connection,
    applied: &v1::ApplyResponse,
    limit: Duration,
) -> Result<(), Failure> {
    let begun = clock::instant();
    let bar = ProgressBar::new_spinner().with_style(style());
    loop {
        let view = match connection.list_workers().await {
            Ok((workers, target)) => Some(View::of(&workers, target, applied)),
            // The control plane may be away for a moment; the workers are not.
            Err(Failure::Server(refusal)) if refusal.status.code() == Code::Unavailable => None,
            Err(failure) => return Err(failure),
        };
        let what = match &view {
            Some(view) if view.is_done() => {
                bar.finish_and_clear();
                return view.verdict();
            }
            Some(view) => view.progress(),
            None => "the control plane does not answer".to_owned(),
        };
        if clock::instant().duration_since(begun) >= limit {
            bar.finish_and_clear();
            return Err(Failure::Check(format!("not in force after {}: {what}", duration::format(limit))));
        }
        bar.set_message(what);
        bar.tick();
        tokio::time::sleep(POLL).await;
    }
}

/// How far the workers are.
struct View {
    revision: i64,
    connected: usize,
    behind: Vec<String>,
    rejections: Vec<String>,
}

impl View {
    fn of(workers: &[v1::Worker], target: i64, applied: &v1::ApplyResponse) -> Self {
        let changed = |result: &&v1::ApplyResult| {
            matches!(result.action(), Action::Created | Action::Updated | Action::Deleted)
        };
        // Where nothing changed, the revision of the store says nothing about the topology.
        let revision =
            if applied.results.iter().any(|result| changed(&result)) { applied.revision } else { target };
        let connected = workers.iter().filter(|worker| worker.state() == State::Connected);
        let mut view = Self { revision, connected: 0, behind: Vec::new(), rejections: Vec::new() };
        for worker in connected {
            view.connected += 1;
            let id = kind::bare_id(&worker.name);
            if worker.applied_revision < revision {
                view.behind.push(id.to_owned());
            }
            let ours = worker
                .rejections
                .iter()
                .filter(|rejection| applied.results.iter().any(|result| result.name == rejection.name));
            view.rejections.extend(ours.map(|rejection| rejection_line(id, rejection)));
        }
        view
    }

    fn is_done(&self) -> bool {
        self.connected > 0 && self.behind.is_empty()
    }

    fn progress(&self) -> String {
        if self.connected == 0 {
            return "no worker is connected".to_owned();
        }
        format!("{} of {} workers still to go: {}", self.behind.len(), self.connected, self.behind.join(", "))
    }

    fn verdict(&self) -> Result<(), Failure> {
        if !self.rejections.is_empty() {
            return Err(Failure::Check(self.rejections.join("\n")));
        }
        output::remark(&format!("in force in {} worker(s) at revision {}", self.connected, self.revision));
        Ok(())
    }
}

/// Writes what a worker rejects and why.
pub(super) fn rejection_line(worker: &str, rejection: &v1::worker::Rejection) -> String {
    let why = rejection.status.as_ref().map(|status| explain(&super::apply::grpc_status(status), None));
    format!("worker {worker} rejects {}: {}", rejection.name, why.unwrap_or_default())
}

fn style() -> ProgressStyle {
    ProgressStyle::with_template("{spinner} {elapsed} {wide_msg}")
        .unwrap_or_else(|_| ProgressStyle::default_spinner())
}

const POLL: Duration = Duration::from_millis(200);

#[cfg(test)]
mod tests {
    use um_wire::sync;

    use super::*;

    fn applied(action: Action, revision: i64) -> v1::ApplyResponse {
        let result =
            v1::ApplyResult { name: "lines/a".into(), action: action.into(), ..v1::ApplyResult::default() };
        v1::ApplyResponse { results: vec![result], revision }
    }

    fn worker(id: &str, state: State, applied_revision: i64) -> v1::Worker {
        v1::Worker {
            name: format!("workers/{id}"),
            state: state.into(),
            applied_revision,
            ..v1::Worker::default()
        }
    }

    #[test]
    fn every_connected_worker_must_have_answered_the_revision() {
        let workers = [
            worker("w1", State::Connected, 7),
            worker("w2", State::Connected, 6),
            worker("w3", State::Disconnected, 1),
        ];
        let view = View::of(&workers, 7, &applied(Action::Updated, 7));
        assert_eq!((view.is_done(), view.progress().as_str()), (false, "1 of 2 workers still to go: w2"));
        assert!(View::of(&workers[..1], 7, &applied(Action::Updated, 7)).is_done());
        assert!(!View::of(&[], 7, &applied(Action::Updated, 7)).is_done());
    }

    #[test]
    fn where_nothing_changed_the_topologys_own_revision_counts() {
        let workers = [worker("w1", State::Connected, 7)];
        assert!(View::of(&workers, 7, &applied(Action::Unchanged, 12)).is_done());
    }

    #[test]
    fn a_rejection_of_what_was_applied_is_a_failed_check() {
        let mut worker = worker("w1", State::Connected, 7);
        let status = Some(sync::rpc_status(&tonic::Status::failed_precondition("5060 is taken")));
        worker.rejections = vec![v1::worker::Rejection { name: "lines/a".into(), revision: 7, status }];
        let failure = View::of(&[worker.clone()], 7, &applied(Action::Updated, 7)).verdict().unwrap_err();
        assert_eq!(failure.exit_code(), 6);
        assert_eq!(failure.to_string(), "worker w1 rejects lines/a: 5060 is taken");

        worker.rejections[0].name = "lines/other".into();
        assert!(View::of(&[worker], 7, &applied(Action::Updated, 7)).rejections.is_empty());
    }
}
