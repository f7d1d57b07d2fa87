//! The routing table: which row takes a call, and what is refused when it is written.

use tonic::Code;
use um_wire::v1;

use crate::{
    fixture::{Fixture, metadata, refused, wrong_fields},
    resources::{list, route},
};

async fn ask(fixture: &Fixture, request_uri: &str) -> v1::RouteExplanation {
    let request = v1::SimulateRouteRequest {
        line: "lines/um".into(),
        request_uri: request_uri.into(),
        from: "sip:5551234@pbx.example.com".into(),
        ..Default::default()
    };
    fixture.control.routing.clone().simulate_route(request).await.unwrap().into_inner()
}

pub(crate) async fn the_first_row_that_matches_takes_the_call(fixture: &mut Fixture) {
    fixture.control.apply_example().await;
    let nine = v1::Route { routes_to: Some("$1".into()), ..route("nine", 20, r"9(\d+)@.*", "out") };
    let first = v1::Route { enabled: Some(false), ..route("first", 10, ".*", "out") };
    let elsewhere = v1::ProxyList {
        entries: vec![v1::proxy_list::Entry {
            id: Some("gw".into()),
            address: Some("192.0.2.7".into()),
            ..Default::default()
        }],
        ..list("out", 0)
    };
    fixture.control.apply(vec![elsewhere.into(), nine.into(), first.into()]).await;
    let told = ask(fixture, "sip:95550100@gateway.example.com").await;
    let matched = told.matched.clone().unwrap();
    assert_eq!(
        [&*matched.route, &*matched.proxy_list, &*matched.line_out, &*matched.station],
        ["routes/nine", "proxyLists/out", "lines/um", ""]
    );
    assert_eq!(told.headers.unwrap().request_uri, "sip:5550100@192.0.2.7;transport=tcp");
    assert!(told.text.iter().any(|step| step.contains("nine")), "{:?}", told.text);
    let told = ask(fixture, "sip:2001@gateway.example.com").await;
    assert_eq!(told.matched.unwrap().user, "users/dana", "users come before the rows");
    let told = ask(fixture, "sip:77@gateway.example.com").await;
    assert_eq!(told.final_response.unwrap().code, 404);

    let routing = v1::settings::Routing { registration_has_priority: Some(false), ..Default::default() };
    let settings = v1::Settings { name: "settings".into(), routing: Some(routing), ..Default::default() };
    let all = route("all", 30, ".*", "out");
    fixture.control.apply(vec![settings.into(), all.into()]).await;
    let told = ask(fixture, "sip:2001@gateway.example.com").await;
    assert_eq!(told.matched.unwrap().route, "routes/all");
    let told = ask(fixture, "sip:6000@gateway.example.com").await;
    assert_eq!(told.matched.unwrap().station, "stations/vm", "a UM station comes before everything");
}

pub(crate) async fn rows_are_checked_when_they_are_written(fixture: &mut Fixture) {
    fixture.control.apply_example().await;
    let create = |id: &str, route: v1::Route| v1::CreateRouteRequest {
        route_id: id.into(),
        route: Some(route),
        ..Default::default()
    };
    let routes = &mut fixture.control.routes;
    let bad = v1::Route {
        position: None,
        from_regex: Some("(".into()),
        to_regex: Some(r"(a)\1".into()),
        ..route("bad", 1, "", "um")
    };
    let status =
        refused(routes.create_route(create("bad", bad)).await, Code::InvalidArgument, "FIELD_INVALID");
    assert_eq!(wrong_fields(&status), ["route.from_regex", "route.to_regex", "route.position"]);
    let group = v1::Route { routes_to: Some("$2".into()), ..route("bad", 1, "(.*)", "um") };
    let status =
        refused(routes.create_route(create("bad", group)).await, Code::InvalidArgument, "FIELD_INVALID");
    assert_eq!(wrong_fields(&status), ["route.routes_to"]);
    let missing = routes.create_route(create("a", route("a", 1, ".*", "none"))).await;
    refused(missing, Code::FailedPrecondition, "REFERENCE_MISSING");
    routes.create_route(create("a", route("a", 1, ".*", "um"))).await.unwrap();
    let taken = routes.create_route(create("b", route("b", 1, ".*", "um"))).await;
    let status = refused(taken, Code::AlreadyExists, "VALUE_TAKEN");
    assert_eq!(metadata(&status, "holder"), "routes/a");
    let delete = v1::DeleteProxyListRequest { name: "proxyLists/um".into(), ..Default::default() };
    refused(
        fixture.control.lists.delete_proxy_list(delete).await,
        Code::FailedPrecondition,
        "RESOURCE_IN_USE",
    );
}
