//! Addresses of names: a cache that keeps to the TTL, remembers for 5 s that a name has none, and
//! serves a stale answer while the resolver is dead. It resolves nothing itself (RFC 3263 is the
//! driver's resolver); it says what is to be asked and who waits for the answer.

use std::collections::{BTreeMap, VecDeque};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use um_routing::Target;
use um_routing::redirect::Hop;
use um_topology::{Host, Transport};

use crate::input::{Resolution, ResolveError};
use crate::output::QueryId;

#[cfg(test)]
mod tests;

/// Where something is to be sent, as configuration, a URI or a Contact names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// An address or a name.
    pub(crate) host: Host,
    /// As written; without one SRV decides, or the default port.
    pub(crate) port: Option<u16>,
    /// How to go there.
    pub(crate) transport: Transport,
}

impl From<&Target> for Place {
    fn from(target: &Target) -> Self {
        Self { host: target.host.clone(), port: target.port, transport: target.transport }
    }
}

impl From<&Hop> for Place {
    fn from(hop: &Hop) -> Self {
        Self { host: hop.host.clone(), port: hop.port, transport: hop.transport }
    }
}

/// What is known of a place now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Located {
    /// Addresses in the order in which they are to be tried; never empty.
    At(Arc<[SocketAddr]>),
    /// The name has no address, or nobody can say.
    Nowhere(ResolveError),
    /// The answer comes later, through [`Locator::poll_output`].
    Asked,
}

/// What the locator wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum LocatorOutput<W> {
    /// Put this question to the resolver.
    Ask(QueryId, Place),
    /// The answer for one who waited.
    Answer(W, Located),
}

/// The cache and the questions under way; `W` names who waits.
#[derive(Debug)]
pub(crate) struct Locator<W> {
    names: BTreeMap<Key, Name<W>>,
    asked: BTreeMap<QueryId, Key>,
    outputs: VecDeque<LocatorOutput<W>>,
    limit: usize,
    last: u64,
}

/// Ordered by name first, so that all addresses of a host stand together.
type Key = (Box<str>, Option<u16>, Transport);

#[derive(Debug)]
struct Name<W> {
    /// The last good answer, fresh or stale.
    addresses: Arc<[SocketAddr]>,
    /// Until when the last answer holds, good or not; an older one is asked again.
    until: Option<Instant>,
    error: Option<ResolveError>,
    question: Option<Question<W>>,
}

#[derive(Debug)]
struct Question<W> {
    query: QueryId,
    deadline: Instant,
    waiting: Vec<W>,
}

impl<W: Clone + PartialEq> Locator<W> {
    pub(crate) fn new(limit: usize) -> Self {
        Self { names: BTreeMap::new(), asked: BTreeMap::new(), outputs: VecDeque::new(), limit, last: 0 }
    }

    /// Finds a place. With [`Located::Asked`] the answer comes for `waiter` later, exactly once.
    pub(crate) fn locate(&mut self, now: Instant, place: &Place, waiter: W) -> Located {
        if let Some(ip) = place.host.ip() {
            let port = place.port.unwrap_or(DEFAULT_PORT);
            return Located::At(Arc::from([SocketAddr::new(ip, port)]));
        }
        let located = self.look_up(now, place);
        let question = self.names.get_mut(&key(place)).and_then(|name| name.question.as_mut());
        if let (Located::Asked, Some(question)) = (&located, question) {
            question.waiting.push(waiter);
        }
        located
    }

    /// Sees to it that the addresses of a place will be known; nobody waits for them.
    pub(crate) fn learn(&mut self, now: Instant, place: &Place) {
        if place.host.ip().is_none() {
            self.look_up(now, place);
        }
    }

    /// Takes the resolver's answer. One that nobody waits for any more still enters the cache.
    pub(crate) fn resolved(
        &mut self,
        now: Instant,
        query: QueryId,
        result: Result<Resolution, ResolveError>,
    ) {
        let Some(key) = self.asked.remove(&query) else { return };
        let Some(name) = self.names.get_mut(&key) else { return };
        let Some(question) = name.question.take_if(|question| question.query == query) else { return };
        match result {
            Ok(found) if !found.addresses.is_empty() => {
                name.addresses = found.addresses.into();
                name.error = None;
                name.until = Some(now + found.ttl.max(TTL_MIN));
            }
            Ok(_) => name.fail(now, ResolveError::NotFound),
            Err(error) => name.fail(now, error),
        }
        let answer = name.verdict();
        self.outputs
            .extend(question.waiting.into_iter().map(|waiter| LocatorOutput::Answer(waiter, answer.clone())));
    }

