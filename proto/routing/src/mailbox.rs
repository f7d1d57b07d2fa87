//! Whose mailbox a call wants, at which station, and as what: to leave a message or to hear them.
//!
//! A diverted call is for the mailbox of a party that diverted it, a call to a user for his own, and a call to the UM
//! station that nobody diverted is subscriber access. A diverted call whose party has no mailbox is refused rather than
//! sent on without its Diversion: the caller would land in subscriber access.

use std::sync::Arc;

use um_topology::{Called, MailboxPick, Station, Topology, User};

use crate::cause::Cause;
use crate::diversion;
use crate::facts::{Diversion, Facts, Party};
use crate::reject::RejectReason;
use crate::route::Service;
use crate::source::Origin;

/// What a call wants.
#[derive(Clone, Debug)]
pub(crate) struct Wanted {
    /// The UM station.
    pub(crate) station: Arc<Station>,
    /// What the caller gets to hear.
    pub(crate) service: Service,
    /// Whose mailbox it is: the owner's, or the caller's own.
    pub(crate) user: Option<Arc<User>>,
    /// The diversion that brought the call to the mailbox, as it came in.
    pub(crate) diversion: Option<Diversion>,
}

/// Finds what a call wants; says so in `steps`.
pub(crate) fn wanted(
    topology: &Topology,
    facts: &Facts,
    origin: &Origin,
    called: Called,
    steps: &mut Vec<String>,
) -> Result<Wanted, RejectReason> {
    let chain = diversion::chain(facts);
    let wanted = match called {
        Called::Station(station) if chain.is_empty() => {
            Ok(subscriber_access(topology, facts, origin, station))
        }
        Called::Station(station) => diverted(topology, station, chain),
        Called::User(user) if chain.is_empty() && calls_himself(topology, facts, &user) => {
            own_number(topology, origin, user)
        }
        Called::User(user) => unreachable_user(topology, facts, &user, &chain),
    }?;
    steps.push(sentence(&wanted));
    Ok(wanted)
}

/// Says who has the number.
pub(crate) fn called_sentence(number: &str, called: &Called) -> String {
    match called {
        Called::Station(station) => format!("{number} is the number of UM station {}.", station.id),
        Called::User(user) => format!("{number} is a number of user {}.", user.id),
    }
}

fn sentence(wanted: &Wanted) -> String {
    let user = wanted.user.as_ref().map(|user| &user.id);
    match (wanted.service, user, &wanted.diversion) {
        (Service::CallAnswering, Some(user), Some(diversion)) => {
            let (number, cause) = (party_number(&diversion.party), diversion.cause);
            format!("{number} diverted the call ({cause}): it is for the mailbox of user {user}.")
        }
        (Service::CallAnswering, _, Some(diversion)) => {
            let (number, cause) = (party_number(&diversion.party), diversion.cause);
            format!("{number} diverted the call ({cause}); its Diversion is sent on as it came.")
        }
        (Service::CallAnswering, Some(user), None) => format!("The call is for the mailbox of user {user}."),
        (Service::SubscriberAccess, Some(user), _) => {
            format!("User {user} calls the mailbox: subscriber access.")
        }
        (Service::Passage, ..) => "The call is sent on.".to_owned(),
        (Service::CallAnswering | Service::SubscriberAccess, None, _) => {
            "Nobody diverted the call and the caller is external: subscriber access.".to_owned()
        }
    }
}

fn party_number(party: &Party) -> &str {
    party.uri.user.as_deref().unwrap_or("somebody")
}

/// A call to the station itself. The caller is known only where he may be believed and has his mailbox there.
fn subscriber_access(topology: &Topology, facts: &Facts, origin: &Origin, station: Arc<Station>) -> Wanted {
    let user = match origin {
        Origin::Pbx { trusted: true } => caller(topology, facts),
        Origin::Pbx { trusted: false } | Origin::UmServer(_) => None,
    };
    let user = user.filter(|user| user.um.destination.as_ref() == Some(&station.id)).cloned();
    Wanted { station, service: Service::SubscriberAccess, user, diversion: None }
}

