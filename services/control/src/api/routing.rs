//! `RoutingService.SimulateRoute`: the function that routes live calls, asked with facts and assumptions.

use std::{
    collections::BTreeMap,
    net::{IpAddr, Ipv4Addr},
    time::{Duration, SystemTime},
};

use tonic::{Request, Response, Status};
use um_routing::{
    Cause, Decision, Diversion, Facts, Outcome, Party, Rotation, Route, TargetExplanation, TargetId,
    TargetState, View, Why, decide,
};
use um_topology::{Host, Id, Kind, Name, Topology, Transport, Uri, Usage};
use um_wire::{
    time::duration_to_proto as duration,
    v1::{
        self,
        route_explanation::{
            FinalResponse, Headers, Matched, Rejection, Target, Timers, target::Why as WireWhy,
        },
        routing_service_server::RoutingService,
        target_state::Value,
        transport::Protocol,
    },
};

use super::{Api, name_of, reply};
use crate::{clock, error::ApiError, publisher::Published};

/// Diversion headers of one request.
const MAX_DIVERSIONS: usize = 16;
/// The From of a request that names none.
const ANONYMOUS: &str = "sip:anonymous@anonymous.invalid";

#[tonic::async_trait]
impl RoutingService for Api {
    async fn simulate_route(
        &self,
        request: Request<v1::SimulateRouteRequest>,
    ) -> Result<Response<v1::RouteExplanation>, Status> {
        let published = self.read(&request).await?;
        let message = request.into_inner();
        let facts = facts(&message, &published.picture.topology)?;
        let view = Observed::new(self, &published, &message)?;
        let topology = &published.picture.topology;
        let decision = decide(topology, &facts, &view, &mut Rotation::default());
        Ok(reply(explanation(&decision, &view), &published))
    }
}

/// The facts of an INVITE that was never sent.
fn facts(message: &v1::SimulateRouteRequest, topology: &Topology) -> Result<Facts, ApiError> {
    let line = line_of(message, topology)?;
    let source = match message.source.as_str() {
        "" => IpAddr::V4(Ipv4Addr::LOCALHOST),
        text => {
            text.parse().map_err(|_| ApiError::field("source", format!("`{text}` is not an IP address")))?
        }
    };
    if message.request_uri.is_empty() {
        return Err(ApiError::field("request_uri", "is required, for instance sip:2001@gateway.example.com"));
    }
    let request_uri = uri(&message.request_uri, "request_uri")?;
    let from = party(if message.from.is_empty() { ANONYMOUS } else { &message.from }, "from")?.0;
    if message.diversion.len() > MAX_DIVERSIONS {
        return Err(ApiError::field("diversion", format!("must be at most {MAX_DIVERSIONS}")));
    }
    let mut facts = Facts::new(line, source, request_uri, from.uri.clone());
    facts.from = from;
    for (at, text) in message.diversion.iter().enumerate() {
        let (party, parameters) = party(text, &format!("diversion[{at}]"))?;
        let reason = parameters.split(';').find_map(|parameter| parameter.trim().strip_prefix("reason="));
        let cause = reason.map_or(Cause::Unknown, |reason| Cause::of_reason(reason.trim_matches('"')));
        facts.diversions.push(Diversion { party, cause });
    }
    Ok(facts)
}

/// The line that receives the INVITE: the one that is named, else the first by name that takes calls from anybody.
fn line_of(message: &v1::SimulateRouteRequest, topology: &Topology) -> Result<Id, ApiError> {
    if !message.line.is_empty() {
        let name = name_of(Kind::Line, &message.line, "line")?;
        let known = topology.line(&name.id).map(|line| line.id.clone());
        return known.ok_or_else(|| ApiError::NotFound(name.to_string()));
    }
    let mut general =
        topology.lines().filter(|line| line.effective_active() && line.effective_usage() == Usage::General);
    let first = general.next().map(|line| line.id.clone());
    first.ok_or_else(|| ApiError::field("line", "there is no active line of usage GENERAL; name one"))
}

fn uri(text: &str, field: &str) -> Result<Uri, ApiError> {
    text.trim().parse().map_err(|error| ApiError::field(field, format!("{error}")))
}

/// Reads a URI or a name-addr; also returns the header parameters behind it.
fn party<'a>(text: &'a str, field: &str) -> Result<(Party, &'a str), ApiError> {
    let text = text.trim();
    let Some(open) = text.rfind('<') else {
        return Ok((Party { display: None, uri: uri(text, field)? }, ""));
    };
    let (display, rest) = text.split_at(open);
    let closed = rest[1..].split_once('>');
    let (inner, parameters) = closed.ok_or_else(|| ApiError::field(field, "a `<` is not closed"))?;
    let display = display.trim().trim_matches('"');
    let display = (!display.is_empty()).then(|| Box::from(display));
    Ok((Party { display, uri: uri(inner, field)? }, parameters))
}

