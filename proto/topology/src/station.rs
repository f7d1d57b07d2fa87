//! A station: an addressable service, here the UM server as it is dialled.

use std::sync::Arc;

use crate::id::Id;
use crate::meta::Meta;
use crate::session::StationSession;
use crate::sip_address::{IdentificationAddress, SipAddress};

/// A UM server as it is dialled and recognised.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Station {
    /// The id, `stations/{id}`.
    pub id: Id,
    /// Describing fields.
    pub meta: Option<Box<Meta>>,
    /// What the station is. Required.
    pub station_type: Option<StationType>,
    /// Header profile. Unset: EXCHANGE.
    pub um_provider: Option<UmProvider>,
    /// The number that reaches the UM server for subscriber access; digits, unique across users and stations.
    pub extension: Option<Arc<str>>,
    /// Whether calls go there; false: they are rejected with 480. Unset: true.
    pub active: Option<bool>,
    /// The identity in From of what the UM server sends us. Unset: its pilot, or the host and port of its targets.
    pub identification_address: Option<IdentificationAddress>,
    /// Request-URI and To of what we send; its user is the pilot. Required.
    pub connection_address: Option<SipAddress>,
    /// The line to send from. Unset: the settings' `station_defaults.contact_line`.
    pub contact_line: Option<Id>,
    /// Put before a user's internal extension where it is used as UM address; at most 16 characters.
    pub extension_prefix: Option<Box<str>>,
    /// What answers a challenge of this station (RFC 3261 §22.2), before those of its line. Unset: those of its line.
    pub authentication: Option<Id>,
    /// How the target is found.
    pub transport: StationTransport,
    /// Session settings.
    pub session: StationSession,
    /// Whose mailbox is wanted when several users diverted. Unset: LAST.
    pub mailbox_pick: Option<MailboxPick>,
    /// Sends a Diversion on that names no mailbox of ours instead of refusing the call with 404. Unset: false.
    pub pass_unknown_diversion: Option<bool>,
}

impl Station {
    /// Makes a UM station with nothing but an id and the address that every UM station needs.
    #[must_use]
    pub fn new(id: impl Into<Id>, connection_address: SipAddress) -> Self {
        Self {
            id: id.into(),
            meta: None,
            station_type: Some(StationType::UnifiedMessaging),
            um_provider: None,
            extension: None,
            active: None,
            identification_address: None,
            connection_address: Some(connection_address),
            contact_line: None,
            extension_prefix: None,
            authentication: None,
            transport: StationTransport::default(),
            session: StationSession::default(),
            mailbox_pick: None,
            pass_unknown_diversion: None,
        }
    }

    /// Returns the header profile.
    #[must_use]
    pub fn effective_um_provider(&self) -> UmProvider {
        self.um_provider.unwrap_or(UmProvider::Exchange)
    }

    /// Says whether calls go there.
    #[must_use]
    pub fn effective_active(&self) -> bool {
        self.active.unwrap_or(true)
    }

    /// Returns whose mailbox is wanted when several users diverted.
    #[must_use]
    pub fn effective_mailbox_pick(&self) -> MailboxPick {
        self.mailbox_pick.unwrap_or(MailboxPick::Last)
    }

    /// Says whether a Diversion is sent on that names no mailbox of ours.
    #[must_use]
    pub fn effective_pass_unknown_diversion(&self) -> bool {
        self.pass_unknown_diversion.unwrap_or(false)
    }

    /// Says whether the worker terminates media instead of relaying it packet for packet.
    #[must_use]
    pub fn effective_disable_media_passthrough(&self) -> bool {
        self.session.disable_media_passthrough.unwrap_or(true)
    }

    /// Returns the pilot: the user part of the connection address.
    #[must_use]
    pub fn pilot(&self) -> Option<&str> {
        self.connection_address.as_ref().and_then(SipAddress::user)
    }
}

/// What a station is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum StationType {
    /// A UM server.
    UnifiedMessaging,
}

/// The header profile of a UM server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum UmProvider {
    /// Exactly one Diversion, no History-Info, no RFC 4458 parameters.
    Exchange,
    /// One Diversion, History-Info (RFC 7044) and `target` and `cause` parameters (RFC 4458).
    Generic,
}

/// Whose mailbox is wanted when several users diverted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum MailboxPick {
    /// The user who diverted last.
    Last,
    /// The user who was called first.
    First,
}

/// How a station's target is found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StationTransport {
    /// True sends to the proxy list of the contact line, false to the connection address. Unset: true if that line has
    /// a proxy list.
    pub use_proxy: Option<bool>,
}
