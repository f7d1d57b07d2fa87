//! Reads one image m-line: fax relayed by T.38 over UDPTL (ITU-T T.38 annex D, RFC 6913 section 4). Its packets are opaque to us, and so
//! are its parameters: they pass from one leg to the other as they are.

use std::net::SocketAddr;

use super::{audio::connection_address, error::Unusable};

/// A fax stream, as its sender described it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image {
    /// What it says of the stream.
    pub terms: ImageTerms,
    /// Where the sender of the description receives.
    pub remote: SocketAddr,
}

/// What a description says of a fax stream, whoever receives it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageTerms {
    /// Transport as written: `udptl`.
    pub protocol: Box<str>,
    /// Format list as written: `t38`.
    pub formats: Box<str>,
    /// Names and values of its `a=T38…` lines, in order.
    pub attributes: Vec<(Box<str>, Option<Box<str>>)>,
}

impl Image {
    /// Reads an m-line whose media type is image.
    pub(super) fn read(session: &sdp_types::Session, media: &sdp_types::Media) -> Result<Self, Unusable> {
        if media.port == 0 {
            return Err(Unusable::PortZero);
        }
        if !media.proto.eq_ignore_ascii_case("udptl") {
            return Err(Unusable::Profile);
        }
        if !media.fmt.split_ascii_whitespace().any(|format| format.eq_ignore_ascii_case("t38")) {
            return Err(Unusable::NoCodec);
        }
        let address = connection_address(session, media)?;
        Ok(Self { terms: ImageTerms::read(media), remote: SocketAddr::new(address, media.port) })
    }
}

impl ImageTerms {
    fn read(media: &sdp_types::Media) -> Self {
        let ours = |name: &str| name.get(..3).is_some_and(|start| start.eq_ignore_ascii_case("T38"));
        let attributes = media.attributes.iter().filter(|attribute| ours(&attribute.attribute));
        let attributes = attributes.take(MOST_ATTRIBUTES).map(|attribute| {
            (Box::from(attribute.attribute.as_str()), attribute.value.as_deref().map(Box::from))
        });
        Self {
            protocol: Box::from(media.proto.as_str()),
            formats: Box::from(media.fmt.as_str()),
            attributes: attributes.collect(),
        }
    }
}

/// Attributes of one m-line that are passed on; T.38 defines about a dozen.
const MOST_ATTRIBUTES: usize = 32;
