//! Option tags (RFC 3261 §19.2) and sets of them: what Supported, Require, Proxy-Require and Unsupported list.

use std::fmt;

use crate::{header_name::HeaderName, message::Message, scan};

macro_rules! option_tags {
    ($($(#[$doc:meta])* $variant:ident = $text:literal;)*) => {
        /// An option tag known here; known is not the same as supported.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u8)]
        pub enum OptionTag {
            $($(#[$doc])* $variant,)*
        }

        impl OptionTag {
            /// All tags known here.
            pub const KNOWN: &'static [Self] = &[$(Self::$variant),*];

            /// The tag as it stands on the wire.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $text,)*
                }
            }
        }
    };
}

option_tags! {
    /// Reliable provisional responses (RFC 3262).
    Rel100 = "100rel";
    /// 199 responses (RFC 6228).
    EarlyTerminated = "199";
    /// Change of identity within a dialog (RFC 4916).
    FromChange = "from-change";
    /// Globally routable UA URIs (RFC 5627).
    Gruu = "gruu";
    /// History-Info (RFC 7044).
    HistInfo = "histinfo";
    /// INVITE with Join (RFC 3911).
    Join = "join";
    /// REFER without a subscription (RFC 4488).
    NoReferSub = "norefersub";
    /// Client-initiated connections (RFC 5626).
    Outbound = "outbound";
    /// Path (RFC 3327).
    Path = "path";
    /// Preconditions of a session (RFC 3312).
    Precondition = "precondition";
    /// Privacy (RFC 3323).
    Privacy = "privacy";
    /// INVITE with Replaces (RFC 3891).
    Replaces = "replaces";
    /// Target-Dialog (RFC 4538).
    TargetDialog = "tdialog";
    /// Session timers (RFC 4028).
    Timer = "timer";
}

impl OptionTag {
    /// Reads a tag, which has no case; `None` for one that is not known here.
    #[must_use]
    pub fn from_bytes(tag: &[u8]) -> Option<Self> {
        Self::KNOWN.iter().copied().find(|known| tag.eq_ignore_ascii_case(known.as_str().as_bytes()))
    }

    const fn bit(self) -> u32 {
        1 << self as u32
    }
}

impl fmt::Display for OptionTag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A set of known option tags; it is written as the value of Supported or Require.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct OptionTags(u32);

impl OptionTags {
    /// No tag.
    pub const NONE: Self = Self(0);

    /// Makes a set.
    #[must_use]
    pub const fn of(tags: &[OptionTag]) -> Self {
        let mut set = 0;
        let mut rest = tags;
        while let [tag, behind @ ..] = rest {
            set |= tag.bit();
            rest = behind;
        }
        Self(set)
    }

    /// The same set with one more tag.
    #[must_use]
    pub const fn with(self, tag: OptionTag) -> Self {
        Self(self.0 | tag.bit())
    }

    /// The same set without a tag.
    #[must_use]
    pub const fn without(self, tag: OptionTag) -> Self {
        Self(self.0 & !tag.bit())
    }

    /// What is in both sets.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// Tells whether a tag is in the set.
    #[must_use]
    pub const fn contains(self, tag: OptionTag) -> bool {
        self.0 & tag.bit() != 0
    }

    /// Tells whether the set has no tag.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The tags in their order.
    pub fn iter(self) -> impl Iterator<Item = OptionTag> {
        OptionTag::KNOWN.iter().copied().filter(move |tag| self.contains(*tag))
    }
}

impl fmt::Display for OptionTags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, tag) in self.iter().enumerate() {
            f.write_str(if index == 0 { "" } else { ", " })?;
            f.write_str(tag.as_str())?;
        }
        Ok(())
    }
}

impl Message {
    /// The known tags that a header lists; those that are not known here are left out.
    #[must_use]
    pub fn option_tags(&self, name: HeaderName) -> OptionTags {
        self.values(name).filter_map(OptionTag::from_bytes).fold(OptionTags::NONE, OptionTags::with)
    }

    /// What the sender supports (RFC 3261 §20.37).
    #[must_use]
    pub fn supported(&self) -> OptionTags {
        self.option_tags(HeaderName::Supported)
    }

    /// What the sender requires (RFC 3261 §20.32).
    #[must_use]
    pub fn required(&self) -> OptionTags {
        self.option_tags(HeaderName::Require)
    }

    /// The tags that a header lists and a set has not, as written: what a 420 repeats in Unsupported
    /// (RFC 3261 §8.2.2.3). What is no token is left out.
    pub fn tags_beyond(&self, name: HeaderName, supported: OptionTags) -> impl Iterator<Item = &str> {
        let beyond =
            move |tag: &&[u8]| !OptionTag::from_bytes(tag).is_some_and(|tag| supported.contains(tag));
        self.values(name).filter(beyond).filter_map(scan::token_text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::Limits;

    fn message(headers: &str) -> Message {
        let text = format!(
            "INVITE sip:a@b SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\r\nFrom: <sip:c@d>;tag=1\r\nTo: <sip:a@b>\r\nCall-ID: x\r\nCSeq: 1 INVITE\r\n{headers}\r\n"
        );
        Message::parse(text.into(), &Limits::default()).expect("valid")
    }

    /// RFC 3261 §20.37.
    #[test]
    fn tags_are_gathered_over_lines_and_unknown_ones_left_out() {
        let supported = message("k: 100REL ,, timer\r\nSupported: foo,replaces\r\n").supported();
        let wanted = OptionTags::of(&[OptionTag::Rel100, OptionTag::Replaces, OptionTag::Timer]);
        assert_eq!(supported, wanted);
        assert_eq!(supported.to_string(), "100rel, replaces, timer");
        assert_eq!(message("").supported(), OptionTags::NONE);
        assert!(message("Require: 100rel\r\n").required().contains(OptionTag::Rel100));
    }

    #[test]
    fn sets_grow_shrink_and_meet() {
        let both = OptionTags::NONE.with(OptionTag::Timer).with(OptionTag::Join);
        assert_eq!(both.without(OptionTag::Join), OptionTags::of(&[OptionTag::Timer]));
        assert!(both.and(OptionTags::of(&[OptionTag::Path])).is_empty());
    }

    /// RFC 3261 §8.2.2.3.
    #[test]
    fn what_goes_beyond_a_set_is_named_as_written() {
        let message = message("Require: timer, nothingSupportsThis, a b, 100rel\r\nRequire: foo\r\n");
        let supported = OptionTags::of(&[OptionTag::Timer]);
        let beyond: Vec<_> = message.tags_beyond(HeaderName::Require, supported).collect();
        assert_eq!(beyond, ["nothingSupportsThis", "100rel", "foo"]);
    }

    #[test]
    fn every_tag_reads_back() {
        for tag in OptionTag::KNOWN {
            assert_eq!(OptionTag::from_bytes(tag.as_str().to_uppercase().as_bytes()), Some(*tag));
        }
    }
}
