//! Where a 302 may send an attempt (RFC 3261 §8.1.3.4): the order of its Contacts, which hosts are admitted, when a
//! chain of redirects is a loop. Names are compared, never resolved; sending is the engine's.

use std::net::IpAddr;

use um_topology::{Host, HostPattern, Scheme, Transport, Uri, Written};

/// One Contact of a redirect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contact {
    /// Its URI.
    pub uri: Uri,
    /// Its `q` in thousandths; none counts as 1000.
    pub q: Option<u16>,
}

/// One Contact that is to be tried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hop {
    /// The Request-URI of the next INVITE: the Contact without `method` and headers.
    pub uri: Uri,
    /// Where to send it.
    pub host: Host,
    /// The port; none: found by SRV, else 5060 (RFC 3263 §4.2).
    pub port: Option<u16>,
    /// How to speak to it.
    pub transport: Transport,
}

/// Which hosts the redirects of a call may point to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RedirectPolicy {
    allowed: Allowed,
    /// Transport of a Contact that names none.
    transport: Transport,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Allowed {
    /// What the settings list.
    Listed(Vec<Written<HostPattern>>),
    /// The domains and addresses of the configured targets.
    NearTargets(Vec<HostPattern>),
}

impl RedirectPolicy {
    /// Makes the policy of a call: the listed hosts if there are any, else the domain of each configured target and, for
    /// an IP target, its very address.
    #[must_use]
    pub fn new<'a>(
        listed: &[Written<HostPattern>],
        targets: impl Iterator<Item = &'a Host>,
        transport: Transport,
    ) -> Self {
        if !listed.is_empty() {
            return Self { allowed: Allowed::Listed(listed.to_vec()), transport };
        }
        let mut near: Vec<HostPattern> = Vec::new();
        for pattern in targets.flat_map(near_target) {
            if !near.contains(&pattern) {
                near.push(pattern);
            }
        }
        Self { allowed: Allowed::NearTargets(near), transport }
    }

    /// Says whether a redirect may point to a host.
    #[must_use]
    pub fn admits(&self, host: &Host) -> bool {
        match &self.allowed {
            Allowed::Listed(patterns) => patterns.iter().any(|pattern| pattern.matches(host)),
            Allowed::NearTargets(patterns) => patterns.iter().any(|pattern| pattern.matches(host)),
        }
    }

    /// Checks one Contact.
    fn hop(&self, contact: Uri) -> Result<Hop, RedirectError> {
        let transport = match (contact.scheme, contact.param("transport")) {
            (Scheme::Sip, None) => self.transport,
            (Scheme::Sip, Some(name)) if name.eq_ignore_ascii_case("udp") => Transport::Udp,
            (Scheme::Sip, Some(name)) if name.eq_ignore_ascii_case("tcp") => Transport::Tcp,
            (Scheme::Sip, Some(_)) | (Scheme::Sips | Scheme::Tel, _) => return Err(RedirectError::Transport),
        };
        let host = contact.host.clone().ok_or(RedirectError::Transport)?;
        if !self.admits(&host) {
            return Err(RedirectError::HostNotAllowed);
        }
        let mut uri = contact;
        uri.remove_param("method");
        uri.headers = None;
        Ok(Hop { host, port: uri.port, transport, uri })
    }
}

/// The redirects of one attempt so far.
#[derive(Clone, Debug)]
pub struct RedirectTrail {
    /// Every Request-URI that was or will be tried in this attempt.
    visited: Vec<Uri>,
    /// Our own addresses: a Contact that names one leads back here.
    own: Vec<(IpAddr, u16)>,
    followed: u32,
}

impl RedirectTrail {
    /// Begins with the configured target's Request-URI.
    #[must_use]
    pub fn new(first: Uri, own: Vec<(IpAddr, u16)>) -> Self {
        Self { visited: vec![first], own, followed: 0 }
    }

    /// Returns the Contacts of one redirect that are to be tried, the best first.
    ///
    /// # Errors
    /// If none may be tried: the attempt has failed, and the reason of the best Contact is returned.
    pub fn follow(
        &mut self,
        policy: &RedirectPolicy,
        mut contacts: Vec<Contact>,
    ) -> Result<Vec<Hop>, RedirectError> {
        if self.followed == MAX_REDIRECTS {
            return Err(RedirectError::TooMany);
        }
        self.followed += 1;
        contacts.truncate(MAX_CONTACTS);
        // A stable sort keeps the order of the header among equals.
        contacts.sort_by_key(|contact| std::cmp::Reverse(contact.q.unwrap_or(1000)));
        let (mut hops, mut refused) = (Vec::new(), None);
        for contact in contacts {
            match policy.hop(contact.uri).and_then(|hop| self.check_loop(hop)) {
                Ok(hop) => {
                    self.visited.push(hop.uri.clone());
                    hops.push(hop);
                }
                Err(error) => {
                    refused.get_or_insert(error);
                }
            }
        }
        if hops.is_empty() { Err(refused.unwrap_or(RedirectError::NoContact)) } else { Ok(hops) }
    }

    fn check_loop(&self, hop: Hop) -> Result<Hop, RedirectError> {
        let own = hop.host.ip().is_some_and(|ip| self.own.contains(&(ip, hop.uri.effective_port())));
        let visited = self.visited.iter().any(|uri| uri.same_place(&hop.uri));
        if own || visited { Err(RedirectError::Loop) } else { Ok(hop) }
    }
}

/// Why a redirect cannot be followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RedirectError {
    /// It is one more than is followed.
    #[error("more than {MAX_REDIRECTS} redirects")]
    TooMany,
    /// It has no Contact.
    #[error("no Contact")]
    NoContact,
    /// The Contact's host is not among the allowed ones.
    #[error("the Contact's host is not allowed")]
    HostNotAllowed,
    /// The Contact needs a transport that the line does not speak.
    #[error("the Contact's scheme or transport is not spoken here")]
    Transport,
    /// The Contact was tried in this attempt, or is our own address.
    #[error("the redirects lead in a circle")]
    Loop,
}

/// Returns what a configured target admits: its address, or its domain and everything below.
fn near_target(host: &Host) -> Vec<HostPattern> {
    let name = match host {
        Host::Ip(_) => return vec![HostPattern::Host(host.clone())],
        Host::Name(_) => host.key(),
    };
    // `um1.example.com` stands for `example.com`; a name of two labels is a domain itself, one of one label only a host.
    let domain = match name.split_once('.') {
        Some((_, parent)) if parent.contains('.') => parent,
        Some(_) | None => &*name,
    };
    let domain = Host::Name(Box::from(domain));
    vec![HostPattern::Host(domain.clone()), HostPattern::Below(domain)]
}

/// Most redirects that one attempt follows.
pub const MAX_REDIRECTS: u32 = 5;
/// Most Contacts of one redirect that are looked at.
const MAX_CONTACTS: usize = 16;

#[cfg(test)]
mod tests;
