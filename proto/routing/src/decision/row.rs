//! Calls that a row of the routing table takes: to the targets of its list, under the user part that the row makes.

use std::sync::Arc;

use um_topology::session::effective_warm_down;
use um_topology::{Called, Line, ProxyList, RouteRow};

use super::{Steps, rejection};
use crate::explanation::{Rejection, Stage};
use crate::headers;
use crate::plan::AttemptPlan;
use crate::redirect::RedirectPolicy;
use crate::reject::RejectReason;
use crate::rotation::Rotation;
use crate::route::{Peer, Route, Service};
use crate::session_plan::SessionPlan;
use crate::source::Origin;
use crate::target::{self, TargetQuery};

/// Where a call is bound for.
pub(super) enum Destination<'a> {
    /// A station or a user, by his number.
    Number(Called),
    /// A list, by a row and under the user part that it makes.
    Row(&'a Arc<RouteRow>, String),
}

impl<'a> Steps<'a> {
    /// The first row that takes the call.
    pub(super) fn row(&mut self) -> Option<Destination<'a>> {
        let facts = self.facts;
        let mut rows = self.topology.route_table();
        let found = rows.find_map(|row| Some((row, row.routed_user(&facts.from.uri, &facts.request_uri)?)));
        let Some((row, user)) = found else {
            if self.topology.route_table().next().is_some() {
                self.say("No route row takes the call.".to_owned());
            }
            return None;
        };
        self.explanation.row = Some(row.id.clone());
        let position = row.position.unwrap_or_default();
        self.say(format!("Route row {} at position {position} takes the call, for {user}.", row.id));
        Some(Destination::Row(row, user))
    }

    pub(super) fn route_to_list(
        &mut self,
        line_in: &Line,
        origin: &Origin,
        row: &Arc<RouteRow>,
        user: &str,
        rotation: &mut Rotation,
    ) -> Result<Route, Rejection> {
        let refuse = |reason| rejection(Stage::Station, reason);
        let list = row.proxy_list.as_ref().and_then(|list| self.topology.proxy_list(list));
        let list = list.ok_or_else(|| refuse(RejectReason::StationUnreachable))?;
        let with_um = self.is_of_um(list);
        // What a UM server sends out must not come back to one: it would talk to itself.
        if with_um && matches!(origin, Origin::UmServer(_)) {
            return Err(rejection(Stage::Called, RejectReason::UmLoop));
        }
        let line_out = self.topology.line_of_list(&list.id, &line_in.id);
        let line_out = line_out.ok_or_else(|| refuse(RejectReason::StationUnreachable))?;
        self.explanation.line_out = Some(line_out.id.clone());
        self.say(format!("It leaves on line {} to the entries of proxy list {}.", line_out.id, list.id));
        let line_out = self.usable(line_out)?;
        let our_host = headers::our_host(self.topology, line_out, self.view);
        let headers = headers::plan_passage(self.facts, user, &our_host);
        let query = TargetQuery {
            station: None,
            line: line_out,
            list: Some(list),
            request_uri: headers::passage_uri(self.facts, &headers),
            rewrite: headers::rewrites_request_uri(self.topology),
            hash_key: target::hash_key(Some(list), self.facts, None),
        };
        let targets = target::target_list(&query, self.view, rotation, &mut self.explanation);
        if targets.is_empty() {
            return Err(rejection(Stage::Targets, RejectReason::NoTarget));
        }
        let listed = self.topology.settings().map_or(&[][..], |settings| &settings.allowed_redirect_hosts);
        let hosts = target::configured_hosts(&query);
        Ok(Route {
            line_in: line_in.id.clone(),
            line_out: line_out.id.clone(),
            service: Service::Passage,
            headers,
            inbound: SessionPlan::new(self.topology, line_in, None, with_um),
            outbound: SessionPlan::new(self.topology, line_out, None, with_um),
            inbound_peer: origin.peer(),
            outbound_peer: if with_um { Peer::Um } else { Peer::Other },
            warm_down: effective_warm_down(None),
            plan: AttemptPlan::new(line_out, Some(list)),
            redirect: RedirectPolicy::new(listed, hosts, line_out.effective_protocol()),
            passthrough: false,
            targets,
            station: None,
            row: Some(Arc::clone(row)),
            user: None,
        })
    }

    /// Says whether one of the entries is a UM server.
    fn is_of_um(&self, list: &ProxyList) -> bool {
        let servers = self.topology.um_servers();
        let hosts = list.entries.iter().filter_map(|entry| entry.address.as_ref());
        hosts.into_iter().any(|host| servers.stations_of(host).next().is_some())
    }
}
