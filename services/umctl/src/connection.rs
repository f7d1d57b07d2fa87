//! The connection to the control plane: the standard methods of all kinds behind one envelope.

use std::time::Duration;

use tonic::transport::{Channel, Endpoint};
use um_topology::Kind;
use um_wire::v1::credential_service_client::CredentialServiceClient;
use um_wire::v1::line_service_client::LineServiceClient;
use um_wire::v1::proxy_list_service_client::ProxyListServiceClient;
use um_wire::v1::route_service_client::RouteServiceClient;
use um_wire::v1::routing_service_client::RoutingServiceClient;
use um_wire::v1::station_service_client::StationServiceClient;
use um_wire::v1::topology_service_client::TopologyServiceClient;
use um_wire::v1::user_service_client::UserServiceClient;
use um_wire::v1::worker_service_client::WorkerServiceClient;
use um_wire::{Kinded, v1};

use crate::failure::Failure;

/// A connection that is opened with the first request.
#[derive(Clone, Debug)]
pub(crate) struct Connection {
    channel: Channel,
}

/// Resources of one kind and the revision that they are a picture of.
#[derive(Clone, Debug, Default)]
pub(crate) struct Listed {
    pub(crate) resources: Vec<v1::Resource>,
    pub(crate) revision: i64,
}

impl Connection {
    /// Makes a connection to a server; `timeout` limits each request.
    ///
    /// # Errors
    ///
    /// The address is not a URL.
    pub(crate) fn new(server: &str, timeout: Duration) -> Result<Self, Failure> {
        let endpoint = Endpoint::from_shared(server.to_owned())
            .map_err(|error| Failure::Usage(format!("--server {server}: {error}")))?
            .connect_timeout(timeout.min(CONNECT_TIMEOUT))
            .timeout(timeout);
        Ok(Self { channel: endpoint.connect_lazy() })
    }

    pub(crate) fn topology(&self) -> TopologyServiceClient<Channel> {
        TopologyServiceClient::new(self.channel.clone()).max_decoding_message_size(MAX_MESSAGE)
    }

    pub(crate) fn routing(&self) -> RoutingServiceClient<Channel> {
        RoutingServiceClient::new(self.channel.clone()).max_decoding_message_size(MAX_MESSAGE)
    }

    pub(crate) fn workers(&self) -> WorkerServiceClient<Channel> {
        WorkerServiceClient::new(self.channel.clone()).max_decoding_message_size(MAX_MESSAGE)
    }

    fn lines(&self) -> LineServiceClient<Channel> {
        LineServiceClient::new(self.channel.clone()).max_decoding_message_size(MAX_MESSAGE)
    }

    fn proxy_lists(&self) -> ProxyListServiceClient<Channel> {
        ProxyListServiceClient::new(self.channel.clone()).max_decoding_message_size(MAX_MESSAGE)
    }

    fn stations(&self) -> StationServiceClient<Channel> {
        StationServiceClient::new(self.channel.clone()).max_decoding_message_size(MAX_MESSAGE)
    }

    fn users(&self) -> UserServiceClient<Channel> {
        UserServiceClient::new(self.channel.clone()).max_decoding_message_size(MAX_MESSAGE)
    }

    fn credentials(&self) -> CredentialServiceClient<Channel> {
        CredentialServiceClient::new(self.channel.clone()).max_decoding_message_size(MAX_MESSAGE)
    }

    fn routes(&self) -> RouteServiceClient<Channel> {
        RouteServiceClient::new(self.channel.clone()).max_decoding_message_size(MAX_MESSAGE)
    }

    /// Reads one resource.
    ///
    /// # Errors
    ///
    /// It does not exist, or the server does not answer.
    pub(crate) async fn get(&self, kind: Kind, name: String) -> Result<v1::Resource, Failure> {
        let read_mask = None;
        Ok(match kind {
            Kind::Line => inner(self.lines().get_line(v1::GetLineRequest { name, read_mask }).await)?,
            Kind::ProxyList => {
                inner(self.proxy_lists().get_proxy_list(v1::GetProxyListRequest { name, read_mask }).await)?
            }
            Kind::Station => {
                inner(self.stations().get_station(v1::GetStationRequest { name, read_mask }).await)?
            }
            Kind::User => inner(self.users().get_user(v1::GetUserRequest { name, read_mask }).await)?,
            Kind::Credential => {
                inner(self.credentials().get_credential(v1::GetCredentialRequest { name, read_mask }).await)?
            }
            Kind::Route => inner(self.routes().get_route(v1::GetRouteRequest { name, read_mask }).await)?,
            Kind::Settings => {
                inner(self.topology().get_settings(v1::GetSettingsRequest { read_mask }).await)?
            }
        })
    }

