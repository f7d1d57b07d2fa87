//! RFC 3261 §19.1, RFC 4475, RFC 5118 and the field's own shapes.

use super::*;

fn uri(text: &str) -> Uri {
    text.parse().unwrap_or_else(|fault| panic!("{text}: {fault}"))
}

#[test]
fn hands_out_all_parts() {
    let uri =
        uri("sip:alice:secret%40@atlanta.com:5070;transport=Tcp;lr?subject=project%20x&priority=urgent");
    assert_eq!(uri.scheme(), Scheme::Sip);
    assert_eq!((uri.user(), uri.password(), uri.port()), (Some("alice"), Some("secret%40"), Some(5070)));
    assert_eq!(uri.host(), Host::parse(b"atlanta.com").as_ref().ok());
    assert_eq!(uri.param("TRANSPORT"), Some(Some("Tcp")));
    assert!(uri.is_loose_router());
    assert_eq!(uri.headers().collect::<Vec<_>>(), [("subject", "project%20x"), ("priority", "urgent")]);
}

/// The dot in a user part is what other parsers take for a host.
#[test]
fn a_dot_in_the_user_part_is_no_host() {
    let uri = uri("sip:john.doe@example.com");
    assert_eq!(uri.user(), Some("john.doe"));
    assert_eq!(uri.host().map(ToString::to_string).as_deref(), Some("example.com"));
}

/// RFC 4475 §3.1.1.12, §3.1.1.2, §3.1.1.3.
#[test]
fn the_user_part_may_hold_separators() {
    assert_eq!(
        uri("sip:user;par=u%40example.net@example.com").user_text().as_deref(),
        Some("user;par=u@example.net")
    );
    let odd = uri(
        "sip:1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*:&it+has=1,weird!*pas$wo~d_too.(doesn't-it)@example.com",
    );
    assert_eq!(odd.user(), Some("1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*"));
    assert_eq!(odd.password(), Some("&it+has=1,weird!*pas$wo~d_too.(doesn't-it)"));
    assert_eq!(odd.host().map(ToString::to_string).as_deref(), Some("example.com"));
    assert_eq!(uri("sip:null-%00-null@example.com").user_text().as_deref(), Some("null-\0-null"));
    assert_eq!(uri("sip:%Z%45@example.com").user_text().as_deref(), Some("%ZE"));
}

/// RFC 5118 §4.1 to §4.6.
#[test]
fn reads_ipv6_references() {
    let uri = uri("sip:user@[2001:db8::10]:5070;transport=udp");
    assert_eq!(uri.host().and_then(Host::ip), "2001:db8::10".parse().ok());
    assert_eq!(uri.port(), Some(5070));
    assert_eq!(Uri::parse(b"sip:2001:db8::10"), Err(Fault::Number));
}

#[test]
fn reads_tel_and_unknown_schemes() {
    let tel = uri("tel:+1-202-555-0100;phone-context=example.com");
    assert_eq!((tel.scheme(), tel.user()), (Scheme::Tel, Some("+1-202-555-0100")));
    assert_eq!(tel.param("phone-context"), Some(Some("example.com")));
    let other = uri("soap.beep://192.0.2.103:3002");
    assert_eq!((other.scheme(), other.scheme_text()), (Scheme::Other, "soap.beep"));
    assert_eq!(uri("nobodyKnowsThisScheme:totallyopaquecontent").scheme_specific(), "totallyopaquecontent");
}

#[test]
fn refuses_what_is_no_uri() {
    for text in [
        "",
        "sip",
        "sip:",
        "sip:@host",
        "sip:user@",
        "sip:a@b:0",
        "sip:a@b:99999",
        "sip:a@b c",
        "1sip:a",
        ":a",
        "tel:",
        "tel:abc-xyz",
        "sip:a@b\r\nVia: x",
        "sip:<a>@b",
        "sip:a@[::1",
        "sip:a@b@c",
        "other:",
    ] {
        assert!(Uri::parse(text.as_bytes()).is_err(), "{text}");
    }
}

