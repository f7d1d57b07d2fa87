//! Session descriptions (RFC 8866) and the offer/answer model (RFC 3264) for one RTP audio stream per call.
//!
//! [`Description`] reads a body with bounds, [`Negotiation`] is the state of one leg, [`Proposal`] and [`Agreement`] carry what was
//! offered and accepted from one leg to the other. Codecs are passed on, never decoded. SAVP and T.38 are recognised and refused.

mod answer;
mod audio;
mod codec;
mod direction;
mod error;
mod line;
mod negotiation;
mod offer;

pub use answer::{AgreedCodec, Agreement, Kinship};
pub use audio::{Audio, RemoteMedia};
pub use codec::Codec;
pub use direction::Direction;
pub use error::{AnswerError, OfferError, SdpError, Unusable, WrongState};
pub use line::{Description, LocalMedia, OtherLine};
pub use negotiation::{Answer, Negotiation};
pub use offer::Proposal;

#[cfg(test)]
mod samples;
