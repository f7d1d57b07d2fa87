//! The five standard methods, written once and given to each kind.

use prost_types::FieldMask;
use tonic::{Request, Response, Status};
use um_topology::{Kind, Name};
use um_wire::{Kinded, v1};

use super::{Api, actor, name_of, project, refuse, reply, reply_at, request_id};
use crate::{
    clock,
    conditions::decorate,
    error::ApiError,
    publisher::Published,
    snapshots::PageToken,
    stored::Stored,
    writer::{Resolved, Wish, Write, fingerprint},
};

/// Items of a page when nothing is said, and at most.
const PAGE: (usize, usize) = (100, 1000);

/// The parts of a write that all kinds and methods share.
struct Common<'a> {
    request_id: &'a str,
    fingerprint: Vec<u8>,
    validate_only: bool,
    method: &'static str,
}

impl Api {
    async fn get<K>(
        &self,
        request: &Request<()>,
        name: &str,
        read_mask: Option<&FieldMask>,
    ) -> Result<Response<K>, ApiError>
    where
        K: Kinded + TryFrom<v1::Resource>,
    {
        let name = name_of(K::KIND, name, "name")?;
        let published = self.read(request).await?;
        let stored = published.picture.get(&name).ok_or_else(|| ApiError::NotFound(name.to_string()))?;
        Ok(reply(project(self.show(stored, &published)?, read_mask)?, &published))
    }

    async fn list<K>(
        &self,
        request: &Request<()>,
        page_size: i32,
        page_token: &str,
        read_mask: Option<&FieldMask>,
    ) -> Result<(Response<Vec<K>>, String), ApiError>
    where
        K: Kinded + TryFrom<v1::Resource>,
    {
        let size = page_size_of(page_size)?;
        let (published, after) = if page_token.is_empty() {
            (self.read(request).await?, None)
        } else {
            let token = PageToken::decode(page_token, K::KIND.collection())?;
            (self.snapshots.find(token.revision)?, Some(token.after))
        };
        let mut rest = published.picture.of_kind(K::KIND, after.as_deref()).peekable();
        let mut items = Vec::with_capacity(size.min(128));
        let mut last = None;
        while items.len() < size
            && let Some(stored) = rest.next()
        {
            items.push(project(self.show(stored, &published)?, read_mask)?);
            last = Some(stored);
        }
        let next = match (rest.peek(), last) {
            (Some(_), Some(last)) => {
                self.snapshots.keep(&published);
                PageToken { revision: published.picture.revision, after: last.name.to_string() }.encode()
            }
            (_, _) => String::new(),
        };
        Ok((reply(items, &published), next))
    }

    async fn create<K>(
        &self,
        request: &Request<()>,
        id: &str,
        resource: Option<K>,
        common: Common<'_>,
    ) -> Result<Response<K>, ApiError>
    where
        K: Kinded + TryFrom<v1::Resource> + Into<v1::Resource>,
    {
        let id_field = format!("{}_id", super::field_of(K::KIND));
        if id.is_empty() {
            return Err(ApiError::field(id_field, "is required"));
        }
        let name = Name::new(K::KIND, id);
        if !name.id.is_valid_for(K::KIND) {
            return Err(ApiError::field(
                id_field,
                "must be 1 to 64 of a-z, 0-9, `.`, `_`, `-`, beginning and ending with a letter or digit",
            ));
        }
        let resource = resource.ok_or_else(|| ApiError::field(super::field_of(K::KIND), "is required"))?;
        if !resource.name().is_empty() && resource.name() != name.to_string() {
            let field = format!("{}.name", super::field_of(K::KIND));
            return Err(ApiError::field(field, format!("must be empty or {name}")));
        }
        self.write_one(request, Wish::Create { name, resource: resource.into() }, common).await
    }

    async fn update<K>(
        &self,
        request: &Request<()>,
        resource: Option<K>,
        mask: Option<FieldMask>,
        allow_missing: bool,
        common: Common<'_>,
    ) -> Result<Response<K>, ApiError>
    where
        K: Kinded + TryFrom<v1::Resource> + Into<v1::Resource>,
    {
        let field = super::field_of(K::KIND);
        let resource = resource.ok_or_else(|| ApiError::field(field, "is required"))?;
        let name = match K::KIND {
            Kind::Settings => Name::settings(),
            Kind::ProxyList | Kind::Credential | Kind::Line | Kind::Station | Kind::User | Kind::Route => {
                name_of(K::KIND, resource.name(), &format!("{field}.name"))?
            }
        };
        self.write_one(request, Wish::Update { name, resource: resource.into(), mask, allow_missing }, common)
            .await
    }

