//! Records through every function and reads the exposition back; pushes to a collector of our own on loopback.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::{Config, InitError, Push, Service, Telemetry, init};
use crate::attribute::{
    CallOutcome, CallState, Direction, NackReason, ProbeOutcome, StoreOperation, StoreOutcome, TargetState,
    Transport,
};
use crate::catalogue::{self, Instrument, Shape};

const MOMENT: Duration = Duration::from_millis(30);

fn config(service: Service) -> Config {
    Config { service, instance: "one".to_owned(), version: "9.9.9", logs: None, push: None }
}

fn started() -> Telemetry {
    init(&config(Service::Worker)).expect("nothing to refuse")
}

fn record_everything(telemetry: &Telemetry) {
    let worker = telemetry.worker_metrics();
    worker.config_revision(7);
    worker.messages(Direction::In, Transport::Udp, 3);
    worker.retransmissions(Direction::In, 1);
    worker.parse_errors("start_line", 1);
    worker.shed("INVITE", "waited", 1);
    worker.signalling_lag(MOMENT, false);
    worker.transactions(2);
    worker.calls_active("um", CallState::Established, 1);
    worker.call_attempt("um", CallOutcome::Answered, 200);
    worker.call_setup("um", CallOutcome::Answered, MOMENT);
    worker.call_duration("um", CallOutcome::Answered, MOMENT);
    worker.failover("um", "no_response");
    worker.call_rejected("um", "unknown_user");
    worker.target_state("um", "um1", TargetState::Down);
    worker.target_attempt("um", "um1", CallOutcome::Failed);
    worker.target_calls("um", "um1", 1);
    worker.target_probe("um", "um1", ProbeOutcome::Alive, MOMENT);
    worker.rtp_packets(Direction::Out, "um", 50);
    worker.rtp_discarded(Direction::In, "um", 1);
    worker.rtp_ports("127.0.0.1", 4, 10_000);
    worker.draining(false);

    let control = telemetry.control_metrics();
    control.rpc("um.v1.LineService/GetLine", "OK", MOMENT);
    control.subscribers("worker", 1);
    control.resync("compacted");
    control.config_revision(7);
    control.convergence(MOMENT);
    control.config_nack("lines", NackReason::PortTaken);
    control.store_request("embedded", StoreOperation::Commit, StoreOutcome::Ok, MOMENT);
    control.store_conflict("embedded");
    control.store_reconnect("embedded");
    control.cache_age("embedded", MOMENT);
    control.store_size("embedded", 4_096);
}

/// Prometheus name of an instrument by the rule of the design: dots to underscores, unit, `_total`.
fn prometheus_name(row: &Instrument) -> String {
    let unit = match row.unit {
        "s" => "_seconds",
        "By" => "_bytes",
        _ => "",
    };
    let total = if row.shape == Shape::Counter { "_total" } else { "" };
    format!("{}{unit}{total}", row.name.replace('.', "_"))
}

/// Sample names with the label names that they carry.
fn samples(text: &str) -> BTreeMap<String, BTreeSet<String>> {
    let mut found = BTreeMap::<String, BTreeSet<String>>::new();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let (series, _value) = line.rsplit_once(' ').expect("name, blank, value");
        let (name, labels) = series.split_once('{').unwrap_or((series, "}"));
        let labels = labels.trim_end_matches('}').split("\",").filter(|label| !label.is_empty());
        let labels = labels.map(|label| label.split('=').next().expect("one part at least").to_owned());
        found.entry(name.to_owned()).or_default().extend(labels.filter(|label| label != "le"));
    }
    found
}

#[test]
fn every_instrument_is_recorded_with_exactly_its_attributes() {
    let telemetry = started();
    record_everything(&telemetry);
    let found = samples(&telemetry.scrape().text().expect("text"));
    for row in catalogue::ALL {
        let name = prometheus_name(row);
        let sample = match row.shape {
            Shape::Histogram(_) => format!("{name}_count"),
            Shape::Counter | Shape::UpDown | Shape::Gauge => name,
        };
        let labels = found.get(&sample).unwrap_or_else(|| panic!("{sample} is not exposed"));
        let wanted = row.attributes.iter().map(|key| key.replace('.', "_")).collect::<BTreeSet<_>>();
        assert_eq!(*labels, wanted, "{}", row.name);
    }
}

