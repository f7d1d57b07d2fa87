//! The signalling half that both agents share: an endpoint, the ladder of what went through it, and a queue of outputs.

use std::{
    collections::VecDeque,
    net::{IpAddr, SocketAddr},
    time::Instant,
};

use bytes::Bytes;
use um_sip::{
    Endpoint, Flow, HostPort, LineIndex, Message, Transport, Uri,
    endpoint::{Config, DialogId, Event, LineProfile},
    transaction::Timing,
};

use crate::{
    agent::{Listen, Output},
    ladder::{Arrow, Ladder},
};

/// Signalling of one agent.
#[derive(Debug)]
pub(crate) struct Wire {
    pub(crate) endpoint: Endpoint,
    pub(crate) ladder: Ladder,
    outputs: VecDeque<Output>,
    limits: um_sip::Limits,
}

impl Wire {
    pub(crate) fn new(now: Instant, listens: &[Listen], timing: Timing, seed: [u8; 32]) -> Self {
        let product = Some(format!("um-double/{}", env!("CARGO_PKG_VERSION")));
        let config = Config { seed, product, ..Config::default() };
        let limits = config.limits;
        let mut endpoint = Endpoint::new(config);
        for (index, listen) in (0..).zip(listens) {
            let sent_by = HostPort::from(listen.address);
            endpoint.set_line(LineIndex(index), LineProfile { timing, sent_by });
        }
        Self { endpoint, ladder: Ladder::new(now), outputs: VecDeque::new(), limits }
    }

    /// Reads a message and takes it down; `None` if it is no SIP, which the endpoint then answers or drops.
    pub(crate) fn record_in(&mut self, now: Instant, flow: &Flow, bytes: &Bytes) -> Option<Message> {
        let message = Message::parse(bytes.clone(), &self.limits).ok()?;
        self.ladder.record(now, Arrow::In, flow, &message);
        Some(message)
    }

    /// Moves what the endpoint wants sent to the outputs and returns its next event.
    pub(crate) fn next_event(&mut self, now: Instant, mute: Mute) -> Option<Event> {
        while let Some(output) = self.endpoint.poll_output() {
            match output {
                um_sip::endpoint::Output::Event(event) => return Some(event),
                um_sip::endpoint::Output::Send { flow, bytes } => match mute {
                    Mute::Off => self.send(now, flow, bytes),
                    Mute::On => {}
                },
            }
        }
        None
    }

    pub(crate) fn push(&mut self, output: Output) {
        self.outputs.push_back(output);
    }

    pub(crate) fn note(&mut self, text: impl Into<String>) {
        self.push(Output::Note(text.into()));
    }

    pub(crate) fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// Returns the flow for a request of ours in a dialog: on a stream the connection that is there, else towards the next hop.
    pub(crate) fn towards(&self, dialog: DialogId, flow: Flow) -> Flow {
        if flow.connection.is_some() {
            return flow;
        }
        let next_hop = self.endpoint.dialog(dialog).and_then(|dialog| address_of(dialog.next_hop()));
        Flow { remote: next_hop.unwrap_or(flow.remote), ..flow }
    }

    fn send(&mut self, now: Instant, flow: Flow, bytes: Bytes) {
        if let Ok(message) = Message::parse(bytes.clone(), &self.limits) {
            self.ladder.record(now, Arrow::Out, &flow, &message);
        }
        self.push(Output::Send { flow, bytes });
    }
}

/// Whether everything that would be sent is dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mute {
    Off,
    On,
}

/// Returns the address that a URI names, if it names one; doubles resolve no names.
pub(crate) fn address_of(uri: &Uri) -> Option<SocketAddr> {
    let host: IpAddr = uri.host()?.ip()?;
    Some(SocketAddr::new(host, uri.port_or_default()))
}

/// Returns our address as a SIP URI, with the parameter that a stream transport needs.
pub(crate) fn uri_of(user: Option<&str>, listen: Listen) -> Uri {
    let uri = Uri::sip(user, listen.address.ip().into(), Some(listen.address.port()));
    match listen.transport {
        Transport::Udp => uri,
        Transport::Tcp => uri.with_param("transport", Some(listen.transport.uri_token())),
    }
}
