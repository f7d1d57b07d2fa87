//! SimulateRoute: what would happen to a call, and why.

use tonic::Code;
use um_wire::v1::{self, route_explanation::target::Why, target_state::Value};

use crate::{
    fixture::{Fixture, eventually, refused},
    resources::{apply, example, line},
    worker::Worker,
};

fn call(request_uri: &str) -> v1::SimulateRouteRequest {
    v1::SimulateRouteRequest {
        line: "lines/um".into(),
        request_uri: request_uri.into(),
        from: "\"Lee\" <sip:2002@pbx.example.com>".into(),
        diversion: vec!["<sip:2001@pbx.example.com>;reason=no-answer".into()],
        ..Default::default()
    }
}

async fn ask(fixture: &Fixture, request: v1::SimulateRouteRequest) -> v1::RouteExplanation {
    fixture.control.routing.clone().simulate_route(request).await.unwrap().into_inner()
}

/// Targets in the order of tries, with why each stands where it stands.
fn tried(told: &v1::RouteExplanation) -> Vec<(&str, u32, Why)> {
    told.targets.iter().map(|target| (target.entry.as_str(), target.order, target.why())).collect()
}

pub(crate) async fn the_choice_is_explained(fixture: &mut Fixture) {
    let revision = fixture.control.apply_example().await.revision;
    let told = ask(fixture, call("sip:2001@gateway.example.com")).await;
    let matched = told.matched.clone().unwrap();
    assert_eq!(
        [&*matched.line, &*matched.line_out, &*matched.station, &*matched.user, &*matched.proxy_list],
        ["lines/um", "lines/um", "stations/vm", "users/dana", "proxyLists/um"]
    );
    assert_eq!((told.topology_revision, told.rejected_by.clone()), (revision, None));
    assert_eq!(tried(&told), [("um1", 1, Why::Up), ("um2", 2, Why::Up)]);
    assert!(told.text.len() >= 3 && told.targets.iter().all(|target| !target.text.is_empty()));
    let headers = told.headers.unwrap();
    assert!(headers.diversion.contains("2001"), "{headers:?}");
    assert!(headers.from.contains("2002"), "{headers:?}");
    assert_eq!(told.timers.unwrap().attempt_timeout.unwrap().seconds, 2);
    // The only line that takes calls from anybody need not be named.
    let unnamed = v1::SimulateRouteRequest { line: String::new(), ..call("sip:2001@x") };
    assert_eq!(ask(fixture, unnamed).await.matched.unwrap().line, "lines/um");
}

pub(crate) async fn an_assumed_state_moves_a_target_back(fixture: &mut Fixture) {
    fixture.control.apply_example().await;
    let with = |states: &[(&str, Value)]| v1::SimulateRouteRequest {
        assume_state: states.iter().map(|(target, state)| ((*target).to_owned(), (*state).into())).collect(),
        ..call("sip:2001@x")
    };
    let told = ask(fixture, with(&[("um/um1", Value::Down)])).await;
    assert_eq!(tried(&told)[0], ("um2", 1, Why::Up));
    let um1 = told.targets.iter().find(|target| target.entry == "um1").unwrap();
    assert_eq!(um1.why(), Why::Down);
    let told = ask(fixture, with(&[("um/um1", Value::Suspect), ("proxyLists/um/um2", Value::Up)])).await;
    assert_eq!(tried(&told), [("um2", 1, Why::Up), ("um1", 2, Why::Suspect)]);
    let bad = with(&[("um/um1", Value::Unspecified)]);
    let answer = fixture.control.routing.simulate_route(bad).await;
    refused(answer, Code::InvalidArgument, "FIELD_INVALID");
}

pub(crate) async fn nobody_is_not_found(fixture: &mut Fixture) {
    fixture.control.apply_example().await;
    let told = ask(fixture, v1::SimulateRouteRequest { diversion: vec![], ..call("sip:7777@x") }).await;
    let response = told.final_response.unwrap();
    assert_eq!((response.code, told.targets.len()), (404, 0));
    assert!(told.headers.is_none() && told.timers.is_none());
    let rejected = told.rejected_by.unwrap();
    assert_eq!((&*rejected.stage, rejected.reason.is_empty()), ("called", false));
    for (request, code, reason) in [
        (
            v1::SimulateRouteRequest { request_uri: String::new(), ..call("") },
            Code::InvalidArgument,
            "FIELD_INVALID",
        ),
        (
            v1::SimulateRouteRequest { source: "here".into(), ..call("sip:1@x") },
            Code::InvalidArgument,
            "FIELD_INVALID",
        ),
        (
            v1::SimulateRouteRequest { line: "lines/no".into(), ..call("sip:1@x") },
            Code::NotFound,
            "RESOURCE_NOT_FOUND",
        ),
        (
            v1::SimulateRouteRequest { worker: "workers/no".into(), ..call("sip:1@x") },
            Code::NotFound,
            "RESOURCE_NOT_FOUND",
        ),
        (call("mailto:x"), Code::InvalidArgument, "FIELD_INVALID"),
    ] {
        refused(fixture.control.routing.simulate_route(request).await, code, reason);
    }
}

pub(crate) async fn a_source_that_is_not_admitted_is_refused(fixture: &mut Fixture) {
    let access = v1::line::Access { allow: vec!["10.0.0.0/8".into()], deny: vec!["10.9.0.0/16".into()] };
    let mut resources = example();
    let um = v1::Line { proxy_list: Some("proxyLists/um".into()), access: Some(access), ..line("um", 5060) };
    resources[2] = um.into();
    fixture.control.topology.apply(apply(resources)).await.unwrap();
    for (source, code) in [("10.1.2.3", None), ("10.9.0.1", Some(403)), ("192.0.2.1", Some(403))] {
        let request = v1::SimulateRouteRequest { source: source.into(), ..call("sip:2001@x") };
        let told = ask(fixture, request).await;
        assert_eq!(told.final_response.map(|response| response.code), code, "{source}");
        let stage = told.rejected_by.map(|rejected| rejected.stage);
        assert_eq!(stage.as_deref(), code.map(|_| "source"), "{source}");
    }
}

pub(crate) async fn reported_states_count(fixture: &mut Fixture) {
    fixture.control.apply_example().await;
    let mut worker = Worker::connect(&fixture.control, "workers/a", None).await;
    worker.acknowledge().await;
    let health = |entry: &str, state: Value| v1::TargetHealth {
        proxy_list: "proxyLists/um".into(),
        entry: entry.into(),
        state: state.into(),
        calls: 3,
        ..Default::default()
    };
    let health = vec![health("um1", Value::Down), health("um2", Value::Up)];
    worker.report(v1::Report { health, calls: 3, ..Default::default() }).await;
    eventually("the report counts", async || {
        let told = ask(fixture, call("sip:2001@x")).await;
        told.targets.first().is_some_and(|target| target.entry == "um2" && target.calls == 3)
    })
    .await;
    let of_worker = v1::SimulateRouteRequest { worker: "workers/a".into(), ..call("sip:2001@x") };
    assert_eq!(tried(&ask(fixture, of_worker).await)[0].0, "um2");
    let get = v1::GetProxyListRequest { name: "proxyLists/um".into(), read_mask: None };
    let list = fixture.control.lists.get_proxy_list(get).await.unwrap().into_inner();
    let healthy = crate::resources::condition(&list.conditions, "Healthy");
    assert_eq!((healthy.status(), &*healthy.reason), (v1::condition::Status::True, "SomeDown"));
}
