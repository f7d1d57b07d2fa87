//! A caller: places calls as planned, listens, ends them, and reports what it saw and heard.
//!
//! ```text
//!   INVITE ► trying ─ 1xx ► ringing ─ 2xx ► up ─ held long enough ► BYE ► over
//!              │ cancel_after: CANCEL          └ BYE of the other side ──► over
//!              └ 3xx–6xx, silence, lost way ─────────────────────────────► over
//! ```
//!
//! It follows no redirect, answers no challenge and takes no calls: what the gateway owes its callers must come from the gateway.

use std::{
    collections::BTreeMap,
    net::IpAddr,
    time::{Duration, Instant},
};

use um_media::{PortPool, PortRange};
use um_sip::{
    ConnectionId, Flow, HeaderName, Method,
    endpoint::{ActError, ClientTransaction, DialogId, Extra, Request},
    transaction::Timing,
};

use self::call::{Call, Stage};
use crate::{
    agent::{Agent, Input, Listen, MEDIA_REST, Output},
    audio::Audio,
    ladder::Ladder,
    wire::{Mute, Wire},
};

pub use self::{
    plan::Plan,
    report::{EndedBy, Outcome, Report},
};

mod call;
mod dialogue;
mod plan;
mod report;

/// What a caller is.
#[derive(Clone, Debug)]
pub struct CallerConfig {
    /// What it says in its calls; characters of [`crate::tone::ALPHABET`].
    pub says: String,
    /// Where it receives SIP; the first address with the transport of the call is its Contact.
    pub listens: Vec<Listen>,
    /// Address of its media.
    pub media_address: IpAddr,
    /// Ports of its media.
    pub media_ports: PortRange,
    /// SIP timers.
    pub timing: Timing,
    /// Secret for tags and the like.
    pub seed: [u8; 32],
}

/// Number of a call of one caller, from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CallNumber(pub u64);

/// Why a call could not even be placed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PlaceError {
    /// All media ports are in use.
    #[error("no media port is free")]
    NoMediaPort,
    /// The offer could not be written.
    #[error("no offer: {0}")]
    NoOffer(String),
    /// The endpoint refused.
    #[error(transparent)]
    Refused(#[from] ActError),
}

/// A caller as a machine.
#[derive(Debug)]
pub struct CallerAgent {
    config: CallerConfig,
    wire: Wire,
    ports: PortPool,
    calls: BTreeMap<CallNumber, Call>,
    by_invite: BTreeMap<ClientTransaction, CallNumber>,
    by_bye: BTreeMap<ClientTransaction, CallNumber>,
    by_dialog: BTreeMap<DialogId, CallNumber>,
    by_port: BTreeMap<u16, CallNumber>,
    last_call: u64,
}

impl CallerAgent {
    /// Makes a caller.
    #[must_use]
    pub fn new(now: Instant, config: CallerConfig) -> Self {
        Self {
            wire: Wire::new(now, &config.listens, config.timing, config.seed),
            ports: PortPool::new(config.media_ports, MEDIA_REST),
            calls: BTreeMap::new(),
            by_invite: BTreeMap::new(),
            by_bye: BTreeMap::new(),
            by_dialog: BTreeMap::new(),
            by_port: BTreeMap::new(),
            last_call: 0,
            config,
        }
    }

    /// Places a call over a flow, which on a stream names a connection; [`Self::report`] tells how it goes.
    ///
    /// # Errors
    ///
    /// Nothing was sent.
    pub fn place(&mut self, now: Instant, flow: Flow, plan: Plan) -> Result<CallNumber, PlaceError> {
        let ports = self.ports.reserve(now).map_err(|_| PlaceError::NoMediaPort)?;
        let identity = self.wire.endpoint.new_identity();
        let number = CallNumber(self.last_call + 1);
        let [a, b, c, d, e, f, g, h, ..] = self.config.seed;
        let salt = u64::from_be_bytes([a, b, c, d, e, f, g, h]);
        let mut audio =
            Audio::new(self.config.media_address, ports, self.config.says.clone(), number.0 ^ salt);
        let body = match plan.offers {
            true => audio.offer().map(Some).map_err(PlaceError::NoOffer),
            false => Ok(None),
        };
        let call_id = identity.call_id.clone();
        let sent = body.and_then(|body| {
            let request = request(&plan, identity, body);
            Ok(self.wire.endpoint.request(now, flow, &request)?)
        });
        let invite = match sent {
            Ok(invite) => invite,
            Err(error) => {
                self.ports.release(now, ports);
                return Err(error);
            }
        };
        self.last_call = number.0;
        self.wire.push(Output::OpenMedia(audio.local()));
        self.by_invite.insert(invite, number);
        self.by_port.insert(ports.rtp(), number);
        self.calls.insert(number, Call::new(now, flow, invite, call_id, plan, audio));
        self.drain(now);
        Ok(number)
    }

