//! Tests of redirects: order, admission, loops and the limit.

use super::*;

fn host(text: &str) -> Host {
    text.parse().unwrap()
}

fn policy(targets: &[&str]) -> RedirectPolicy {
    let hosts: Vec<Host> = targets.iter().map(|text| host(text)).collect();
    RedirectPolicy::new(&[], hosts.iter(), Transport::Tcp)
}

fn contact(uri: &str, q: Option<u16>) -> Contact {
    Contact { uri: uri.parse().unwrap(), q }
}

fn trail() -> RedirectTrail {
    let own = vec![("10.0.0.9".parse().unwrap(), 5060)];
    RedirectTrail::new("sip:6000@um1.example.com:5060;transport=tcp".parse().unwrap(), own)
}

fn follow(policy: &RedirectPolicy, contacts: Vec<Contact>) -> Result<Vec<String>, RedirectError> {
    Ok(trail().follow(policy, contacts)?.into_iter().map(|hop| hop.uri.to_string()).collect())
}

#[test]
fn contacts_are_tried_by_q_and_then_by_order() {
    let listed = ["a".parse().unwrap(), "b".parse().unwrap()];
    let policy = RedirectPolicy::new(&listed, [].iter(), Transport::Udp);
    let a = || contact("sip:6000@a;transport=tcp", Some(100));
    let b = || contact("sip:6000@b:5067;transport=Tcp", Some(900));
    let order = ["sip:6000@b:5067;transport=Tcp", "sip:6000@a;transport=tcp"];
    assert_eq!(follow(&policy, vec![a(), b()]).unwrap(), order);
    let none = contact("sip:6000@a:1", None);
    let order = ["sip:6000@a:1", "sip:6000@b:5067;transport=Tcp"];
    assert_eq!(follow(&policy, vec![b(), none]).unwrap(), order);
}

#[test]
fn method_and_headers_of_a_contact_are_not_applied() {
    let found = follow(
        &policy(&["um1.example.com"]),
        vec![contact("sip:6000@mbx7.example.com:5065;method=BYE?Subject=x", None)],
    );
    assert_eq!(found.unwrap(), ["sip:6000@mbx7.example.com:5065"]);
}

#[test]
fn by_default_the_domain_of_a_target_is_allowed_and_for_an_ip_only_itself() {
    let policy = policy(&["um1.example.com", "10.0.0.1", "solo"]);
    for allowed in ["mbx7.example.com", "EXAMPLE.com", "10.0.0.1", "solo"] {
        assert!(policy.admits(&host(allowed)), "{allowed}");
    }
    for refused in ["mbx7.example.org", "badexample.com", "10.0.0.2", "com"] {
        assert!(!policy.admits(&host(refused)), "{refused}");
    }
    let error = follow(&policy, vec![contact("sip:6000@mbx7.example.org", None)]);
    assert_eq!(error, Err(RedirectError::HostNotAllowed));
}

#[test]
fn a_list_of_allowed_hosts_replaces_the_default() {
    let listed = ["*.other.example".parse().unwrap()];
    let targets = [host("um1.example.com")];
    let policy = RedirectPolicy::new(&listed, targets.iter(), Transport::Tcp);
    assert!(policy.admits(&host("a.other.example")) && !policy.admits(&host("mbx.example.com")));
}

#[test]
fn a_contact_without_transport_takes_that_of_the_line() {
    let policy = policy(&["um1.example.com"]);
    let hop = |text: &str| trail().follow(&policy, vec![contact(text, None)]).map(|hops| hops[0].transport);
    assert_eq!(hop("sip:6000@mbx.example.com"), Ok(Transport::Tcp));
    assert_eq!(hop("sip:6000@mbx.example.com;transport=UDP"), Ok(Transport::Udp));
    assert_eq!(hop("sip:6000@mbx.example.com;transport=tls"), Err(RedirectError::Transport));
    assert_eq!(hop("sips:6000@mbx.example.com"), Err(RedirectError::Transport));
}

#[test]
fn a_contact_that_was_tried_or_is_our_own_is_a_loop() {
    let policy = policy(&["um1.example.com", "10.0.0.9"]);
    let back = contact("sip:6000@UM1.example.com;transport=TCP", None);
    assert_eq!(follow(&policy, vec![back]), Err(RedirectError::Loop));
    assert_eq!(follow(&policy, vec![contact("sip:6000@10.0.0.9", None)]), Err(RedirectError::Loop));
    assert!(follow(&policy, vec![contact("sip:6000@10.0.0.9:5070", None)]).is_ok());
}

#[test]
fn the_sixth_redirect_of_an_attempt_fails() {
    let (policy, mut trail) = (policy(&["um1.example.com"]), trail());
    for port in 6001..6006 {
        let next = contact(&format!("sip:6000@mbx.example.com:{port}"), None);
        assert_eq!(trail.follow(&policy, vec![next]).unwrap().len(), 1);
    }
    let sixth = contact("sip:6000@mbx.example.com:6006", None);
    assert_eq!(trail.follow(&policy, vec![sixth]), Err(RedirectError::TooMany));
}

#[test]
fn a_redirect_without_contact_fails() {
    assert_eq!(follow(&policy(&["um1.example.com"]), Vec::new()), Err(RedirectError::NoContact));
}
