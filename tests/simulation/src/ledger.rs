//! What the run has seen so far, and the oracles that judge each step by it: what the worker sends, orders and tells.
//! The oracles that need the end of a run are in `verdict.rs`.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use um_engine::{CallKey, CallRecord, Observation};
use um_media::{Leg, RelayCommand, RelayEvent, RelayId};
use um_sip::{Flow, HeaderName, Message, Method};
use um_topology::Strategy;

use crate::caller;
use crate::site::Site;
use crate::wire;

/// A fault of the worker.
pub type Fault = String;

/// Everything that is known of the calls and relays of a run.
#[derive(Debug)]
pub struct Ledger {
    /// By the number of the caller.
    pub calls: Vec<Facts>,
    relays: BTreeMap<RelayId, RelayFacts>,
    by_port: BTreeMap<u16, RelayId>,
    keys: BTreeMap<CallKey, usize>,
    media: BTreeMap<SocketAddr, usize>,
    strategy: Strategy,
}

/// What is known of a call.
#[derive(Debug, Default)]
pub struct Facts {
    /// Its birth in the worker.
    pub birth: Option<Birth>,
    /// When the failover budget ends.
    pub budget: Option<Instant>,
    /// Servers in the order in which they were tried.
    pub tried: Vec<usize>,
    /// Final responses that the worker sent to the INVITE.
    pub finals: BTreeSet<(u16, String)>,
    /// Whether something came up that may end it without any further attempt.
    pub disturbed: bool,
    /// Its end.
    pub records: Vec<CallRecord>,
    branches: BTreeSet<String>,
    diverted: bool,
    /// Whether a BYE of the caller was answered.
    hung_up: bool,
}

/// The moment in which the worker took a call.
#[derive(Clone, Debug)]
pub struct Birth {
    /// When.
    pub at: Instant,
    /// Which shard.
    pub shard: usize,
    /// The servers as they stood then, in the order of the list.
    pub standing: Vec<(usize, Standing)>,
}

/// How a shard saw a server; the order is the order of use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Standing {
    /// UP.
    Up,
    /// SUSPECT.
    Suspect,
    /// DOWN or PROBING.
    Down,
    /// Asked to be left alone.
    Blocked,
}

#[derive(Debug)]
struct RelayFacts {
    ports: [u16; 2],
    caller: Option<usize>,
    opened: Option<Instant>,
    closing: bool,
}

impl Ledger {
    /// Starts with nothing seen.
    #[must_use]
    pub fn new(plans: &[caller::Plan], strategy: Strategy) -> Self {
        Self {
            calls: plans.iter().map(|plan| Facts { diverted: plan.diverted, ..Facts::default() }).collect(),
            relays: BTreeMap::new(),
            by_port: BTreeMap::new(),
            keys: BTreeMap::new(),
            media: BTreeMap::new(),
            strategy,
        }
    }

    /// Notes where a server wants the media of a caller.
    pub fn on_server_media(&mut self, media: SocketAddr, number: &str) {
        if let Some(caller) = wire::caller_of_number(number) {
            self.media.insert(media, caller);
        }
    }

    /// How many relays are open or being opened.
    #[must_use]
    pub fn relays(&self) -> usize {
        self.relays.len()
    }

