//! Tests of URIs: RFC 3261 §19.1.

use super::*;

fn uri(text: &str) -> Uri {
    text.parse().unwrap()
}

#[test]
fn well_formed_uris_print_as_they_were_read() {
    for text in [
        "sip:6000@um.example.com:5061",
        "sip:um.example.com",
        "sip:6000@[2001:db8::1]:5061",
        "sips:lee@example.com;transport=tcp",
        "sip:+12025550100@pbx.example.com;user=phone",
        "sip:6000@um.example.com;target=sip:2001%40pbx.example.com;cause=408",
        "sip:a;b=c@example.com;lr",
        "tel:+12025550100",
        "sip:6000@a?Subject=x",
    ] {
        assert_eq!(uri(text).to_string(), text);
    }
}

#[test]
fn parts_are_unescaped_and_escaped_again() {
    let parsed = uri("sip:lee%20roy@example.com");
    assert_eq!(parsed.user.as_deref(), Some("lee roy"));
    assert_eq!(parsed.to_string(), "sip:lee%20roy@example.com");
    assert_eq!(uri("sip:a@h;target=sip:2001%40x").param("target"), Some("sip:2001@x"));
}

#[test]
fn a_password_is_not_kept() {
    assert_eq!(uri("sip:lee:secret@example.com").to_string(), "sip:lee@example.com");
}

#[test]
fn broken_uris_are_rejected() {
    for text in [
        "",
        "um",
        "http://x",
        "sip:",
        "sip:a@",
        "sip:a@b:0",
        "sip:a@b:99999",
        "sip:a@b:+1",
        "sip:a%4@b",
        "sip:a%zz@b",
        "sip:a b@c",
        "sip:a@b>",
        "tel:",
        "tel:lee",
        "sip:a\r\nb@c",
        "sip:%ff@b",
    ] {
        assert!(text.parse::<Uri>().is_err(), "{text}");
    }
    assert_eq!("x".repeat(3000).parse::<Uri>(), Err(UriError::TooLong));
}

#[test]
fn the_same_place_ignores_case_default_port_and_other_parameters() {
    assert!(uri("sip:a@H:5060;x=1").same_place(&uri("SIP:a@h")));
    assert!(uri("sip:a@h;transport=TCP").same_place(&uri("sip:a@h;transport=tcp")));
    assert!(!uri("sip:a@h;transport=tcp").same_place(&uri("sip:a@h")));
    assert!(!uri("sip:a@h:5065").same_place(&uri("sip:a@h")));
    assert!(!uri("sip:A@h").same_place(&uri("sip:a@h")));
}

#[test]
fn parameters_compare_without_case_and_are_replaced() {
    let changed = uri("sip:a@h;Transport=udp").with_param("transport", Some("tcp"));
    assert_eq!(changed.to_string(), "sip:a@h;transport=tcp");
    assert_eq!(changed.param("lr"), None);
    assert_eq!(uri("sip:h;lr").param("LR"), Some(""));
}
