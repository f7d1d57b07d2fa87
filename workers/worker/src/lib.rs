//! The worker: sockets, threads, clock and discovery client around the pure machines of `um-engine` and `um-media`.
//!
//! [`run`] is the whole process: signalling threads (one engine each), media threads, one runtime for the stream to
//! control, names, health and metrics. Signalling never waits for any of the others.

pub mod clock;
pub mod config;
pub mod media;

mod admin;
mod discovery;
mod drain;
mod journal;
mod last_known_good;
mod observe;
mod process_load;
mod resolver;
mod signalling;
mod status;
mod surroundings;
mod traffic;

use std::{io, sync::Arc, thread, time::Duration};

use anyhow::Context;
use crossbeam_channel::{Sender, bounded};
use tokio::{
    runtime::Handle,
    sync::{mpsc, watch},
    task::JoinSet,
    time::timeout,
};
use tokio_util::sync::CancellationToken;
use um_engine::EngineLimits;
use um_telemetry::{LogFormat, Logs, Push, Service, Telemetry};

use crate::{
    admin::Admin,
    config::Config,
    discovery::Discovery,
    drain::Drainer,
    media::{Media, MediaConfig},
    observe::{Observer, Seen},
    resolver::NameResolver,
    signalling::Signalling,
    status::{Status, Synced},
    surroundings::{ShardSurroundings, Sink, engine_config},
};

/// Relays of one media thread.
const MAX_RELAYS: usize = 20_000;
/// Events that may wait for the discovery task.
const EVENTS: usize = 1024;
/// Commands of control that may wait.
const COMMANDS: usize = 64;
/// Time for the tasks to end: a client of the metrics may be slow.
const PATIENCE: Duration = Duration::from_secs(2);

/// Runs the process until a signal has ended its drain.
///
/// # Errors
///
/// A message that says what to do: an address is taken, the state directory cannot be used.
pub async fn run(config: Config) -> anyhow::Result<()> {
    config.validate().map_err(anyhow::Error::msg)?;
    let telemetry = telemetry(&config)?;
    let worker = Worker::start(&config, &telemetry).await?;
    tracing::info!(id = config.id, control = %config.control, admin = %worker.admin, "um-worker runs");
    let ended = worker.until_signalled().await;
    worker.stop().await;
    tracing::info!("um-worker has ended");
    ended
}

/// A running worker.
pub struct Worker {
    /// Where health and metrics are answered.
    pub admin: std::net::SocketAddr,
    signalling: Arc<Signalling>,
    media: Media,
    tell: Sender<Seen>,
    observer: thread::JoinHandle<()>,
    drainer: Drainer,
    tasks: JoinSet<()>,
    stop: CancellationToken,
}

