//! The validated model of what an operator wants: lines, proxy lists, credentials, stations, users, routes, settings.
//!
//! This crate holds the resource types, their field rules and [`Topology`], a persistent (structurally shared) set of
//! resources in which every reference and every unique value holds. It does no I/O, has no wire format and decides
//! no route: `um-wire` converts from and to the API, `um-routing` says what a topology means for one call.
//!
//! Start with [`Resource`] for what can be stored and [`Topology::apply`] for how a change is checked and made.

#![forbid(unsafe_code)]

pub mod codes;
pub mod credential;
pub mod host;
pub mod id;
pub mod line;
pub mod meta;
pub mod network;
pub mod number;
pub mod proxy_list;
pub mod reference;
pub mod resource;
pub mod route_row;
pub mod session;
pub mod settings;
pub mod sip_address;
pub mod station;
pub mod timers;
pub mod topology;
pub mod um_address;
pub mod unique;
pub mod uri;
pub mod user;
pub mod validate;
pub mod violation;
pub mod written;

pub use codes::CodeSet;
pub use credential::{Credential, Secret};
pub use host::Host;
pub use id::{Id, Kind, Name};
pub use line::{
    Access, Audio, Authentication, BindAddress, Limits, Line, LineTransport, TimerProfile, Transport, Usage,
};
pub use meta::Meta;
pub use network::{HostPattern, Network};
pub use proxy_list::{Entry, HashOn, Health, ProxyList, Strategy};
pub use reference::{Reference, references};
pub use resource::{Change, Resource};
pub use route_row::{Pattern, RouteRow, Template};
pub use session::{FaxProtocol, HoldMode, LineSession, MediaTiming, StationSession, TransferMode};
pub use settings::{RoutingSettings, Settings, StationDefaults};
pub use sip_address::{IdentificationAddress, SipAddress};
pub use station::{MailboxPick, Station, StationTransport, StationType, UmProvider};
pub use timers::LineTimers;
pub use topology::{Called, Topology, UmServers};
pub use um_address::UmAddress;
pub use unique::{Space, UniqueValue, unique_values};
pub use uri::{Scheme, Uri};
pub use user::{AddressMode, User, UserCalls, UserUm};
pub use validate::validate;
pub use violation::{FieldViolation, Violation, ViolationKind};
pub use written::Written;

/// The set of response codes of a line's `retryable_codes` or an entry's `dead_codes`, as the operator wrote it.
pub type RetryableCodes = Written<CodeSet>;
