//! The one object of global settings.

use crate::host::Host;
use crate::id::Id;
use crate::meta::Meta;
use crate::network::HostPattern;
use crate::written::Written;

/// Global settings; a topology without the object acts as one with an empty object.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// Describing fields.
    pub meta: Option<Box<Meta>>,
    /// Our SIP domains, at most 32; the first is the host of our From on lines that set none.
    pub domains: Vec<Host>,
    /// What stations inherit.
    pub station_defaults: StationDefaults,
    /// Hosts that a redirect may point to, at most 64. Empty: the domains of the call's targets, for an IP target the
    /// same IP.
    pub allowed_redirect_hosts: Vec<Written<HostPattern>>,
    /// Routing rules.
    pub routing: RoutingSettings,
}

impl Settings {
    /// Says whether the Request-URI takes the host and port of the chosen target.
    #[must_use]
    pub fn effective_rewrite_request_uri(&self) -> bool {
        self.routing.rewrite_request_uri.unwrap_or(true)
    }

    /// Says whether users are looked up before the route rows.
    #[must_use]
    pub fn effective_registration_has_priority(&self) -> bool {
        self.routing.registration_has_priority.unwrap_or(true)
    }
}

/// What stations inherit that set no value of their own.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StationDefaults {
    /// The line to send from.
    pub contact_line: Option<Id>,
}

/// Routing rules.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RoutingSettings {
    /// True: the Request-URI becomes `sip:<user>@<chosen target>`; false: it stays the connection address. Unset: true.
    pub rewrite_request_uri: Option<bool>,
    /// True: users are looked up before the route rows; false: after them. UM stations always come first. Unset: true.
    pub registration_has_priority: Option<bool>,
}

/// Most domains.
pub const MAX_DOMAINS: usize = 32;
/// Most items of `allowed_redirect_hosts`.
pub const MAX_REDIRECT_HOSTS: usize = 64;
