//! A second opinion on every leg: a simple model of what RFC 3261 demands of the messages of one Call-ID, fed with all that the
//! worker receives and sends. It shares nothing with the worker but the parser, and knows nothing of calls.
//!
//! | of each request that the worker sends | RFC |
//! |---|---|
//! | CSeq counts on by one; that of ACK and CANCEL is their INVITE's | 3261 §8.1.1.5, §9.1, §12.2.1.1, §17.1.1.3 |
//! | From and its tag stay, the To tag is one that the peer has given | 3261 §12.2.1.1 |
//! | Request-URI and Route follow from remote target and route set | 3261 §12.2.1.1 |
//! | the branch is new, unless it is the CANCEL or the ACK of a failure | 3261 §8.1.1.7, §9.1, §17.1.1.3 |
//! | Contact and Via show our own address | 3261 §8.1.1.7, §8.1.1.8 |
//!
//! Of each response: it answers something, Call-ID, CSeq and From are those of its request, there is one final one, and a
//! leg has one tag of ours. Reliable responses are in `reference/reliable.rs`, bodies in `reference/session.rs` and
//! `reference/offers.rs`, the ends of the two legs of a call in `reference/ends.rs`.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use bytes::Bytes;
use um_sip::{Flow, HeaderName, Message, Method, NameAddr};

use crate::ledger::Fault;
use crate::wire;

mod ends;
mod offers;
mod reliable;
mod session;

use offers::Offers;
use reliable::Reliable;
use session::Session;

/// What is known of every Call-ID.
#[derive(Debug, Default)]
pub struct Reference {
    legs: BTreeMap<String, Leg>,
}

/// What is known of one Call-ID.
#[derive(Debug, Default)]
struct Leg {
    /// The tag of ours.
    tag: Option<String>,
    /// From of our requests.
    from: Option<String>,
    /// Of our last request outside of a dialog.
    cseq: Option<u32>,
    /// To tags of failures: their ACK has them, and no dialog comes of them.
    failures: BTreeSet<String>,
    /// Our requests by branch; a CANCEL, and the ACK of a failure, under that of their INVITE.
    sent: BTreeMap<String, Sent>,
    /// Their requests by branch and method.
    received: BTreeMap<(String, Method), Received>,
    /// By their tag.
    peers: BTreeMap<String, Peer>,
    /// Every message that was sent: what comes again is not judged again.
    said: BTreeSet<Bytes>,
    session: Session,
    offers: Offers,
    reliable: Reliable,
    ends: ends::Ends,
}

/// A request of ours.
#[derive(Debug)]
struct Sent {
    method: Method,
    cseq: u32,
    uri: Vec<u8>,
}

/// A request of theirs.
#[derive(Debug)]
struct Received {
    message: Message,
    last: Option<u16>,
}

/// The other end of a dialog.
#[derive(Clone, Debug)]
struct Peer {
    target: String,
    routes: Vec<String>,
    confirmed: bool,
    /// Of our last request in the dialog, which counts on from the INVITE that made it (RFC 3261 §12.1.2); none yet if that was
    /// the peer's.
    cseq: Option<u32>,
}

impl Reference {
    /// Takes note of a message that the worker gets.
    pub fn on_received(&mut self, now: Instant, message: &Message) {
        if message.is_request() {
            let leg = self.legs.entry(message.call_id().to_owned()).or_default();
            leg.on_request(now, message);
        } else if let Some(leg) = self.legs.get_mut(message.call_id()) {
            leg.on_response(now, message);
        }
    }

    /// Judges a message that the worker sends.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn on_sent(&mut self, now: Instant, flow: &Flow, message: &Message) -> Result<(), Fault> {
        let leg = self.legs.entry(message.call_id().to_owned()).or_default();
        if !leg.said.insert(message.bytes().clone()) {
            return Ok(());
        }
        let judgement =
            if message.is_request() { leg.request(now, flow, message) } else { leg.response(now, message) };
        judgement.map_err(|fault| {
            let cseq = message.cseq();
            format!("{} {} on {}: {fault}", cseq.number, cseq.method, message.call_id())
        })
    }

    /// Judges, at the end, that no leg outlived the other.
    ///
    /// # Errors
    /// The leg that did.
    pub fn verdict(&self) -> Result<(), Fault> {
        ends::judge(self.legs.values().map(|leg| &leg.ends))
    }
}

impl Leg {
    fn on_request(&mut self, now: Instant, message: &Message) {
        let key = (message.branch().unwrap_or_default().to_owned(), message.method().clone());
        let method = message.method();
        if self.received.contains_key(&key) && *method != Method::Ack {
            return;
        }
        let tag = message.from_tag().unwrap_or_default().to_owned();
        if message.to_tag().is_none() && *method == Method::Invite {
            let routes = route_set(message, false);
            let peer = Peer { target: wire::contact_uri(message), routes, confirmed: false, cseq: None };
            self.peers.entry(tag.clone()).or_insert(peer);
        } else if refreshes(method) && message.header(HeaderName::Contact).is_some() {
            // A refused one changes nothing (RFC 3261 §12.2.2); that it was accepted shows in our answer.
            self.reliable.refresh(&key, wire::contact_uri(message));
        }
        self.offers.on_request(&tag, message);
        self.reliable.on_request(message);
        self.ends.on_request(now, message);
        self.received.insert(key, Received { message: message.clone(), last: None });
    }