    /// Forgets one who waits.
    pub(crate) fn forget(&mut self, place: &Place, waiter: &W) {
        if let Some(question) = self.names.get_mut(&key(place)).and_then(|name| name.question.as_mut()) {
            question.waiting.retain(|other| other != waiter);
        }
    }

    /// Gives up questions that the resolver left open.
    pub(crate) fn handle_timeout(&mut self, now: Instant) {
        while !self.asked.is_empty() {
            let late = self.names.values().filter_map(|name| name.question.as_ref());
            let Some(query) =
                late.filter(|question| question.deadline <= now).map(|question| question.query).min()
            else {
                return;
            };
            self.resolved(now, query, Err(ResolveError::TimedOut));
        }
    }

    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        if self.asked.is_empty() {
            return None;
        }
        self.names.values().filter_map(|name| name.question.as_ref()).map(|question| question.deadline).min()
    }

    pub(crate) fn poll_output(&mut self) -> Option<LocatorOutput<W>> {
        self.outputs.pop_front()
    }

    /// Every address known of a host name, for any port and transport; nothing is asked.
    pub(crate) fn known(&self, host: &str) -> Vec<IpAddr> {
        let host = Host::Name(host.into());
        let from: Key = (Box::from(&*host.key()), None, Transport::Udp);
        let same = self.names.range(from.clone()..).take_while(|(key, _)| key.0 == from.0);
        let mut found: Vec<IpAddr> = Vec::new();
        for address in same.flat_map(|(_, name)| name.addresses.iter().map(SocketAddr::ip)) {
            if !found.contains(&address) {
                found.push(address);
            }
        }
        found
    }

    /// How many questions are open.
    pub(crate) fn asking(&self) -> usize {
        self.asked.len()
    }

    /// What the cache says of a name; unless it knows, a question is under way then.
    fn look_up(&mut self, now: Instant, place: &Place) -> Located {
        let key = key(place);
        if !self.names.contains_key(&key) && !self.make_room(now) {
            return Located::Nowhere(ResolveError::Failed);
        }
        let name = self.names.entry(key.clone()).or_insert_with(Name::unknown);
        if name.until.is_some_and(|until| until > now) {
            return name.verdict();
        }
        if name.question.is_none() {
            self.last += 1;
            let query = QueryId(self.last);
            name.question = Some(Question { query, deadline: now + RESOLVER_TIMEOUT, waiting: Vec::new() });
            self.asked.insert(query, key);
            self.outputs.push_back(LocatorOutput::Ask(query, place.clone()));
        }
        Located::Asked
    }

    /// Makes room for one more name: the one whose answer ran out first goes, unless all are in use.
    fn make_room(&mut self, now: Instant) -> bool {
        if self.names.len() < self.limit {
            return true;
        }
        let idle = self.names.iter().filter(|(_, name)| name.question.is_none());
        let oldest = idle.min_by_key(|(_, name)| name.until.unwrap_or(now)).map(|(key, _)| key.clone());
        oldest.is_some_and(|key| self.names.remove(&key).is_some())
    }
}

impl<W> Name<W> {
    fn unknown() -> Self {
        Self { addresses: Arc::from([]), until: None, error: None, question: None }
    }

    /// Keeps what was known before if the resolver is at fault, forgets it if the name is gone.
    fn fail(&mut self, now: Instant, error: ResolveError) {
        match error {
            ResolveError::NotFound => self.addresses = Arc::from([]),
            ResolveError::TimedOut | ResolveError::Failed => {}
        }
        self.error = Some(error);
        self.until = Some(now + NEGATIVE_TTL);
    }

    fn verdict(&self) -> Located {
        if self.addresses.is_empty() {
            Located::Nowhere(self.error.unwrap_or(ResolveError::NotFound))
        } else {
            Located::At(Arc::clone(&self.addresses))
        }
    }
}

fn key(place: &Place) -> Key {
    (Box::from(&*place.host.key()), place.port, place.transport)
}

/// UDP and TCP (RFC 3261 §19.1.2).
const DEFAULT_PORT: u16 = 5060;
/// How long a failed answer is believed.
const NEGATIVE_TTL: Duration = Duration::from_secs(5);
/// A TTL of zero would mean one question per call.
const TTL_MIN: Duration = Duration::from_secs(1);
/// The driver's resolver answers within 2 s; this is for one that does not answer at all.
const RESOLVER_TIMEOUT: Duration = Duration::from_millis(2_100);