    async fn delete(
        &self,
        request: &Request<()>,
        kind: Kind,
        name: &str,
        etag: &str,
        allow_missing: bool,
        common: Common<'_>,
    ) -> Result<Response<()>, ApiError> {
        let name = name_of(kind, name, "name")?;
        let wish = Wish::Delete { name, etag: etag.to_owned(), allow_missing };
        let (_, revision) = self.commit_one(request, wish, common).await?;
        Ok(reply_at((), revision, None))
    }

    async fn write_one<K>(
        &self,
        request: &Request<()>,
        wish: Wish,
        common: Common<'_>,
    ) -> Result<Response<K>, ApiError>
    where
        K: Kinded + TryFrom<v1::Resource>,
    {
        let validate_only = common.validate_only;
        let (result, revision) = self.commit_one(request, wish, common).await?;
        let after = result.after.ok_or_else(|| ApiError::NotFound(result.name.to_string()))?;
        let published = self.publisher.current()?;
        let age = published.stale_for(clock::now()).filter(|_| validate_only);
        Ok(reply_at(self.show(&after, &published)?, revision, age))
    }

    async fn commit_one(
        &self,
        request: &Request<()>,
        wish: Wish,
        common: Common<'_>,
    ) -> Result<(Resolved, i64), ApiError> {
        let write = Write {
            wishes: vec![wish],
            request_id: request_id(common.request_id)?,
            fingerprint: common.fingerprint,
            validate_only: common.validate_only,
            atomic: true,
            if_revision: 0,
            actor: actor(request, common.method),
        };
        let written = self.writer.write(&write).await?;
        let result = written.results.into_iter().next();
        let result =
            result.ok_or_else(|| ApiError::Internal("a write of one resource had no result".to_owned()))?;
        Ok((result, written.revision))
    }

    fn show<K: Kinded + TryFrom<v1::Resource>>(
        &self,
        stored: &Stored,
        published: &Published,
    ) -> Result<K, ApiError> {
        K::try_from(decorate(stored, &published.picture.topology, &self.fleet))
            .map_err(|_| ApiError::Internal(format!("{} is stored as another kind", stored.name)))
    }
}

/// Reads a page size.
pub(super) fn page_size_of(asked: i32) -> Result<usize, ApiError> {
    match usize::try_from(asked) {
        Ok(0) => Ok(PAGE.0),
        Ok(size) => Ok(size.min(PAGE.1)),
        Err(_) => Err(ApiError::field("page_size", "must not be negative")),
    }
}

/// Splits a request into what the shared methods look at and the message.
fn split<T>(request: Request<T>) -> (Request<()>, T) {
    let (metadata, extensions, message) = request.into_parts();
    (Request::from_parts(metadata, extensions, ()), message)
}

macro_rules! standard_methods {
    (
        $service:ident in $module:ident, $kind:ident, $field:ident, $items:ident,
        $get:ident($get_request:ident), $list:ident($list_request:ident) -> $list_response:ident,
        $create:ident($create_request:ident: $id:ident), $update:ident($update_request:ident), $delete:ident($delete_request:ident)
    ) => {
        #[tonic::async_trait]
        impl v1::$module::$service for Api {
            async fn $get(&self, request: Request<v1::$get_request>) -> Result<Response<v1::$kind>, Status> {
                let (request, message) = split(request);
                Ok(self.get(&request, &message.name, message.read_mask.as_ref()).await?)
            }

            async fn $list(
                &self,
                request: Request<v1::$list_request>,
            ) -> Result<Response<v1::$list_response>, Status> {
                let (request, message) = split(request);
                let page = self
                    .list(&request, message.page_size, &message.page_token, message.read_mask.as_ref())
                    .await?;
                let (response, next_page_token) = page;
                let (metadata, items, extensions) = response.into_parts();
                let revision = metadata
                    .get("um-revision")
                    .and_then(|v| v.to_str().ok()?.parse().ok())
                    .unwrap_or_default();
                let list = v1::$list_response { $items: items, next_page_token, revision };
                Ok(Response::from_parts(metadata, list, extensions))
            }

            async fn $create(
                &self,
                request: Request<v1::$create_request>,
            ) -> Result<Response<v1::$kind>, Status> {
                let (request, message) = split(request);
                let common = Common {
                    fingerprint: fingerprint(&message),
                    request_id: &message.request_id,
                    validate_only: message.validate_only,
                    method: concat!(stringify!($service), ".", stringify!($create)),
                };
                self.create(&request, &message.$id, message.$field.clone(), common)
                    .await
                    .map_err(refuse(Kind::$kind))
            }

            async fn $update(
                &self,
                request: Request<v1::$update_request>,
            ) -> Result<Response<v1::$kind>, Status> {
                let (request, message) = split(request);
                let common = Common {
                    fingerprint: fingerprint(&message),
                    request_id: &message.request_id,
                    validate_only: message.validate_only,
                    method: concat!(stringify!($service), ".", stringify!($update)),
                };
                let (resource, mask) = (message.$field.clone(), message.update_mask.clone());
                self.update(&request, resource, mask, message.allow_missing, common)
                    .await
                    .map_err(refuse(Kind::$kind))
            }

            async fn $delete(&self, request: Request<v1::$delete_request>) -> Result<Response<()>, Status> {
                let (request, message) = split(request);
                let common = Common {
                    fingerprint: fingerprint(&message),
                    request_id: &message.request_id,
                    validate_only: message.validate_only,
                    method: concat!(stringify!($service), ".", stringify!($delete)),
                };
                self.delete(
                    &request,
                    Kind::$kind,
                    &message.name,
                    &message.etag,
                    message.allow_missing,
                    common,
                )
                .await
                .map_err(refuse(Kind::$kind))
            }
        }
    };
}

