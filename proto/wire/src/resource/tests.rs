//! Every kind, filled in full, to the model and back; and what cannot be read, by its path.

use prost_types::Duration;

use super::*;
use crate::v1::{line, proxy_list, settings, station, user};

fn seconds(seconds: i64) -> Option<Duration> {
    Some(Duration { seconds, nanos: 0 })
}

fn line() -> v1::Line {
    v1::Line {
        name: "lines/um-plain".into(),
        display_name: "UM".into(),
        description: "towards UM".into(),
        labels: [("site".to_owned(), "north".to_owned())].into(),
        annotations: [("note".to_owned(), "x".to_owned())].into(),
        active: Some(false),
        usage: Some(line::Usage::Um.into()),
        domain: Some("pbx.example.com".into()),
        limits: Some(line::Limits {
            max_calls: Some(1),
            max_calls_in: Some(2),
            max_calls_out: Some(3),
            max_cps: Some(4),
        }),
        transport: Some(line::LineTransport {
            protocol: Some(v1::transport::Protocol::Tcp.into()),
            audio: Some(line::line_transport::Audio::Rtp.into()),
            bind_address: Some("10.1.0.0/16".into()),
            advertised_address: Some("2001:db8::1".into()),
            receive_port: Some(5070),
            connect_timer: seconds(2),
            t1: Some(Duration { seconds: 0, nanos: 500_000_000 }),
            t2: seconds(1),
            max_packet_retry: Some(4),
            max_invite_retry: Some(3),
            retryable_codes: Some("503,500-510 , 505-520".into()),
            profile: Some(line::line_transport::Profile::FastFailover.into()),
            reinvite_delay: Some(Duration { seconds: 0, nanos: 750_000_000 }),
        }),
        access: Some(line::Access {
            allow: vec!["10.0.0.0/8".into(), "192.0.2.1".into()],
            deny: vec!["::/0".into()],
        }),
        proxy_list: Some("proxyLists/um".into()),
        authentication: Some(line::Authentication {
            outbound_credentials: vec!["credentials/um".into(), "credentials/any".into()],
        }),
        session: Some(line::LineSession {
            media_timing: Some(v1::media_timing::Value::Normal.into()),
            media_reinvite_timing: Some(v1::media_timing::Value::Normal.into()),
            session_timeout: seconds(90),
            answer_timeout: seconds(120),
            hold_mode: Some(line::line_session::HoldMode::Forward.into()),
        }),
        transfer_mode: Some(line::TransferMode::Pass.into()),
        fax_protocol: Some(line::FaxProtocol::G711Passthrough.into()),
        ..Default::default()
    }
}

fn proxy_list() -> v1::ProxyList {
    v1::ProxyList {
        name: "proxyLists/um".into(),
        strategy: Some(proxy_list::Strategy::Hash.into()),
        hash_on: Some(proxy_list::HashOn::Mailbox.into()),
        protocol: Some(v1::transport::Protocol::Udp.into()),
        timeout: seconds(7),
        failover_budget: seconds(12),
        attempt_timeout: seconds(2),
        entries: vec![proxy_list::Entry {
            id: Some("um1".into()),
            address: Some("um1.example.com".into()),
            port: Some(5060),
            transport: Some(v1::transport::Protocol::Tcp.into()),
            priority: Some(0),
            weight: Some(0),
            max_calls: Some(100),
            active: Some(false),
            health: Some(proxy_list::Health {
                options_interval: seconds(10),
                options_timeout: seconds(2),
                fall: Some(3),
                rise: Some(2),
                dead_codes: Some("408, 500-599".into()),
                passive_fall: Some(1),
            }),
        }],
        ..Default::default()
    }
}

fn station() -> v1::Station {
    v1::Station {
        name: "stations/voicemail".into(),
        r#type: Some(station::Type::UnifiedMessaging.into()),
        um_provider: Some(station::UmProvider::Generic.into()),
        extension: Some("6000".into()),
        active: Some(true),
        identification_address: Some(station::IdentificationAddress {
            user: Some("6000".into()),
            host: Some("um.example.com".into()),
            port: Some(5061),
            uri: None,
            user_only: Some(true),
        }),
        connection_address: Some(station::ConnectionAddress {
            uri: Some("sip:6000@um.example.com:5060".into()),
            ..Default::default()
        }),
        contact_line: Some("lines/um-plain".into()),
        extension_prefix: Some("8".into()),
        transport: Some(station::StationTransport { use_proxy: Some(false) }),
        session: Some(station::Session {
            disable_media_passthrough: Some(false),
            session_timeout: seconds(60),
            warm_down: seconds(5),
            media_timing: Some(v1::media_timing::Value::Delayed.into()),
            media_reinvite_timing: Some(v1::media_timing::Value::Normal.into()),
        }),
        authentication: Some("credentials/um".into()),
        mailbox_pick: Some(station::MailboxPick::First.into()),
        pass_unknown_diversion: Some(false),
        ..Default::default()
    }
}

fn user() -> v1::User {
    v1::User {
        name: "users/Lee@example.com".into(),
        extension: Some("2002".into()),
        um: Some(user::Um {
            destination: Some("stations/voicemail".into()),
            address_mode: Some(user::um::AddressMode::Other.into()),
            address: Some("sip:lee@example.com".into()),
        }),
        aliases: vec!["+12025550102".into(), "tel:+12025550103".into()],
        fax_capability: Some(false),
        forward_all: Some(true),
        do_not_disturb: Some(true),
        ..Default::default()
    }
}

