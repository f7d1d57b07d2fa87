//! Which calls a row takes and which user part they have behind it.

use super::*;

fn row(from: Option<&str>, to: Option<&str>, template: Option<&str>) -> RouteRow {
    RouteRow {
        from_regex: from.map(|text| text.parse().unwrap()),
        to_regex: to.map(|text| text.parse().unwrap()),
        routes_to: template.map(|text| text.parse().unwrap()),
        ..RouteRow::new("a", 10, "um")
    }
}

fn routed(row: &RouteRow, from: &str, to: &str) -> Option<String> {
    row.routed_user(&from.parse().unwrap(), &to.parse().unwrap())
}

const CALLER: &str = "sip:5551234@pbx.example.com";

#[test]
fn without_groups_the_first_place_is_the_user_part_as_it_came() {
    let reference = row(Some(r"(.*)@pbx\.example\.com"), Some(".*"), Some("$1"));
    assert_eq!(routed(&reference, CALLER, "sip:6000@edge").as_deref(), Some("6000"));
    assert_eq!(routed(&row(None, None, None), CALLER, "sip:6000@edge").as_deref(), Some("6000"));
}

#[test]
fn groups_of_the_request_uri_come_first_and_those_of_from_have_a_name() {
    let groups = row(None, Some(r"9(\d+)@.*"), Some("$1"));
    assert_eq!(routed(&groups, CALLER, "sip:92001@edge").as_deref(), Some("2001"));
    let caller = row(Some(r"(.*)@pbx\.example\.com"), Some(".*"), Some("${from:1}"));
    assert_eq!(routed(&caller, CALLER, "sip:6000@edge").as_deref(), Some("5551234"));
    let both = row(Some("(.)(.*)@.*"), Some("(.)(.*)@.*"), Some("+${to:2}-${from:1}$$$1"));
    assert_eq!(routed(&both, CALLER, "sip:6000@edge").as_deref(), Some("+000-5$6"));
}

#[test]
fn patterns_match_the_whole_text_with_the_host_in_lower_case() {
    let part = row(None, Some("6000"), None);
    assert_eq!(routed(&part, CALLER, "sip:6000@edge"), None);
    let host = row(None, Some("6000@edge"), None);
    assert!(routed(&host, CALLER, "sip:6000@EDGE:5060;transport=tcp").is_some());
    assert_eq!(routed(&host, CALLER, "sip:6000@edge:5070"), None);
    let alternatives = row(None, Some("a|b@edge"), None);
    assert_eq!(routed(&alternatives, CALLER, "sip:xa@edge"), None);
    assert!(routed(&row(None, Some(r"\+1.*"), None), CALLER, "tel:+12025550100").is_some());
}

#[test]
fn a_disabled_row_takes_nothing() {
    let disabled = RouteRow { enabled: Some(false), ..row(None, None, None) };
    assert_eq!(routed(&disabled, CALLER, "sip:6000@edge"), None);
}

#[test]
fn bad_patterns_and_templates_are_refused() {
    for text in ["(", "a)|(b", r"(?=look)", r"(a)\1", "a{1000}{1000}"] {
        assert!(text.parse::<Pattern>().is_err(), "{text}");
    }
    assert!("a".repeat(MAX_PATTERN + 1).parse::<Pattern>().is_err());
    for text in ["$", "$0", "$x", "${from:10}", "${via:1}", "${from:1", "a\r\nb"] {
        assert!(text.parse::<Template>().is_err(), "{text}");
    }
    assert!("1".repeat(MAX_TEMPLATE + 1).parse::<Template>().is_err());
}

#[test]
fn a_template_names_only_groups_that_are_there() {
    assert_eq!(row(None, None, Some("$1")).missing_groups(), [""; 0]);
    assert_eq!(row(None, None, Some("$2${to:1}${from:1}")).missing_groups(), ["$2", "${to:1}", "${from:1}"]);
    assert_eq!(row(Some("(.)"), Some("(.)"), Some("$1$2${from:1}")).missing_groups(), ["$2"]);
}

#[test]
fn a_hostile_subject_costs_linear_time() {
    let nested = row(None, Some("(a+)+@x"), None);
    let uri = Uri { user: Some("a".repeat(20_000).into()), ..CALLER.parse().unwrap() };
    assert_eq!(nested.routed_user(&uri, &uri), None);
}
