//! A URI: what can be read is written as it was, and every view of it holds together.

use um_sip::{Host, HostPort, Uri};

/// Runs the target.
pub fn run(input: &[u8]) {
    let _ = HostPort::parse(input).map(|place| {
        let text = place.to_string();
        assert_eq!(HostPort::parse(text.as_bytes()), Ok(place), "{text}");
    });
    let Ok(uri) = Uri::parse(input) else { return };
    let text = uri.to_string();
    assert_eq!(Uri::parse(text.as_bytes()).as_ref(), Ok(&uri), "{text}");
    assert!(uri.equivalent(&uri), "{text} differs from itself");
    assert!(uri.same_user(&uri), "{text} is another user than itself");
    // Without a host nobody can say.
    assert_eq!(uri.same_party(&uri), uri.host().is_some(), "{text} and itself");
    let _ = (uri.user_text(), uri.password(), uri.port_or_default(), uri.is_loose_router(), uri.cause());
    let _ = (uri.transport(), uri.target(), uri.headers().count(), uri.scheme_specific());
    assert!(text.to_ascii_lowercase().starts_with(&uri.scheme_text().to_ascii_lowercase()));
    for (name, _) in uri.params() {
        assert!(uri.param(name).is_some(), "{name} of {text}");
    }
    let host = Host::parse(b"example.com").expect("a host");
    let made = [
        uri.with_user(Some("a b;@?")),
        uri.with_user(None),
        uri.with_param("transport", Some("t c;p")),
        uri.without_param("transport"),
        uri.with_host_port(HostPort::new(host, Some(5060))),
        uri.without_headers(),
    ];
    for made in made {
        let text = made.to_string();
        let plain = text.bytes().all(|byte| byte.is_ascii_graphic() || byte >= 0x80);
        assert!(plain, "{text:?} of {uri} would break a request line");
        assert_eq!(Uri::parse(text.as_bytes()).as_ref(), Ok(&made), "{text} of {uri}");
    }
}
