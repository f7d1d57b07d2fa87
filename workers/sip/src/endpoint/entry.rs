//! One transaction as the endpoint keeps it: its machine, where it sends, and what the messages to come need.

use std::{net::SocketAddr, sync::Arc, time::Instant};

use bytes::Bytes;
use smallvec::SmallVec;

use super::{
    DialogId, keys,
    provisional::Provisionals,
    table::{Due, Path},
};
use crate::{
    dialog::Dialog,
    flow::Flow,
    message::Message,
    method::Method,
    transaction::{
        Acceptance, ClientInvite, ClientNonInvite, ServerInvite, ServerNonInvite, Timing, client_invite,
        client_non_invite, server_invite, server_non_invite,
    },
};

/// The machine of a server transaction.
#[derive(Debug)]
pub(super) enum ServerMachine {
    Invite(ServerInvite),
    Other(ServerNonInvite),
}

/// Whether a CANCEL came for an INVITE.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cancellation {
    None,
    Received,
}

/// A request that we received.
#[derive(Debug)]
pub(super) struct ServerEntry {
    pub(super) machine: ServerMachine,
    pub(super) method: Method,
    /// Where the request came from: `received` and `rport` of its Via.
    pub(super) source: SocketAddr,
    /// Port to which responses go on a new connection once that of the request is lost.
    pub(super) fallback_port: u16,
    /// Where responses go (RFC 3261 §18.2.2, RFC 3581 §4).
    pub(super) flow: Flow,
    /// The request, until its final response is written.
    pub(super) request: Option<Message>,
    /// Tag in To of our responses.
    pub(super) tag: Box<str>,
    /// The dialog that the request came in, or that its response made.
    pub(super) dialog: Option<DialogId>,
    /// The dialog that an INVITE will make, until its first 101–299.
    pub(super) embryo: Option<Box<Dialog>>,
    /// Number in CSeq.
    pub(super) cseq: u32,
    pub(super) cancellation: Cancellation,
    /// Whether an INVITE brought an offer, or our first reliable response to it did.
    pub(super) has_offer: bool,
    /// Our reliable provisional responses to an INVITE.
    pub(super) reliable: Option<Box<Provisionals>>,
    /// Our 2xx while it waits for its ACK.
    pub(super) acceptance: Option<Acceptance>,
    pub(super) timing: Timing,
    /// Key under which the same request is found if it comes over a second way.
    pub(super) merge_key: Option<Arc<[u8]>>,
    pub(super) key: Arc<[u8]>,
    pub(super) due: Option<Instant>,
    /// The path under which the table lists it.
    pub(super) path: Option<Path>,
}

impl ServerEntry {
    pub(super) fn poll_step(&mut self) -> Option<ServerStep> {
        match &mut self.machine {
            ServerMachine::Invite(machine) => machine.poll_output().map(|output| match output {
                server_invite::Output::Send(bytes) => ServerStep::Send(bytes),
                server_invite::Output::Trying => ServerStep::Trying,
                server_invite::Output::Ack => ServerStep::Ack,
                server_invite::Output::AckMissing => ServerStep::AckMissing,
            }),
            ServerMachine::Other(machine) => machine.poll_output().map(|output| match output {
                server_non_invite::Output::Send(bytes) => ServerStep::Send(bytes),
                server_non_invite::Output::Trying => ServerStep::Trying,
                server_non_invite::Output::Expired => ServerStep::Expired,
            }),
        }
    }

    /// Whether the final response of an INVITE has gone out.
    pub(super) fn is_answered(&self) -> bool {
        self.request.is_none()
    }

    pub(super) fn is_over(&self) -> bool {
        match &self.machine {
            ServerMachine::Invite(machine) => machine.state() == server_invite::State::Terminated,
            ServerMachine::Other(machine) => machine.state() == server_non_invite::State::Terminated,
        }
    }
}

impl Due for ServerEntry {
    fn due(&self) -> Option<Instant> {
        let machine = match &self.machine {
            ServerMachine::Invite(machine) => machine.poll_timeout(),
            ServerMachine::Other(machine) => machine.poll_timeout(),
        };
        let acceptance = self.acceptance.as_ref().map(Acceptance::poll_timeout);
        let reliable = self.reliable.as_ref().and_then(|reliable| reliable.machine.poll_timeout());
        [machine.map(|(at, _)| at), acceptance, reliable].into_iter().flatten().min()
    }

    fn scheduled(&mut self) -> &mut Option<Instant> {
        &mut self.due
    }
}

/// The machine of a client transaction.
#[derive(Debug)]
pub(super) enum ClientMachine {
    Invite(ClientInvite),
    Other(ClientNonInvite),
}

/// Whether the user hears of the responses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Audience {
    /// Every response is an event.
    User,
    /// Nobody: a CANCEL, or a BYE that the endpoint owed.
    Nobody,
}

