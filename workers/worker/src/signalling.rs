//! The signalling side of a worker: one thread per shard, each with its sockets and its engine, and nothing shared.
//!
//! A message may arrive on any shard's socket; what we generate carries the number of the shard that owns it, so the
//! receiving shard hands it to its owner through a bounded queue.

use std::{
    io,
    sync::{Mutex, PoisonError},
    thread,
};

use um_engine::{Engine, EngineConfig, Input, Lobby};
use um_sip::LineIndex;

mod connections;
mod driver;
pub(crate) mod listeners;
mod mailbox;
pub(crate) mod sockets;
mod stream;
mod udp;

pub(crate) use driver::{Pulse, Surroundings};
pub(crate) use mailbox::{Command, ListenSocket, Mailbox};

use self::driver::Driver;

/// The running shards.
#[derive(Debug)]
pub(crate) struct Signalling {
    shards: Vec<Mailbox>,
    threads: Mutex<Vec<thread::JoinHandle<io::Result<()>>>>,
}

/// The mailboxes of shards whose threads do not run yet, so that what surrounds a shard can be built knowing them.
pub(crate) struct Prepared {
    shards: Vec<Mailbox>,
    halves: Vec<(mio::Poll, mailbox::Inbox)>,
}

/// Makes the mailboxes of `shards` shards.
///
/// # Errors
///
/// When the kernel gives no more descriptors.
pub(crate) fn prepare(shards: u16) -> io::Result<Prepared> {
    let mut prepared = Prepared { shards: Vec::new(), halves: Vec::new() };
    for _ in 0..shards.max(1) {
        let (poll, post, inbox) = driver::prepare()?;
        prepared.shards.push(post);
        prepared.halves.push((poll, inbox));
    }
    Ok(prepared)
}

impl Prepared {
    /// The mailboxes, by shard.
    pub(crate) fn mailboxes(&self) -> &[Mailbox] {
        &self.shards
    }

    /// Starts the threads; `config` and `surroundings` are asked once per shard.
    ///
    /// # Errors
    ///
    /// When a thread cannot be started.
    pub(crate) fn start<S: Surroundings + 'static>(
        self,
        mut config: impl FnMut(u16) -> EngineConfig,
        mut surroundings: impl FnMut(u16) -> S,
    ) -> io::Result<Signalling> {
        let mut threads = Vec::new();
        for (shard, half) in (0..).zip(self.halves) {
            let config = config(shard);
            let lobby = Lobby::new(config.seed, config.limits.source_rate);
            let driver = Driver::new(
                shard,
                (Engine::new(config), lobby),
                surroundings(shard),
                self.shards.clone(),
                half,
            );
            let thread = thread::Builder::new().name(format!("signalling-{shard}"));
            threads.push(thread.spawn(move || driver.run())?);
        }
        Ok(Signalling { shards: self.shards, threads: Mutex::new(threads) })
    }
}

impl Signalling {
    /// Hands an input to every shard.
    pub(crate) fn tell(&self, input: &Input) {
        for shard in &self.shards {
            shard.deliver(Command::Input(input.clone()));
        }
    }

    /// Gives each shard its socket of a line.
    pub(crate) fn listen(&self, line: LineIndex, sockets: Vec<ListenSocket>) {
        for (shard, socket) in self.shards.iter().zip(sockets) {
            shard.deliver(Command::Listen { line, socket });
        }
    }

    /// Takes the sockets of a line from every shard.
    pub(crate) fn unlisten(&self, line: LineIndex) {
        for shard in &self.shards {
            shard.deliver(Command::Unlisten(line));
        }
    }

    /// Whether a shard's thread has ended, which only [`Signalling::stop`] should bring about.
    pub(crate) fn has_died(&self) -> bool {
        let threads = self.threads.lock().unwrap_or_else(PoisonError::into_inner);
        threads.iter().any(thread::JoinHandle::is_finished)
    }

    /// Ends the threads and waits for them; whoever still holds the shards then speaks to nobody.
    pub(crate) fn stop(&self) {
        let threads = std::mem::take(&mut *self.threads.lock().unwrap_or_else(PoisonError::into_inner));
        if !threads.is_empty() {
            self.shards.iter().for_each(|shard| shard.deliver(Command::Stop));
        }
        for thread in threads {
            match thread.join() {
                Ok(Ok(())) => {}
                Ok(Err(error)) => tracing::error!(%error, "a signalling thread failed"),
                Err(_) => tracing::error!("a signalling thread panicked"),
            }
        }
    }
}

#[cfg(test)]
mod tests;
