//! What the outbound INVITE says: Request-URI, To, From, Diversion, History-Info, by the provider's profile.
//!
//! EXCHANGE gets exactly one Diversion and nothing else about the call's history, against RFC 5806 §3.1, because several
//! lead it to the wrong mailbox. GENERIC gets one Diversion, History-Info (RFC 7044) and RFC 4458 parameters.

use um_topology::line::BindAddress;
use um_topology::{Host, Line, Scheme, Settings, Topology, UmProvider, Uri};

use crate::diversion;
use crate::facts::{Diversion, Facts, HistoryEntry, HistoryRelation, Party};
use crate::mailbox::Wanted;
use crate::route::HeaderPlan;
use crate::view::View;

/// Returns the host of our From and Diversion: the line's domain, else the first of the settings, else what the line
/// shows to others.
pub(crate) fn our_host(topology: &Topology, line: &Line, view: &dyn View) -> Host {
    let bound = || match line.transport.bind_address {
        Some(BindAddress::Ip(ip)) => Some(Host::Ip(ip)),
        Some(BindAddress::Interface(_) | BindAddress::Cidr(_)) | None => None,
    };
    let domain = || topology.settings().and_then(|settings| settings.domains.first().cloned());
    let host = line.domain.clone().or_else(domain).or_else(|| view.advertised(&line.id)).or_else(bound);
    // Only a dry run comes here, for a line that no worker has bound (RFC 2606 §2).
    host.unwrap_or_else(|| Host::Name(Box::from("unbound.invalid")))
}

/// Says whether the Request-URI takes the target's host and port.
pub(crate) fn rewrites_request_uri(topology: &Topology) -> bool {
    topology.settings().is_none_or(|settings| Settings::effective_rewrite_request_uri(settings))
}

/// Makes the headers that are the same for every target.
pub(crate) fn plan(facts: &Facts, wanted: &Wanted, our_host: &Host) -> HeaderPlan {
    let to = connection_uri(wanted);
    let diversion = wanted.diversion.as_ref().map(|incoming| outgoing(incoming, wanted, our_host));
    let history = match (wanted.station.effective_um_provider(), &diversion) {
        (UmProvider::Generic, Some(diversion)) => history(diversion, &to),
        (UmProvider::Generic, None) | (UmProvider::Exchange, _) => Vec::new(),
    };
    HeaderPlan { to, from: from(facts, wanted, our_host), diversion, history }
}

/// Makes the headers of a call that a route row sends on under a user part: those of profile GENERIC, the last diverting
/// party as it came.
pub(crate) fn plan_passage(facts: &Facts, user: &str, our_host: &Host) -> HeaderPlan {
    let to = Uri::sip(Some(user), our_host.clone(), None);
    let diversion = diversion::chain(facts).into_iter().next();
    let history = diversion.as_ref().map(|diversion| history(diversion, &to)).unwrap_or_default();
    HeaderPlan { to, from: caller(facts, our_host), diversion, history }
}

/// Returns the Request-URI of a call that a route row sends on, before a target's host is put into it.
pub(crate) fn passage_uri(facts: &Facts, headers: &HeaderPlan) -> Uri {
    let came = &facts.request_uri;
    let host = came.host.clone().or_else(|| headers.to.host.clone());
    let uri = Uri { host, port: came.port, ..headers.to.clone() };
    with_reason(uri, headers.diversion.as_ref())
}

/// Returns the Request-URI as it is before a target's host is put into it.
pub(crate) fn request_uri(wanted: &Wanted, headers: &HeaderPlan) -> Uri {
    let uri = headers.to.clone();
    match wanted.station.effective_um_provider() {
        UmProvider::Generic => with_reason(uri, headers.diversion.as_ref()),
        UmProvider::Exchange => uri,
    }
}

/// Says in a Request-URI who diverted the call and why (RFC 4458).
fn with_reason(uri: Uri, diversion: Option<&Diversion>) -> Uri {
    let Some(diversion) = diversion else { return uri };
    let target = address_only(&diversion.party.uri).to_string();
    uri.with_param("target", Some(&target)).with_param("cause", Some(&diversion.cause.code().to_string()))
}

/// The station's connection address. The topology refuses a station without one; the empty pilot stands for it here.
fn connection_uri(wanted: &Wanted) -> Uri {
    let unset = || Uri::sip(None, Host::Name(Box::from("unbound.invalid")), None);
    wanted.station.connection_address.as_ref().map_or_else(unset, um_topology::SipAddress::uri)
}

/// The owner of the mailbox under his UM address; an unknown party as it came.
fn outgoing(incoming: &Diversion, wanted: &Wanted, our_host: &Host) -> Diversion {
    let Some(user) = &wanted.user else { return incoming.clone() };
    let known = user.meta.as_ref().map(|meta| meta.display_name.clone()).filter(|name| !name.is_empty());
    let party = Party {
        display: incoming.party.display.clone().or(known),
        uri: user.um_address(&wanted.station).uri(our_host),
    };
    Diversion { party, cause: incoming.cause }
}

/// The caller: a user at his own mailbox under his UM address, anybody else by his number at our host.
fn from(facts: &Facts, wanted: &Wanted, our_host: &Host) -> Party {
    let own = wanted.user.as_ref().filter(|_| wanted.diversion.is_none());
    match own {
        Some(user) => {
            Party { display: facts.from.display.clone(), uri: user.um_address(&wanted.station).uri(our_host) }
        }
        None => caller(facts, our_host),
    }
}

/// The caller by his number at our host.
fn caller(facts: &Facts, our_host: &Host) -> Party {
    let display = facts.from.display.clone();
    let theirs = &facts.from.uri;
    if theirs.host.as_ref().is_some_and(is_anonymous) {
        return Party { display, uri: address_only(theirs) };
    }
    let uri = Uri::sip(theirs.user.as_deref(), our_host.clone(), None);
    let number = theirs.scheme == Scheme::Tel || theirs.user.as_deref().is_some_and(is_number);
    Party { display, uri: if number { uri.with_param("user", Some("phone")) } else { uri } }
}

/// Two entries: who diverted, and where the call went for it (RFC 7044 §5, RFC 7544).
fn history(diversion: &Diversion, to: &Uri) -> Vec<HistoryEntry> {
    let cause = diversion.cause.code().to_string();
    vec![
        HistoryEntry { uri: address_only(&diversion.party.uri), index: Box::from("1"), relation: None },
        HistoryEntry {
            uri: to.clone().with_param("cause", Some(&cause)),
            index: Box::from("1.1"),
            relation: Some(HistoryRelation::Mapped(Box::from("1"))),
        },
    ]
}

/// A URI without parameters and headers.
fn address_only(uri: &Uri) -> Uri {
    Uri { params: Vec::new(), headers: None, ..uri.clone() }
}

/// The host of a caller who withholds his identity (RFC 3323 §4.1.1.3); naming ours instead would identify him as ours.
fn is_anonymous(host: &Host) -> bool {
    host.key() == "anonymous.invalid"
}

fn is_number(user: &str) -> bool {
    let digits = user.strip_prefix('+').unwrap_or(user);
    !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'*' | b'#'))
}
