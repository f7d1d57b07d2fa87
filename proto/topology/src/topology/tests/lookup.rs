//! Tests of finding users and stations by what a call says.

use super::*;

fn called(topology: &Topology, user_part: &str) -> Option<String> {
    topology.called(user_part, "um-plain").map(|called| match called {
        Called::Station(station) => Name::station(station.id.clone()).to_string(),
        Called::User(user) => Name::user(user.id.clone()).to_string(),
    })
}

fn mailbox(topology: &Topology, uri: &str) -> Option<String> {
    topology.mailbox(&uri.parse().unwrap()).map(|user| user.id.to_string())
}

fn with_aliases() -> Topology {
    let mut dana = user("dana", "2001");
    dana.aliases = Box::new(["+12025550101".into(), "sip:dana.reed@example.com".into(), "2901".into()]);
    let mut lee = user("lee", "2002");
    lee.um.address_mode = Some(crate::user::AddressMode::Other);
    lee.um.address = Some(Box::new("sip:lee@example.com".parse().unwrap()));
    example().apply(2, &[dana.into(), lee.into()]).unwrap()
}

#[test]
fn a_number_reaches_a_station_or_a_user_whatever_the_host() {
    let topology = with_aliases();
    assert_eq!(called(&topology, "6000").unwrap(), "stations/voicemail");
    for number in ["2001", "2901", "+12025550101", "+1-202-555-0101", "dana.reed"] {
        assert_eq!(called(&topology, number).as_deref(), Some("users/dana"), "{number}");
    }
    for number in ["2003", "", "Dana.Reed", "lee"] {
        assert_eq!(called(&topology, number), None, "{number}");
    }
}

#[test]
fn a_pilot_of_two_stations_is_that_of_the_receiving_line_else_the_first() {
    let changes = [
        line("z-line", 5070, Some("um")).into(),
        station("a", "7000", Some("um-plain")).into(),
        station("z", "7000", Some("z-line")).into(),
    ];
    let topology = example().apply(2, &changes).unwrap();
    let station = |line: &str| match topology.called("7000", line) {
        Some(Called::Station(station)) => station.id.to_string(),
        Some(Called::User(_)) | None => String::new(),
    };
    assert_eq!(station("z-line"), "z");
    assert_eq!(station("um-plain"), "a");
    assert_eq!(station("elsewhere"), "a");
}

#[test]
fn a_mailbox_is_found_by_extension_alias_and_address() {
    let topology = with_aliases();
    for uri in ["sip:2001@pbx", "sip:2901@pbx", "sip:+12025550101@pbx;user=phone", "tel:+1-202-555-0101"] {
        assert_eq!(mailbox(&topology, uri).as_deref(), Some("dana"), "{uri}");
    }
    assert_eq!(mailbox(&topology, "sip:dana.reed@EXAMPLE.com").as_deref(), Some("dana"));
    assert_eq!(mailbox(&topology, "sip:lee@example.com:5060").as_deref(), Some("lee"));
    assert_eq!(mailbox(&topology, "sip:2002@pbx").as_deref(), Some("lee"));
    for uri in ["sip:lee@elsewhere.example", "sip:2003@pbx", "sip:6000@pbx", "sip:pbx"] {
        assert_eq!(mailbox(&topology, uri), None, "{uri}");
    }
}

#[test]
fn a_from_uri_identifies_a_station() {
    let identity = |host: &str, user_only| {
        let address = SipAddress::parts(Some("6000"), host.parse().unwrap(), None);
        Some(IdentificationAddress { address, user_only })
    };
    let mut a = station("a", "1", Some("um-plain"));
    a.identification_address = identity("um.example.com", None);
    let mut b = station("b", "2", Some("um-plain"));
    b.identification_address = identity("any", Some(true));
    let topology = example().apply(2, &[a.into(), b.into()]).unwrap();
    let identified =
        |from: &str| topology.identified(&from.parse().unwrap()).map(|station| station.id.to_string());
    assert_eq!(identified("SIP:6000@UM.EXAMPLE.COM:5060;transport=tcp").as_deref(), Some("a"));
    assert_eq!(identified("sip:6000@node7.example.com").as_deref(), Some("b"));
    assert_eq!(identified("sip:6001@um.example.com"), None);
}

#[test]
fn um_servers_are_found_by_address_and_by_resolved_name() {
    let topology = example();
    let resolve = |name: &str| match name {
        "um2.example.com" => vec!["10.0.0.2".parse().unwrap()],
        "um.example.com" => vec!["10.0.0.3".parse().unwrap()],
        _ => Vec::new(),
    };
    let servers = topology.um_servers();
    let at = |ip: &str| servers.station_at(ip.parse().unwrap(), resolve).map(ToString::to_string);
    for ip in ["10.0.0.1", "::ffff:10.0.0.1", "10.0.0.2", "10.0.0.3"] {
        assert_eq!(at(ip).as_deref(), Some("voicemail"), "{ip}");
    }
    assert_eq!(at("10.0.0.4"), None);
    assert_eq!(servers.names().collect::<Vec<_>>(), ["um.example.com", "um2.example.com"]);

    let voicemail = topology.station("voicemail").unwrap();
    assert!(topology.is_um_server_of(voicemail, "10.0.0.2".parse().unwrap(), resolve));
    assert!(!topology.is_um_server_of(voicemail, "10.0.0.9".parse().unwrap(), resolve));
    let target = |uri: &str| topology.is_target_of(voicemail, &uri.parse::<Uri>().unwrap());
    assert!(target("sip:10.0.0.1") && target("sip:x@UM2.example.com:5060") && !target("sip:10.0.0.1:5070"));
}

#[test]
fn pages_of_users_begin_after_an_id() {
    let topology = with_aliases();
    let ids = |after: &str| topology.users_after(after).map(|user| user.id.to_string()).collect::<Vec<_>>();
    assert_eq!(ids(""), ["dana", "lee"]);
    assert_eq!(ids("dana"), ["lee"]);
    assert!(ids("lee").is_empty());
}
