//! What the user of an endpoint says of a message it wants sent; the endpoint adds what it owns (Via, tags, Call-ID,
//! CSeq, Route, Contact, Max-Forwards, Content-Length) and writes it.

use bytes::Bytes;

use crate::{
    header_name::HeaderName,
    message::{HeaderLine, Message},
    method::Method,
    name_addr::NameAddr,
    status::StatusCode,
    uri::Uri,
};

/// A header line that the user adds. Those that the endpoint owns are left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Extra {
    /// A header by name; line breaks in the value are written as blanks.
    Named(HeaderName, String),
    /// A header under a name that is not known here; nothing is written if the name is no token.
    Other(String, String),
    /// A line of a received message, byte by byte.
    Copied(CopiedLine),
}

/// A header line of a received message that passes through as it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CopiedLine {
    name: Option<HeaderName>,
    raw: Bytes,
}

impl CopiedLine {
    /// Takes a line of `message`; shares its buffer.
    #[must_use]
    pub fn of(message: &Message, line: &HeaderLine<'_>) -> Self {
        Self { name: line.name, raw: message.bytes().slice_ref(line.raw) }
    }

    pub(super) fn name(&self) -> Option<HeaderName> {
        self.name
    }

    pub(super) fn line(&self) -> HeaderLine<'_> {
        HeaderLine { name: self.name, name_text: &[], value: &[], raw: &self.raw }
    }
}

/// A message body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Body {
    /// Value of `Content-Type`.
    pub content_type: String,
    /// The body.
    pub bytes: Bytes,
}

/// A response to a received request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// Status code.
    pub status: StatusCode,
    /// Reason phrase; the standard one if `None`.
    pub reason: Option<String>,
    /// User part of our Contact, written in a 1xx or 2xx that makes or refreshes a dialog.
    pub contact_user: Option<String>,
    /// Headers of the user.
    pub headers: Vec<Extra>,
    /// The body, if any.
    pub body: Option<Body>,
    /// Whether a 101–199 is sent reliably (RFC 3262).
    pub reliable: bool,
}

impl Reply {
    /// Starts a response with nothing but its status.
    #[must_use]
    pub fn new(status: StatusCode) -> Self {
        Self { status, reason: None, contact_user: None, headers: Vec::new(), body: None, reliable: false }
    }

    /// Adds a header.
    #[must_use]
    pub fn header(mut self, name: HeaderName, value: impl Into<String>) -> Self {
        self.headers.push(Extra::Named(name, value.into()));
        self
    }

    /// Sends the 101–199 to an INVITE reliably (RFC 3262): repeated until its PRACK, after those before it. Only to a
    /// caller that supports `100rel`.
    #[must_use]
    pub fn reliable(mut self) -> Self {
        self.reliable = true;
        self
    }

    /// Sets the reason phrase.
    #[must_use]
    pub fn reason(mut self, reason: impl Into<String>) -> Self {
        self.reason = Some(reason.into());
        self
    }

    /// Sets the user part of our Contact.
    #[must_use]
    pub fn contact_user(mut self, user: impl Into<String>) -> Self {
        self.contact_user = Some(user.into());
        self
    }

    /// Sets the body.
    #[must_use]
    pub fn body(mut self, content_type: impl Into<String>, bytes: impl Into<Bytes>) -> Self {
        self.body = Some(Body { content_type: content_type.into(), bytes: bytes.into() });
        self
    }
}

/// What ties the requests of one attempt together: Call-ID, our tag, and the next CSeq (RFC 3261 §8.1.1).
///
/// A retry that the server asked for (3xx, 401, 407, 422) uses [`Self::next`] of the same identity; a failover attempt
/// takes a new one from [`super::Endpoint::new_identity`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// Call-ID.
    pub call_id: String,
    /// Tag in From.
    pub tag: String,
    /// Number in CSeq.
    pub cseq: u32,
}

impl Identity {
    /// Returns the identity for the next request of the same attempt.
    #[must_use]
    pub fn next(&self) -> Self {
        Self { cseq: self.cseq + 1, ..self.clone() }
    }
}

/// A request outside of a dialog.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// Method; not ACK, not CANCEL.
    pub method: Method,
    /// Request-URI.
    pub uri: Uri,
    /// To; without tag.
    pub to: NameAddr,
    /// From; the endpoint adds the tag of the identity.
    pub from: NameAddr,
    /// Values of Route, in order: a pre-loaded route set (RFC 3261 §8.1.1.1).
    pub routes: Vec<NameAddr>,
    /// Call-ID, From tag and CSeq.
    pub identity: Identity,
    /// Max-Forwards.
    pub max_forwards: u8,
    /// User part of our Contact, written if the method makes a dialog; `None`: a Contact without user.
    pub contact_user: Option<String>,
    /// Headers of the user.
    pub headers: Vec<Extra>,
    /// The body, if any.
    pub body: Option<Body>,
}

/// A request inside of a dialog, or the ACK of a 2xx.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Inside {
    /// Headers of the user.
    pub headers: Vec<Extra>,
    /// The body, if any.
    pub body: Option<Body>,
}

/// Why an act was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ActError {
    /// The handle names nothing any more.
    #[error("transaction or dialog is over")]
    Gone,
    /// The response may not be sent: a second final one, or one that RFC 4320 forbids.
    #[error("response not allowed in this state")]
    NotAllowed,
    /// The flow names a line that the endpoint does not have.
    #[error("unknown line")]
    UnknownLine,
    /// No room for another transaction or dialog.
    #[error("too many transactions or dialogs")]
    Full,
}