/// The examples of RFC 3261 §19.1.4.
#[test]
fn compares_as_the_standard_says() {
    for (a, b) in [
        ("sip:%61lice@atlanta.com;transport=TCP", "sip:alice@AtLanTa.CoM;Transport=tcp"),
        ("sip:carol@chicago.com", "sip:carol@chicago.com;newparam=5"),
        ("sip:carol@chicago.com", "sip:carol@chicago.com;security=on"),
        (
            "sip:biloxi.com;transport=tcp;method=REGISTER?to=sip:bob%40biloxi.com",
            "sip:biloxi.com;method=REGISTER;transport=tcp?to=sip:bob%40biloxi.com",
        ),
        (
            "sip:alice@atlanta.com?subject=project%20x&priority=urgent",
            "sip:alice@atlanta.com?priority=urgent&subject=project%20x",
        ),
        ("tel:+1-202-555-0100", "tel:+12025550100"),
    ] {
        assert!(uri(a).equivalent(&uri(b)) && uri(b).equivalent(&uri(a)), "{a} {b}");
    }
    for (a, b) in [
        ("SIP:ALICE@AtLanTa.CoM;Transport=udp", "sip:alice@AtLanTa.CoM;Transport=UDP"),
        ("sip:bob@biloxi.com", "sip:bob@biloxi.com:5060"),
        ("sip:bob@biloxi.com", "sip:bob@biloxi.com;transport=udp"),
        ("sip:bob@biloxi.com", "sip:bob@biloxi.com:6000;transport=tcp"),
        ("sip:carol@chicago.com", "sip:carol@chicago.com?Subject=next%20meeting"),
        ("sip:bob@phone21.boxesbybob.com", "sip:bob@192.0.2.4"),
        ("sip:carol@chicago.com;security=on", "sip:carol@chicago.com;security=off"),
        ("sip:a@b", "sips:a@b"),
        ("sip:a@b", "sip:b"),
    ] {
        assert!(!uri(a).equivalent(&uri(b)) && !uri(b).equivalent(&uri(a)), "{a} {b}");
    }
}

#[test]
fn the_same_party_is_found_whatever_the_parameters() {
    let configured = uri("sip:6000@um.example.com");
    assert!(configured.same_party(&uri("SIP:6000@UM.EXAMPLE.COM:5060;transport=tcp")));
    assert!(!configured.same_party(&uri("sip:6001@um.example.com")));
    assert!(!configured.same_party(&uri("sip:6000@um.example.com:5070")));
    assert!(configured.same_user(&uri("sip:6000@node7.example.com")));
}

#[test]
fn parts_are_escaped_and_cannot_end_one_another() {
    let host = || Host::parse(b"um.example.com").expect("valid");
    assert_eq!(Uri::sip(Some("6000"), host(), Some(5061)).as_str(), "sip:6000@um.example.com:5061");
    assert_eq!(Uri::sip(Some(""), host(), None).as_str(), "sip:um.example.com");
    assert_eq!(Uri::sip(Some("lee roy"), host(), None).as_str(), "sip:lee%20roy@um.example.com");
    assert_eq!(
        Uri::sip(Some("x@evil>\r\nVia:"), host(), None).as_str(),
        "sip:x%40evil%3E%0D%0AVia%3A@um.example.com"
    );
    let v6 = Host::from_config("2001:db8::1").expect("valid");
    assert_eq!(Uri::sip(Some("6000"), v6, Some(5061)).as_str(), "sip:6000@[2001:db8::1]:5061");
}

#[test]
fn edits_keep_the_rest_and_read_back() {
    let base = uri("sip:2001:pw@pbx.example.com;user=phone;transport=tcp?x=y");
    assert_eq!(
        base.with_user(Some("6000")).as_str(),
        "sip:6000@pbx.example.com;user=phone;transport=tcp?x=y"
    );
    assert_eq!(
        base.without_headers().without_param("USER").as_str(),
        "sip:2001:pw@pbx.example.com;transport=tcp"
    );
    let edited = base
        .with_host_port(HostPort::parse(b"[::1]:5070").expect("valid"))
        .with_param("target", Some("sip:2001@pbx.example.com"))
        .with_param("cause", Some("408"));
    assert_eq!(
        edited.as_str(),
        "sip:2001:pw@[::1]:5070;user=phone;transport=tcp;target=sip:2001%40pbx.example.com;cause=408?x=y"
    );
    assert_eq!(uri(edited.as_str()), edited);
    assert_eq!(edited.cause(), Some(408));
    assert_eq!(edited.target(), Some(uri("sip:2001@pbx.example.com")));
}
