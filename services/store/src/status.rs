//! What a store says about itself, and its physical copy.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures::Stream;
use tokio::sync::mpsc;

use crate::{error::StoreError, item::Revision};

/// Which backend serves; for display only, no behaviour may depend on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Backend {
    /// One file of this machine.
    Embedded,
    /// An etcd cluster.
    Etcd,
}

/// Something an operator should change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Warning {
    /// The version lacks something we rely on; the text says what is degraded.
    Degraded(String),
    /// The version may lose or corrupt data; serving from it needs an operator's explicit word.
    Unsafe(String),
    /// Little space is left: a fifth of the backend's quota, or half a gigabyte of the disk.
    SpaceLow,
    /// The store reports an alarm or error of its own.
    Alarm(String),
}

/// A store's description of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    /// Which backend serves.
    pub backend: Backend,
    /// The version of the server, or of the file format.
    pub version: String,
    /// Identity of the data: made when the embedded store's file was, or the cluster's id.
    pub store_id: String,
    /// The current revision.
    pub revision: Revision,
    /// The oldest revision that can be read, where the backend says so.
    pub oldest: Option<Revision>,
    /// Bytes on disk.
    pub size_bytes: u64,
    /// Bytes of them in use.
    pub used_bytes: u64,
    /// The most bytes the backend will take, where it has such a limit.
    pub quota_bytes: Option<u64>,
    /// The endpoint or file that serves.
    pub endpoint: String,
    /// Whether watches report [`crate::WatchEvent::Progress`]; else they only report that they live.
    pub progress_is_proof: bool,
    /// What an operator should know; empty when all is well.
    pub warnings: Vec<Warning>,
}

/// A physical copy of the store as a stream of chunks.
#[derive(Debug)]
pub struct Snapshot {
    chunks: mpsc::Receiver<Result<Bytes, StoreError>>,
}

impl Snapshot {
    pub(crate) const fn new(chunks: mpsc::Receiver<Result<Bytes, StoreError>>) -> Self {
        Self { chunks }
    }

    /// Waits for the next chunk; `None` after the last.
    pub async fn next(&mut self) -> Option<Result<Bytes, StoreError>> {
        self.chunks.recv().await
    }
}

impl Stream for Snapshot {
    type Item = Result<Bytes, StoreError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.chunks.poll_recv(cx)
    }
}