impl Worker {
    /// Starts everything; the last known good topology is in force when it returns.
    ///
    /// # Errors
    ///
    /// An address is taken, the state directory cannot be used, the system gives no threads.
    pub async fn start(config: &Config, telemetry: &Telemetry) -> anyhow::Result<Self> {
        let stop = CancellationToken::new();
        let admin_listener = admin::bind(config.listen).await?;
        let admin_address = admin_listener.local_addr()?;
        let prepared = signalling::prepare(config.signalling_threads).context("the shards' queues")?;
        let mailboxes = prepared.mailboxes().to_vec();
        let media_config = MediaConfig { threads: config.media_threads, most_relays: MAX_RELAYS };
        let media =
            Media::start(&media_config, || Sink::new(mailboxes.clone())).context("the media threads")?;
        let (tell, seen) = bounded(observe::QUEUE);
        let (events, heard) = mpsc::channel(EVENTS);
        let resolver = NameResolver::new(Handle::current(), &config.nameserver)?;
        let limits = EngineLimits::default();
        let signalling = prepared
            .start(
                |shard| engine_config(config, shard, &limits),
                |shard| {
                    let mailbox = mailboxes[usize::from(shard)].clone();
                    ShardSurroundings::new(
                        shard,
                        mailbox,
                        resolver.clone(),
                        media.orders(),
                        tell.clone(),
                        events.clone(),
                    )
                },
            )
            .context("the signalling threads")?;
        let signalling = Arc::new(signalling);
        let identity = surroundings::identity(config);
        let status = Status {
            id: config.id.clone(),
            incarnation: identity.incarnation.clone(),
            version: env!("CARGO_PKG_VERSION"),
            ..Status::default()
        };
        let (synced, synced_shown) = watch::channel(Synced::default());
        let (show, shown) = watch::channel(Arc::new(status.clone()));
        let observer = Observer::new(
            status,
            observe::Surroundings {
                metrics: telemetry.worker_metrics(),
                shards: mailboxes,
                synced: synced_shown,
                show,
                reports: events,
            },
        );
        let observer = thread::Builder::new().name("observe".into()).spawn(move || observer.run(&seen))?;
        let (commands, asked) = mpsc::channel(COMMANDS);
        let around = discovery::Surroundings { signalling: Arc::clone(&signalling), synced, commands };
        let discovery = Discovery::new(config, identity, around)?;
        let mut tasks = JoinSet::new();
        tasks.spawn(discovery.run(heard, stop.clone()));
        let admin = Admin { status: shown.clone(), scrape: telemetry.scrape() };
        tasks.spawn(admin.run(admin_listener, stop.clone()));
        let deadline = Duration::from_secs(config.drain_deadline);
        let drainer = Drainer::start(Arc::clone(&signalling), shown, tell.clone(), asked, deadline);
        Ok(Self { admin: admin_address, signalling, media, tell, observer, drainer, tasks, stop })
    }

    /// Waits for a signal, then until the drain is over; a second signal ends it at once.
    ///
    /// # Errors
    ///
    /// A signalling thread has died, so calls are no longer served.
    pub async fn until_signalled(&self) -> anyhow::Result<()> {
        let mut signals = Signals::new()?;
        let mut watchdog = tokio::time::interval(Duration::from_millis(500));
        loop {
            tokio::select! {
                () = signals.next() => break,
                _ = watchdog.tick() => anyhow::ensure!(!self.signalling.has_died(), "a signalling thread has died"),
            }
        }
        tracing::info!("draining: no new calls; a second signal ends the rest");
        tokio::select! {
            () = self.drainer.drain() => {}
            () = signals.next() => self.drainer.force().await,
        }
        Ok(())
    }

    /// Ends all threads and tasks; calls that are left are not hung up (that is what a drain is for).
    pub async fn stop(mut self) {
        self.stop.cancel();
        self.drainer.stop().await;
        let ended = async { while self.tasks.join_next().await.is_some() {} };
        if timeout(PATIENCE, ended).await.is_err() {
            tracing::warn!("a task does not end; leaving it behind");
        }
        self.signalling.stop();
        drop(self.media);
        // Last, so that it has told everything of the calls that the others ended.
        if self.tell.send(Seen::End).is_ok() && self.observer.join().is_err() {
            tracing::error!("the observing thread panicked");
        }
    }
}

/// The signals that end the process.
struct Signals {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
}

impl Signals {
    fn new() -> io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self { interrupt: signal(SignalKind::interrupt())?, terminate: signal(SignalKind::terminate())? })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

fn telemetry(config: &Config) -> anyhow::Result<Telemetry> {
    let format = match config.log_format {
        config::LogFormat::Text => LogFormat::Text,
        config::LogFormat::Json => LogFormat::Json,
    };
    let push = config.otlp.clone().map(|endpoint| Push { endpoint, interval: Duration::from_secs(10) });
    Ok(um_telemetry::init(&um_telemetry::Config {
        service: Service::Worker,
        instance: config.id.clone(),
        version: env!("CARGO_PKG_VERSION"),
        logs: Some(Logs { format, filter: config.log.clone() }),
        push,
    })?)
}