    /// Reads all resources of a kind.
    ///
    /// # Errors
    ///
    /// The server does not answer.
    pub(crate) async fn list(&self, kind: Kind) -> Result<Listed, Failure> {
        let mut listed = Listed::default();
        let mut page_token = String::new();
        loop {
            let (resources, next, revision) = self.page(kind, page_token).await?;
            listed.resources.extend(resources);
            listed.revision = revision;
            if next.is_empty() {
                return Ok(listed);
            }
            page_token = next;
        }
    }

    async fn page(
        &self,
        kind: Kind,
        page_token: String,
    ) -> Result<(Vec<v1::Resource>, String, i64), Failure> {
        let (page_size, read_mask) = (PAGE, None);
        Ok(match kind {
            Kind::Line => {
                let request = v1::ListLinesRequest { page_size, page_token, read_mask };
                let page = self.lines().list_lines(request).await?.into_inner();
                (envelopes(page.lines), page.next_page_token, page.revision)
            }
            Kind::ProxyList => {
                let request = v1::ListProxyListsRequest { page_size, page_token, read_mask };
                let page = self.proxy_lists().list_proxy_lists(request).await?.into_inner();
                (envelopes(page.proxy_lists), page.next_page_token, page.revision)
            }
            Kind::Station => {
                let request = v1::ListStationsRequest { page_size, page_token, read_mask };
                let page = self.stations().list_stations(request).await?.into_inner();
                (envelopes(page.stations), page.next_page_token, page.revision)
            }
            Kind::User => {
                let request = v1::ListUsersRequest { page_size, page_token, read_mask };
                let page = self.users().list_users(request).await?.into_inner();
                (envelopes(page.users), page.next_page_token, page.revision)
            }
            Kind::Credential => {
                let request = v1::ListCredentialsRequest { page_size, page_token, read_mask };
                let page = self.credentials().list_credentials(request).await?.into_inner();
                (envelopes(page.credentials), page.next_page_token, page.revision)
            }
            Kind::Route => {
                let request = v1::ListRoutesRequest { page_size, page_token, read_mask };
                let page = self.routes().list_routes(request).await?.into_inner();
                (envelopes(page.routes), page.next_page_token, page.revision)
            }
            Kind::Settings => {
                let answer = self.topology().get_settings(v1::GetSettingsRequest { read_mask }).await;
                match answer {
                    Ok(settings) => {
                        let settings = settings.into_inner();
                        let revision = settings.revision;
                        (envelopes(vec![settings]), String::new(), revision)
                    }
                    Err(status) if status.code() == tonic::Code::NotFound => (Vec::new(), String::new(), 0),
                    Err(status) => return Err(status.into()),
                }
            }
        })
    }

    /// Replaces one resource; its etag guards.
    ///
    /// # Errors
    ///
    /// The server refuses, or does not answer.
    pub(crate) async fn replace(&self, resource: v1::Resource) -> Result<v1::Resource, Failure> {
        use v1::resource::Spec;

        let update_mask = Some(prost_types::FieldMask { paths: vec!["*".to_owned()] });
        let request_id = request_id();
        let (allow_missing, validate_only) = (false, false);
        Ok(match resource.spec {
            Some(Spec::Line(line)) => {
                let line = Some(line);
                let request =
                    v1::UpdateLineRequest { line, update_mask, allow_missing, request_id, validate_only };
                inner(self.lines().update_line(request).await)?
            }
            Some(Spec::ProxyList(list)) => {
                let proxy_list = Some(list);
                inner(
                    self.proxy_lists()
                        .update_proxy_list(v1::UpdateProxyListRequest {
                            proxy_list,
                            update_mask,
                            allow_missing,
                            request_id,
                            validate_only,
                        })
                        .await,
                )?
            }
            Some(Spec::Station(station)) => {
                let station = Some(station);
                let request = v1::UpdateStationRequest {
                    station,
                    update_mask,
                    allow_missing,
                    request_id,
                    validate_only,
                };
                inner(self.stations().update_station(request).await)?
            }
            Some(Spec::User(user)) => {
                let user = Some(user);
                let request =
                    v1::UpdateUserRequest { user, update_mask, allow_missing, request_id, validate_only };
                inner(self.users().update_user(request).await)?
            }
            Some(Spec::Credential(credential)) => {
                let credential = Some(credential);
                let request = v1::UpdateCredentialRequest {
                    credential,
                    update_mask,
                    allow_missing,
                    request_id,
                    validate_only,
                };
                inner(self.credentials().update_credential(request).await)?
            }
            Some(Spec::Route(route)) => {
                let route = Some(route);
                let request =
                    v1::UpdateRouteRequest { route, update_mask, allow_missing, request_id, validate_only };
                inner(self.routes().update_route(request).await)?
            }
            Some(Spec::Settings(settings)) => {
                let settings = Some(settings);
                let request = v1::UpdateSettingsRequest { settings, update_mask, request_id, validate_only };
                inner(self.topology().update_settings(request).await)?
            }
            None => return Err(Failure::Other("there is nothing to write".to_owned())),
        })
    }