/// The ACK of a 2xx, kept to answer its repetitions.
#[derive(Clone, Debug)]
pub(super) struct SentAck {
    /// Tag that tells the 2xx of one fork from those of the others.
    pub(super) to_tag: Box<str>,
    pub(super) flow: Flow,
    pub(super) bytes: Bytes,
}

/// A request that we sent.
#[derive(Debug)]
pub(super) struct ClientEntry {
    pub(super) machine: ClientMachine,
    pub(super) method: Method,
    pub(super) cseq: u32,
    pub(super) flow: Flow,
    /// The request as sent, for the ACK of a failure and for a CANCEL; only of an INVITE, until it is final.
    pub(super) request: Bytes,
    /// Whether an INVITE brought an offer.
    pub(super) has_offer: bool,
    /// User part of our Contact in this INVITE.
    pub(super) contact_user: Option<Box<str>>,
    pub(super) audience: Audience,
    /// The dialog that the request was sent in, or that its first 2xx confirmed.
    pub(super) dialog: Option<DialogId>,
    /// The dialogs that responses to this INVITE made.
    pub(super) forks: SmallVec<[DialogId; 1]>,
    pub(super) acks: SmallVec<[SentAck; 1]>,
    pub(super) timing: Timing,
    pub(super) key: Arc<[u8]>,
    pub(super) due: Option<Instant>,
    /// The path under which the table lists it.
    pub(super) path: Option<Path>,
}

/// What a client machine wants done, whichever it is.
#[derive(Debug)]
pub(super) enum ClientStep {
    Send(Bytes),
    Cancel,
    Provisional,
    Answer,
    LateAnswer,
    /// 300–699 to an INVITE.
    Failure,
    /// Final response to any other request.
    Final,
    TimedOut,
    Unreachable,
}

/// What a server machine wants done, whichever it is.
#[derive(Debug)]
pub(super) enum ServerStep {
    Send(Bytes),
    Trying,
    /// The ACK is not the transaction's; dealt with where it was received.
    Ack,
    AckMissing,
    Expired,
}

impl ClientEntry {
    pub(super) fn poll_step(&mut self) -> Option<ClientStep> {
        match &mut self.machine {
            ClientMachine::Invite(machine) => machine.poll_output().map(|output| match output {
                client_invite::Output::Send(bytes) => ClientStep::Send(bytes),
                client_invite::Output::Cancel => ClientStep::Cancel,
                client_invite::Output::Provisional => ClientStep::Provisional,
                client_invite::Output::Answer => ClientStep::Answer,
                client_invite::Output::LateAnswer => ClientStep::LateAnswer,
                client_invite::Output::Failure => ClientStep::Failure,
                client_invite::Output::TimedOut => ClientStep::TimedOut,
                client_invite::Output::Unreachable => ClientStep::Unreachable,
            }),
            ClientMachine::Other(machine) => machine.poll_output().map(|output| match output {
                client_non_invite::Output::Send(bytes) => ClientStep::Send(bytes),
                client_non_invite::Output::Provisional => ClientStep::Provisional,
                client_non_invite::Output::Final => ClientStep::Final,
                client_non_invite::Output::TimedOut => ClientStep::TimedOut,
                client_non_invite::Output::Unreachable => ClientStep::Unreachable,
            }),
        }
    }

    /// Whether the failure of its path is news for the transaction.
    pub(super) fn waits(&self) -> bool {
        match &self.machine {
            ClientMachine::Invite(machine) => {
                matches!(machine.state(), client_invite::State::Calling | client_invite::State::Proceeding)
            }
            ClientMachine::Other(machine) => matches!(
                machine.state(),
                client_non_invite::State::Trying | client_non_invite::State::Proceeding
            ),
        }
    }

    /// Returns the key of a transaction with the same branch (RFC 3261 §9.1).
    pub(super) fn key_for(&self, method: &Method) -> Arc<[u8]> {
        let branch = self.key.split(|byte| *byte == 0).next().unwrap_or_default();
        Arc::from(keys::key(&mut Vec::new(), &[branch, method.as_str().as_bytes()]))
    }

    pub(super) fn is_over(&self) -> bool {
        match &self.machine {
            ClientMachine::Invite(machine) => machine.state() == client_invite::State::Terminated,
            ClientMachine::Other(machine) => machine.state() == client_non_invite::State::Terminated,
        }
    }
}

impl Due for ClientEntry {
    fn due(&self) -> Option<Instant> {
        let next = match &self.machine {
            ClientMachine::Invite(machine) => machine.poll_timeout(),
            ClientMachine::Other(machine) => machine.poll_timeout(),
        };
        next.map(|(at, _)| at)
    }

    fn scheduled(&mut self) -> &mut Option<Instant> {
        &mut self.due
    }
}
