//! What can be wrong with a received message or value, and whether the sender can be told.
//!
//! These are faults of the peer: typed, counted and answered as RFC 3261 §21.4.1 says, never a panic.

use crate::{header_name::HeaderName, message::Salvage, status::StatusCode};

/// What is wrong with a header value or URI.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Fault {
    /// Nothing is written where a value must stand.
    #[error("is empty")]
    Empty,
    /// The value does not follow its grammar.
    #[error("is malformed")]
    Syntax,
    /// A quoted string or an angle bracket is opened and not closed, or closed and not opened.
    #[error("has an unbalanced quote or bracket")]
    Unbalanced,
    /// A number is not one, or is outside of its range.
    #[error("is not a number in range")]
    Number,
    /// The part that must be text is not UTF-8.
    #[error("is not UTF-8")]
    Encoding,
    /// The URI has no host, or one that is neither name nor address.
    #[error("has no valid host")]
    Host,
    /// The URI has no scheme.
    #[error("has no URI scheme")]
    Scheme,
    /// The protocol of a Via is not SIP/2.0.
    #[error("is not of SIP/2.0")]
    Protocol,
}

/// A header that could not be read as what it must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[error("{name} {fault}")]
pub struct HeaderError {
    /// The header asked for.
    pub name: HeaderName,
    /// What is wrong with it.
    pub fault: Fault,
}

/// Why a message was refused as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Cause {
    /// Nothing but line breaks: a keep-alive, not a message (RFC 5626 §3.5.1).
    #[error("no message")]
    Empty,
    /// More bytes than [`crate::Limits`] allow.
    #[error("message too long")]
    TooLong,
    /// The first line is neither a request line nor a status line.
    #[error("malformed start line")]
    StartLine,
    /// The start line, and so the Request-URI, is longer than [`crate::Limits`] allow (414).
    #[error("Request-URI too long")]
    UriTooLong,
    /// The version is not SIP/2.0 (505).
    #[error("SIP version not supported")]
    Version,
    /// The blank line that ends the headers is missing.
    #[error("headers are not ended")]
    Unended,
    /// A header line has no colon, no valid name, or a carriage return inside.
    #[error("malformed header line")]
    HeaderLine,
    /// A header line is longer than [`crate::Limits`] allow.
    #[error("header line too long")]
    HeaderLineTooLong,
    /// More header lines than [`crate::Limits`] allow.
    #[error("too many headers")]
    TooManyHeaders,
    /// A mandatory header is not there (RFC 3261 §8.1.1).
    #[error("{0} is missing")]
    Missing(HeaderName),
    /// A header that must stand once stands twice.
    #[error("{0} is there twice")]
    Duplicate(HeaderName),
    /// A header that is needed to handle the message cannot be read.
    #[error("{0}")]
    Header(HeaderError),
    /// The method in CSeq is not that of the request (RFC 3261 §8.1.1.5).
    #[error("CSeq names another method")]
    MethodMismatch,
    /// The body is shorter than Content-Length says (RFC 3261 §18.3).
    #[error("body is shorter than Content-Length")]
    BodyCutOff,
    /// A message on a stream does not say how long its body is (RFC 3261 §20.14).
    #[error("Content-Length is missing on a stream")]
    LengthMissing,
}

impl Cause {
    /// The response that says so.
    #[must_use]
    pub fn status(self) -> StatusCode {
        match self {
            Self::Version => StatusCode::VERSION_NOT_SUPPORTED,
            Self::TooLong => StatusCode::MESSAGE_TOO_LARGE,
            Self::UriTooLong => StatusCode::REQUEST_URI_TOO_LONG,
            Self::Empty
            | Self::StartLine
            | Self::Unended
            | Self::HeaderLine
            | Self::HeaderLineTooLong
            | Self::TooManyHeaders
            | Self::Missing(_)
            | Self::Duplicate(_)
            | Self::Header(_)
            | Self::MethodMismatch
            | Self::BodyCutOff
            | Self::LengthMissing => StatusCode::BAD_REQUEST,
        }
    }

    /// The header at fault, where there is one.
    #[must_use]
    pub fn header(self) -> Option<HeaderName> {
        match self {
            Self::Missing(name) | Self::Duplicate(name) => Some(name),
            Self::Header(HeaderError { name, .. }) => Some(name),
            Self::BodyCutOff | Self::LengthMissing => Some(HeaderName::ContentLength),
            Self::MethodMismatch => Some(HeaderName::CSeq),
            Self::Empty
            | Self::TooLong
            | Self::UriTooLong
            | Self::StartLine
            | Self::Version
            | Self::Unended
            | Self::HeaderLine
            | Self::HeaderLineTooLong
            | Self::TooManyHeaders => None,
        }
    }
}

/// A message that was refused, with what is needed to answer it where that is possible.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{cause}")]
pub struct ParseError {
    /// Why it was refused.
    pub cause: Cause,
    /// Enough of a request other than ACK to address a response: its topmost Via can be read. `None` means
    /// that the message can only be dropped and counted.
    pub salvage: Option<Box<Salvage>>,
}
