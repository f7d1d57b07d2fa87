//! What surrounds each shard that is not a socket: names, media, observations; and who the worker is.

use std::net::IpAddr;

use crossbeam_channel::Sender;
use tokio::sync::mpsc;
use um_engine::{EngineConfig, EngineLimits, Input, Observation, Output};
use um_media::{OpenError, RelayCommand, RelayEvent};
use um_sip::LineIndex;
use um_wire::v1;

use crate::{
    config::Config,
    discovery::Event,
    media::{EventSink, Full, Orders},
    observe::Seen,
    resolver::NameResolver,
    signalling::{Command, Mailbox, Pulse, Surroundings},
};

/// The surroundings of one shard.
pub(crate) struct ShardSurroundings {
    shard: u16,
    mailbox: Mailbox,
    resolver: NameResolver,
    media: Orders,
    observer: Sender<Seen>,
    discovery: mpsc::Sender<Event>,
}

impl ShardSurroundings {
    /// Connects a shard to the rest of the worker.
    pub(crate) fn new(
        shard: u16,
        mailbox: Mailbox,
        resolver: NameResolver,
        media: Orders,
        observer: Sender<Seen>,
        discovery: mpsc::Sender<Event>,
    ) -> Self {
        Self { shard, mailbox, resolver, media, observer, discovery }
    }
}

impl Surroundings for ShardSurroundings {
    fn resolve(&mut self, output: Output) {
        self.resolver.ask(output, &self.mailbox);
    }

    fn relay(&mut self, command: RelayCommand) {
        let Err(Full(command)) = self.media.give(command) else { return };
        match command {
            RelayCommand::Open(open) => {
                let event = RelayEvent::Failed { relay: open.relay, error: OpenError::Full };
                self.mailbox.post(Command::Input(Input::Relay(event)));
            }
            // The relay keeps its former far end; the next offer or answer sets it anew.
            RelayCommand::SetRemote { relay, .. } | RelayCommand::PlayTone { relay, .. } => {
                tracing::warn!(?relay, "the media threads are too busy")
            }
            RelayCommand::Close { relay } => {
                tracing::error!(?relay, "a relay cannot be closed: media threads are stuck")
            }
        }
    }

    fn observe(&mut self, observation: Observation) {
        // Nothing depends on an observation, so a full queue costs only that one.
        let _ = self.observer.try_send(Seen::Observation(observation));
    }

    fn pulse(&mut self, pulse: Pulse) {
        let _ = self.observer.try_send(Seen::Pulse { shard: self.shard, pulse });
    }

    fn line_idle(&mut self, line: LineIndex) {
        if self.discovery.try_send(Event::LineIdle { shard: self.shard, line }).is_err() {
            tracing::warn!(line = line.0, "a drained line stays open until it is idle again");
        }
    }
}

/// The media threads' way back to the shards.
pub(crate) struct Sink {
    shards: Vec<Mailbox>,
}

impl Sink {
    /// Reports to these shards.
    pub(crate) fn new(shards: Vec<Mailbox>) -> Self {
        Self { shards }
    }
}

impl EventSink for Sink {
    fn deliver(&mut self, event: RelayEvent) -> Result<(), RelayEvent> {
        let relay = event.relay();
        let Some(shard) = self.shards.get(usize::from(relay.shard)) else { return Ok(()) };
        match shard.offer(Command::Input(Input::Relay(event))) {
            Ok(()) => Ok(()),
            Err(Command::Input(Input::Relay(event))) => Err(event),
            Err(_) => Ok(()),
        }
    }
}

/// What an engine never learns anew; each shard has its own part of the media ports.
pub(crate) fn engine_config(config: &Config, shard: u16, limits: &EngineLimits) -> EngineConfig {
    let (first, last) = (u32::from(*config.media_ports.0.start()), u32::from(*config.media_ports.0.end()));
    let shards = u32::from(config.signalling_threads);
    let width = ((last - first + 1) / shards) & !1;
    let from = first + width * u32::from(shard);
    let to = if u32::from(shard) + 1 == shards { last } else { from + width - 1 };
    let port = |number: u32| u16::try_from(number).unwrap_or(u16::MAX);
    let mut seed = [0; 32];
    seed[..16].copy_from_slice(uuid::Uuid::new_v4().as_bytes());
    seed[16..].copy_from_slice(uuid::Uuid::new_v4().as_bytes());
    // New calls are spread over the shards by their Call-ID.
    let source_rate = config.source_rate.map(|rate| rate.div_ceil(shards));
    EngineConfig {
        shard,
        shards: config.signalling_threads,
        seed,
        limits: EngineLimits { source_rate, ..limits.clone() },
        media_ports: (port(from), port(to)),
    }
}

/// Who the worker says it is.
pub(crate) fn identity(config: &Config) -> v1::Hello {
    let addresses = |local: IpAddr| v1::Network {
        interface: String::new(),
        addresses: vec![local.to_string()],
        advertised_address: config.advertised(local).map(|ip| ip.to_string()).unwrap_or_default(),
    };
    v1::Hello {
        worker: format!("workers/{}", config.id),
        incarnation: uuid::Uuid::new_v4().to_string(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        networks: config.advertise.iter().filter_map(|entry| entry.local).map(addresses).collect(),
        capabilities: Vec::new(),
        last_applied: None,
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[test]
    fn shards_share_the_media_ports_without_overlap() {
        let config = ["um-worker", "--id", "w", "--signalling-threads", "3", "--media-ports", "20000-20999"];
        let config = Config::try_parse_from(config).unwrap();
        let ranges: Vec<(u16, u16)> =
            (0..3).map(|shard| engine_config(&config, shard, &EngineLimits::default()).media_ports).collect();
        assert_eq!(ranges, [(20000, 20331), (20332, 20663), (20664, 20999)]);
    }
}
