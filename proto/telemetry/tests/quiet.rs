//! Without a push nobody wants spans, so none is made, whatever the log filter says.

use um_telemetry::{Config, LogFormat, Logs, Service, init, spans};

#[test]
fn no_span_is_made_where_none_is_pushed() {
    let config = Config {
        service: Service::Worker,
        instance: "one".to_owned(),
        version: "9.9.9",
        logs: Some(Logs { format: LogFormat::Text, filter: "trace".to_owned() }),
        push: None,
    };
    let telemetry = init(&config).expect("nothing to refuse");
    let begun = spans::SetUp {
        line: "um",
        call_id: "a@b",
        peer: std::net::SocketAddr::from(([127, 0, 0, 1], 5060)),
        transport: um_telemetry::Transport::Udp,
        revision: 7,
    };
    assert!(spans::set_up(&"c1", &begun).is_disabled());
    assert!(!tracing::info_span!("another").is_disabled(), "only those of the catalogue are kept out");
    telemetry.shutdown();
}
