//! The INVITE of an attempt, from what routing decided: From, To, one Diversion, History-Info. What the
//! caller's INVITE said otherwise does not pass.

use bytes::Bytes;
use um_routing::{Diversion, HeaderPlan, HistoryEntry, HistoryRelation, Party};
use um_sip::endpoint::{Body, Extra, Identity, Request};
use um_sip::error::Fault;
use um_sip::{HeaderName, Method, NameAddr, Uri};

use super::{ALLOW, SDP, SUPPORTED};

/// Writes the INVITE of an attempt.
///
/// # Errors
/// When a URI of the plan is none that can be sent; it came from configuration or was read before, so
/// this is a URI that one side takes and the other does not.
pub(crate) fn invite(
    plan: &HeaderPlan,
    uri: &um_topology::Uri,
    identity: Identity,
    max_forwards: u8,
    offer: Option<Bytes>,
) -> Result<Request, Fault> {
    let mut headers = vec![
        Extra::Named(HeaderName::Allow, ALLOW.to_owned()),
        Extra::Named(HeaderName::Supported, SUPPORTED.to_owned()),
    ];
    if let Some(diversion) = &plan.diversion {
        headers.push(Extra::Named(HeaderName::Diversion, write_diversion(diversion)?));
    }
    if !plan.history.is_empty() {
        let entries = plan.history.iter().map(write_history).collect::<Result<Vec<_>, _>>()?;
        headers.push(Extra::Named(HeaderName::HistoryInfo, entries.join(", ")));
    }
    Ok(Request {
        method: Method::Invite,
        uri: sip_uri(uri)?,
        to: NameAddr::new(sip_uri(&plan.to)?),
        from: address(&plan.from)?,
        routes: Vec::new(),
        identity,
        max_forwards,
        contact_user: uri.user.as_deref().map(str::to_owned),
        headers,
        body: offer.map(|bytes| Body { content_type: SDP.to_owned(), bytes }),
    })
}

/// Writes the OPTIONS of a probe.
///
/// # Errors
/// As [`invite`].
pub(crate) fn options(
    to: &um_topology::Uri,
    from: &um_topology::Uri,
    identity: Identity,
) -> Result<Request, Fault> {
    Ok(Request {
        method: Method::Options,
        uri: sip_uri(to)?,
        to: NameAddr::new(sip_uri(to)?),
        from: NameAddr::new(sip_uri(from)?),
        routes: Vec::new(),
        identity,
        max_forwards: MAX_FORWARDS,
        contact_user: None,
        headers: vec![Extra::Named(HeaderName::Accept, SDP.to_owned())],
        body: None,
    })
}

fn sip_uri(uri: &um_topology::Uri) -> Result<Uri, Fault> {
    Uri::parse(uri.to_string().as_bytes())
}

fn address(party: &Party) -> Result<NameAddr, Fault> {
    let address = NameAddr::new(sip_uri(&party.uri)?);
    Ok(match &party.display {
        Some(display) => address.with_display(display),
        None => address,
    })
}

fn write_diversion(diversion: &Diversion) -> Result<String, Fault> {
    let party = address(&diversion.party)?;
    Ok(format!("{party};reason={};counter=1;privacy=off;screen=no", diversion.cause.reason()))
}

fn write_history(entry: &HistoryEntry) -> Result<String, Fault> {
    let uri = sip_uri(&entry.uri)?;
    let relation = match &entry.relation {
        Some(HistoryRelation::Mapped(from)) => format!(";mp={from}"),
        Some(HistoryRelation::Recursed(from)) => format!(";rc={from}"),
        Some(HistoryRelation::Unchanged(from)) => format!(";np={from}"),
        None => String::new(),
    };
    Ok(format!("<{uri}>;index={}{relation}", entry.index))
}

/// RFC 3261 §8.1.1.6.
pub(crate) const MAX_FORWARDS: u8 = 70;
