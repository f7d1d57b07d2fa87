//! What a peer that referred is told of it: a subscription of its own within the dialog (RFC 3515 §2.4.4), which may
//! outlive the call there (RFC 5057). One NOTIFY at a time, so that none overtakes another; of what happens
//! meanwhile only the last is told. It ends with the final status, with a NOTIFY that is refused, or with silence.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use um_sip::endpoint::{Body, DialogId, Extra, Inside};
use um_sip::{Flow, HeaderName, Method, StatusCode};

use super::Engine;
use super::errands::Task;
use super::session::Sender;

/// All subscriptions of those who referred.
#[derive(Debug, Default)]
pub(super) struct Subscriptions {
    known: BTreeMap<u64, Subscription>,
    last: u64,
}

#[derive(Debug)]
struct Subscription {
    dialog: DialogId,
    /// A flow that has served the dialog.
    flow: Flow,
    /// The CSeq of the REFER, from the dialog's second one on (RFC 3515 §2.4.6).
    id: Option<u32>,
    expires: Instant,
    /// What is to be told next.
    next: Option<u16>,
    /// The status in the NOTIFY that has no answer yet.
    told: Option<u16>,
}

impl Subscriptions {
    pub(super) fn len(&self) -> usize {
        self.known.len()
    }
}

impl Engine {
    /// Begins the subscription that a REFER makes, with the NOTIFY that is due at once.
    pub(super) fn subscribe(&mut self, now: Instant, dialog: DialogId, flow: Flow, id: Option<u32>) -> u64 {
        // Gone or Full: the NOTIFY that cannot be sent ends the subscription.
        let _ = self.endpoint.begin_usage(dialog);
        let expires = now + LIFETIME;
        let subscription = Subscription { dialog, flow, id, expires, next: None, told: None };
        self.subscriptions.last += 1;
        let number = self.subscriptions.last;
        self.subscriptions.known.insert(number, subscription);
        self.report(now, number, StatusCode::TRYING.code());
        number
    }

    /// Tells how a referral stands; a final status is the last that is told.
    pub(super) fn report(&mut self, now: Instant, number: u64, status: u16) {
        let Some(subscription) = self.subscriptions.known.get_mut(&number) else { return };
        let is_final = |status: &u16| *status >= 200;
        if subscription.next.as_ref().is_some_and(is_final)
            || subscription.told.as_ref().is_some_and(is_final)
        {
            return;
        }
        subscription.next = Some(status);
        self.notify(now, number);
    }

    /// The NOTIFY was answered: what came up meanwhile follows, if the peer still wants to know.
    pub(super) fn on_notice_answered(&mut self, now: Instant, number: u64, status: u16) {
        let Some(subscription) = self.subscriptions.known.get_mut(&number) else { return };
        let was_last = subscription.told.take().is_none_or(|told| told >= 200);
        if was_last || status >= 300 {
            return self.unsubscribe(number);
        }
        self.notify(now, number);
    }

    /// Nobody is told any more.
    pub(super) fn unsubscribe(&mut self, number: u64) {
        if let Some(subscription) = self.subscriptions.known.remove(&number) {
            self.endpoint.end_usage(subscription.dialog);
        }
    }

    fn notify(&mut self, now: Instant, number: u64) {
        let Some(subscription) = self.subscriptions.known.get_mut(&number) else { return };
        if subscription.told.is_some() {
            return;
        }
        let Some(status) = subscription.next.take() else { return };
        subscription.told = Some(status);
        let (dialog, flow) = (subscription.dialog, subscription.flow);
        let inside = subscription.write(now, status);
        let request = Task::Request(Method::Notify, Box::new(inside), Sender::Notice(number));
        self.run_errand(now, dialog, flow, request);
    }
}

impl Subscription {
    fn write(&self, now: Instant, status: u16) -> Inside {
        let left = self.expires.saturating_duration_since(now).as_secs();
        let state = if status < 200 {
            format!("active;expires={left}")
        } else {
            "terminated;reason=noresource".to_owned()
        };
        let event = self.id.map_or_else(|| "refer".to_owned(), |id| format!("refer;id={id}"));
        let phrase = StatusCode::new(status).map_or("", |code| code.phrase());
        Inside {
            headers: vec![
                Extra::Named(HeaderName::Event, event),
                Extra::Named(HeaderName::SubscriptionState, state),
            ],
            body: Some(Body {
                content_type: "message/sipfrag;version=2.0".to_owned(),
                bytes: format!("SIP/2.0 {status} {phrase}\r\n").into(),
            }),
        }
    }
}

/// Longer than the target may ring (RFC 3515 §3.4).
const LIFETIME: Duration = Duration::from_secs(240);
