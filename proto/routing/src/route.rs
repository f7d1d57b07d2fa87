//! A decided call: from where to where, what the outbound INVITE says, how long each step may last.

use std::sync::Arc;
use std::time::Duration;

use um_topology::{Host, Id, RouteRow, Station, Transport, Uri, User};

use crate::facts::{Diversion, HistoryEntry, Party};
use crate::plan::AttemptPlan;
use crate::redirect::RedirectPolicy;
use crate::session_plan::SessionPlan;
use crate::view::TargetId;

/// A call on its way to a UM server, or to the targets of a route row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// The line that received it.
    pub line_in: Id,
    /// The line that it leaves on.
    pub line_out: Id,
    /// The UM station; none for a call that a route row sends on.
    pub station: Option<Arc<Station>>,
    /// The route row that sends the call on.
    pub row: Option<Arc<RouteRow>>,
    /// The user whose mailbox is wanted, or who calls his own; none for an unknown caller's subscriber access.
    pub user: Option<Arc<User>>,
    /// What the caller gets to hear.
    pub service: Service,
    /// What the outbound INVITE says.
    pub headers: HeaderPlan,
    /// The targets in the order of attempts; never empty.
    pub targets: Vec<Target>,
    /// How long each step may last.
    pub plan: AttemptPlan,
    /// What holds on the leg towards the caller.
    pub inbound: SessionPlan,
    /// What holds on the leg towards the UM server.
    pub outbound: SessionPlan,
    /// Who calls.
    pub inbound_peer: Peer,
    /// Who is called.
    pub outbound_peer: Peer,
    /// How long the call's media ports stay taken after its end.
    pub warm_down: Duration,
    /// Where a 302 may point to.
    pub redirect: RedirectPolicy,
    /// Whether RTP may be relayed packet for packet; false: it is terminated here.
    pub passthrough: bool,
}

/// Who is at the far end of a leg.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Peer {
    /// A UM server: it may transfer the call.
    Um,
    /// Anybody else.
    Other,
}

/// What the UM server is asked to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Service {
    /// Take a message for a mailbox: the call carries one Diversion.
    CallAnswering,
    /// Let the caller at his own mailbox: no Diversion.
    SubscriberAccess,
    /// Nothing in particular: a route row sends the call on.
    Passage,
}

/// What the outbound INVITE says; each target has its own Request-URI.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeaderPlan {
    /// To: the station's connection address.
    pub to: Uri,
    /// From, without tag.
    pub from: Party,
    /// The one Diversion, for call answering.
    pub diversion: Option<Diversion>,
    /// History-Info entries, where the provider's profile has them.
    pub history: Vec<HistoryEntry>,
}

/// One target of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// Which one it is, for health and call counts.
    pub id: TargetId,
    /// Where it is.
    pub host: Host,
    /// Its port; none: found by SRV, else 5060 (RFC 3263 §4.2).
    pub port: Option<u16>,
    /// How to speak to it.
    pub transport: Transport,
    /// The Request-URI of an attempt there.
    pub request_uri: Uri,
    /// It is DOWN or PROBING while others were UP or SUSPECT when the call was born: to be tried only when every other
    /// one has failed in this very call, so that none of them is UP any more.
    pub last_resort: bool,
}
