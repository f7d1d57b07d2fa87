//! The gRPC stream to control as something that can be waited for: connecting, up, or down.
//!
//! When to connect and when to give up is decided by the session machine; this only does it.

use std::{future::Future, pin::Pin, time::Duration};

use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Status, Streaming, transport::Endpoint};
use um_wire::v1::{self, worker_service_client::WorkerServiceClient};

use super::MAX_MESSAGE;
use crate::config::Config;

/// Messages that wait to be sent; reports take half of it at most.
const QUEUE: usize = 64;

/// An open stream.
pub(super) struct Stream {
    requests: mpsc::Sender<v1::SyncRequest>,
    responses: Streaming<v1::SyncResponse>,
}

type Connecting = Pin<Box<dyn Future<Output = Result<Stream, String>> + Send>>;

/// Where the link stands.
pub(super) enum Link {
    /// There is none, and none is wanted yet.
    Down,
    /// It is being opened.
    Connecting(Connecting),
    /// It is open.
    Up(Box<Stream>),
}

/// What came of waiting.
pub(super) enum Received {
    /// The stream is open.
    Connected(Box<Stream>),
    /// Control sent something.
    Message(v1::SyncResponse),
    /// The stream could not be opened, or is gone.
    Lost(String),
}

/// How control is reached: a frozen peer is noticed within seconds.
pub(super) fn endpoint(config: &Config) -> Endpoint {
    Endpoint::from(config.control.clone())
        .connect_timeout(Duration::from_secs(3))
        .http2_keep_alive_interval(Duration::from_secs(2))
        .keep_alive_timeout(Duration::from_secs(4))
        .keep_alive_while_idle(true)
        .tcp_nodelay(true)
}

impl Link {
    /// Begins to open the stream.
    pub(super) fn connect(endpoint: Endpoint) -> Self {
        Self::Connecting(Box::pin(async move {
            let channel = endpoint.connect().await.map_err(|error| cause(&error))?;
            let (requests, outgoing) = mpsc::channel(QUEUE);
            let mut client = WorkerServiceClient::new(channel).max_decoding_message_size(MAX_MESSAGE);
            // Control answers with headers at once, before it has read the Hello.
            let response =
                client.sync(ReceiverStream::new(outgoing)).await.map_err(|status| told(&status))?;
            Ok(Stream { requests, responses: response.into_inner() })
        }))
    }

    /// Notes that the stream is open.
    pub(super) fn up(&mut self, stream: Box<Stream>) {
        *self = Self::Up(stream);
    }

    /// Sends what must arrive; `false` when the open stream takes no more.
    pub(super) fn send(&mut self, request: v1::SyncRequest) -> bool {
        match self {
            Self::Up(stream) => stream.requests.try_send(request).is_ok(),
            Self::Down | Self::Connecting(_) => true,
        }
    }

    /// Sends what the next one of its kind replaces, unless control is slow: the room is for what must arrive.
    pub(super) fn send_if_idle(&mut self, request: v1::SyncRequest) {
        if let Self::Up(stream) = self
            && stream.requests.capacity() > QUEUE / 2
        {
            // Gone within this very moment; the loss of the stream is told by itself.
            let _ = stream.requests.try_send(request);
        }
    }

    /// Waits for the next thing to happen; for ever when the link is down.
    pub(super) async fn next(&mut self) -> Received {
        match self {
            Self::Down => std::future::pending().await,
            Self::Connecting(connecting) => match connecting.await {
                Ok(stream) => Received::Connected(Box::new(stream)),
                Err(reason) => Received::Lost(reason),
            },
            Self::Up(stream) => match stream.responses.message().await {
                Ok(Some(response)) => Received::Message(response),
                Ok(None) => Received::Lost("control closed the stream".to_owned()),
                Err(status) => Received::Lost(told(&status)),
            },
        }
    }
}

fn told(status: &Status) -> String {
    format!("{:?}: {}", status.code(), status.message())
}

/// The innermost cause says what a person wants to know; the outer ones only that it was transport.
fn cause(error: &dyn std::error::Error) -> String {
    let mut innermost = error;
    while let Some(inner) = innermost.source() {
        innermost = inner;
    }
    innermost.to_string()
}