/// The world as the workers report it, with what the client wants assumed.
struct Observed<'a> {
    published: &'a Published,
    states: BTreeMap<(String, String), TargetState>,
    calls: BTreeMap<(String, String), u32>,
}

impl<'a> Observed<'a> {
    fn new(
        api: &Api,
        published: &'a Published,
        message: &v1::SimulateRouteRequest,
    ) -> Result<Self, ApiError> {
        let mut observed = Self { published, states: BTreeMap::new(), calls: BTreeMap::new() };
        if !message.worker.is_empty() && api.fleet.get(&message.worker).is_none() {
            return Err(ApiError::NotFound(message.worker.chars().take(128).collect()));
        }
        let now = clock::wall();
        for (name, known) in api.fleet.all() {
            if !known.connected || !message.worker.is_empty() && name != message.worker {
                continue;
            }
            for target in known.report.iter().flat_map(|report| &report.health) {
                observed.note(target, now);
            }
        }
        for (target, value) in &message.assume_state {
            let state = Value::try_from(*value).ok().and_then(|value| state_of(value, None));
            let field = format!("assume_state[{target}]");
            let state = state
                .ok_or_else(|| ApiError::field(field, "must be UP, SUSPECT, DOWN, PROBING or BLOCKED"))?;
            observed.states.insert(assumed_key(target), state);
        }
        Ok(observed)
    }

    /// Of what several workers see, the best counts: a call would reach the worker for which it holds.
    fn note(&mut self, target: &v1::TargetHealth, now: SystemTime) {
        let key = (target.proxy_list.clone(), target.entry.clone());
        let blocked = target.blocked_until.and_then(|until| SystemTime::try_from(until).ok());
        let remaining = blocked.and_then(|until| until.duration_since(now).ok());
        if let Some(state) = state_of(target.state(), remaining) {
            let known = self.states.entry(key.clone()).or_insert(state);
            if rank(state) < rank(*known) {
                *known = state;
            }
        }
        *self.calls.entry(key).or_default() += target.calls;
    }
}

impl View for Observed<'_> {
    fn state(&self, target: &TargetId) -> TargetState {
        self.states.get(&key_of(target)).copied().unwrap_or(TargetState::Up)
    }

    fn calls(&self, target: &TargetId) -> u32 {
        self.calls.get(&key_of(target)).copied().unwrap_or_default()
    }

    /// The control plane asks no name server for a dry run; only addresses that are written as such are known.
    fn addresses(&self, host: &str) -> Vec<IpAddr> {
        host.parse().into_iter().collect()
    }

    fn line_full(&self, _line: &Id) -> bool {
        false
    }

    fn advertised(&self, line: &Id) -> Option<Host> {
        let line = self.published.picture.topology.line(line)?;
        let bound = line.transport.bind_address.as_ref().map(ToString::to_string);
        line.transport.advertised_address.clone().or_else(|| bound?.parse().ok())
    }
}

fn key_of(target: &TargetId) -> (String, String) {
    match target {
        TargetId::Entry { list, entry } => (Name::proxy_list(list.clone()).to_string(), entry.to_string()),
        TargetId::Station(station) => (String::new(), station.to_string()),
    }
}

/// A key of `assume_state`: `list/entry`, or a station id.
fn assumed_key(text: &str) -> (String, String) {
    match text.rsplit_once('/') {
        Some((list, entry)) => {
            let list = list.trim_start_matches("proxyLists/");
            (Name::proxy_list(list).to_string(), entry.to_owned())
        }
        None => (String::new(), text.to_owned()),
    }
}

fn state_of(value: Value, remaining: Option<Duration>) -> Option<TargetState> {
    match value {
        Value::Unspecified => None,
        Value::Up => Some(TargetState::Up),
        Value::Suspect => Some(TargetState::Suspect),
        Value::Down => Some(TargetState::Down),
        Value::Probing => Some(TargetState::Probing),
        Value::Blocked => {
            Some(TargetState::Blocked { remaining: remaining.unwrap_or(Duration::from_secs(1)) })
        }
    }
}

const fn rank(state: TargetState) -> u8 {
    match state {
        TargetState::Up => 0,
        TargetState::Suspect => 1,
        TargetState::Probing => 2,
        TargetState::Down => 3,
        TargetState::Blocked { .. } => 4,
    }
}

