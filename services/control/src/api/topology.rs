//! `TopologyService`: many resources at once, in and out.

use std::{collections::BTreeMap, sync::Arc};

use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status};
use um_topology::{Kind, Name};
use um_wire::{
    resource::kind_from_proto,
    sync::rpc_status,
    v1::{self, apply_result::Action as WireAction, topology_service_server::TopologyService},
};

use super::{Api, actor, field_of, refuse, reply, request_id, watch};
use crate::{
    clock,
    error::ApiError,
    publisher::Published,
    stored::Shared,
    writer::{Action, Resolved, Wish, Write, fingerprint},
};

/// Resources of one message of an export.
const CHUNK: usize = 500;
/// Messages that wait for a slow reader.
const QUEUE: usize = 8;
/// Longest name of a manager.
const MAX_MANAGER: usize = 63;
/// The manager of an Apply that names none.
const DEFAULT_MANAGER: &str = "umctl";

#[tonic::async_trait]
impl TopologyService for Api {
    type ExportStream = ReceiverStream<Result<v1::ExportResponse, Status>>;
    type WatchStream = watch::Stream;

    async fn apply(&self, request: Request<v1::ApplyRequest>) -> Result<Response<v1::ApplyResponse>, Status> {
        self.apply_all(request, "TopologyService.apply", false).await
    }

    async fn diff(&self, request: Request<v1::ApplyRequest>) -> Result<Response<v1::ApplyResponse>, Status> {
        self.apply_all(request, "TopologyService.diff", true).await
    }

    async fn export(
        &self,
        request: Request<v1::ExportRequest>,
    ) -> Result<Response<Self::ExportStream>, Status> {
        let published = self.read(&request).await?;
        let mut kinds = Vec::new();
        for (at, number) in request.get_ref().kinds.iter().enumerate() {
            let kind = v1::resource::Kind::try_from(*number).ok().and_then(kind_from_proto);
            kinds.push(kind.ok_or_else(|| ApiError::field(format!("kinds[{at}]"), "is not a kind"))?);
        }
        let (sender, receiver) = mpsc::channel(QUEUE);
        tokio::spawn(export(Arc::clone(&published), kinds, sender));
        Ok(reply(ReceiverStream::new(receiver), &published))
    }

    async fn watch(&self, request: Request<v1::WatchRequest>) -> Result<Response<Self::WatchStream>, Status> {
        let stream = watch::start(self, request.into_inner()).await?;
        Ok(reply(stream, &*self.publisher.current()?))
    }

    async fn get_settings(
        &self,
        request: Request<v1::GetSettingsRequest>,
    ) -> Result<Response<v1::Settings>, Status> {
        Ok(self.settings(request).await?)
    }

    async fn update_settings(
        &self,
        request: Request<v1::UpdateSettingsRequest>,
    ) -> Result<Response<v1::Settings>, Status> {
        self.change_settings(request).await.map_err(refuse(Kind::Settings))
    }
}

impl Api {
    async fn apply_all(
        &self,
        request: Request<v1::ApplyRequest>,
        method: &'static str,
        dry: bool,
    ) -> Result<Response<v1::ApplyResponse>, Status> {
        let mut actor = actor(&request, method);
        let message = request.into_inner();
        let (wishes, fields) = wishes(&message)?;
        actor.manager = manager_of(&message)?.to_owned();
        let write = Write {
            wishes,
            request_id: request_id(&message.request_id)?,
            fingerprint: fingerprint(&message),
            validate_only: dry || message.validate_only,
            atomic: message.atomic,
            if_revision: message.if_revision,
            actor,
        };
        let written = self.writer.write(&write).await;
        let path =
            |name: &Name| fields.get(name).map_or_else(|| format!("{name}."), |field| format!("{field}."));
        let written = written.map_err(|error| error.into_status_with(path))?;
        let results = written.results.iter().map(|resolved| result(resolved, &path)).collect();
        let response = v1::ApplyResponse { results, revision: written.revision };
        let published = self.publisher.current()?;
        let age = published.stale_for(clock::now()).filter(|_| write.validate_only);
        Ok(super::reply_at(response, written.revision, age))
    }
}

