//! The route of a call that joins another one here: an attended transfer (RFC 5589 §7) whose target is at the far end of
//! a dialog of ours, at whatever shard that is. The INVITE goes to ourselves and names the dialog in Replaces.

use um_topology::session::effective_warm_down;
use um_topology::{Host, Id, Line, Topology, Transport, Uri};

use crate::facts::Facts;
use crate::plan::AttemptPlan;
use crate::redirect::RedirectPolicy;
use crate::route::{HeaderPlan, Peer, Route, Service, Target};
use crate::session_plan::SessionPlan;
use crate::view::TargetId;

/// Where we listen ourselves.
#[derive(Clone, Debug)]
pub struct Ourselves {
    /// The address of the listener.
    pub host: Host,
    /// Its port.
    pub port: u16,
    /// What it speaks.
    pub transport: Transport,
}

/// Makes the route: `facts` are those of an INVITE of the party who is transferred, with the target as its Request-URI;
/// it leaves from `line` and comes back to it.
#[must_use]
pub fn joining(topology: &Topology, facts: &Facts, line: &Line, to: Ourselves) -> Route {
    let request_uri = Uri { headers: None, host: Some(to.host.clone()), ..facts.request_uri.clone() };
    let target = Target {
        id: TargetId::Entry { list: Id::new(OURSELVES), entry: Id::new(OURSELVES) },
        host: to.host.clone(),
        port: Some(to.port),
        transport: to.transport,
        request_uri: request_uri.clone(),
        last_resort: false,
    };
    Route {
        line_in: facts.line.clone(),
        line_out: line.id.clone(),
        station: None,
        row: None,
        user: None,
        service: Service::Passage,
        headers: HeaderPlan {
            to: request_uri,
            from: facts.from.clone(),
            diversion: None,
            history: Vec::new(),
        },
        targets: vec![target],
        plan: AttemptPlan::new(line, None),
        inbound: SessionPlan::new(topology, line, None, false),
        outbound: SessionPlan::new(topology, line, None, false),
        inbound_peer: Peer::Other,
        outbound_peer: Peer::Other,
        warm_down: effective_warm_down(None),
        redirect: RedirectPolicy::new(&[], [&to.host].into_iter(), to.transport),
        passthrough: false,
    }
}

/// No proxy list of the topology has this name, so nothing is known of it as a target.
const OURSELVES: &str = "(ourselves)";