fn explanation(decision: &Decision, view: &Observed<'_>) -> v1::RouteExplanation {
    let told = &decision.explanation;
    let named = |kind: Kind, id: &Option<Id>| {
        id.as_ref().map(|id| Name::new(kind, id.clone()).to_string()).unwrap_or_default()
    };
    let list = told.targets.iter().find_map(|target| match &target.target {
        TargetId::Entry { list, .. } => Some(Name::proxy_list(list.clone()).to_string()),
        TargetId::Station(_) => None,
    });
    let (headers, timers, final_response) = match &decision.outcome {
        Outcome::Route(route) => (Some(headers(route)), Some(timers(route)), None),
        Outcome::Reject(reject) => {
            let response = FinalResponse { code: reject.status.into(), reason: reject.text.to_owned() };
            (None, None, Some(response))
        }
    };
    let mut targets: Vec<Target> = told.targets.iter().map(|one| target(one, view)).collect();
    targets.sort_by_key(|target| (target.order == 0, target.order));
    v1::RouteExplanation {
        topology_revision: told.topology_revision,
        matched: Some(Matched {
            line: named(Kind::Line, &told.line_in),
            station: named(Kind::Station, &told.station),
            user: named(Kind::User, &told.user),
            line_out: named(Kind::Line, &told.line_out),
            proxy_list: list.unwrap_or_default(),
            route: named(Kind::Route, &told.row),
        }),
        rejected_by: told.rejected_by.map(|rejection| Rejection {
            stage: rejection.stage.as_str().to_ascii_lowercase(),
            reason: rejection.reason.as_str().to_ascii_uppercase(),
        }),
        targets,
        final_response,
        text: told.steps.clone(),
        headers,
        timers,
    }
}

fn target(told: &TargetExplanation, view: &Observed<'_>) -> Target {
    let (proxy_list, entry) = key_of(&told.target);
    let (why, blocked) = match told.why {
        Why::State(TargetState::Up) => (WireWhy::Up, None),
        Why::State(TargetState::Suspect) => (WireWhy::Suspect, None),
        Why::State(TargetState::Down) => (WireWhy::Down, None),
        Why::State(TargetState::Probing) => (WireWhy::Probing, None),
        Why::State(TargetState::Blocked { remaining }) => (WireWhy::Blocked, Some(clock::wall() + remaining)),
        Why::Inactive => (WireWhy::Inactive, None),
        Why::AtCapacity => (WireWhy::AtCapacity, None),
    };
    Target {
        proxy_list,
        entry,
        address: told.host.to_string(),
        port: told.port.unwrap_or_default().into(),
        transport: protocol(told.transport).into(),
        priority: told.priority,
        weight: told.weight,
        eligible: told.eligible,
        why: why.into(),
        order: told.order.unwrap_or_default(),
        blocked_until: blocked.map(Into::into),
        calls: view.calls(&told.target),
        text: sentence(told),
    }
}

fn sentence(told: &TargetExplanation) -> String {
    let why = told.why.as_str();
    match told.order {
        Some(order) => {
            format!("{} is tried as number {order}: {why}, priority {}", told.target, told.priority)
        }
        None => format!("{} is not tried: {why}", told.target),
    }
}

fn headers(route: &Route) -> Headers {
    let plan = &route.headers;
    Headers {
        request_uri: route.targets.first().map(|target| target.request_uri.to_string()).unwrap_or_default(),
        to: plan.to.to_string(),
        from: shown(&plan.from),
        diversion: plan
            .diversion
            .as_ref()
            .map(|diversion| format!("{};reason={}", shown(&diversion.party), diversion.cause.reason()))
            .unwrap_or_default(),
    }
}

fn shown(party: &Party) -> String {
    match &party.display {
        Some(display) => format!("\"{display}\" <{}>", party.uri),
        None => format!("<{}>", party.uri),
    }
}

fn timers(route: &Route) -> Timers {
    let plan = &route.plan;
    Timers {
        attempt_timeout: Some(duration(plan.attempt_timeout)),
        timeout: Some(duration(plan.timeout)),
        failover_budget: Some(duration(plan.failover_budget)),
        answer_timeout: Some(duration(plan.answer_timeout)),
        connect_timer: Some(duration(plan.timers.connect)),
        t1: Some(duration(plan.timers.t1)),
        t2: Some(duration(plan.timers.t2)),
        max_invite_retry: plan.timers.max_invite_retry,
        retryable_codes: plan.retryable.to_string(),
    }
}

const fn protocol(transport: Transport) -> Protocol {
    match transport {
        Transport::Udp => Protocol::Udp,
        Transport::Tcp => Protocol::Tcp,
    }
}