    fn on_response(&mut self, now: Instant, message: &Message) {
        let status = message.status().map_or(0, um_sip::StatusCode::code);
        let branch = message.branch().unwrap_or_default();
        if self.sent.get(branch).is_none_or(|sent| sent.method != *message.method()) {
            return;
        }
        let makes = *message.method() == Method::Invite && (101..300).contains(&status);
        if status >= 300 {
            self.failures.extend(message.to_tag().map(str::to_owned));
        }
        if let Some(tag) = message.to_tag().filter(|_| makes) {
            let target = wire::contact_uri(message);
            let routes = route_set(message, true);
            let cseq = Some(message.cseq().number);
            let fresh = Peer { target: target.clone(), routes: routes.clone(), confirmed: false, cseq };
            let peer = self.peers.entry(tag.to_owned()).or_insert(fresh);
            if !target.is_empty() {
                peer.target = target;
            }
            // The route set of an early dialog is made anew by the 2xx (RFC 3261 §13.2.2.4), then it stays.
            if status >= 200 && !peer.confirmed {
                (peer.routes, peer.confirmed) = (routes, true);
            }
        } else if let Some(peer) = message.to_tag().and_then(|tag| self.peers.get_mut(tag))
            && *message.method() == Method::Update
            && (200..300).contains(&status)
            && message.header(HeaderName::Contact).is_some()
        {
            peer.target = wire::contact_uri(message);
        }
        self.offers.on_response(message, status);
        self.reliable.on_response(message, status);
        self.ends.on_response(now, message, status);
    }

    fn request(&mut self, now: Instant, flow: &Flow, message: &Message) -> Result<(), Fault> {
        let branch = message.branch().ok_or("no branch")?.to_owned();
        let (method, number) = (message.method().clone(), message.cseq().number);
        self.judge_identity(flow, message)?;
        if let Some(sent) = self.sent.get(&branch) {
            let companion = matches!(method, Method::Ack | Method::Cancel) && sent.method == Method::Invite;
            if !companion {
                return Err(format!("the branch of {} {} again", sent.cseq, sent.method));
            }
            if number != sent.cseq || message.request_uri_bytes() != sent.uri {
                return Err("CSeq or Request-URI are not those of its INVITE".to_owned());
            }
            return Ok(());
        }
        if method == Method::Ack {
            let known = self.sent.values().any(|sent| sent.method == Method::Invite && sent.cseq == number);
            if !known {
                return Err("an ACK without its INVITE".to_owned());
            }
        } else if method == Method::Cancel {
            return Err("a CANCEL with a branch of its own".to_owned());
        } else {
            let peer = message.to_tag().and_then(|tag| self.peers.get_mut(tag));
            let counter = peer.map_or(&mut self.cseq, |peer| &mut peer.cseq);
            if let Some(last) = counter.filter(|last| last.wrapping_add(1) != number) {
                return Err(format!("follows CSeq {last}"));
            }
            *counter = Some(number);
        }
        if message.to_tag().is_some() {
            self.judge_route(message)?;
        } else if method == Method::Invite {
            self.session = Session::default();
            self.offers = Offers::default();
        }
        self.reliable.request(message)?;
        self.session.judge(message)?;
        self.offers.request(message)?;
        self.ends.request(now, message);
        if method != Method::Ack {
            let sent = Sent { method, cseq: number, uri: message.request_uri_bytes().to_vec() };
            self.sent.insert(branch, sent);
        }
        Ok(())
    }

    /// Tags, From, To, Contact and Via.
    fn judge_identity(&mut self, flow: &Flow, message: &Message) -> Result<(), Fault> {
        let tag = message.from_tag().ok_or("no tag in From")?;
        let known = self.tag.get_or_insert_with(|| tag.to_owned());
        if known != tag {
            return Err(format!("our tag was {known} and is {tag}"));
        }
        let from = message.header_text(HeaderName::From).unwrap_or_default();
        let known = self.from.get_or_insert_with(|| from.to_owned());
        if known != from {
            return Err(format!("From was {known} and is {from}"));
        }
        let given = |to: &&str| self.peers.contains_key(*to) || self.failures.contains(*to);
        if let Some(to) = message.to_tag().filter(|to| !given(to)) {
            return Err(format!("a To tag that nobody gave: {to}"));
        }
        let (host, port) = message.sent_by();
        if host != flow.local.ip().to_string() || !port.is_none_or(|port| OUR_PORTS.contains(&port)) {
            return Err(format!("Via shows {host}:{port:?}, not {}", flow.local));
        }
        self.judge_contact(message)
    }

