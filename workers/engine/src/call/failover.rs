//! What is left to try for one call, and what to tell the caller when nothing is: the targets in the
//! order of the call's birth, within a target every address, within a redirection every Contact.
//! It runs no timer and starts nothing.

use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};

use um_routing::redirect::{Contact, Hop, RedirectPolicy, RedirectTrail};
use um_routing::retryable::{AttemptEnd, FinalResponse, most_useful};
use um_topology::Uri;

use super::words::AttemptId;

/// The rest of the way.
#[derive(Clone, Debug)]
pub(crate) struct Failover {
    /// How many targets there are.
    targets: usize,
    /// How many of them are not held back as a last resort; those come first.
    regular: usize,
    /// The target being tried.
    current: usize,
    /// Its addresses that were not tried yet.
    addresses: VecDeque<SocketAddr>,
    /// Where its redirections led, if there were any.
    trail: Option<Trail>,
    /// How each attempt ended so far.
    ends: Vec<AttemptEnd>,
}

/// Where a target's redirections led so far.
#[derive(Clone, Debug)]
struct Trail {
    guard: RedirectTrail,
    /// Contacts that were not tried yet, best first.
    hops: VecDeque<Hop>,
    /// The Contact being tried, and its addresses that were not tried yet.
    current: Option<Hop>,
    addresses: VecDeque<SocketAddr>,
    /// The attempt whose Call-ID, From-tag and CSeq the next one continues.
    base: AttemptId,
}

/// What to try next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// A target, at one more address of it if one is left.
    Target(usize, Option<SocketAddr>),
    /// A Contact of a redirection, continuing that attempt.
    Hop(AttemptId, Hop, Option<SocketAddr>),
}

/// What [`Failover::redirect`] made of the Contacts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Redirected {
    /// There is something to follow.
    Follow,
    /// Nothing that may be followed: not allowed, a loop, or one redirection too many.
    Nowhere,
}

impl Failover {
    /// A call with so many targets, of which the first `regular` are not held back as a last resort.
    pub(crate) fn new(targets: usize, regular: usize) -> Self {
        Self { targets, regular, current: 0, addresses: VecDeque::new(), trail: None, ends: Vec::new() }
    }

    /// The first target; `None` if there is none.
    pub(crate) fn first(&self) -> Option<Next> {
        (self.targets > 0).then_some(Next::Target(0, None))
    }

    /// Keeps the addresses behind the first for later.
    pub(crate) fn remember(&mut self, addresses: &[SocketAddr]) {
        let rest = addresses.iter().skip(1).take(ADDRESSES_MAX).copied().collect();
        match &mut self.trail {
            Some(trail) => trail.addresses = rest,
            None => self.addresses = rest,
        }
    }

    /// Takes the Contacts that the present attempt, `by`, gave. `first` is the Request-URI of the target
    /// that began it, `own` are our addresses.
    pub(crate) fn redirect(
        &mut self,
        by: AttemptId,
        policy: &RedirectPolicy,
        contacts: Vec<Contact>,
        first: &Uri,
        own: &[(IpAddr, u16)],
    ) -> Redirected {
        let trail = self.trail.get_or_insert_with(|| Trail {
            guard: RedirectTrail::new(first.clone(), own.to_vec()),
            hops: VecDeque::new(),
            current: None,
            addresses: VecDeque::new(),
            base: by,
        });
        trail.base = by;
        trail.addresses.clear();
        let Ok(hops) = trail.guard.follow(policy, contacts) else { return Redirected::Nowhere };
        for hop in hops.into_iter().rev() {
            trail.hops.push_front(hop);
        }
        Redirected::Follow
    }

    /// What comes after a failed attempt; the failure of the last address or Contact is that of the target.
    pub(crate) fn advance(&mut self) -> Option<Next> {
        if let Some(next) = self.next_of_trail() {
            return Some(next);
        }
        self.trail = None;
        if let Some(address) = self.addresses.pop_front() {
            return Some(Next::Target(self.current, Some(address)));
        }
        self.current += 1;
        let may = self.current < self.regular || (self.current < self.targets && self.all_in_doubt());
        may.then_some(Next::Target(self.current, None))
    }

    /// Says who continues a redirected call: its last attempt, since the CSeq counts on.
    pub(crate) fn continued_by(&mut self, attempt: AttemptId) {
        if let Some(trail) = &mut self.trail {
            trail.base = attempt;
        }
    }

    /// Keeps how an attempt ended. A redirection that is followed has not ended it.
    pub(crate) fn note(&mut self, end: AttemptEnd) {
        self.ends.push(end);
    }

    /// The index of the target being tried.
    pub(crate) const fn target(&self) -> usize {
        self.current
    }

    /// Whether the target being tried has another address or Contact.
    pub(crate) fn target_has_more(&self) -> bool {
        let trail = self.trail.as_ref();
        trail.is_some_and(|trail| !trail.addresses.is_empty() || !trail.hops.is_empty())
            || !self.addresses.is_empty()
    }

    /// Whether anything can be tried after the present attempt.
    pub(crate) fn has_more(&self) -> bool {
        // While a target that is not held back is tried, one that is does not count as another one: it is likely dead,
        // and no reason to give up a slow server early.
        let until = if self.current < self.regular { self.regular } else { self.targets };
        self.target_has_more() || self.current + 1 < until
    }

    /// Whether every attempt failed so that its target is no longer UP: only then may one that is DOWN be used.
    fn all_in_doubt(&self) -> bool {
        self.ends.iter().all(|end| match end {
            AttemptEnd::Local(_) => true,
            AttemptEnd::Response { status, .. } => *status == 408 || (500..600).contains(status),
        })
    }

    /// What the caller is told when nothing is left, or no time.
    pub(crate) fn exhausted(&self) -> FinalResponse {
        most_useful(&self.ends)
    }

    fn next_of_trail(&mut self) -> Option<Next> {
        let trail = self.trail.as_mut()?;
        if let (Some(address), Some(hop)) = (trail.addresses.pop_front(), &trail.current) {
            return Some(Next::Hop(trail.base, hop.clone(), Some(address)));
        }
        let hop = trail.hops.pop_front()?;
        trail.current = Some(hop.clone());
        Some(Next::Hop(trail.base, hop, None))
    }
}

/// Addresses tried behind the first one of a name.
const ADDRESSES_MAX: usize = 7;

#[cfg(test)]
mod tests;
