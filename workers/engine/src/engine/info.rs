//! INFO within a call (RFC 6086): digits become telephone events of the other leg, anything else is passed on as it is
//! for the other peer to judge.

use std::time::Instant;

use um_media::{RelayCommand, RelayId, Tone};
use um_sip::endpoint::{Body as Load, DialogId, Inside, Reply, ServerTransaction};
use um_sip::{HeaderName, Message, Method};

use super::Engine;
use super::errands::Task;
use super::session::Sender;
use crate::call::words::Side;
use crate::leg::dtmf::{Dtmf, dtmf};
use crate::leg::reply;
use crate::output::Output;

impl Engine {
    pub(super) fn on_info(
        &mut self,
        now: Instant,
        transaction: ServerTransaction,
        dialog: DialogId,
        request: &Message,
    ) {
        let place = self.sessions.by_dialog(dialog);
        let Some((serial, side)) = place else { return self.respond(now, transaction, &reply(481)) };
        // No package was ever agreed on: RFC 6086 §4.2.2.
        if request.header_named("Info-Package").is_some() {
            return self.respond(now, transaction, &reply(469));
        }
        match dtmf(request) {
            Dtmf::Tone(tone) if self.play(serial, side.other(), tone) => {
                self.respond(now, transaction, &reply(200));
            }
            Dtmf::Malformed => self.respond(now, transaction, &reply(400)),
            Dtmf::Empty => self.respond(now, transaction, &reply(200)),
            Dtmf::Tone(_) | Dtmf::Other => self.pass_on(now, serial, side.other(), transaction, request),
        }
    }

    /// Lets the relay send a telephone event to a side; false if that side has agreed on none.
    fn play(&mut self, serial: u64, side: Side, tone: Tone) -> bool {
        let shard = self.config.shard;
        let Some(session) = self.sessions.get(serial) else { return false };
        let hears = session.leg(side).and_then(|leg| leg.negotiation.as_ref());
        let (Some(held), true) = (&session.media, hears.is_some_and(um_media::Negotiation::takes_events))
        else {
            return false;
        };
        let relay = RelayId { shard, serial: held.relay };
        self.outputs.push_back(Output::Relay(RelayCommand::PlayTone { relay, leg: side, tone }));
        true
    }

    /// Passes an INFO on with its body; its response comes back to who sent it.
    fn pass_on(
        &mut self,
        now: Instant,
        serial: u64,
        side: Side,
        transaction: ServerTransaction,
        request: &Message,
    ) {
        let leg = self.sessions.get(serial).and_then(|session| session.leg(side));
        let leg = leg.and_then(|leg| Some((leg.dialog?, leg.flow)));
        let Some((dialog, flow)) = leg else { return self.respond(now, transaction, &not_taken()) };
        let content_type = request.header(HeaderName::ContentType).unwrap_or_default();
        let content_type = String::from_utf8_lossy(content_type).into_owned();
        let body = Some(Load { content_type, bytes: request.body_bytes() });
        let inside = Box::new(Inside { headers: Vec::new(), body });
        let task = Task::Request(Method::Info, inside, Sender::PassedOn(transaction));
        self.run_errand(now, dialog, flow, task);
    }

    /// The other peer has answered what was passed on to it.
    pub(super) fn on_passed_on(&mut self, now: Instant, transaction: ServerTransaction, response: &Message) {
        let status = response.status().map_or(500, um_sip::StatusCode::code);
        // Credentials, another place and a lost dialog are not the sender's business.
        let told = match status {
            200..=299 => 200,
            300..=399 | 401 | 407 | 408 | 481 => 500,
            405 | 501 => return self.respond(now, transaction, &not_taken()),
            _ => status,
        };
        self.respond(now, transaction, &reply(told));
    }

    /// It never answered, or could not be reached.
    pub(super) fn on_not_passed_on(&mut self, now: Instant, transaction: ServerTransaction) {
        self.respond(now, transaction, &reply(504));
    }
}

/// Nobody here takes such a body.
fn not_taken() -> Reply {
    reply(415).header(HeaderName::Accept, ACCEPT)
}

/// Bodies that are understood within a call (RFC 3261 §20.1).
const ACCEPT: &str = "application/sdp, application/dtmf-relay, application/dtmf";
