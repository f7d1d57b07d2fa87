//! The target list of one call: which servers are tried, in which order, and why each stands where it stands.
//!
//! Priorities are the failover order, the list's strategy shares load within one. A target in doubt (SUSPECT) comes after
//! all that are UP; one that is DOWN or PROBING is used only when no other is UP or SUSPECT, or when all of those have
//! failed in this very call, as a last resort; a BLOCKED one never.

use std::collections::BTreeMap;
use std::sync::Arc;

use um_topology::{Entry, HashOn, Host, Line, ProxyList, Scheme, Station, Transport, Uri};

use crate::explanation::{Explanation, TargetExplanation, Why};
use crate::facts::Facts;
use crate::mailbox::Wanted;
use crate::rotation::Rotation;
use crate::route::Target;
use crate::strategy::{self, Member};
use crate::view::{TargetId, TargetState, View};

/// What a target list is made for.
pub(crate) struct TargetQuery<'a> {
    /// The station; none where the list is all that is known.
    pub(crate) station: Option<&'a Station>,
    /// The line towards it.
    pub(crate) line: &'a Line,
    /// The list, unless the connection address is the only target.
    pub(crate) list: Option<&'a Arc<ProxyList>>,
    /// The Request-URI before a target's host is put into it.
    pub(crate) request_uri: Uri,
    /// Whether the target's host is put into it.
    pub(crate) rewrite: bool,
    /// What strategy HASH hashes.
    pub(crate) hash_key: String,
}

/// Orders the targets of a call; writes every one of them, tried or not, into the explanation.
pub(crate) fn target_list(
    query: &TargetQuery<'_>,
    view: &dyn View,
    rotation: &mut Rotation,
    explanation: &mut Explanation,
) -> Vec<Target> {
    let mut candidates = match query.list {
        Some(list) => of_list(query, list, view),
        None => of_station(query, view).into_iter().collect(),
    };
    let order = order(&candidates, query, rotation);
    for (place, index) in (1..).zip(&order) {
        candidates[*index].explained.order = Some(place);
        candidates[*index].explained.eligible = true;
    }
    let others_alive = candidates.iter().any(Candidate::is_alive);
    explanation.steps.extend(candidates.iter().map(|candidate| sentence(&candidate.explained, others_alive)));
    let mut targets: Vec<Target> = order.iter().map(|index| candidates[*index].target.clone()).collect();
    if others_alive && !targets.is_empty() {
        let down = (0..candidates.len()).filter(|index| candidates[*index].is_down()).collect();
        let held_back = by_priority(&candidates, down).into_values().flatten();
        targets
            .extend(held_back.map(|index| Target { last_resort: true, ..candidates[index].target.clone() }));
    }
    explanation.targets = candidates.into_iter().map(|candidate| candidate.explained).collect();
    targets
}

/// Returns the text that strategy HASH hashes: the Call-ID, the caller or the mailbox.
pub(crate) fn hash_key(list: Option<&ProxyList>, facts: &Facts, wanted: Option<&Wanted>) -> String {
    let from = || um_topology::number::uri_key(&facts.from.uri).unwrap_or_default();
    match list.map(ProxyList::effective_hash_on) {
        Some(HashOn::CallId) | None => facts.call_id.to_string(),
        Some(HashOn::From) => from(),
        Some(HashOn::Mailbox) => {
            let mailbox =
                wanted.and_then(|wanted| Some(wanted.user.as_ref()?.um_address(&wanted.station).key()));
            mailbox.unwrap_or_else(from)
        }
    }
}

/// Returns the hosts of all configured targets, active or not.
pub(crate) fn configured_hosts<'a>(query: &'a TargetQuery<'_>) -> impl Iterator<Item = &'a Host> {
    let entries =
        query.list.into_iter().flat_map(|list| &list.entries).filter_map(|entry| entry.address.as_ref());
    let own = query.station.and_then(|station| station.connection_address.as_ref()?.host());
    entries.chain(own.filter(|_| query.list.is_none()))
}

