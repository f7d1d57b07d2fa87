//! The oracles at the end of a run, when everything has had time to end.

use um_engine::Usage;
use um_sip::Transport;

use super::World;
use crate::caller::State;
use crate::ledger::Fault;
use crate::scenario::Act;
use crate::server::{Leg, Phase};
use crate::talk::Talk;

impl World {
    /// Judges what is left.
    pub(super) fn verdict(&self) -> Result<(), Fault> {
        self.judge_usage()?;
        for number in 0..self.servers.len() {
            for leg in self.servers[number].legs() {
                self.judge_leg(number, leg)?;
            }
        }
        for number in 0..self.callers.len() {
            self.judge_caller(number)?;
        }
        if self.talks().any(Talk::is_unanswered) && !self.line_was_closed() {
            return Err("a request in the middle of a call got no final response".to_owned());
        }
        self.reference.verdict()
    }

    /// Calls, dialogs, ports, relays, transactions back to zero.
    fn judge_usage(&self) -> Result<(), Fault> {
        for (shard, engine) in self.engines.iter().enumerate() {
            let usage = engine.usage();
            let idle = Usage { ports_limit: usage.ports_limit, ..Usage::default() };
            if usage != idle {
                return Err(format!("shard {shard} still uses {usage:?}"));
            }
        }
        match self.ledger.relays() {
            0 => Ok(()),
            left => Err(format!("{left} relays are still open")),
        }
    }

    /// Nothing rings, no dialog is up, everything final is acknowledged.
    fn judge_leg(&self, server: usize, leg: &Leg) -> Result<(), Fault> {
        let name = format!("the call of {} at um{}", leg.caller(), server + 1);
        match leg.phase() {
            Phase::Waiting => Err(format!("{name} was never answered at all")),
            // An attempt of which nothing was heard is not cancelled (RFC 3261 §9.1).
            Phase::Ringing if !self.heard.contains(leg.call_id()) => Ok(()),
            Phase::Ringing => Err(format!("{name} still rings")),
            Phase::Up => Err(format!("{name} was answered and never ended")),
            Phase::Leaving => Err(format!("{name}: no answer to the server's BYE")),
            // A stream that breaks may take an ACK of a failure with it, and nothing is repeated there.
            Phase::Failed if !leg.is_acknowledged() && !self.streams_break() => {
                Err(format!("{name}: its failure was not acknowledged"))
            }
            Phase::Over if !leg.is_acknowledged() && self.every_copy_counts() => {
                Err(format!("{name}: its answer was not acknowledged"))
            }
            Phase::Failed | Phase::Over | Phase::Lost => Ok(()),
        }
    }

    /// One final response, one record, and an end.
    fn judge_caller(&self, number: usize) -> Result<(), Fault> {
        let caller = &self.callers[number];
        let facts = &self.ledger.calls[number];
        let finals = caller.finals();
        if finals.len() > 1 {
            return Err(format!("call {number} got several final responses: {finals:?}"));
        }
        if facts.birth.is_some() && facts.records.len() != 1 {
            return Err(format!("call {number} has {} records", facts.records.len()));
        }
        let reached = facts.birth.is_some() || !facts.finals.is_empty();
        if reached && finals.is_empty() && caller.plan().breaks.is_none() {
            return Err(format!("call {number} got no final response"));
        }
        let unreached = !reached && self.line_was_closed();
        match caller.state() {
            State::Over => Ok(()),
            State::Idle | State::Calling if unreached => Ok(()),
            // He has hung up before any answer, and his connection took the rest with it.
            State::Idle | State::Calling | State::Up | State::Leaving if caller.plan().breaks.is_some() => {
                Ok(())
            }
            state @ (State::Idle | State::Calling | State::Up | State::Leaving) => {
                Err(format!("call {number} never ended, it is {state:?}"))
            }
        }
    }

    fn line_was_closed(&self) -> bool {
        self.scenario.acts.iter().any(|(_, act)| *act == Act::DrainLine)
    }

    fn streams_break(&self) -> bool {
        self.scenario.um_transport == Transport::Tcp
    }

    /// Whether a message that is sent once arrives.
    fn every_copy_counts(&self) -> bool {
        self.scenario.network.lost == 0 && !self.streams_break()
    }
}