    /// Deletes one resource, or only checks that it could be.
    ///
    /// # Errors
    ///
    /// Something refers to it, it does not exist, or the server does not answer.
    pub(crate) async fn delete(&self, kind: Kind, wish: Deletion) -> Result<(), Failure> {
        let Deletion { name, etag, allow_missing, validate_only } = wish;
        let request_id = if validate_only { String::new() } else { request_id() };
        match kind {
            Kind::Line => {
                let request = v1::DeleteLineRequest { name, etag, allow_missing, request_id, validate_only };
                self.lines().delete_line(request).await?;
            }
            Kind::ProxyList => {
                let request =
                    v1::DeleteProxyListRequest { name, etag, allow_missing, request_id, validate_only };
                self.proxy_lists().delete_proxy_list(request).await?;
            }
            Kind::Station => {
                let request =
                    v1::DeleteStationRequest { name, etag, allow_missing, request_id, validate_only };
                self.stations().delete_station(request).await?;
            }
            Kind::User => {
                let request = v1::DeleteUserRequest { name, etag, allow_missing, request_id, validate_only };
                self.users().delete_user(request).await?;
            }
            Kind::Credential => {
                let request =
                    v1::DeleteCredentialRequest { name, etag, allow_missing, request_id, validate_only };
                self.credentials().delete_credential(request).await?;
            }
            Kind::Route => {
                let request = v1::DeleteRouteRequest { name, etag, allow_missing, request_id, validate_only };
                self.routes().delete_route(request).await?;
            }
            Kind::Settings => {
                return Err(Failure::Usage(
                    "the settings cannot be deleted, only emptied: umctl edit settings".to_owned(),
                ));
            }
        }
        Ok(())
    }

    /// Reads all workers, and the revision that they should run.
    ///
    /// # Errors
    ///
    /// The server does not answer.
    pub(crate) async fn list_workers(&self) -> Result<(Vec<v1::Worker>, i64), Failure> {
        let mut workers = Vec::new();
        let mut page_token = String::new();
        loop {
            let request = v1::ListWorkersRequest { page_size: PAGE, page_token };
            let page = self.workers().list_workers(request).await?.into_inner();
            workers.extend(page.workers);
            if page.next_page_token.is_empty() {
                return Ok((workers, page.revision));
            }
            page_token = page.next_page_token;
        }
    }
}

/// What to delete.
#[derive(Clone, Debug)]
pub(crate) struct Deletion {
    pub(crate) name: String,
    pub(crate) etag: String,
    pub(crate) allow_missing: bool,
    pub(crate) validate_only: bool,
}

/// Returns a new id that makes a request safe to repeat.
pub(crate) fn request_id() -> String {
    uuid::Uuid::new_v4().to_string()
}

fn inner<M: Into<v1::Resource>>(
    answer: Result<tonic::Response<M>, tonic::Status>,
) -> Result<v1::Resource, Failure> {
    Ok(answer?.into_inner().into())
}

fn envelopes<M: Kinded + Into<v1::Resource>>(messages: Vec<M>) -> Vec<v1::Resource> {
    messages.into_iter().map(Into::into).collect()
}

const PAGE: i32 = 500;
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const MAX_MESSAGE: usize = 16 << 20;
