//! Addresses of places (RFC 3263): who asks for one gets its addresses in the order in which they are to be
//! tried, at once or as soon as the resolver has answered. It resolves nothing itself: it says which records
//! are to be asked for, keeps the answers (`locate/records.rs`) and reads them (`locate/search.rs`).
//!
//! While the resolver is dead, what was known before serves on for a day at most.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use um_routing::Target;
use um_routing::redirect::Hop;
use um_topology::{Host, Transport};

use crate::input::{Resolution, ResolveError};
use crate::output::QueryId;

mod order;
mod records;
mod search;
mod shun;

#[cfg(test)]
mod tests;

use records::{Cache, STALE_AFTER, Settle};
use search::{Outcome, Search};
use shun::Shunned;

pub(crate) use records::Question;

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

/// What decides between the answers to one who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Means {
    /// The address families that it can send from.
    pub(crate) families: Families,
    /// Another transport that would do as well: then NAPTR chooses, if the place has no port (RFC 3263 §4.1).
    pub(crate) alternative: Option<Transport>,
    /// Who asks twice with the same lot gets servers of equal priority in the same order.
    pub(crate) lot: u64,
}

/// Address families.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Families {
    pub(crate) v4: bool,
    pub(crate) v6: bool,
}

impl Families {
    pub(crate) const BOTH: Self = Self { v4: true, v6: true };
}

/// What is known of a place now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Located {
    /// Where it is.
    At {
        /// How to go there.
        transport: Transport,
        /// In the order in which they are to be tried; never empty.
        addresses: Arc<[SocketAddr]>,
    },
    /// The name has no address, or nobody can say.
    Nowhere(ResolveError),
    /// The answer comes later, through [`Locator::poll_output`].
    Asked,
}

/// What the locator wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum LocatorOutput<W> {
    /// Put this question to the resolver.
    Ask(QueryId, Question),
    /// The answer for one who waited.
    Answer(W, Located),
}

/// The cache and the searches under way; `W` names who waits, for one place at a time.
#[derive(Debug)]
pub(crate) struct Locator<W> {
    cache: Cache<Waiter<W>>,
    searches: BTreeMap<Waiter<W>, Pending>,
    deadlines: BTreeSet<(Instant, Waiter<W>)>,
    learned: Vec<Place>,
    learn_at: Option<Instant>,
    shunned: Shunned,
    outputs: VecDeque<LocatorOutput<W>>,
    seed: u64,
}

/// Who waits for a search.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Waiter<W> {
    User(W),
    /// Nobody: only the cache shall know this learned place.
    Cache(usize),
}

#[derive(Clone, Debug)]
struct Pending {
    place: Place,
    means: Means,
    deadline: Instant,
}

impl<W: Copy + Ord> Locator<W> {
    /// `limit` bounds the records kept; `seed` decides the order of servers of equal priority.
    pub(crate) fn new(limit: usize, seed: u64) -> Self {
        Self {
            cache: Cache::new(limit),
            searches: BTreeMap::new(),
            deadlines: BTreeSet::new(),
            learned: Vec::new(),
            learn_at: None,
            shunned: Shunned::default(),
            outputs: VecDeque::new(),
            seed,
        }
    }

    /// Finds a place. With [`Located::Asked`] the answer comes for `user` later, exactly once.
    pub(crate) fn locate(&mut self, now: Instant, place: &Place, means: Means, user: W) -> Located {
        if let Some(ip) = place.host.ip() {
            let address = SocketAddr::new(ip, place.port.unwrap_or(DEFAULT_PORT));
            return Located::At { transport: place.transport, addresses: Arc::from([address]) };
        }
        self.forget(user);
        let means = Means { lot: means.lot ^ self.seed, ..means };
        self.search(now, Waiter::User(user), place.clone(), means)
    }

    /// Sees to it that the addresses of these places are known from now on; nobody waits for them.
    pub(crate) fn learn(&mut self, now: Instant, places: impl Iterator<Item = Place>) {
        self.learned = places.filter(|place| place.host.ip().is_none()).collect();
        self.learn_again(now);
    }

    /// Takes the resolver's answer. One that nobody waits for any more still enters the cache.
    pub(crate) fn resolved(
        &mut self,
        now: Instant,
        query: QueryId,
        result: Result<Resolution, ResolveError>,
    ) {
        for waiter in self.cache.resolved(now, query, result) {
            let Some(pending) = self.take(waiter) else { continue };
            let located = self.go_on(now, waiter, pending);
            self.tell(waiter, located);
        }
    }

    /// Notes whether an address answered a call or a probe: one that did not is tried after the others of its name.
    pub(crate) fn note(&mut self, now: Instant, address: SocketAddr, answered: Answered) {
        self.shunned.note(now, address, answered);
    }