/// A call to the station that others diverted there.
fn diverted(
    topology: &Topology,
    dialled: Arc<Station>,
    mut chain: Vec<Diversion>,
) -> Result<Wanted, RejectReason> {
    let pick = dialled.effective_mailbox_pick();
    if let Some((user, station, diversion)) = picked(topology, &chain, pick) {
        return Ok(call_answering(station, Some(user), diversion));
    }
    if !dialled.effective_pass_unknown_diversion() {
        return Err(RejectReason::MailboxUnknown);
    }
    let diversion = match pick {
        MailboxPick::Last => chain.swap_remove(0),
        MailboxPick::First => chain.pop().ok_or(RejectReason::MailboxUnknown)?,
    };
    Ok(call_answering(dialled, None, diversion))
}

/// A call to a user without a phone: it is diverted by him, behind whoever diverted it before; as unavailable, unless he
/// has said why he takes no calls.
fn unreachable_user(
    topology: &Topology,
    facts: &Facts,
    user: &Arc<User>,
    chain: &[Diversion],
) -> Result<Wanted, RejectReason> {
    let own_station = user.um.destination.as_ref().and_then(|id| topology.station(id));
    let pick = own_station.map_or(MailboxPick::Last, |station| station.effective_mailbox_pick());
    let own = || -> Option<(Arc<User>, Arc<Station>, Diversion)> {
        let party = Party { display: None, uri: facts.request_uri.clone() };
        let diversion = Diversion { party, cause: own_cause(user) };
        Some((user.clone(), own_station?.clone(), diversion))
    };
    let before = || picked(topology, chain, pick);
    let found = match pick {
        MailboxPick::Last => own().or_else(before),
        MailboxPick::First => before().or_else(own),
    };
    let (user, station, diversion) = found.ok_or(RejectReason::UserUnavailable)?;
    Ok(call_answering(station, Some(user), diversion))
}

fn own_cause(user: &User) -> Cause {
    if user.effective_forward_all() {
        Cause::Unconditional
    } else if user.effective_do_not_disturb() {
        Cause::DoNotDisturb
    } else {
        Cause::Unavailable
    }
}

/// A user calls his own number: he wants his messages.
fn own_number(topology: &Topology, origin: &Origin, user: Arc<User>) -> Result<Wanted, RejectReason> {
    let station = user.um.destination.as_ref().and_then(|id| topology.station(id));
    let station = station.ok_or(RejectReason::UserUnavailable)?.clone();
    let user = match origin {
        Origin::Pbx { trusted: true } => Some(user),
        // From alone proves nothing; the UM server asks for the PIN either way.
        Origin::Pbx { trusted: false } => None,
        Origin::UmServer(_) => return Err(RejectReason::UmLoop),
    };
    Ok(Wanted { station, service: Service::SubscriberAccess, user, diversion: None })
}

const fn call_answering(station: Arc<Station>, user: Option<Arc<User>>, diversion: Diversion) -> Wanted {
    Wanted { station, service: Service::CallAnswering, user, diversion: Some(diversion) }
}

/// Returns the diverting user whose mailbox is wanted, with his own station.
fn picked(
    topology: &Topology,
    chain: &[Diversion],
    pick: MailboxPick,
) -> Option<(Arc<User>, Arc<Station>, Diversion)> {
    let mut owners = chain.iter().filter_map(|diversion| {
        let user = topology.mailbox(&diversion.party.uri)?;
        let station = topology.station(user.um.destination.as_ref()?)?;
        Some((user.clone(), station.clone(), diversion.clone()))
    });
    match pick {
        MailboxPick::Last => owners.next(),
        MailboxPick::First => owners.next_back(),
    }
}

/// Returns the user that the caller says he is: P-Asserted-Identity, else From (RFC 3325).
fn caller<'a>(topology: &'a Topology, facts: &Facts) -> Option<&'a Arc<User>> {
    topology.mailbox(&facts.asserted.as_ref().unwrap_or(&facts.from).uri)
}

fn calls_himself(topology: &Topology, facts: &Facts, user: &User) -> bool {
    caller(topology, facts).is_some_and(|caller| caller.id == user.id)
}
