//! Values as UM servers, PBXs and RFC 4475 write them.

use super::*;

fn parse(text: &str) -> NameAddr {
    NameAddr::parse(text.as_bytes()).unwrap_or_else(|fault| panic!("{text}: {fault}"))
}

#[test]
fn a_tag_inside_a_display_name_is_not_a_tag() {
    let to = parse(r#""Dana;tag=evil <sip:x@y>" <sip:2001@pbx.example.com;user=phone>;tag=real"#);
    assert_eq!(to.tag(), Some("real"));
    assert_eq!(to.display.as_deref(), Some("Dana;tag=evil <sip:x@y>"));
    assert_eq!(to.uri.to_string(), "sip:2001@pbx.example.com;user=phone");
}

/// RFC 3261 §20.10: without brackets the parameters are the header's.
#[test]
fn parameters_of_a_bare_address_are_the_headers() {
    let from = parse("sip:2001@pbx.example.com;user=phone;tag=9fxced76sl");
    assert_eq!(from.uri.to_string(), "sip:2001@pbx.example.com");
    assert_eq!(from.tag(), Some("9fxced76sl"));
    assert_eq!(from.to_string(), "<sip:2001@pbx.example.com>;user=phone;tag=9fxced76sl");
}

/// RFC 4475 §3.1.1.1 and §3.1.1.6.
#[test]
fn reads_folds_escapes_and_a_name_without_a_blank() {
    let from = parse("\"J Rosenberg \\\\\\\"\"       <sip:jdrosen@example.com>\r\n  ;\r\n  tag = 98asjd8");
    assert_eq!(from.display.as_deref(), Some("J Rosenberg \\\""));
    assert_eq!(from.tag(), Some("98asjd8"));
    assert_eq!(parse("caller<sip:caller@example.com>;tag=323").display.as_deref(), Some("caller"));
    assert_eq!(parse("\"\"<sip:a@b>").to_string(), "<sip:a@b>");
}

/// RFC 4475 §3.1.1.2: an escaped control character is valid, and never written again.
#[test]
fn control_characters_do_not_survive_in_a_display_name() {
    let to = NameAddr::parse(b"\"BEL:\\\x07 NUL:\\\x00 DEL:\\\x7f\" <sip:a@b>").expect("valid");
    assert_eq!(to.display.as_deref(), Some("BEL: NUL: DEL:"));
}

#[test]
fn a_latin_1_display_name_is_readable() {
    let from = NameAddr::parse(b"\"J\xf6rg\" <sip:2001@pbx.example.com>;tag=1").expect("valid");
    assert_eq!(from.display.as_deref(), Some("J\u{fffd}rg"));
    assert_eq!(from.to_string(), "\"J\u{fffd}rg\" <sip:2001@pbx.example.com>;tag=1");
}

#[test]
fn a_display_name_cannot_break_out_of_its_quotes() {
    let from = NameAddr::new(parse("<sip:a@b>").uri).with_display("x\" <sip:evil@h>\r\nVia: y");
    assert_eq!(from.to_string(), r#""x\" <sip:evil@h>Via: y" <sip:a@b>"#);
    assert_eq!(parse(&from.to_string()).display.as_deref(), Some("x\" <sip:evil@h>Via: y"));
}

/// RFC 4475 §3.1.2.13 to §3.1.2.15 and the like.
#[test]
fn refuses_unbalanced_quotes_and_brackets() {
    for text in [
        "",
        "\"Mr. J. User <sip:j.user@example.com>",
        "<sip:a@b",
        "\"a\" sip:a@b",
        "<sip:a@b>x;tag=1",
        "<>",
        "a\"b <sip:a@b>",
        "sip:user@example.com?Route=%3Csip:sip.example.com%3E",
        "<sip:a b@c>",
        "<<sip:a@b>>",
    ] {
        assert!(NameAddr::parse(text.as_bytes()).is_err(), "{text}");
    }
}

#[test]
fn what_is_written_reads_back_the_same() {
    for text in [
        "\"Dana Reed\" <sip:2001@pbx.example.com;user=phone>;reason=no-answer;counter=1;privacy=off;screen=no",
        "<tel:+12025550100;phone-context=example.com>;tag=a",
        "<sip:[2001:db8::1]:5061;transport=tcp?subject=x%20y>;q=0.5",
        "<urn:service:sos>",
    ] {
        assert_eq!(parse(text).to_string(), text);
        assert_eq!(parse(&parse(text).to_string()), parse(text));
    }
}
