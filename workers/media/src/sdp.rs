//! Session descriptions (RFC 8866) and the offer/answer model (RFC 3264) for one stream per call: RTP audio, or a fax (T.38) instead.
//!
//! [`Description`] reads a body with bounds, [`Negotiation`] is the state of one leg, [`Proposal`] and [`Agreement`] carry what was
//! offered and accepted from one leg to the other. Codecs and fax parameters are passed on, never understood. SAVP is recognised and
//! refused.

mod answer;
mod audio;
mod codec;
mod description;
mod direction;
mod draft;
mod error;
mod image;
mod lines;
mod negotiation;
mod numbers;
mod offer;
mod own;
mod settled;

pub use answer::{AgreedCodec, Agreement, AudioAgreement, Kinship};
pub use audio::{Audio, RemoteMedia};
pub use codec::Codec;
pub use description::{Description, LocalMedia, Stream};
pub use direction::Direction;
pub use error::{AnswerError, OfferError, SdpError, Unusable, WrongState};
pub use image::{Image, ImageTerms};
pub use lines::{Kind, OtherLine};
pub use negotiation::{Answer, Negotiation};
pub use offer::{AudioProposal, Proposal, Proposed};
pub use settled::Change;

#[cfg(test)]
mod samples;
