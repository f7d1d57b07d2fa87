//! A watch on etcd: a task that keeps one watch stream open and goes on where the last one broke.
//!
//! Everything that is not a healthy answer within [`SILENCE`] ends the stream: its end, an error,
//! a cancellation, silence although progress is requested all the time. The next one starts at the
//! revision after the last whole one, on the next member.

use std::{pin::pin, sync::Arc, time::Duration};

use etcd_client::{WatchOptions, WatchRequestSender, WatchResponse, WatchResponseStream};
use tokio::{
    sync::{mpsc, watch},
    time::{Instant, Interval, MissedTickBehavior},
};

use super::{
    DECODE_LIMIT,
    assemble::Assembler,
    convert::{range_end, range_start},
    endpoints::{CALL_DEADLINE, Endpoint, Endpoints, within_deadline},
    version::Version,
};
use crate::{
    item::Revision,
    key::KeyRange,
    watch::{Interest, WatchEvent},
};

/// Longest time without any message before the stream is given up.
const SILENCE: Duration = Duration::from_secs(5);
const PROGRESS_INTERVAL: Duration = Duration::from_secs(2);
/// Pause before the first new attempt, doubled up to the longest while attempts fail.
const PAUSE_MIN: Duration = Duration::from_millis(50);
const PAUSE_MAX: Duration = Duration::from_secs(2);

/// One watch.
pub(super) struct Follower {
    endpoints: Arc<Endpoints>,
    assembler: Assembler,
    hull: KeyRange,
    events: mpsc::Sender<WatchEvent>,
    /// Changes when progress is asked for; closed when the store is dropped.
    asked: watch::Receiver<u64>,
    pause: Duration,
}

/// Why a stream ended.
enum End {
    /// Nobody wants the watch any more.
    Unwanted,
    /// History is gone.
    Compacted(Revision),
    /// Anything that a new stream may repair.
    Lost(String),
}

/// An open stream.
struct Session {
    requests: WatchRequestSender,
    responses: WatchResponseStream,
    ticks: Interval,
    proof: bool,
}

impl Follower {
    pub(super) fn new(
        endpoints: Arc<Endpoints>,
        interest: Interest,
        from: Revision,
        events: mpsc::Sender<WatchEvent>,
        asked: watch::Receiver<u64>,
    ) -> Self {
        let hull = interest.hull();
        let assembler = Assembler::new(interest, from);
        Self { endpoints, assembler, hull, events, asked, pause: PAUSE_MIN }
    }

    /// Delivers until the watch or the store is dropped, or history is gone.
    pub(super) async fn run(mut self) {
        loop {
            let endpoints = Arc::clone(&self.endpoints);
            let (number, member) = endpoints.choose();
            match self.follow(member).await {
                End::Unwanted => return,
                End::Compacted(oldest) => {
                    let _ = self.events.send(WatchEvent::Compacted { oldest }).await;
                    return;
                }
                End::Lost(reason) => {
                    tracing::info!(endpoint = %member.url, reason, "etcd watch is opened again");
                    endpoints.failed(number);
                }
            }
            if !self.wait().await {
                return;
            }
        }
    }

    /// Waits before the next stream; `false` when it is not wanted any more.
    async fn wait(&mut self) -> bool {
        let pause = self.pause;
        self.pause = (pause * 2).min(PAUSE_MAX);
        tokio::select! {
            () = tokio::time::sleep(pause) => self.asked.has_changed().is_ok(),
            () = self.events.closed() => false,
        }
    }

    async fn follow(&mut self, member: &Endpoint) -> End {
        let mut session = match self.open(member).await {
            Ok(session) => session,
            Err(end) => return end,
        };
        self.pause = PAUSE_MIN;
        self.asked.mark_unchanged();
        let mut silence = pin!(tokio::time::sleep(SILENCE));
        loop {
            // Only a message ends the silence; our own requests do not.
            let step = tokio::select! {
                message = session.responses.message() => match message {
                    Ok(Some(message)) => self.deliver(message, session.proof).await,
                    Ok(None) => Some(End::Lost("the stream ended".to_owned())),
                    Err(error) => Some(End::Lost(error.to_string())),
                },
                _ = session.ticks.tick() => match session.request_progress().await {
                    None => continue,
                    lost @ Some(_) => lost,
                },
                changed = self.asked.changed() => match changed {
                    Ok(()) => match session.request_progress().await {
                        None => continue,
                        lost @ Some(_) => lost,
                    },
                    Err(_) => Some(End::Unwanted),
                },
                () = &mut silence => Some(End::Lost("no message for too long".to_owned())),
                () = self.events.closed() => Some(End::Unwanted),
            };
            if let Some(end) = step {
                return end;
            }
            silence.as_mut().reset(Instant::now() + SILENCE);
        }
    }

    /// Opens a stream; its first message must say that the watch was created.
    async fn open(&mut self, member: &Endpoint) -> Result<Session, End> {
        self.assembler.restart();
        let lost = |reason: String| End::Lost(reason);
        let mut client = member.client.clone();
        let status = within_deadline(client.status())
            .await
            .map_err(|failure| lost(failure.into_error().to_string()))?;
        let proof = Version::parse(status.version()).is_some_and(Version::progress_is_proof);
        let mut options =
            WatchOptions::new().with_start_revision(self.assembler.next()).with_prev_key().with_fragment();
        if let Some(end) = range_end(&self.hull) {
            options = options.with_range(end);
        }
        let mut watches = member.client.watch_client().max_decoding_message_size(DECODE_LIMIT);
        let stream = within_deadline(watches.watch(range_start(&self.hull), Some(options)))
            .await
            .map_err(|failure| lost(failure.into_error().to_string()))?;
        let (requests, mut responses) = stream.split();
        let first = tokio::time::timeout(CALL_DEADLINE, responses.message()).await;
        match first {
            Ok(Ok(Some(first))) if first.created() && !first.canceled() => {}
            Ok(Ok(Some(first))) => return Err(ended(&first)),
            Ok(Ok(None)) => return Err(lost("the stream ended at once".to_owned())),
            Ok(Err(error)) => return Err(lost(error.to_string())),
            Err(_) => return Err(lost("the watch was not created in time".to_owned())),
        }
        let mut ticks = tokio::time::interval(PROGRESS_INTERVAL);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Ok(Session { requests, responses, ticks, proof })
    }

