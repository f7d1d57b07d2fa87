//! Bodies in parts (RFC 5621, RFC 2046 §5.1): the session description in a body, what stands beside it, and a body
//! with another description in its place.
//!
//! A body that is not multipart is its own only part. Parts within parts are found to a depth of [`DEPTH_MAX`]; a
//! multipart of an unknown kind is read like `multipart/mixed`, as RFC 5621 §4.3 says. Nothing is decoded.

mod multipart;

use crate::{
    content_disposition::{ContentDisposition, Handling},
    content_type::ContentType,
    header_name::HeaderName,
    message::Message,
};

/// Why a body cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BodyFault {
    /// There is no Content-Type (RFC 3261 §20.15).
    #[error("Content-Type is missing")]
    Untyped,
    /// Content-Type or Content-Disposition cannot be read.
    #[error("the header of a body is malformed")]
    Header,
    /// A multipart has no boundary, or no part between its boundaries.
    #[error("the parts of a body cannot be told apart")]
    Boundary,
    /// More parts than [`PARTS_MAX`], or deeper than [`DEPTH_MAX`].
    #[error("too many parts in a body")]
    TooMany,
}

/// One part of a body that is not multipart itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part<'a> {
    /// What it is; `text/plain` if it does not say (RFC 2046 §5.1).
    pub content_type: ContentType,
    /// What it is for, if it says so.
    pub disposition: Option<ContentDisposition>,
    /// Its content is written as it is, neither base64 nor quoted-printable (RFC 2045 §6).
    pub is_plain: bool,
    /// The content.
    pub content: &'a [u8],
    /// The header block of the part; empty for a body that is its own part.
    head: &'a [u8],
}

impl Part<'_> {
    /// Whether a receiver must understand it.
    #[must_use]
    pub fn handling(&self) -> Handling {
        self.disposition.as_ref().map_or(Handling::Required, ContentDisposition::handling)
    }

    /// Tells whether it is the description of the session: SDP, for a session if it says for what.
    #[must_use]
    pub fn is_description(&self) -> bool {
        let purpose = self.disposition.as_ref().map_or("session", ContentDisposition::kind);
        self.is_plain && self.content_type.is_sdp() && purpose == "session"
    }
}

/// The parts of a body, in their order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parts<'a> {
    body: &'a [u8],
    content_type: Option<ContentType>,
    parts: Vec<Part<'a>>,
}

impl<'a> Parts<'a> {
    /// Reads the body of a message; one without a body has no parts.
    ///
    /// # Errors
    /// When it has a body of which the parts cannot be found.
    pub fn of(message: &'a Message) -> Result<Self, BodyFault> {
        let body = message.body();
        if body.is_empty() {
            return Ok(Self { body, content_type: None, parts: Vec::new() });
        }
        let content_type = message.content_type().map_err(|_| BodyFault::Header)?;
        let disposition = message.value(HeaderName::ContentDisposition).map_err(|_| BodyFault::Header)?;
        let content_type = content_type.ok_or(BodyFault::Untyped)?;
        let mut parts = Vec::new();
        if content_type.is_multipart() {
            multipart::read(&content_type, body, 1, &mut parts)?;
        } else {
            let kind = content_type.clone();
            let is_plain =
                message.header_named("Content-Transfer-Encoding").is_none_or(multipart::is_plain_encoding);
            parts.push(Part { content_type: kind, disposition, is_plain, content: body, head: &[] });
        }
        Ok(Self { body, content_type: Some(content_type), parts })
    }

    /// The parts.
    #[must_use]
    pub fn as_slice(&self) -> &[Part<'a>] {
        &self.parts
    }

    /// The description of the session; the last one where several are offered as alternatives of each other, for the
    /// last is the best (RFC 2046 §5.1.4).
    #[must_use]
    pub fn description(&self) -> Option<&'a [u8]> {
        self.description_part().map(|part| part.content)
    }

    /// The same body with another description: its type and its bytes. Everything else is as it was. A body without
    /// a description is returned as it is; `None` without a body.
    #[must_use]
    pub fn with_description(&self, description: &[u8]) -> Option<(ContentType, Vec<u8>)> {
        let content_type = self.content_type.clone()?;
        let Some(part) = self.description_part() else { return Some((content_type, self.body.to_vec())) };
        let start = offset(self.body, part.head);
        let content_at = offset(self.body, part.content);
        let head_end = start + part.head.len();
        let mut body = Vec::with_capacity(self.body.len() + description.len());
        let mut copy =
            |from: usize, to: usize| body.extend_from_slice(self.body.get(from..to).unwrap_or_default());
        if part.head.is_empty() {
            copy(0, content_at);
        } else {
            copy(0, start);
            body.extend_from_slice(&multipart::without_length(part.head));
            body.extend_from_slice(self.body.get(head_end..content_at).unwrap_or_default());
        }
        body.extend_from_slice(description);
        body.extend_from_slice(self.body.get(content_at + part.content.len()..).unwrap_or_default());
        Some((content_type, body))
    }

    fn description_part(&self) -> Option<&Part<'a>> {
        let alternative =
            self.content_type.as_ref().is_some_and(|kind| kind.essence() == "multipart/alternative");
        let mut described = self.parts.iter().filter(|part| part.is_description());
        if alternative { described.next_back() } else { described.next() }
    }
}

/// Where a part of a body begins; parts are slices of it.
fn offset(body: &[u8], part: &[u8]) -> usize {
    (part.as_ptr() as usize).saturating_sub(body.as_ptr() as usize).min(body.len())
}

/// Most parts of one body.
pub const PARTS_MAX: usize = 32;
/// Deepest parts within parts.
pub const DEPTH_MAX: usize = 4;

#[cfg(test)]
mod tests;