/// A target before it has its place.
struct Candidate {
    target: Target,
    calls: u32,
    explained: TargetExplanation,
}

impl Candidate {
    fn in_state(&self, wanted: fn(TargetState) -> bool) -> bool {
        match self.explained.why {
            Why::State(state) => wanted(state),
            Why::Inactive | Why::AtCapacity => false,
        }
    }

    fn is_down(&self) -> bool {
        self.in_state(|state| matches!(state, TargetState::Down | TargetState::Probing))
    }

    /// Says whether the target is up or in doubt, which holds back those that are down.
    const fn is_alive(&self) -> bool {
        match self.explained.why {
            Why::State(TargetState::Up | TargetState::Suspect) | Why::AtCapacity => true,
            Why::State(TargetState::Down | TargetState::Probing | TargetState::Blocked { .. })
            | Why::Inactive => false,
        }
    }
}

fn of_list(query: &TargetQuery<'_>, list: &ProxyList, view: &dyn View) -> Vec<Candidate> {
    let candidate = |entry: &Entry| {
        let target = Target {
            id: TargetId::Entry { list: list.id.clone(), entry: entry.id.clone() },
            // The topology refuses entries without an address.
            host: entry.address.clone()?,
            port: entry.port,
            transport: entry.transport.or(list.protocol).unwrap_or_else(|| query.line.effective_protocol()),
            request_uri: query.request_uri.clone(),
            last_resort: false,
        };
        let calls = view.calls(&target.id);
        let why = why(entry, calls, view.state(&target.id));
        Some(make(query, target, (entry.effective_priority(), entry.effective_weight()), calls, why))
    };
    list.entries.iter().filter_map(candidate).collect()
}

/// The connection address as the only target.
fn of_station(query: &TargetQuery<'_>, view: &dyn View) -> Option<Candidate> {
    let station = query.station?;
    let address = station.connection_address.as_ref()?;
    let named = address.uri().param("transport").map(str::to_ascii_lowercase);
    let transport = match named.as_deref() {
        Some("udp") => Transport::Udp,
        Some("tcp") => Transport::Tcp,
        Some(_) | None => query.line.effective_protocol(),
    };
    let target = Target {
        id: TargetId::Station(station.id.clone()),
        host: address.host()?.clone(),
        port: address.port(),
        transport,
        request_uri: query.request_uri.clone(),
        last_resort: false,
    };
    let (calls, state) = (view.calls(&target.id), view.state(&target.id));
    Some(make(query, target, (1, 100), calls, Why::State(state)))
}

fn make(
    query: &TargetQuery<'_>,
    mut target: Target,
    (priority, weight): (u32, u32),
    calls: u32,
    why: Why,
) -> Candidate {
    if query.rewrite {
        target.request_uri = at_target(&query.request_uri, &target);
    }
    let explained = TargetExplanation {
        target: target.id.clone(),
        host: target.host.clone(),
        port: target.port,
        transport: target.transport,
        priority,
        weight,
        eligible: false,
        why,
        order: None,
    };
    Candidate { target, calls, explained }
}

/// Puts a target's host, port and transport into the Request-URI; a `tel:` URI becomes the SIP URI of its number.
fn at_target(uri: &Uri, target: &Target) -> Uri {
    let mut uri = uri.clone();
    if uri.scheme == Scheme::Tel {
        uri.scheme = Scheme::Sip;
        uri.set_param("user", Some("phone"));
    }
    uri.host = Some(target.host.clone());
    uri.port = target.port;
    match target.transport {
        Transport::Udp => uri.remove_param("transport"),
        Transport::Tcp => uri.set_param("transport", Some("tcp")),
    }
    uri
}

const fn has_room(entry: &Entry, calls: u32) -> bool {
    match entry.max_calls {
        Some(limit) => calls < limit,
        None => true,
    }
}

