//! The decision for one INVITE: who is called, whose mailbox, which UM servers in which order, and why.
//!
//! One function for the live call and the dry run. The steps are those of [`Stage`]; each leaves a sentence in the
//! explanation and may refuse the call. Inside a dialog the dialog decides, so this is never asked.

use std::sync::Arc;

use um_topology::session::effective_warm_down;
use um_topology::{Called, Line, Topology};

use crate::decision::row::Destination;
use crate::explanation::{Explanation, Rejection, Stage};
use crate::facts::Facts;
use crate::headers;
use crate::mailbox::{self, Wanted};
use crate::plan::AttemptPlan;
use crate::redirect::RedirectPolicy;
use crate::reject::{Reject, RejectReason};
use crate::rotation::Rotation;
use crate::route::{Peer, Route, Service};
use crate::session_plan::SessionPlan;
use crate::source::{self, Origin};
use crate::target::{self, TargetQuery};
use crate::view::View;

pub use crate::reject::RETRY_AFTER;

/// What is decided for one INVITE, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// Where the call goes.
    pub outcome: Outcome,
    /// Why.
    pub explanation: Explanation,
}

/// Where a call goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// To these targets.
    Route(Box<Route>),
    /// Nowhere.
    Reject(Reject),
}

/// Decides where an INVITE outside a dialog goes. `rotation` moves on by one call; a dry run passes a copy.
#[must_use]
pub fn decide(topology: &Topology, facts: &Facts, view: &dyn View, rotation: &mut Rotation) -> Decision {
    let explanation = Explanation { topology_revision: topology.revision(), ..Explanation::default() };
    let mut steps = Steps { topology, facts, view, means: Means::Number, explanation };
    let outcome = match steps.route(rotation) {
        Ok(route) => Outcome::Route(Box::new(route)),
        Err(rejection) => Outcome::Reject(steps.reject(rejection)),
    };
    Decision { outcome, explanation: steps.explanation }
}

/// Decides where the target of a transfer is reached (RFC 3515): `facts` are those of an INVITE of the party who is
/// transferred, with the target as its Request-URI. Unlike a dialled number's, the target's host counts: it has to be
/// ours or an allowed one, for nobody else's word sends a call of ours anywhere.
#[must_use]
pub fn decide_referred(
    topology: &Topology,
    facts: &Facts,
    view: &dyn View,
    rotation: &mut Rotation,
) -> Decision {
    let explanation = Explanation { topology_revision: topology.revision(), ..Explanation::default() };
    let mut steps = Steps { topology, facts, view, means: Means::Person, explanation };
    let outcome = match steps.referred_host().and_then(|()| steps.route(rotation)) {
        Ok(route) => Outcome::Route(Box::new(route)),
        Err(rejection) => Outcome::Reject(steps.reject(rejection)),
    };
    Decision { outcome, explanation: steps.explanation }
}

/// One decision in the making.
struct Steps<'a> {
    topology: &'a Topology,
    facts: &'a Facts,
    view: &'a dyn View,
    means: Means,
    explanation: Explanation,
}

/// Whom a user's number means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Means {
    /// Whatever the settings put first.
    Number,
    /// The person: a row that leads to him comes before his mailbox.
    Person,
}

impl<'a> Steps<'a> {
    fn route(&mut self, rotation: &mut Rotation) -> Result<Route, Rejection> {
        let line_in = self.line_in()?;
        let origin = self.source(line_in)?;
        match self.called(&origin)? {
            Destination::Number(called) => self.route_to_um(line_in, &origin, called, rotation),
            Destination::Row(row, user) => self.route_to_list(line_in, &origin, row, &user, rotation),
        }
    }

