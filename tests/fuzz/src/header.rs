//! The typed headers: what can be read can be written, and means the same when it is read again.

use std::fmt::{Debug, Display};
use std::net::SocketAddr;
use std::time::Duration;

use um_sip::{
    CSeq, Contact, ContentType, Diversion, DiversionReason, Fault, HeaderName, HistoryEntry, HistoryIndex,
    Method, NameAddr, Params, Reason, RetryAfter, Via,
};

use crate::source::Source;

/// Runs the target. The first byte chooses the header.
pub fn run(input: &[u8]) {
    let mut source = Source::new(input);
    let choice = source.below(KINDS);
    let value = source.remainder();
    match choice {
        0 => drop(same_again(value, CSeq::parse)),
        1 => contact(value),
        2 => content_type(value),
        3 => diversion(value),
        4 => history(value),
        5 => name_addr(value),
        6 => reason(value),
        7 => retry_after(value),
        8 => via(value),
        9 => params(value),
        10 => names(value),
        _ => made(value),
    }
}

/// Reads, writes, reads again. The second reading is written in the same way, and on one line.
fn same_again<T: Debug + Display>(value: &[u8], parse: impl Fn(&[u8]) -> Result<T, Fault>) -> Option<T> {
    let read = parse(value).ok()?;
    let text = read.to_string();
    assert!(!text.contains(['\r', '\n', '\0']), "{text:?} of {:?}", String::from_utf8_lossy(value));
    let again = parse(text.as_bytes());
    let again = again.unwrap_or_else(|fault| panic!("{fault:?}: {text:?} of {read:?}"));
    assert_eq!(again.to_string(), text, "of {read:?}");
    Some(read)
}

fn contact(value: &[u8]) {
    if let Some(contact) = same_again(value, Contact::parse) {
        let _ = contact.expires();
        let _ = (&contact.address, contact.to_string());
    }
}

fn content_type(value: &[u8]) {
    if let Some(kind) = same_again(value, ContentType::parse) {
        let _ = (kind.essence(), kind.is_sdp());
    }
}

fn diversion(value: &[u8]) {
    if let Some(diversion) = same_again(value, Diversion::parse) {
        let _ = (diversion.uri(), diversion.counter());
        let made = Diversion::new(diversion.uri().clone(), DiversionReason::NoAnswer);
        same_again(made.to_string().as_bytes(), Diversion::parse).expect("what we write can be read");
    }
}

fn history(value: &[u8]) {
    if let Some(entry) = same_again(value, HistoryEntry::parse) {
        let _ = (entry.uri(), entry.cause());
        let made = HistoryEntry::new(entry.uri().clone(), HistoryIndex::root().child(), None);
        same_again(made.to_string().as_bytes(), HistoryEntry::parse).expect("what we write can be read");
    }
}

fn name_addr(value: &[u8]) {
    if let Some(address) = same_again(value, NameAddr::parse) {
        let _ = address.tag();
        let tagged = address.with_tag("um0-1");
        assert_eq!(tagged.tag(), Some("um0-1"), "{tagged}");
        let named = tagged.with_display("a \"b\" \\ \r\n c");
        let named =
            same_again(named.to_string().as_bytes(), NameAddr::parse).expect("what we write can be read");
        assert_eq!(named.tag(), Some("um0-1"), "{named}");
    }
}

fn reason(value: &[u8]) {
    if let Some(reason) = same_again(value, Reason::parse) {
        let _ = (reason.protocol(), reason.cause(), reason.text());
    }
}

fn retry_after(value: &[u8]) {
    if let Some(wait) = same_again(value, RetryAfter::parse) {
        assert!(wait.delay <= Duration::from_secs(u64::from(u32::MAX)));
    }
}

fn via(value: &[u8]) {
    if let Some(via) = same_again(value, Via::parse) {
        let _ = (via.transport_token(), via.transport(), via.branch(), via.received(), via.rport());
        let _ = via.reply_address(SocketAddr::from(([127, 0, 0, 9], 5060)));
    }
}

fn params(value: &[u8]) {
    let Some(params) = same_again(value, Params::parse) else { return };
    // Each of them costs a walk over all.
    for (name, _) in params.iter().take(16) {
        assert!(params.contains(name));
        let _ = (params.value(name), params.raw_value(name));
        let mut fewer = params.clone();
        fewer.remove(name);
        assert!(!fewer.contains(name), "{fewer} still has {name}");
    }
    let text = String::from_utf8_lossy(value);
    let mut more = params.with("tag", Some(&text));
    more.set_quoted("text", &text);
    let again = same_again(more.to_string().as_bytes(), Params::parse).expect("what we write can be read");
    // Line breaks and control characters in a value become blanks, whatever was asked for.
    let clean = |text: &str| {
        text.chars().filter(|char| !char.is_whitespace() && !char.is_control()).collect::<String>()
    };
    assert_eq!(again.value("text").map(|value| clean(&value)), Some(clean(&text)));
}

fn names(value: &[u8]) {
    if let Some(name) = HeaderName::from_bytes(value) {
        assert_eq!(HeaderName::from_bytes(name.as_str().as_bytes()), Some(name));
    }
    if let Some(method) = Method::from_bytes(value) {
        assert_eq!(Method::from_bytes(method.as_str().as_bytes()), Some(method));
    }
    if let Some(index) = std::str::from_utf8(value).ok().and_then(HistoryIndex::parse) {
        assert_eq!(HistoryIndex::parse(&index.to_string()), Some(index));
    }
}

/// Values of our own making, whatever text goes in.
fn made(value: &[u8]) {
    let text = String::from_utf8_lossy(value);
    let reason = Reason::sip(503, &text);
    same_again(reason.to_string().as_bytes(), Reason::parse).expect("what we write can be read");
    let params = Params::new().with(&text, Some(&text)).with("a", None);
    same_again(params.to_string().as_bytes(), Params::parse).expect("what we write can be read");
}

/// Kinds of header that the first byte chooses from.
const KINDS: usize = 12;