/// The wishes of an Apply, and for each resource its field in the request.
fn wishes(message: &v1::ApplyRequest) -> Result<(Vec<Wish>, BTreeMap<Name, String>), ApiError> {
    let manager = manager_of(message)?;
    let mut wishes = Vec::with_capacity(message.resources.len() + 1);
    let mut fields = BTreeMap::new();
    let mut wrong = Vec::new();
    for (at, resource) in message.resources.iter().enumerate() {
        let Some(kind) = resource.kind() else {
            wrong.push(um_topology::FieldViolation::new(
                format!("resources[{at}]"),
                "is of no kind that is known here",
            ));
            continue;
        };
        let field = format!("resources[{at}].{}", field_of(kind));
        let text =
            if kind == Kind::Settings && resource.name().is_empty() { "settings" } else { resource.name() };
        match super::name_of(kind, text, &format!("{field}.name")) {
            Ok(name) => {
                if let Some(earlier) = fields.insert(name.clone(), field.clone()) {
                    let message = format!("{name} is given twice, first as {earlier}");
                    wrong.push(um_topology::FieldViolation::new(format!("{field}.name"), message));
                }
                let (resource, manager) = (resource.clone(), manager.to_owned());
                wishes.push(Wish::Apply { name, resource, manager, force: message.force });
            }
            Err(ApiError::Fields(violations)) => wrong.extend(violations),
            Err(error) => return Err(error),
        }
    }
    if !wrong.is_empty() {
        return Err(ApiError::Fields(wrong));
    }
    if message.prune {
        wishes.push(Wish::Prune { manager: manager.to_owned() });
    }
    Ok((wishes, fields))
}

fn manager_of(message: &v1::ApplyRequest) -> Result<&str, ApiError> {
    match message.manager.len() {
        0 => Ok(DEFAULT_MANAGER),
        1..=MAX_MANAGER => Ok(&message.manager),
        _ => Err(ApiError::field("manager", format!("must have at most {MAX_MANAGER} characters"))),
    }
}

fn result(resolved: &Resolved, path: &impl Fn(&Name) -> String) -> v1::ApplyResult {
    let (action, status) = match &resolved.action {
        Action::Created => (WireAction::Created, None),
        Action::Updated => (WireAction::Updated, None),
        Action::Unchanged => (WireAction::Unchanged, None),
        Action::Deleted => (WireAction::Deleted, None),
        Action::Conflict { manager } => {
            let text =
                format!("{} is managed by `{manager}`; apply with force to take it over", resolved.name);
            (WireAction::Conflict, Some(rpc_status(&Status::aborted(text))))
        }
        Action::Failed { error } => {
            (WireAction::Failed, Some(rpc_status(&error.as_ref().clone().into_status_with(path))))
        }
    };
    let written = |stored: &Shared| stored.written.clone();
    let (before, after) = (resolved.before.as_ref().map(written), resolved.after.as_ref().map(written));
    let mut diff = match resolved.action {
        Action::Created | Action::Updated => um_wire::diff::fields(before.as_ref(), after.as_ref()),
        Action::Unchanged | Action::Deleted | Action::Conflict { .. } | Action::Failed { .. } => Vec::new(),
    };
    let secrets = (resolved.before.as_ref(), resolved.after.as_ref());
    if let (Some(before), Some(after)) = secrets
        && before.secret() != after.secret()
    {
        // That it differs, not what it is.
        let path = "password".to_owned();
        diff.push(v1::FieldDiff { path, before: HIDDEN.to_owned(), after: HIDDEN.to_owned() });
    }
    v1::ApplyResult { name: resolved.name.to_string(), action: action.into(), diff, status }
}

/// Stands for a secret, as JSON.
const HIDDEN: &str = "\"(hidden)\"";

/// Sends everything of some kinds (none given: all) in the order in which it can be applied.
async fn export(
    published: Arc<Published>,
    kinds: Vec<Kind>,
    sender: mpsc::Sender<Result<v1::ExportResponse, Status>>,
) {
    let wanted = Kind::ALL.into_iter().filter(|kind| kinds.is_empty() || kinds.contains(kind));
    let all: Vec<Shared> = wanted.flat_map(|kind| published.picture.of_kind(kind, None).cloned()).collect();
    // An empty export is one empty message, so that its revision is told.
    let chunks = all.chunks(CHUNK).map(<[Shared]>::to_vec).chain(all.is_empty().then(Vec::new));
    let chunks: Vec<Vec<Shared>> = chunks.collect();
    for chunk in chunks {
        let resources = chunk.iter().map(|stored| stored.written.clone()).collect();
        let response = v1::ExportResponse { revision: published.picture.revision, resources };
        if sender.send(Ok(response)).await.is_err() {
            return;
        }
    }
}
