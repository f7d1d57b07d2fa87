//! What every gRPC client may expect: reflection, health, fresh reads.

use tonic::Code;
use tonic_health::pb::{
    HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient,
};
use tonic_reflection::pb::v1::{
    ServerReflectionRequest, server_reflection_client::ServerReflectionClient,
    server_reflection_request::MessageRequest, server_reflection_response::MessageResponse,
};
use um_wire::v1;

use crate::fixture::{Fixture, eventually, refused};

pub(crate) async fn reflection_lists_the_services(fixture: &mut Fixture) {
    let mut client = ServerReflectionClient::new(fixture.control.channel.clone());
    let request = |message| ServerReflectionRequest { host: String::new(), message_request: Some(message) };
    let list = request(MessageRequest::ListServices(String::new()));
    let line = request(MessageRequest::FileContainingSymbol("um.v1.Line".into()));
    let stream = client.server_reflection_info(tokio_stream::iter([list, line])).await.unwrap();
    let mut stream = stream.into_inner();
    let answer = stream.message().await.unwrap().unwrap().message_response.unwrap();
    let MessageResponse::ListServicesResponse(list) = answer else { panic!("{answer:?}") };
    let names: Vec<String> = list.service.into_iter().map(|service| service.name).collect();
    for service in ["Line", "ProxyList", "Station", "User", "Topology", "Routing", "Worker"] {
        assert!(names.contains(&format!("um.v1.{service}Service")), "{service} in {names:?}");
    }
    assert!(names.contains(&"grpc.health.v1.Health".to_owned()), "{names:?}");
    let answer = stream.message().await.unwrap().unwrap().message_response.unwrap();
    assert!(matches!(answer, MessageResponse::FileDescriptorResponse(_)), "{answer:?}");
}

pub(crate) async fn health_tells_what_is_ready(fixture: &mut Fixture) {
    let client = HealthClient::new(fixture.control.channel.clone());
    for service in ["startup", "live", "ready", ""] {
        eventually(service, async || {
            let request = HealthCheckRequest { service: service.into() };
            let answer = client.clone().check(request).await;
            answer.is_ok_and(|answer| answer.into_inner().status() == ServingStatus::Serving)
        })
        .await;
    }
    let unknown = HealthCheckRequest { service: "other".into() };
    assert_eq!(client.clone().check(unknown).await.unwrap_err().code(), Code::NotFound);
}

pub(crate) async fn strong_reads_are_answered_by_the_store(fixture: &mut Fixture) {
    let created = fixture.control.create_user("dana", "2001").await;
    let mut request = tonic::Request::new(v1::GetUserRequest { name: "users/dana".into(), read_mask: None });
    request.metadata_mut().insert("um-consistency", "strong".parse().unwrap());
    assert_eq!(fixture.control.users.get_user(request).await.unwrap().into_inner(), created);
    let mut request = tonic::Request::new(v1::ListUsersRequest::default());
    request.metadata_mut().insert("um-consistency", "weak".parse().unwrap());
    refused(fixture.control.users.list_users(request).await, Code::InvalidArgument, "FIELD_INVALID");
}