    /// Judges a message that the worker sends.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn on_sent(&mut self, now: Instant, flow: &Flow, message: &Message) -> Result<(), Fault> {
        let invite = *message.method() == Method::Invite;
        if invite && message.is_request() && message.to_tag().is_none() {
            return self.on_attempt(now, flow, message);
        }
        let inside = message.cseq().number > 1 || wire::server_at(flow.remote).is_some();
        if invite && !message.is_request() && inside {
            return Ok(());
        }
        if invite && !message.is_request() {
            return self.on_answer(message);
        }
        if *message.method() == Method::Bye
            && !message.is_request()
            && let Some(caller) = caller::of_call_id(message.call_id())
        {
            self.calls[caller].hung_up = true;
        }
        Ok(())
    }

    /// Judges an INVITE towards a UM server.
    fn on_attempt(&mut self, now: Instant, flow: &Flow, message: &Message) -> Result<(), Fault> {
        let from = message.header_text(HeaderName::From).unwrap_or_default();
        let user = from.split("sip:").nth(1).and_then(|rest| rest.split('@').next()).unwrap_or_default();
        let caller = wire::caller_of_number(user).ok_or_else(|| format!("an INVITE from nobody: {from}"))?;
        let facts = &mut self.calls[caller];
        if !facts.branches.insert(message.branch().unwrap_or_default().to_owned()) {
            return Ok(());
        }
        if !facts.finals.is_empty() {
            return Err(format!("call {caller}: an attempt after the final response"));
        }
        self.expect_diversions(caller, message)?;
        let port = wire::audio_port(message.body()).unwrap_or(0);
        let relay = self.by_port.get(&port).and_then(|relay| self.relays.get_mut(relay));
        let relay =
            relay.ok_or_else(|| format!("call {caller}: an offer of port {port}, which no relay has"))?;
        if let Some(other) = relay.caller.replace(caller).filter(|other| *other != caller) {
            return Err(format!("call {caller}: an offer with the media of call {other}"));
        }
        let opened =
            relay.opened.ok_or_else(|| format!("call {caller}: an attempt before its relay opened"))?;
        self.calls[caller].budget = Some(opened + BUDGET);
        if now > opened + BUDGET {
            return Err(format!("call {caller}: an attempt after the failover budget, at {}", flow.remote));
        }
        Ok(())
    }

    fn expect_diversions(&self, caller: usize, message: &Message) -> Result<(), Fault> {
        let diversions = message.values(HeaderName::Diversion).count();
        let wanted = usize::from(self.calls[caller].diverted);
        if diversions == wanted {
            Ok(())
        } else {
            Err(format!("call {caller}: {diversions} Diversion towards the UM server, not {wanted}"))
        }
    }

    /// Judges a response to a caller's INVITE.
    fn on_answer(&mut self, message: &Message) -> Result<(), Fault> {
        let Some(caller) = caller::of_call_id(message.call_id()) else {
            return Err(format!("a response to nobody's INVITE: {}", message.call_id()));
        };
        let status = message.status().map_or(0, um_sip::StatusCode::code);
        let facts = &mut self.calls[caller];
        // What is repeated may outlive its relay, and the answer to a BYE that crossed it (RFC 3261 §15.1.2).
        let repeated = !facts.finals.is_empty();
        if (200..300).contains(&status) && facts.hung_up && !repeated {
            return Err(format!("call {caller}: {status} after the answer to its BYE"));
        }
        if status >= 200 {
            let finals = &mut facts.finals;
            finals.insert((status, message.to_tag().unwrap_or_default().to_owned()));
            if finals.len() > 1 {
                return Err(format!("call {caller}: more than one final response: {finals:?}"));
            }
        }
        let Some(port) = wire::audio_port(message.body()).filter(|_| !repeated) else { return Ok(()) };
        let owner = self.by_port.get(&port).and_then(|relay| self.relays.get(relay)?.caller);
        if owner == Some(caller) {
            Ok(())
        } else {
            Err(format!("call {caller}: the answer names port {port}, which belongs to {owner:?}"))
        }
    }

    /// Judges an order to the media side.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn on_relay(&mut self, command: &RelayCommand) -> Result<(), Fault> {
        match command {
            RelayCommand::Open(open) => {
                let ports = [open.inbound.ports.rtp(), open.outbound.ports.rtp()];
                for port in ports {
                    if let Some(other) = self.by_port.insert(port, open.relay) {
                        return Err(format!("port {port} of {:?} is still {other:?}'s", open.relay));
                    }
                }
                let facts = RelayFacts { ports, caller: None, opened: None, closing: false };
                if self.relays.insert(open.relay, facts).is_some() {
                    return Err(format!("{:?} was opened twice", open.relay));
                }
                Ok(())
            }
            RelayCommand::SetRemote { relay, leg, remote } => {
                let facts = self.relays.get(relay).filter(|facts| !facts.closing);
                let facts = facts.ok_or_else(|| format!("{relay:?} is not open and gets a far end"))?;
                let caller =
                    facts.caller.ok_or_else(|| format!("{relay:?} gets a far end before any offer"))?;
                let rtp = remote.media.rtp;
                let belongs = match leg {
                    Leg::Inbound => rtp == caller::media_address(caller),
                    Leg::Outbound => self.media.get(&rtp) == Some(&caller),
                };
                if belongs { Ok(()) } else { Err(format!("call {caller}: media of {leg:?} goes to {rtp}")) }
            }
            RelayCommand::PlayTone { relay, .. } => {
                let open = self.relays.get(relay).is_some_and(|facts| !facts.closing);
                if open { Ok(()) } else { Err(format!("{relay:?} is not open and plays a tone")) }
            }
            RelayCommand::Close { relay } => match self.relays.get_mut(relay) {
                Some(facts) if !facts.closing => {
                    facts.closing = true;
                    Ok(())
                }
                Some(_) | None => Err(format!("{relay:?} is closed but not open")),
            },
        }
    }

    /// Notes what the media side did.
    pub fn on_relay_event(&mut self, now: Instant, event: &RelayEvent) {
        match event {
            RelayEvent::Opened { relay } => {
                if let Some(facts) = self.relays.get_mut(relay) {
                    facts.opened = Some(now);
                }
            }
            RelayEvent::Failed { relay, .. } | RelayEvent::Closed { relay, .. } => {
                if let Some(facts) = self.relays.remove(relay) {
                    for port in facts.ports {
                        self.by_port.remove(&port);
                    }
                }
            }
        }
    }

    /// Judges what the engine lets see. `born` is how things stood when the message that is being handled came.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn on_observation(&mut self, born: Option<(usize, Birth)>, seen: Observation) -> Result<(), Fault> {
        match seen {
            Observation::CallStarted { call, .. } => {
                let (caller, birth) = born.ok_or_else(|| format!("call {call} came from no INVITE"))?;
                self.keys.insert(call, caller);
                if self.calls[caller].birth.replace(birth).is_some() {
                    return Err(format!("call {caller} was begun twice"));
                }
                Ok(())
            }
            Observation::AttemptStarted { call, target, .. }
            | Observation::AttemptEnded { call, target, .. } => {
                let server = Site::server_of(&target);
                let (Some(caller), Some(server)) = (self.keys.get(&call).copied(), server) else {
                    return Err(format!("an attempt of {call} at {target} belongs to nobody"));
                };
                self.on_tried(caller, server)
            }
            Observation::CallEnded(record) => {
                let caller = self.keys.get(&record.call).copied();
                let caller = caller.ok_or_else(|| format!("call {} ended without a start", record.call))?;
                self.calls[caller].records.push(*record);
                Ok(())
            }
            Observation::MediaEnded { .. }
            | Observation::FailedOver { .. }
            | Observation::CallAnswered { .. }
            | Observation::Rejected { .. }
            | Observation::Dropped { .. }
            | Observation::TargetState { .. }
            | Observation::Probed { .. }
            | Observation::Served { .. } => Ok(()),
        }
    }

    /// Judges the order of the servers that are tried.
    fn on_tried(&mut self, caller: usize, server: usize) -> Result<(), Fault> {
        let facts = &mut self.calls[caller];
        if facts.tried.last() == Some(&server) {
            return Ok(());
        }
        let Some(birth) = &facts.birth else { return Err(format!("call {caller}: tried before its birth")) };
        let standing = |wanted: usize| {
            let found = birth.standing.iter().find(|(server, _)| *server == wanted);
            found.map(|(_, standing)| *standing)
        };
        let now = standing(server);
        let Some(now) = now else {
            return Err(format!("call {caller}: um{} is not in its list", server + 1));
        };
        if now == Standing::Blocked {
            return Err(format!("call {caller}: um{} was BLOCKED at its birth", server + 1));
        }
        if facts.tried.contains(&server) {
            return Err(format!("call {caller}: um{} is tried again after others", server + 1));
        }
        if let Some(before) = facts.tried.last().copied() {
            let out_of_order = standing(before) > Some(now);
            let swapped = self.strategy == Strategy::Ordered
                && standing(before) == Some(now)
                && place(birth, before) > place(birth, server);
            if out_of_order || swapped {
                return Err(format!(
                    "call {caller}: um{} after um{}, against {:?}",
                    server + 1,
                    before + 1,
                    birth.standing
                ));
            }
        }
        let better = birth.standing.iter().find(|(other, standing)| {
            now == Standing::Down && *standing < Standing::Down && !facts.tried.contains(other)
        });
        if let Some((better, _)) = better {
            return Err(format!("call {caller}: um{} is DOWN and um{} untried", server + 1, better + 1));
        }
        facts.tried.push(server);
        Ok(())
    }
}

fn place(birth: &Birth, wanted: usize) -> Option<usize> {
    birth.standing.iter().position(|(server, _)| *server == wanted)
}

/// `failover_budget` of a list that sets none; it begins when the relay is open.
pub const BUDGET: Duration = Duration::from_secs(12);