    fn route_to_um(
        &mut self,
        line_in: &Line,
        origin: &Origin,
        called: Called,
        rotation: &mut Rotation,
    ) -> Result<Route, Rejection> {
        let wanted = self.wanted(origin, called)?;
        let line_out = self.line_out(&wanted)?;
        let our_host = headers::our_host(self.topology, line_out, self.view);
        let headers = headers::plan(self.facts, &wanted, &our_host);
        let list = self.topology.target_list(&wanted.station);
        let query = TargetQuery {
            station: Some(&wanted.station),
            line: line_out,
            list,
            request_uri: headers::request_uri(&wanted, &headers),
            rewrite: headers::rewrites_request_uri(self.topology),
            hash_key: target::hash_key(list.map(|list| &**list), self.facts, Some(&wanted)),
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
            service: wanted.service,
            headers,
            inbound: SessionPlan::new(self.topology, line_in, None, true),
            outbound: SessionPlan::new(self.topology, line_out, Some(&wanted.station), true)
                .towards_mailbox_of(wanted.user.as_deref()),
            inbound_peer: origin.peer(),
            outbound_peer: Peer::Um,
            warm_down: effective_warm_down(Some(&wanted.station)),
            plan: AttemptPlan::new(line_out, list.map(|list| &**list)),
            redirect: RedirectPolicy::new(listed, hosts, line_out.effective_protocol()),
            passthrough: !wanted.station.effective_disable_media_passthrough(),
            targets,
            station: Some(wanted.station),
            row: None,
            user: wanted.user,
        })
    }

    /// Who has the number: a UM station, a user, or the first row of the table that takes the call.
    ///
    /// A UM server that calls a user means the person, whom only a row can reach, and never the mailbox.
    fn called(&mut self, origin: &Origin) -> Result<Destination<'a>, Rejection> {
        let number = self.facts.request_uri.user.as_deref().unwrap_or_default();
        let called = self.topology.called(number, &self.facts.line);
        let users_first =
            self.topology.settings().is_none_or(|settings| settings.effective_registration_has_priority());
        let person = self.means == Means::Person || origin.peer() == Peer::Um;
        let by_number = match called {
            Some(Called::User(user)) if !users_first || person => match self.row() {
                Some(row) => return Ok(row),
                None => Some(Called::User(user)),
            },
            Some(called) => Some(called),
            None => None,
        };
        if let Some(called) = by_number {
            self.say(mailbox::called_sentence(number, &called));
            return Ok(Destination::Number(called));
        }
        self.row().ok_or_else(|| rejection(Stage::Called, RejectReason::NumberUnknown))
    }

    fn referred_host(&mut self) -> Result<(), Rejection> {
        let Some(host) = &self.facts.request_uri.host else { return Ok(()) };
        let lines = || self.topology.lines().map(|line| &**line);
        let settings = self.topology.settings();
        let is_ours = settings.is_some_and(|settings| settings.domains.contains(host))
            || lines().any(|line| line.domain.as_ref() == Some(host))
            || lines().any(|line| self.view.advertised(&line.id).as_ref() == Some(host));
        let is_allowed = || {
            settings.is_some_and(|settings| {
                settings.allowed_redirect_hosts.iter().any(|pattern| pattern.matches(host))
            })
        };
        if is_ours || is_allowed() {
            self.say(format!("The call is transferred to a number at {host}, which may be named."));
            return Ok(());
        }
        Err(rejection(Stage::Called, RejectReason::HostNotAllowed))
    }

    fn line_in(&mut self) -> Result<&'a Arc<Line>, Rejection> {
        let unknown = || rejection(Stage::Line, RejectReason::LineUnknown);
        let line = self.topology.line(&self.facts.line).ok_or_else(unknown)?;
        self.explanation.line_in = Some(line.id.clone());
        self.say(format!("Line {} received the call from {}.", line.id, self.facts.source));
        Ok(line)
    }

    fn source(&mut self, line: &Line) -> Result<Origin, Rejection> {
        let origin = source::origin(self.topology, line, self.facts, self.view);
        let origin = origin.map_err(|reason| rejection(Stage::Source, reason))?;
        self.say(match &origin {
            Origin::UmServer(Some(station)) => format!("The source is a UM server of station {station}."),
            Origin::UmServer(None) => "The source is on the UM side.".to_owned(),
            Origin::Pbx { trusted: true } => {
                "The source is listed in `allow`, so its callers are known.".to_owned()
            }
            Origin::Pbx { trusted: false } => "The source is admitted; its callers are external.".to_owned(),
        });
        Ok(origin)
    }

    fn wanted(&mut self, origin: &Origin, called: Called) -> Result<Wanted, Rejection> {
        let wanted = mailbox::wanted(self.topology, self.facts, origin, called, &mut self.explanation.steps);
        let wanted = wanted.map_err(|reason| rejection(Stage::Mailbox, reason))?;
        self.explanation.user = wanted.user.as_ref().map(|user| user.id.clone());
        self.explanation.station = Some(wanted.station.id.clone());
        // What a UM server sends out must never come back into a mailbox: it would record itself.
        match (origin, wanted.service) {
            (Origin::UmServer(_), Service::CallAnswering) => {
                Err(rejection(Stage::Mailbox, RejectReason::UmLoop))
            }
            (Origin::UmServer(_), Service::SubscriberAccess | Service::Passage) | (Origin::Pbx { .. }, _) => {
                Ok(wanted)
            }
        }
    }

    fn line_out(&mut self, wanted: &Wanted) -> Result<&'a Arc<Line>, Rejection> {
        let refuse = |reason| Err(rejection(Stage::Station, reason));
        if !wanted.station.effective_active() {
            return refuse(RejectReason::StationInactive);
        }
        let Some(line) = self.topology.contact_line(&wanted.station) else {
            return refuse(RejectReason::StationUnreachable);
        };
        self.explanation.line_out = Some(line.id.clone());
        let through = match self.topology.target_list(&wanted.station) {
            Some(list) => format!("to the entries of proxy list {}", list.id),
            None => "straight to its connection address".to_owned(),
        };
        self.say(format!("Station {} is reached from line {} {through}.", wanted.station.id, line.id));
        self.usable(line)
    }

    /// A line that takes another call.
    fn usable<'l>(&self, line: &'l Arc<Line>) -> Result<&'l Arc<Line>, Rejection> {
        let refuse = |reason| Err(rejection(Stage::Station, reason));
        if !line.effective_active() {
            return refuse(RejectReason::LineInactive);
        }
        if self.view.line_full(&line.id) {
            return refuse(RejectReason::LineFull);
        }
        Ok(line)
    }

    fn reject(&mut self, rejection: Rejection) -> Reject {
        let reject = rejection.reason.reject();
        self.explanation.rejected_by = Some(rejection);
        self.explanation.final_response = Some(reject.status);
        self.say(format!(
            "The call is refused with {} {}: {}.",
            reject.status,
            reject.text,
            reject.reason.sentence()
        ));
        reject
    }

    fn say(&mut self, sentence: String) {
        self.explanation.steps.push(sentence);
    }
}

const fn rejection(stage: Stage, reason: RejectReason) -> Rejection {
    Rejection { stage, reason }
}

mod row;

#[cfg(test)]
mod tests;