fn why(entry: &Entry, calls: u32, state: TargetState) -> Why {
    if !entry.effective_active() {
        return Why::Inactive;
    }
    match state {
        TargetState::Up | TargetState::Suspect if !has_room(entry, calls) => Why::AtCapacity,
        TargetState::Up
        | TargetState::Suspect
        | TargetState::Down
        | TargetState::Probing
        | TargetState::Blocked { .. } => Why::State(state),
    }
}

/// Returns the indexes of the targets to try, in order.
fn order(candidates: &[Candidate], query: &TargetQuery<'_>, rotation: &mut Rotation) -> Vec<usize> {
    let having = |wanted: fn(TargetState) -> bool| -> Vec<usize> {
        (0..candidates.len()).filter(|index| candidates[*index].in_state(wanted)).collect()
    };
    let up = having(|state| state == TargetState::Up);
    let suspect = having(|state| state == TargetState::Suspect);
    if up.is_empty() && suspect.is_empty() {
        if candidates.iter().any(Candidate::is_alive) {
            // Those that are up have all the calls they may; that is no reason to try a dead one.
            return Vec::new();
        }
        let down = (0..candidates.len()).filter(|index| candidates[*index].is_down()).collect();
        return share(candidates, down, query, rotation);
    }
    if up.is_empty() {
        return share(candidates, suspect, query, rotation);
    }
    let mut order = share(candidates, up, query, rotation);
    order.extend(by_priority(candidates, suspect).into_values().flatten());
    order
}

fn by_priority(candidates: &[Candidate], indexes: Vec<usize>) -> BTreeMap<u32, Vec<usize>> {
    let mut groups: BTreeMap<u32, Vec<usize>> = BTreeMap::new();
    for index in indexes {
        groups.entry(candidates[index].explained.priority).or_default().push(index);
    }
    groups
}

/// Orders targets by priority and, within one, by the strategy of the list.
fn share(
    candidates: &[Candidate],
    indexes: Vec<usize>,
    query: &TargetQuery<'_>,
    rotation: &mut Rotation,
) -> Vec<usize> {
    let Some(list) = query.list else { return indexes };
    let mut order = Vec::with_capacity(indexes.len());
    for (priority, group) in by_priority(candidates, indexes) {
        let member = |index: &usize| {
            let candidate = &candidates[*index];
            Member { id: &candidate.target.id, weight: candidate.explained.weight, calls: candidate.calls }
        };
        let members: Vec<Member<'_>> = group.iter().map(member).collect();
        let turn = rotation.turn(&list.id, priority);
        let shared = strategy::order(list.effective_strategy(), &members, &query.hash_key, turn);
        order.extend(shared.into_iter().map(|place| group[place]));
    }
    order
}

fn sentence(explained: &TargetExplanation, others_alive: bool) -> String {
    let (target, why) = (&explained.target, explained.why.as_str());
    if let Some(order) = explained.order {
        return match explained.why {
            Why::State(TargetState::Up) => format!("Target {target} is number {order} to be tried."),
            Why::State(TargetState::Suspect) => {
                format!("Target {target} is number {order} to be tried: a call failed there ({why}).")
            }
            Why::State(TargetState::Down | TargetState::Probing | TargetState::Blocked { .. })
            | Why::Inactive
            | Why::AtCapacity => {
                format!("Target {target} is number {order} to be tried, as a last resort ({why}).")
            }
        };
    }
    match explained.why {
        Why::State(TargetState::Blocked { remaining }) => {
            let seconds = remaining.as_secs() + u64::from(remaining.subsec_nanos() > 0);
            format!("Target {target} is left out: it asked not to be called for {seconds} s more ({why}).")
        }
        Why::Inactive => format!("Target {target} is left out: it is not active ({why})."),
        Why::AtCapacity => format!("Target {target} is left out: it has as many calls as it may ({why})."),
        Why::State(_) if others_alive => {
            format!("Target {target} is held back: it is tried only if all others fail in this call ({why}).")
        }
        Why::State(_) => format!("Target {target} is left out ({why})."),
    }
}
