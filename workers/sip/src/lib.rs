//! SIP as pure machines and values: syntax, framing, transactions, dialogs.
//!
//! The crate holds no socket, no clock and no source of randomness; bytes, time and seeds come in as
//! arguments, bytes and events go out. The lower half is the *wire layer*: [`Message`] reads a message lazily,
//! [`RequestBuilder`] and [`ResponseBuilder`] write one. The upper half is the [`endpoint`]: the transactions and
//! dialogs of one shard; its documentation is where a user begins. The crate does not know calls or routing.

#![forbid(unsafe_code)]
#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::cast_possible_truncation))]

pub mod accept;
pub mod body;
pub mod builder;
pub mod contact;
pub mod content_disposition;
pub mod content_type;
pub mod cseq;
pub mod dialog;
pub mod digest;
pub mod diversion;
#[cfg_attr(
    not(test),
    expect(clippy::indexing_slicing, reason = "tables indexed by their own enum, not by input")
)]
pub mod endpoint;
pub mod error;
pub mod event_package;
pub mod flow;
pub mod framing;
pub mod glance;
pub mod header_name;
pub mod history_info;
pub mod host;
pub mod limits;
pub mod message;
pub mod method;
pub mod method_set;
pub mod min_se;
pub mod name_addr;
pub mod option_tags;
mod outline;
pub mod params;
pub mod rack;
pub mod reason;
pub mod refer_sub;
pub mod refer_to;
pub mod referred_by;
pub mod replaces;
pub mod retry_after;
pub mod rseq;
mod scan;
pub mod session_expires;
pub mod session_timer;
pub mod shard;
pub mod status;
pub mod subscription_state;
#[cfg_attr(
    not(test),
    expect(clippy::indexing_slicing, reason = "tables indexed by their own enum, not by input")
)]
pub mod transaction;
pub mod uri;
pub mod via;
pub mod vocabulary;
pub mod warning;

pub use accept::MediaRange;
pub use body::{BodyFault, Part, Parts};
pub use builder::{RequestBuilder, RequestHead, ResponseBuilder};
pub use contact::{Contact, Contacts};
pub use content_disposition::{ContentDisposition, Handling};
pub use content_type::ContentType;
pub use cseq::CSeq;
pub use dialog::Dialog;
pub use diversion::{Diversion, DiversionReason};
pub use endpoint::Endpoint;
pub use error::{Cause, Fault, HeaderError, ParseError};
pub use event_package::EventPackage;
pub use flow::{ConnectionId, Flow, LineIndex, Transport};
pub use framing::{Frame, Framer};
pub use glance::Glance;
pub use header_name::HeaderName;
pub use history_info::{HistoryEntry, HistoryIndex, Retarget};
pub use host::{Host, HostName, HostPort};
pub use limits::Limits;
pub use message::{HeaderLine, Message, Salvage};
pub use method::Method;
pub use method_set::MethodSet;
pub use min_se::MinSe;
pub use name_addr::NameAddr;
pub use option_tags::{OptionTag, OptionTags};
pub use params::Params;
pub use rack::RAck;
pub use reason::Reason;
pub use refer_sub::ReferSub;
pub use refer_to::ReferTo;
pub use referred_by::ReferredBy;
pub use replaces::Replaces;
pub use retry_after::RetryAfter;
pub use rseq::RSeq;
pub use session_expires::{Refresher, SessionExpires};
pub use status::StatusCode;
pub use subscription_state::{SubscriptionState, Substate};
pub use uri::{Scheme, Uri};
pub use via::Via;
pub use warning::Warning;