    /// Forgets one who waits.
    pub(crate) fn forget(&mut self, user: W) {
        self.take(Waiter::User(user));
    }

    /// Gives up questions that the resolver left open, and answers those who have waited long enough with what is known.
    pub(crate) fn handle_timeout(&mut self, now: Instant) {
        while let Some(query) = self.cache.overdue(now) {
            self.resolved(now, query, Err(ResolveError::TimedOut));
        }
        while let Some((_, waiter)) = self.deadlines.first().filter(|(deadline, _)| *deadline <= now).copied()
        {
            let Some(pending) = self.take(waiter) else { continue };
            let outcome = Search::new(&self.cache, now, Settle::Now).run(&pending.place, &pending.means);
            let located = match outcome {
                Outcome::Done(located) => self.shunned.order(now, located),
                Outcome::Missing(_) => Located::Nowhere(ResolveError::TimedOut),
            };
            self.tell(waiter, located);
        }
        if self.learn_at.is_some_and(|at| at <= now) {
            self.learn_again(now);
        }
    }

    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        let waiter = self.deadlines.first().map(|(deadline, _)| *deadline);
        [self.cache.poll_timeout(), waiter, self.learn_at].into_iter().flatten().min()
    }

    pub(crate) fn poll_output(&mut self) -> Option<LocatorOutput<W>> {
        self.outputs.pop_front()
    }

    /// Every address known of a host name, for any port and transport; nothing is asked.
    pub(crate) fn known(&self, host: &str) -> Vec<IpAddr> {
        search::everything(&self.cache, host)
    }

    /// How many questions are open and how many wait.
    pub(crate) fn asking(&self) -> usize {
        self.cache.asking() + self.searches.len()
    }

    fn learn_again(&mut self, now: Instant) {
        for (index, place) in self.learned.clone().into_iter().enumerate() {
            let means = Means { families: Families::BOTH, alternative: Some(other(place.transport)), lot: 0 };
            let waiter = Waiter::Cache(index);
            self.take(waiter);
            self.search(now, waiter, place, means);
        }
        self.learn_at = (!self.learned.is_empty()).then_some(now + LEARN_EVERY);
    }

    fn search(&mut self, now: Instant, waiter: Waiter<W>, place: Place, means: Means) -> Located {
        self.go_on(now, waiter, Pending { place, means, deadline: now + PATIENCE })
    }

    /// Searches with what is known by now; asks for what is missing.
    fn go_on(&mut self, now: Instant, waiter: Waiter<W>, mut pending: Pending) -> Located {
        let mut search = Search::new(&self.cache, now, Settle::Later);
        let outcome = search.run(&pending.place, &pending.means);
        let looked_at = std::mem::take(&mut search.looked_at);
        let mut room = true;
        for question in looked_at {
            match self.cache.want(now, &question) {
                Some(Some(query)) => self.outputs.push_back(LocatorOutput::Ask(query, question)),
                Some(None) => {}
                None => room = false,
            }
        }
        let missing = match outcome {
            Outcome::Done(located) => return self.shunned.order(now, located),
            Outcome::Missing(_) if !room => return Located::Nowhere(ResolveError::Failed),
            Outcome::Missing(missing) => missing,
        };
        let known = Search::new(&self.cache, now, Settle::Now).run(&pending.place, &pending.means);
        if matches!(known, Outcome::Done(Located::At { .. })) {
            pending.deadline = pending.deadline.min(now + STALE_AFTER);
        }
        if let Some(first) = missing.first() {
            self.cache.wait(first, waiter);
        }
        self.deadlines.insert((pending.deadline, waiter));
        self.searches.insert(waiter, pending);
        Located::Asked
    }

    fn take(&mut self, waiter: Waiter<W>) -> Option<Pending> {
        let pending = self.searches.remove(&waiter)?;
        self.deadlines.remove(&(pending.deadline, waiter));
        Some(pending)
    }

    fn tell(&mut self, waiter: Waiter<W>, located: Located) {
        match (waiter, located) {
            (_, Located::Asked) | (Waiter::Cache(_), _) => {}
            (Waiter::User(user), located) => self.outputs.push_back(LocatorOutput::Answer(user, located)),
        }
    }
}

/// What became of a message to an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answered {
    /// It was answered.
    Yes,
    /// The address cannot be reached, or is silent.
    No,
}

const fn other(transport: Transport) -> Transport {
    match transport {
        Transport::Udp => Transport::Tcp,
        Transport::Tcp => Transport::Udp,
    }
}

/// UDP and TCP (RFC 3261 §19.1.2).
const DEFAULT_PORT: u16 = 5060;
/// How long one who asks waits at most.
const PATIENCE: Duration = Duration::from_secs(2);
/// How often the learned places are looked at again; what still holds is not asked for.
const LEARN_EVERY: Duration = Duration::from_secs(10);