standard_methods!(
    LineService in line_service_server, Line, line, lines,
    get_line(GetLineRequest), list_lines(ListLinesRequest) -> ListLinesResponse,
    create_line(CreateLineRequest: line_id), update_line(UpdateLineRequest), delete_line(DeleteLineRequest)
);
standard_methods!(
    ProxyListService in proxy_list_service_server, ProxyList, proxy_list, proxy_lists,
    get_proxy_list(GetProxyListRequest), list_proxy_lists(ListProxyListsRequest) -> ListProxyListsResponse,
    create_proxy_list(CreateProxyListRequest: proxy_list_id), update_proxy_list(UpdateProxyListRequest), delete_proxy_list(DeleteProxyListRequest)
);
standard_methods!(
    StationService in station_service_server, Station, station, stations,
    get_station(GetStationRequest), list_stations(ListStationsRequest) -> ListStationsResponse,
    create_station(CreateStationRequest: station_id), update_station(UpdateStationRequest), delete_station(DeleteStationRequest)
);
standard_methods!(
    UserService in user_service_server, User, user, users,
    get_user(GetUserRequest), list_users(ListUsersRequest) -> ListUsersResponse,
    create_user(CreateUserRequest: user_id), update_user(UpdateUserRequest), delete_user(DeleteUserRequest)
);

standard_methods!(
    CredentialService in credential_service_server, Credential, credential, credentials,
    get_credential(GetCredentialRequest), list_credentials(ListCredentialsRequest) -> ListCredentialsResponse,
    create_credential(CreateCredentialRequest: credential_id), update_credential(UpdateCredentialRequest), delete_credential(DeleteCredentialRequest)
);
standard_methods!(
    RouteService in route_service_server, Route, route, routes,
    get_route(GetRouteRequest), list_routes(ListRoutesRequest) -> ListRoutesResponse,
    create_route(CreateRouteRequest: route_id), update_route(UpdateRouteRequest), delete_route(DeleteRouteRequest)
);

impl Api {
    /// Reads the settings; before anybody wrote any they are empty.
    pub(super) async fn settings(
        &self,
        request: Request<v1::GetSettingsRequest>,
    ) -> Result<Response<v1::Settings>, ApiError> {
        let (request, message) = split(request);
        let published = self.read(&request).await?;
        let settings = match published.picture.get(&Name::settings()) {
            Some(stored) => self.show(stored, &published)?,
            None => v1::Settings { name: Name::settings().to_string(), ..Default::default() },
        };
        Ok(reply(project(settings, message.read_mask.as_ref())?, &published))
    }

    /// Changes the settings, which need not have been written before.
    pub(super) async fn change_settings(
        &self,
        request: Request<v1::UpdateSettingsRequest>,
    ) -> Result<Response<v1::Settings>, ApiError> {
        let (request, message) = split(request);
        let common = Common {
            fingerprint: fingerprint(&message),
            request_id: &message.request_id,
            validate_only: message.validate_only,
            method: "TopologyService.update_settings",
        };
        self.update(&request, message.settings.clone(), message.update_mask.clone(), true, common).await
    }
}
