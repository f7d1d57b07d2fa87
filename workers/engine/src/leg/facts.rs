//! What an INVITE says, as routing reads it. The values of a message are the peer's: what cannot be read
//! and may be left out is left out, the rest refuses the INVITE.

use std::net::IpAddr;

use um_routing::cause::Cause;
use um_routing::{Diversion, Facts, HistoryEntry, HistoryRelation, Party};
use um_sip::{HeaderName, Message, NameAddr, Retarget};
use um_topology::{Id, Uri};

/// Why an INVITE has no facts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unreadable {
    /// The Request-URI has a scheme that is not served here: 416.
    Scheme,
    /// The Request-URI or From is malformed: 400.
    Malformed,
}

/// Reads the facts of an INVITE outside of a dialog.
pub(crate) fn facts(line: &Id, source: IpAddr, invite: &Message) -> Result<Facts, Unreadable> {
    let request_uri = request_uri(invite)?;
    let from = invite.from().map_err(|_| Unreadable::Malformed)?;
    let from = party(&from).unwrap_or_else(anonymous);
    let asserted = invite.values(HeaderName::PAssertedIdentity).next();
    let asserted = asserted.and_then(|value| NameAddr::parse(value).ok()).as_ref().and_then(party);
    Ok(Facts {
        line: line.clone(),
        source,
        request_uri,
        from,
        asserted,
        diversions: diversions(invite),
        history: history(invite),
        call_id: Box::from(invite.call_id()),
    })
}

fn request_uri(invite: &Message) -> Result<Uri, Unreadable> {
    let uri = invite.request_uri().map_err(|_| Unreadable::Malformed)?;
    match uri.scheme() {
        um_sip::Scheme::Sip | um_sip::Scheme::Sips | um_sip::Scheme::Tel => {
            uri.as_str().parse().map_err(|_| Unreadable::Malformed)
        }
        um_sip::Scheme::Other => Err(Unreadable::Scheme),
    }
}

/// A party whose URI routing can read.
pub(crate) fn party(address: &NameAddr) -> Option<Party> {
    let uri = address.uri.as_str().parse().ok()?;
    Some(Party { display: address.display.clone(), uri })
}

/// A caller of whom nothing can be read (RFC 3323 §4.1.1.3).
pub(crate) fn anonymous() -> Party {
    let host = um_topology::Host::Name(Box::from("anonymous.invalid"));
    Party { display: Some(Box::from("Anonymous")), uri: Uri::sip(Some("anonymous"), host, None) }
}

fn diversions(invite: &Message) -> Vec<Diversion> {
    let values = invite.values(HeaderName::Diversion).take(ENTRIES_MAX);
    let read = values.filter_map(|value| um_sip::Diversion::parse(value).ok());
    read.filter_map(|diversion| {
        let party = party(&diversion.address)?;
        Some(Diversion { party, cause: Cause::of_reason(diversion.reason.token()) })
    })
    .collect()
}

fn history(invite: &Message) -> Vec<HistoryEntry> {
    let values = invite.values(HeaderName::HistoryInfo).take(ENTRIES_MAX);
    let read = values.filter_map(|value| um_sip::HistoryEntry::parse(value).ok());
    read.filter_map(|entry| {
        let mut uri: Uri = entry.uri().as_str().parse().ok()?;
        // A cause in an embedded Reason counts as one of the URI (RFC 7044 §7.1).
        if let Some(cause) = entry.cause().filter(|_| uri.param("cause").is_none()) {
            uri.set_param("cause", Some(&cause.to_string()));
        }
        let relation = entry.retarget.as_ref().map(|retarget| match retarget {
            Retarget::Mapped(from) => HistoryRelation::Mapped(from.to_string().into()),
            Retarget::Registered(from) => HistoryRelation::Recursed(from.to_string().into()),
            Retarget::NoChange(from) => HistoryRelation::Unchanged(from.to_string().into()),
        });
        Some(HistoryEntry { uri, index: entry.index.to_string().into(), relation })
    })
    .collect()
}

/// Entries of one header that are read; a longer chain says nothing new.
const ENTRIES_MAX: usize = 32;
