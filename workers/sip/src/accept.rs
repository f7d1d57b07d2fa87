//! `Accept` (RFC 3261 §20.1): which media types the sender takes in a body.

use crate::{
    content_type::ContentType, error::Fault, header_name::HeaderName, message::Message, params::Params, scan,
};

/// One Accept value: a media type, or `*` in the place of its parts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MediaRange {
    kind: Box<str>,
    subtype: Box<str>,
    /// Parameters, for example `q`.
    pub params: Params,
}

impl MediaRange {
    /// Reads `application/sdp;q=0.7`, `application/*` or `*/*`.
    ///
    /// # Errors
    /// When type and subtype are no tokens, or a parameter cannot be read.
    pub fn parse(value: &[u8]) -> Result<Self, Fault> {
        let (essence, params) = Params::behind(value)?;
        let (kind, subtype) = scan::split_once(essence, b'/').ok_or(Fault::Syntax)?;
        let text = |part: &[u8]| scan::token_text(scan::trim(part)).map(str::to_ascii_lowercase);
        let kind = text(kind).ok_or(Fault::Syntax)?.into();
        let subtype = text(subtype).ok_or(Fault::Syntax)?.into();
        Ok(Self { kind, subtype, params })
    }

    /// Tells whether a media type, `type/subtype` in lower case, is in the range; `q=0` takes it out.
    #[must_use]
    pub fn takes(&self, essence: &str) -> bool {
        let Some((kind, subtype)) = essence.split_once('/') else { return false };
        let fits = |ours: &str, theirs: &str| ours == "*" || ours == theirs;
        let refused = self.params.raw_value("q").is_some_and(|q| q.trim_end_matches(['0', '.']).is_empty());
        fits(&self.kind, kind) && fits(&self.subtype, subtype) && !refused
    }

    /// Tells whether a body of this type is in the range.
    #[must_use]
    pub fn takes_type(&self, kind: &ContentType) -> bool {
        self.takes(kind.essence())
    }
}

impl Message {
    /// Tells whether the sender takes a body of this type, `type/subtype` in lower case. Without a value in Accept
    /// it says nothing, and takes what its method always takes (RFC 3261 §20.1); a value that cannot be read takes
    /// nothing.
    #[must_use]
    pub fn accepts(&self, essence: &str) -> bool {
        let mut ranges = self.values(HeaderName::Accept).peekable();
        ranges.peek().is_none()
            || ranges.any(|value| MediaRange::parse(value).is_ok_and(|range| range.takes(essence)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::Limits;

    fn accepts(header: &str) -> bool {
        let text = format!(
            "INVITE sip:a@b SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\r\nFrom: <sip:c@d>;tag=1\r\nTo: <sip:a@b>\r\nCall-ID: x\r\nCSeq: 1 INVITE\r\n{header}\r\n"
        );
        Message::parse(text.into(), &Limits::default()).expect("valid").accepts("application/sdp")
    }

    /// RFC 3261 §20.1.
    #[test]
    fn ranges_of_media_types_are_told_apart() {
        for header in [
            "",
            "Accept:\r\n",
            "Accept: application/sdp\r\n",
            "Accept: text/plain, Application / SDP;level=1\r\n",
            "Accept: text/plain\r\nAccept: application/*;q=0.1\r\n",
            "Accept: */*\r\n",
        ] {
            assert!(accepts(header), "{header}");
        }
        for header in [
            "Accept: text/nobodyKnowsThis\r\n",
            "Accept: text/*\r\n",
            "Accept: sdp\r\n",
            "Accept: */*;q=0.0\r\n",
        ] {
            assert!(!accepts(header), "{header}");
        }
    }

    #[test]
    fn a_range_takes_a_type_with_its_parameters() {
        let kind = ContentType::parse(b"multipart/mixed;boundary=x").expect("valid");
        assert!(MediaRange::parse(b"multipart/*").expect("valid").takes_type(&kind));
        assert!(MediaRange::parse(b"*").is_err());
    }
}
