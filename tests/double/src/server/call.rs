//! One call of a server: what is due next, and what will be recorded of it.

use std::time::Instant;

use um_sip::{
    Diversion, Flow, Message,
    endpoint::{DialogId, ServerTransaction},
};

use super::record::{CallRecord, Ending};
use crate::{announcement::Announcement, audio::Audio, ladder::milliseconds};

/// One call.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) flow: Flow,
    pub(super) transaction: ServerTransaction,
    pub(super) dialog: Option<DialogId>,
    pub(super) facts: Facts,
    pub(super) said: Announcement,
    /// The offer, for when other ports have to be taken.
    pub(super) offer: bytes::Bytes,
    /// The answer to the offer.
    pub(super) answer: bytes::Bytes,
    pub(super) audio: Audio,
    pub(super) ring_at: Option<Instant>,
    pub(super) answer_at: Option<Instant>,
    pub(super) hang_up_at: Option<Instant>,
    pub(super) answered: Option<Instant>,
}

/// What the INVITE said.
#[derive(Clone, Debug)]
pub(super) struct Facts {
    pub(super) at: Instant,
    pub(super) call_id: String,
    request_uri: String,
    from: String,
    diversion: Option<(String, String)>,
}

impl Facts {
    pub(super) fn of(now: Instant, invite: &Message) -> Self {
        let diversion =
            |diversion: &Diversion| (diversion.uri().to_string(), diversion.reason.token().into());
        Self {
            at: now,
            call_id: invite.call_id().into(),
            request_uri: String::from_utf8_lossy(invite.request_uri_bytes()).into_owned(),
            from: invite.from().map(|from| from.uri.to_string()).unwrap_or_default(),
            diversion: invite.diversions().ok().and_then(|all| all.first().map(diversion)),
        }
    }

    /// Makes the record of a call that was never taken.
    pub(super) fn refused(&self, born: Instant, status: u16, why: &str) -> CallRecord {
        CallRecord {
            call_id: self.call_id.clone(),
            request_uri: self.request_uri.clone(),
            from: self.from.clone(),
            diversion: self.diversion.clone(),
            said: None,
            at_ms: milliseconds(self.at.saturating_duration_since(born)),
            answered_ms: None,
            lasted_ms: 0.0,
            ended: Some(Ending::Refused { status, why: why.into() }),
            heard: Vec::new(),
            packets: crate::voice::Packets::default(),
        }
    }
}

impl Call {
    /// Returns when something is due.
    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        let talks = self.audio.poll_timeout().filter(|_| self.answered.is_some());
        [self.ring_at, self.answer_at, self.hang_up_at, talks].into_iter().flatten().min()
    }

    /// Makes the record of the call.
    pub(super) fn record(&self, born: Instant, now: Instant, ended: Option<Ending>) -> CallRecord {
        let since = |at: Instant| milliseconds(at.saturating_duration_since(self.facts.at));
        CallRecord {
            said: Some(self.said.clone()),
            answered_ms: self.answered.map(since),
            lasted_ms: since(now),
            ended,
            heard: self.audio.heard(),
            packets: self.audio.packets(),
            ..self.facts.refused(born, 0, "")
        }
    }
}
