//! From an INVITE to a call, a redirect or a refusal.

use std::time::Instant;

use um_sip::{
    Flow, HeaderName, Message, NameAddr, RetryAfter, StatusCode,
    endpoint::{Reply, ServerTransaction},
};

use super::{
    Behaviour, ServerAgent, Stats,
    call::{Call, Facts},
    judge::{Verdict, judge},
    record::Ending,
};
use crate::{agent::Output, announcement::Announcement, audio::Audio, wire::uri_of};

impl ServerAgent {
    /// Takes a new call, redirects it or refuses it.
    pub(super) fn on_invite(
        &mut self,
        now: Instant,
        transaction: ServerTransaction,
        flow: Flow,
        invite: &Message,
    ) {
        self.stats.invites += 1;
        let facts = Facts::of(now, invite);
        let said = match judge(&self.config, invite) {
            Verdict::Take(said) => said,
            Verdict::Refuse { status, why } => {
                return self.refuse_wrong(now, transaction, &facts, status, &why);
            }
        };
        if let Some(reply) = self.told_to_refuse(flow, &said) {
            let why = format!("told to: {}", self.behaviour);
            return self.turn_away(now, transaction, &facts, &reply, &why);
        }
        if self.calls.len() >= self.config.max_calls {
            let reply = Reply::new(StatusCode::SERVICE_UNAVAILABLE).reason("Too Many Calls");
            return self.turn_away(now, transaction, &facts, &reply, "too many calls");
        }
        self.take(now, transaction, flow, invite, facts, said);
    }

    fn take(
        &mut self,
        now: Instant,
        transaction: ServerTransaction,
        flow: Flow,
        invite: &Message,
        facts: Facts,
        said: Announcement,
    ) {
        let Ok(ports) = self.ports.reserve(now) else {
            let reply = Reply::new(StatusCode::SERVICE_UNAVAILABLE).reason("No Media Port");
            return self.turn_away(now, transaction, &facts, &reply, "no media port is free");
        };
        let number = self.last_call + 1;
        let mut audio = Audio::new(self.config.media_address, ports, said.to_string(), number ^ self.salt());
        let answer = match audio.answer(now, invite.body()) {
            Ok(answer) => answer,
            Err(why) => {
                self.ports.release(now, ports);
                let status = StatusCode::NOT_ACCEPTABLE_HERE;
                return self.refuse_wrong(now, transaction, &facts, status, &format!("offer: {why}"));
            }
        };
        self.last_call = number;
        self.wire.push(Output::OpenMedia(audio.local()));
        self.by_port.insert(ports.rtp(), number);
        self.by_transaction.insert(transaction, number);
        let after = self.config.answer_after;
        let (ring, answer_in) = match &self.behaviour {
            Behaviour::Silent => (None, None),
            Behaviour::Ringing => (Some(now), None),
            Behaviour::Slow(time) => (Some(now + *time), Some(now + *time)),
            Behaviour::Normal
            | Behaviour::Dead
            | Behaviour::Busy { .. }
            | Behaviour::Redirect(_)
            | Behaviour::RedirectTo(_)
            | Behaviour::CallsOnly
            | Behaviour::ProbesOnly
            | Behaviour::CloseConnection
            | Behaviour::HangUp(_) => (Some(now), Some(now + after)),
        };
        let call = Call {
            flow,
            transaction,
            dialog: None,
            facts,
            said,
            offer: invite.body_bytes(),
            answer,
            audio,
            ring_at: ring,
            answer_at: answer_in,
            hang_up_at: None,
            answered: None,
        };
        self.calls.insert(number, call);
        self.reply(now, transaction, &Reply::new(StatusCode::TRYING));
        self.on_due(now, number);
    }

    /// Takes other media ports for a call that is not answered yet: another program has those that were offered to it. They are
    /// not given back to the pool.
    pub(super) fn move_media(&mut self, now: Instant, number: u64) {
        let salt = self.salt();
        let Some(call) = self.calls.get_mut(&number) else { return };
        let moved = match self.ports.reserve(now) {
            Ok(ports) if call.answered.is_none() => {
                let says = call.said.to_string();
                call.audio = Audio::new(self.config.media_address, ports, says, number ^ salt);
                call.audio.answer(now, &call.offer)
            }
            Ok(_) | Err(_) => Err("no media port is free".into()),
        };
        match moved {
            Ok(answer) => {
                call.answer = answer;
                self.by_port.insert(call.audio.ports().rtp(), number);
                self.wire.push(Output::OpenMedia(call.audio.local()));
            }
            Err(why) => {
                self.wire.note(format!("{}: {why}", self.config.name));
                self.stats.broken += 1;
                self.hang_up(now, number, Ending::NoMedia);
            }
        }
    }

    /// Returns the refusal or redirect that the behaviour asks for.
    fn told_to_refuse(&self, flow: Flow, said: &Announcement) -> Option<Reply> {
        let target = match &self.behaviour {
            Behaviour::Busy { status, retry_after } => {
                let reply = Reply::new(*status);
                return Some(match retry_after {
                    Some(seconds) => {
                        reply.header(HeaderName::RetryAfter, RetryAfter::seconds(*seconds).to_string())
                    }
                    None => reply,
                });
            }
            Behaviour::Redirect(hops) => {
                let at = usize::try_from(flow.line.0).unwrap_or(usize::MAX);
                let next = self.config.listens.get(at + 1).filter(|_| at < *hops)?;
                let uri = uri_of(Some(&said.pilot), *next).without_param("transport");
                // Written as servers of this family write it.
                match next.transport {
                    um_sip::Transport::Udp => uri,
                    um_sip::Transport::Tcp => uri.with_param("transport", Some("Tcp")),
                }
            }
            Behaviour::RedirectTo(uri) => uri.clone(),
            Behaviour::Normal
            | Behaviour::Dead
            | Behaviour::Silent
            | Behaviour::Slow(_)
            | Behaviour::Ringing
            | Behaviour::CallsOnly
            | Behaviour::ProbesOnly
            | Behaviour::CloseConnection
            | Behaviour::HangUp(_) => return None,
        };
        let contact = NameAddr::new(target).to_string();
        Some(Reply::new(StatusCode::MOVED_TEMPORARILY).header(HeaderName::Contact, contact))
    }

    fn refuse_wrong(
        &mut self,
        now: Instant,
        transaction: ServerTransaction,
        facts: &Facts,
        status: StatusCode,
        why: &str,
    ) {
        self.stats.wrong += 1;
        let text = why.replace(['"', '\\'], "'");
        let reply = Reply::new(status)
            .header(HeaderName::Warning, format!("399 {} \"{text}\"", self.config.name))
            .header(HeaderName::Reason, format!("SIP ;cause={status} ;text=\"{text}\""));
        self.wire.note(format!("{}: refused {status}: {why} (Call-ID {})", self.config.name, facts.call_id));
        self.reply(now, transaction, &reply);
        self.keep(facts.refused(self.wire.ladder.born(), status.code(), why));
    }

    fn turn_away(
        &mut self,
        now: Instant,
        transaction: ServerTransaction,
        facts: &Facts,
        reply: &Reply,
        why: &str,
    ) {
        self.stats = Stats { turned_away: self.stats.turned_away + 1, ..self.stats };
        self.reply(now, transaction, reply);
        self.keep(facts.refused(self.wire.ladder.born(), reply.status.code(), why));
    }

    /// Makes session ids of two servers differ.
    fn salt(&self) -> u64 {
        let [a, b, c, d, e, f, g, h, ..] = self.config.seed;
        u64::from_be_bytes([a, b, c, d, e, f, g, h])
    }
}