    /// Hands one message on; returns why the stream is over, if it is.
    async fn deliver(&mut self, message: WatchResponse, proof: bool) -> Option<End> {
        if message.canceled() {
            return Some(ended(&message));
        }
        let message = message.0;
        if message.events.is_empty() && !message.fragment {
            let revision = message.header.map_or(0, |header| header.revision);
            let event = if proof {
                self.assembler.progress(revision).map(WatchEvent::Progress)
            } else {
                Some(WatchEvent::Alive)
            };
            return match event {
                Some(event) if !message.created => self.send(event).await,
                Some(_) | None => None,
            };
        }
        let events = message.events.into_iter().map(etcd_client::Event).collect();
        for batch in self.assembler.events(events, message.fragment) {
            if let Some(end) = self.send(WatchEvent::Batch(batch)).await {
                return Some(end);
            }
        }
        None
    }

    async fn send(&self, event: WatchEvent) -> Option<End> {
        self.events.send(event).await.is_err().then_some(End::Unwanted)
    }
}

impl Session {
    /// Asks for progress in the stream; a stream that does not even take that is lost.
    async fn request_progress(&mut self) -> Option<End> {
        match tokio::time::timeout(CALL_DEADLINE, self.requests.request_progress()).await {
            Ok(Ok(())) => None,
            Ok(Err(error)) => Some(End::Lost(error.to_string())),
            Err(_) => Some(End::Lost("the stream takes no request".to_owned())),
        }
    }
}

fn ended(message: &WatchResponse) -> End {
    if message.compact_revision() > 0 {
        return End::Compacted(message.compact_revision());
    }
    End::Lost(format!("cancelled: {}", message.cancel_reason()))
}

#[cfg(test)]
mod tests {
    use etcd_client::proto::{PbEvent, PbKeyValue, PbResponseHeader, PbWatchResponse};

    use super::*;

    /// A follower of `k` from revision 5 that talks to nobody.
    async fn follower() -> (Follower, mpsc::Receiver<WatchEvent>, watch::Sender<u64>) {
        let endpoints = Endpoints::connect(vec!["http://127.0.0.1:1".to_owned()]).await.unwrap();
        let (asking, asked) = watch::channel(0);
        let (sender, events) = mpsc::channel(8);
        let follower = Follower::new(endpoints, Interest::new(vec!["k".into()]), 5, sender, asked);
        (follower, events, asking)
    }

    fn message(revision: Revision) -> PbWatchResponse {
        let header = PbResponseHeader { revision, ..PbResponseHeader::default() };
        PbWatchResponse { header: Some(header), ..PbWatchResponse::default() }
    }

    fn put(mod_revision: Revision) -> PbEvent {
        let kv = PbKeyValue { key: "k".into(), mod_revision, ..PbKeyValue::default() };
        PbEvent { kv: Some(kv), ..PbEvent::default() }
    }

    #[tokio::test]
    async fn progress_counts_as_proof_only_where_it_is_one() {
        let (mut follower, mut events, _asking) = follower().await;
        assert!(follower.deliver(WatchResponse(message(7)), true).await.is_none());
        assert_eq!(events.try_recv(), Ok(WatchEvent::Progress(7)));
        assert!(follower.deliver(WatchResponse(message(9)), false).await.is_none());
        assert_eq!(events.try_recv(), Ok(WatchEvent::Alive));
        // After the proof the next stream starts behind it; a sign of life moves nothing.
        assert_eq!(follower.assembler.next(), 8);
    }

    #[tokio::test]
    async fn creation_of_the_watch_proves_nothing() {
        let (mut follower, mut events, _asking) = follower().await;
        let created = PbWatchResponse { created: true, ..message(9) };
        assert!(follower.deliver(WatchResponse(created), true).await.is_none());
        assert!(events.try_recv().is_err());
    }

    #[tokio::test]
    async fn progress_inside_a_revision_is_not_passed_on() {
        let (mut follower, mut events, _asking) = follower().await;
        let part = PbWatchResponse { events: vec![put(6)], fragment: true, ..message(6) };
        assert!(follower.deliver(WatchResponse(part), true).await.is_none());
        assert!(follower.deliver(WatchResponse(message(6)), true).await.is_none());
        assert!(events.try_recv().is_err());
    }

    #[tokio::test]
    async fn cancellation_ends_the_stream_and_compaction_the_watch() {
        let (mut follower, _events, _asking) = follower().await;
        let canceled = PbWatchResponse { canceled: true, ..message(9) };
        let compacted = PbWatchResponse { compact_revision: 8, ..canceled.clone() };
        assert!(matches!(follower.deliver(WatchResponse(canceled), true).await, Some(End::Lost(_))));
        assert!(matches!(follower.deliver(WatchResponse(compacted), true).await, Some(End::Compacted(8))));
    }

    #[tokio::test]
    async fn nobody_listening_ends_the_watch() {
        let (mut follower, events, _asking) = follower().await;
        drop(events);
        assert!(matches!(follower.deliver(WatchResponse(message(7)), true).await, Some(End::Unwanted)));
    }
}