fn settings() -> v1::Settings {
    v1::Settings {
        name: "settings".into(),
        domains: vec!["pbx.example.com".into()],
        station_defaults: Some(settings::StationDefaults { contact_line: Some("lines/um-plain".into()) }),
        allowed_redirect_hosts: vec!["*.example.com".into(), "192.0.2.0/24".into()],
        routing: Some(settings::Routing {
            rewrite_request_uri: Some(false),
            registration_has_priority: Some(false),
        }),
        ..Default::default()
    }
}

fn credential() -> v1::Credential {
    v1::Credential {
        name: "credentials/um".into(),
        username: Some("gateway".into()),
        realm: Some("um.example.com".into()),
        password: Some("correct-horse".into()),
        ..Default::default()
    }
}

fn route() -> v1::Route {
    v1::Route {
        name: "routes/pbx-to-um".into(),
        position: Some(10),
        enabled: Some(true),
        from_regex: Some(r"(.*)@pbx\.example\.com".into()),
        to_regex: Some(".*".into()),
        routes_to: Some("$1".into()),
        proxy_list: Some("proxyLists/um".into()),
        ..Default::default()
    }
}

#[test]
fn every_field_of_every_kind_survives_the_model() {
    let all: [v1::Resource; 7] = [
        line().into(),
        proxy_list().into(),
        credential().into(),
        station().into(),
        user().into(),
        route().into(),
        settings().into(),
    ];
    for resource in all {
        let model = model::Resource::try_from(&resource).unwrap();
        assert_eq!(v1::Resource::from(&model), resource);
        assert_eq!(Some(model.kind()), resource.kind());
        assert_eq!(model.name().to_string(), resource.name());
    }
}

#[test]
fn unset_stays_unset() {
    let empty: [v1::Resource; 7] = [
        v1::Credential { name: "credentials/a".into(), ..Default::default() }.into(),
        v1::Route { name: "routes/a".into(), ..Default::default() }.into(),
        v1::Line { name: "lines/a".into(), ..Default::default() }.into(),
        v1::ProxyList { name: "proxyLists/a".into(), ..Default::default() }.into(),
        v1::Station { name: "stations/a".into(), ..Default::default() }.into(),
        v1::User { name: "users/a".into(), ..Default::default() }.into(),
        v1::Settings { name: "settings".into(), ..Default::default() }.into(),
    ];
    for resource in empty {
        let model = model::Resource::try_from(&resource).unwrap();
        assert_eq!(v1::Resource::from(&model), resource);
    }
}

/// The paths that are named for a resource that cannot be read.
fn paths(resource: impl Into<v1::Resource>) -> Vec<String> {
    let invalid = model::Resource::try_from(&resource.into()).unwrap_err();
    invalid.violations.into_iter().map(|violation| violation.field).collect()
}

#[test]
fn every_field_that_cannot_be_read_is_named_at_once() {
    let mut wrong = line();
    wrong.name = "stations/um-plain".into();
    wrong.usage = Some(0);
    wrong.proxy_list = Some("um".into());
    wrong.access = Some(line::Access { allow: vec!["10.0.0.0/8".into(), "ten".into()], deny: vec![] });
    let transport = wrong.transport.as_mut().unwrap();
    transport.receive_port = Some(65_536);
    transport.t1 = seconds(-1);
    transport.retryable_codes = Some("200".into());
    transport.protocol = Some(77);
    assert_eq!(
        paths(wrong),
        [
            "name",
            "usage",
            "transport.protocol",
            "transport.receive_port",
            "transport.t1",
            "transport.retryable_codes",
            "access.allow[1]",
            "proxy_list",
        ]
    );

    let mut wrong = proxy_list();
    wrong.entries[0].address = Some("um 1".into());
    wrong.entries[0].health.as_mut().unwrap().dead_codes = Some("4xx".into());
    assert_eq!(paths(wrong), ["entries[0].address", "entries[0].health.dead_codes"]);

    let mut wrong = station();
    wrong.identification_address.as_mut().unwrap().host = None;
    wrong.connection_address.as_mut().unwrap().port = Some(5060);
    assert_eq!(paths(wrong), ["identification_address.host", "connection_address.uri"]);

    let mut wrong = route();
    wrong.from_regex = Some("(".into());
    wrong.routes_to = Some("${via:1}".into());
    assert_eq!(paths(wrong), ["from_regex", "routes_to"]);

    let mut wrong = user();
    wrong.um.as_mut().unwrap().address = Some("lee@example.com".into());
    wrong.um.as_mut().unwrap().destination = Some("lines/um".into());
    assert_eq!(paths(wrong), ["um.destination", "um.address"]);
}

#[test]
fn an_empty_envelope_is_invalid_and_takes_out_no_kind() {
    assert_eq!(paths(v1::Resource::default()), ["spec"]);
    assert!(v1::Line::try_from(v1::Resource::from(user())).is_err());
    assert_eq!(v1::User::try_from(v1::Resource::from(user())), Ok(user()));
}

#[test]
fn output_is_added_and_removed_without_touching_what_the_user_wrote() {
    let mut shown: v1::Resource = line().into();
    let output = crate::Output { uid: "u".into(), etag: "\"7\"".into(), revision: 7, ..Default::default() };
    let common = shown.common_mut().unwrap();
    common.set_output(output);
    assert_eq!(common.etag(), "\"7\"");
    common.clear_output();
    assert_eq!(shown, line().into());
}
