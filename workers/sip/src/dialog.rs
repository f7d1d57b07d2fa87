//! A dialog (RFC 3261 §12): what two user agents agree on between the INVITE and the BYE.
//!
//! ```text
//!   101-199 with To tag --> Early --2xx--> Confirmed --BYE sent or received--> Terminating --> removed
//!             2xx ------------------------^   |
//!   Early: a 300-699, or the end of the INVITE transaction, removes it
//!   Terminating: while a subscription uses the dialog too it goes to Lingering (RFC 5057), then is removed
//! ```
//!
//! It holds tags, sequence numbers, route set and remote target, and makes the start of every request sent inside.
//! It knows neither the call it belongs to nor the flow its messages take: its user resolves [`Dialog::next_hop`].

use crate::{flow::LineIndex, name_addr::NameAddr, uri::Uri};

pub(crate) use self::offer::{Carrier, Offer, brings_session, is_session};
pub use self::peer::Peer;
pub(crate) use self::pending::{DeferredBye, Pending, Unacknowledged};
pub use self::route_set::{RouteSet, Routing};
pub(crate) use self::table::DialogTable;

mod create;
mod glare;
mod offer;
mod peer;
mod pending;
mod route_set;
mod table;

/// Who sent the INVITE that made the dialog.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// We did.
    Uac,
    /// The peer did.
    Uas,
}

/// Where a dialog stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Made by a 101–199.
    Early,
    /// Made or confirmed by a 2xx.
    Confirmed,
    /// A BYE was sent or received; nothing but its end is to come.
    Terminating,
    /// The call is over, a subscription within the dialog is not ([`crate::Endpoint::begin_usage`]).
    Lingering,
}

/// What is wrong with the CSeq of a request in a dialog.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Disorder {
    /// Lower than one before (RFC 3261 §12.2.2).
    Lower,
}

/// A dialog.
#[derive(Clone, Debug)]
pub struct Dialog {
    pub(crate) role: Role,
    pub(crate) state: State,
    pub(crate) line: LineIndex,
    pub(crate) call_id: Box<str>,
    /// Our address with our tag.
    pub(crate) local: NameAddr,
    /// The peer's address with its tag, which RFC 2543 peers may leave out.
    pub(crate) remote: NameAddr,
    pub(crate) local_cseq: u32,
    pub(crate) remote_cseq: Option<u32>,
    pub(crate) route_set: RouteSet,
    pub(crate) remote_target: Uri,
    /// User part of our Contact.
    pub(crate) contact_user: Option<Box<str>>,
    pub(crate) peer: Peer,
    /// How many usages there are besides the call (RFC 5057).
    pub(crate) usages: u8,
    pub(crate) pending: Pending,
}

impl Dialog {
    /// Returns who sent the INVITE that made the dialog.
    #[must_use]
    pub fn role(&self) -> Role {
        self.role
    }

    /// Returns the state.
    #[must_use]
    pub fn state(&self) -> State {
        self.state
    }

    /// Returns the line whose Via and Contact our messages carry.
    #[must_use]
    pub fn line(&self) -> LineIndex {
        self.line
    }

    /// Returns the Call-ID.
    #[must_use]
    pub fn call_id(&self) -> &str {
        &self.call_id
    }

    /// Returns our tag.
    #[must_use]
    pub fn local_tag(&self) -> &str {
        self.local.tag().unwrap_or_default()
    }

    /// Returns the peer's tag; empty for a peer of RFC 2543 that gave none.
    #[must_use]
    pub fn remote_tag(&self) -> &str {
        self.remote.tag().unwrap_or_default()
    }

    /// Returns our address with our tag.
    #[must_use]
    pub fn local(&self) -> &NameAddr {
        &self.local
    }

    /// Returns the peer's address with its tag.
    #[must_use]
    pub fn remote(&self) -> &NameAddr {
        &self.remote
    }

    /// Returns the number of our last request; 0 before the first.
    #[must_use]
    pub fn local_cseq(&self) -> u32 {
        self.local_cseq
    }

    /// Returns the number of the peer's last request.
    #[must_use]
    pub fn remote_cseq(&self) -> Option<u32> {
        self.remote_cseq
    }

    /// Returns the peer's Contact: the Request-URI of our requests, unless a strict router is on the way.
    #[must_use]
    pub fn remote_target(&self) -> &Uri {
        &self.remote_target
    }

    /// Returns the route set.
    #[must_use]
    pub fn route_set(&self) -> &RouteSet {
        &self.route_set
    }

    /// Returns what the peer said last of the methods and extensions that it knows.
    #[must_use]
    pub fn peer(&self) -> &Peer {
        &self.peer
    }

    /// Returns the URI that decides where our requests are sent (RFC 3261 §8.1.2).
    #[must_use]
    pub fn next_hop(&self) -> &Uri {
        self.route_set.next_hop(&self.remote_target)
    }

    /// Takes the number of the next request of ours.
    pub(crate) fn take_cseq(&mut self) -> u32 {
        self.local_cseq = self.local_cseq.saturating_add(1);
        self.local_cseq
    }

    /// Takes note of the CSeq of a request other than ACK and CANCEL.
    pub(crate) fn check_cseq(&mut self, number: u32) -> Result<(), Disorder> {
        if self.remote_cseq.is_some_and(|last| number < last) {
            return Err(Disorder::Lower);
        }
        self.remote_cseq = Some(number);
        Ok(())
    }
}

#[cfg(test)]
mod tests;