    /// Returns how a call goes, or went.
    #[must_use]
    pub fn report(&self, number: CallNumber) -> Option<Report> {
        let call = self.calls.get(&number)?;
        Some(call.report(&self.wire.ladder))
    }

    /// Forgets a call that is over and returns how it went; `None` if it is not over.
    pub fn take_report(&mut self, number: CallNumber) -> Option<Report> {
        let report = self.report(number).filter(|report| report.outcome.is_some())?;
        self.calls.remove(&number);
        Some(report)
    }

    /// Returns what was sent and received.
    #[must_use]
    pub fn ladder(&self) -> &Ladder {
        &self.wire.ladder
    }

    /// Returns whether nothing is left: no call under way, no transaction, no dialog.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.calls.values().all(|call| call.stage == Stage::Over)
            && self.wire.endpoint.transactions() + self.wire.endpoint.dialogs() == 0
    }

    /// Ends a call now: cancels it, or hangs up.
    pub fn end(&mut self, now: Instant, number: CallNumber) {
        match self.calls.get(&number).map(|call| call.stage) {
            Some(Stage::Trying | Stage::Ringing) => self.cancel(now, number),
            Some(Stage::Up) => self.hang_up(now, number),
            Some(Stage::Cancelling | Stage::Leaving | Stage::Over) | None => {}
        }
        self.drain(now);
    }

    fn drain(&mut self, now: Instant) {
        while let Some(event) = self.wire.next_event(now, Mute::Off) {
            self.on_event(now, event);
        }
    }

    fn on_connection_lost(&mut self, now: Instant, lost: ConnectionId) {
        for call in self.calls.values_mut().filter(|call| call.flow.connection == Some(lost)) {
            call.flow.connection = None;
        }
        self.wire.endpoint.handle_connection_lost(now, lost);
    }

    fn on_rtp(&mut self, port: u16, packet: &[u8]) {
        let call = self.by_port.get(&port).and_then(|number| self.calls.get_mut(number));
        if let Some(voice) = call.and_then(|call| call.audio.voice_mut()) {
            voice.handle_packet(packet);
        }
    }
}

impl Agent for CallerAgent {
    fn handle(&mut self, now: Instant, input: Input) {
        match input {
            Input::Message { flow, bytes } => {
                self.wire.record_in(now, &flow, &bytes);
                self.wire.endpoint.handle_message(now, flow, bytes);
            }
            Input::ConnectionLost(connection) => self.on_connection_lost(now, connection),
            Input::FlowFailed(flow) => self.wire.endpoint.handle_flow_failed(now, flow),
            Input::Rtp { local, packet, .. } => self.on_rtp(local.port(), &packet),
            Input::MediaRefused(local) => {
                self.wire.note(format!("media port {} is in use by another program", local.port()));
                if let Some(number) = self.by_port.get(&local.port()).copied() {
                    self.end(now, number);
                }
            }
        }
        self.drain(now);
    }

    fn handle_timeout(&mut self, now: Instant) {
        self.wire.endpoint.handle_timeout(now);
        self.drain(now);
        let is_due = |call: &Call| call.poll_timeout().is_some_and(|due| due <= now);
        let due = self.calls.iter().filter(|(_, call)| is_due(call));
        let numbers: Vec<CallNumber> = due.map(|(number, _)| *number).collect();
        for number in numbers {
            self.on_due(now, number);
        }
        self.drain(now);
    }

    fn poll_output(&mut self) -> Option<Output> {
        self.wire.poll_output()
    }

    fn poll_timeout(&self) -> Option<Instant> {
        let calls = self.calls.values().filter_map(Call::poll_timeout);
        calls.chain(self.wire.endpoint.poll_timeout()).min()
    }
}

/// Writes the INVITE of a plan.
fn request(plan: &Plan, identity: um_sip::endpoint::Identity, body: Option<bytes::Bytes>) -> Request {
    let diversions = plan.diversions.iter();
    let mut headers: Vec<Extra> =
        diversions.map(|diversion| Extra::Named(HeaderName::Diversion, diversion.to_string())).collect();
    headers.push(Extra::Named(HeaderName::Allow, "INVITE, ACK, CANCEL, BYE, OPTIONS, INFO".into()));
    headers.extend(plan.headers.iter().map(|(name, value)| Extra::Other(name.clone(), value.clone())));
    let body = body.map(|bytes| um_sip::endpoint::Body { content_type: "application/sdp".into(), bytes });
    Request {
        method: Method::Invite,
        uri: plan.request_uri.clone(),
        to: plan.to.clone(),
        from: plan.from.clone(),
        routes: Vec::new(),
        identity,
        max_forwards: MAX_FORWARDS,
        contact_user: plan.from.uri.user_text().map(|user| user.into_owned()),
        headers,
        body,
    }
}

/// RFC 3261 §8.1.1.6.
const MAX_FORWARDS: u8 = 70;

/// Longest time from the INVITE to the final response, then the call is cancelled: more than a gateway's `answer_timeout`.
const PATIENCE: Duration = Duration::from_secs(240);