#[test]
fn exposition_names_units_and_buckets_the_prometheus_way() {
    let telemetry = started();
    record_everything(&telemetry);
    let text = telemetry.scrape().text().expect("text");
    for wanted in [
        "# TYPE um_calls_setup_duration_seconds histogram",
        "um_calls_setup_duration_seconds_bucket{outcome=\"answered\",um_line=\"um\",le=\"0.025\"} 0",
        "um_calls_setup_duration_seconds_bucket{outcome=\"answered\",um_line=\"um\",le=\"0.05\"} 1",
        "um_calls_setup_duration_seconds_bucket{outcome=\"answered\",um_line=\"um\",le=\"+Inf\"} 1",
        "# TYPE um_calls_attempts_total counter",
        "um_calls_attempts_total{outcome=\"answered\",sip_status_code=\"200\",um_line=\"um\"} 1",
        "# TYPE um_calls_active gauge",
        "um_store_db_size_bytes{backend=\"embedded\"} 4096",
        "um_target_state{state=\"down\",um_entry=\"um1\",um_proxy_list=\"um\"} 1",
        "um_target_state{state=\"up\",um_entry=\"um1\",um_proxy_list=\"um\"} 0",
        "target_info{service_instance_id=\"one\",service_name=\"um-worker\",service_version=\"9.9.9\"} 1",
    ] {
        assert!(text.lines().any(|line| line == wanted), "{wanted:?} is missing in\n{text}");
    }
}

#[test]
fn each_metric_has_one_type_line() {
    let telemetry = started();
    record_everything(&telemetry);
    let text = telemetry.scrape().text().expect("text");
    let types = text.lines().filter(|line| line.starts_with("# TYPE ")).collect::<Vec<_>>();
    assert_eq!(types.len(), types.iter().collect::<BTreeSet<_>>().len(), "a metric is split in two");
    assert!(types.len() > catalogue::ALL.len(), "the catalogue and target_info");
}

#[test]
fn a_new_target_state_clears_the_old_one() {
    let telemetry = started();
    let worker = telemetry.worker_metrics();
    worker.target_state("um", "um1", TargetState::Down);
    worker.target_state("um", "um1", TargetState::Probing);
    let text = telemetry.scrape().text().expect("text");
    let current = text.lines().filter(|line| line.starts_with("um_target_state{") && line.ends_with(" 1"));
    assert_eq!(
        current.collect::<Vec<_>>(),
        ["um_target_state{state=\"probing\",um_entry=\"um1\",um_proxy_list=\"um\"} 1"]
    );
}

#[test]
fn names_in_the_catalogue_are_dotted_lower_case_and_stand_once() {
    let mut seen = BTreeSet::new();
    for row in catalogue::ALL {
        assert!(seen.insert(row.name), "{} stands twice", row.name);
        assert!(row.name.contains('.') && !row.name.ends_with("total"), "{}", row.name);
        assert!(row.name.chars().all(|c| c.is_ascii_lowercase() || c == '.' || c == '_'), "{}", row.name);
        if let Shape::Histogram(limits) = row.shape {
            assert!(limits.is_sorted_by(|a, b| a < b), "{}", row.name);
        }
    }
}

#[test]
fn two_in_one_process_do_not_mix() {
    let (first, second) = (started(), started());
    first.worker_metrics().draining(true);
    assert!(first.scrape().text().expect("text").contains("um_worker_draining 1"));
    assert!(!second.scrape().text().expect("text").contains("um_worker_draining"));
}

#[test]
fn an_endpoint_that_cannot_be_used_is_refused_by_name() {
    for endpoint in ["collector:4317", "https://collector:4317", ""] {
        let push = Push { endpoint: endpoint.to_owned(), interval: Duration::from_secs(60) };
        let refused = init(&Config { push: Some(push), ..config(Service::Control) });
        assert!(matches!(refused, Err(InitError::Endpoint { endpoint: named, .. }) if named == endpoint));
    }
}

#[test]
fn a_filter_that_does_not_parse_is_refused() {
    let logs = crate::Logs { format: crate::LogFormat::Text, filter: "um_worker=loud".to_owned() };
    let refused = init(&Config { logs: Some(logs), ..config(Service::Worker) });
    assert!(matches!(refused, Err(InitError::Filter { .. })));
}