    fn judge_contact(&self, message: &Message) -> Result<(), Fault> {
        if message.header(HeaderName::Contact).is_none() {
            let needs = *message.method() == Method::Invite && message.is_request();
            return if needs { Err("no Contact".to_owned()) } else { Ok(()) };
        }
        let contact = wire::contact_uri(message);
        let ours = OUR_PORTS.iter().any(|port| contact.contains(&format!("@127.0.0.1:{port}")));
        let redirects = message.status().is_some_and(um_sip::StatusCode::is_redirection);
        if ours || redirects { Ok(()) } else { Err(format!("the Contact {contact} is not ours")) }
    }

    /// Request-URI and Route of a request in a dialog.
    fn judge_route(&self, message: &Message) -> Result<(), Fault> {
        let Some(peer) = message.to_tag().and_then(|tag| self.peers.get(tag)) else { return Ok(()) };
        let mut wanted = (peer.target.clone(), peer.routes.clone());
        if let Some((first, others)) = peer.routes.split_first().filter(|(first, _)| !first.contains(";lr")) {
            let strict = first.trim_start_matches('<').trim_end_matches('>').to_owned();
            let target = format!("<{}>", peer.target);
            wanted = (strict, others.iter().cloned().chain([target]).collect());
        }
        let uri = String::from_utf8_lossy(message.request_uri_bytes()).into_owned();
        let found = (uri, values(message, HeaderName::Route));
        // Between his target refresh and our answer either target is right.
        let pending = self.reliable.refreshing(&found.0) && found.1 == wanted.1;
        if found == wanted || pending {
            Ok(())
        } else {
            Err(format!("Request-URI and Route are {found:?}, not {wanted:?}"))
        }
    }

    fn response(&mut self, now: Instant, message: &Message) -> Result<(), Fault> {
        let status = message.status().map_or(0, um_sip::StatusCode::code);
        let key = (message.branch().unwrap_or_default().to_owned(), message.method().clone());
        let Some(received) = self.received.get_mut(&key) else {
            return Err(format!("{status} to a request that never came"));
        };
        let request = received.message.clone();
        for name in [HeaderName::From, HeaderName::CSeq] {
            if message.header(name) != request.header(name) {
                return Err(format!("{status} has another {name:?} than its request"));
            }
        }
        if let Some(last) = received.last.filter(|last| *last >= 200) {
            return Err(format!("{status} after {last}"));
        }
        received.last = Some(status);
        match (request.to_tag(), message.to_tag()) {
            (Some(asked), given) if given != Some(asked) => {
                return Err(format!("{status} has the To tag {given:?}, its request {asked}"));
            }
            (None, Some(given)) if request.method() == &Method::Invite => {
                let known = self.tag.get_or_insert_with(|| given.to_owned());
                if known != given {
                    return Err(format!("{status} has the To tag {given}, this leg {known}"));
                }
            }
            (None, None) if status > 100 => return Err(format!("{status} without a To tag")),
            (Some(_) | None, Some(_) | None) => {}
        }
        self.judge_contact(message)?;
        let tag = request.from_tag().unwrap_or_default().to_owned();
        if let Some(target) = self.reliable.refreshed(&key, status)
            && let Some(peer) = self.peers.get_mut(&tag)
        {
            peer.target = target;
        }
        self.reliable.response(&request, message, status)?;
        if status < 300 {
            self.session.judge(message)?;
        }
        self.offers.response(&tag, &request, message, status)?;
        self.ends.response(now, &request, status);
        Ok(())
    }
}

/// Whether the method may bring a new remote target (RFC 3261 §12.2, RFC 3311 §5.1).
fn refreshes(method: &Method) -> bool {
    matches!(method, Method::Invite | Method::Update)
}

/// The route set that a request or response gives: as it stands for its UAS, reversed for its UAC (RFC 3261 §12.1).
fn route_set(message: &Message, reversed: bool) -> Vec<String> {
    let mut routes = values(message, HeaderName::RecordRoute);
    if reversed {
        routes.reverse();
    }
    routes
}

/// The addresses of a header, each in the same form.
fn values(message: &Message, name: HeaderName) -> Vec<String> {
    let texts = message.values(name);
    texts
        .map(|value| NameAddr::parse(value).map_or_else(|_| String::new(), |address| address.to_string()))
        .collect()
}

/// The application/sdp body of a message.
fn sdp(message: &Message) -> Option<&str> {
    let kind = message.header_text(HeaderName::ContentType)?;
    let is_sdp = kind.to_ascii_lowercase().starts_with("application/sdp") && !message.body().is_empty();
    std::str::from_utf8(message.body()).ok().filter(|_| is_sdp)
}

/// Where the worker's lines are.
const OUR_PORTS: [u16; 2] = [5060, 5080];
