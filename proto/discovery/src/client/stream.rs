//! One stream as the worker receives it: parts become updates, and the order of nonces, parts and revisions is checked.

use std::sync::Arc;
use std::time::Instant;

use crate::message::FromControl;
use crate::{Resources, Snapshot, delta};

/// All resources as control has them, whether in force here or not.
pub(super) type Received<R> = Snapshot<R>;

/// The receiving side of one stream.
#[derive(Debug)]
pub(super) struct Stream<R: Clone> {
    /// The stream is given up at this time.
    pub(super) silent_at: Instant,
    /// What the last complete update led to; a delta starts from it.
    received: Option<Received<R>>,
    partial: Option<Partial<R>>,
    nonce: u64,
}

/// An update of which the last part has not come.
#[derive(Debug)]
struct Partial<R: Clone> {
    nonce: u64,
    chunk: u32,
    target: Received<R>,
}

/// What identifies a part.
struct Part {
    nonce: u64,
    chunk: u32,
    last: bool,
}

impl<R: Clone> Stream<R> {
    pub(super) const fn new(known: Option<Received<R>>, silent_at: Instant) -> Self {
        Self { silent_at, received: known, partial: None, nonce: 0 }
    }

    /// Takes a message; returns nonce and target when it completes an update, or what is wrong with it.
    pub(super) fn handle(
        &mut self,
        message: FromControl<R>,
        max_resources: usize,
    ) -> Result<Option<(u64, Received<R>)>, &'static str> {
        match message {
            FromControl::Bookmark { .. } => Ok(None),
            FromControl::Snapshot { nonce, revision, store_id, chunk, last, resources } => {
                let mut partial = self.continued(nonce, chunk, || {
                    Ok(Received { store_id: Arc::clone(&store_id), revision, resources: Resources::new() })
                })?;
                if partial.target.revision != revision || partial.target.store_id != store_id {
                    return Err("parts of different snapshots");
                }
                partial.target.resources.extend(resources);
                self.keep(partial, &Part { nonce, chunk, last }, max_resources)
            }
            FromControl::Delta { nonce, revision, from_revision, chunk, last, changes } => {
                let received = self.received.clone();
                let mut partial = self.continued(nonce, chunk, || {
                    let received = received.filter(|received| received.revision == from_revision);
                    let received = received.ok_or("a delta that starts from another revision")?;
                    Ok(Received { revision, ..received })
                })?;
                if partial.target.revision != revision || revision < from_revision {
                    return Err("a delta that leads back, or parts of different deltas");
                }
                for change in changes {
                    delta::apply(&mut partial.target.resources, change);
                }
                self.keep(partial, &Part { nonce, chunk, last }, max_resources)
            }
        }
    }

    /// Returns the update that a part continues, or begins.
    fn continued(
        &mut self,
        nonce: u64,
        chunk: u32,
        begin: impl FnOnce() -> Result<Received<R>, &'static str>,
    ) -> Result<Partial<R>, &'static str> {
        match self.partial.take() {
            Some(partial) if partial.nonce == nonce && partial.chunk == chunk => Ok(partial),
            Some(_) => Err("a part out of order"),
            None if chunk != 0 => Err("a part out of order"),
            None if nonce <= self.nonce => Err("a nonce that does not grow"),
            None => Ok(Partial { nonce, chunk, target: begin()? }),
        }
    }

    /// Keeps an update until its last part is there.
    fn keep(
        &mut self,
        mut partial: Partial<R>,
        part: &Part,
        max_resources: usize,
    ) -> Result<Option<(u64, Received<R>)>, &'static str> {
        if partial.target.resources.len() > max_resources {
            return Err("more resources than a topology may have");
        }
        self.nonce = part.nonce;
        if !part.last {
            partial.chunk = part.chunk.saturating_add(1);
            self.partial = Some(partial);
            return Ok(None);
        }
        self.received = Some(partial.target.clone());
        Ok(Some((part.nonce, partial.target)))
    }
}
