//! `Replaces` (RFC 3891 §6.1): the dialog that an INVITE takes the place of.

use std::fmt;

use crate::{
    error::Fault,
    params::{self, Params},
    scan,
};

/// A Replaces value. The tags are meant as the receiver of the INVITE sees its dialog: to-tag is the receiver's.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Replaces {
    call_id: Box<str>,
    to_tag: Box<str>,
    from_tag: Box<str>,
    early_only: bool,
}

impl Replaces {
    /// Makes one; `None` when a part holds what it cannot hold on the wire.
    #[must_use]
    pub fn new(call_id: &str, to_tag: &str, from_tag: &str) -> Option<Self> {
        let tags = [to_tag, from_tag].iter().all(|tag| params::is_identifier(tag.as_bytes()));
        (is_call_id(call_id.as_bytes()) && tags).then(|| Self {
            call_id: call_id.into(),
            to_tag: to_tag.into(),
            from_tag: from_tag.into(),
            early_only: false,
        })
    }

    /// Sets `early-only`: the dialog is to be replaced only while nobody has answered (RFC 3891 §6.1).
    #[must_use]
    pub fn early_only(mut self) -> Self {
        self.early_only = true;
        self
    }

    /// Reads `425928@bobster.example.org;to-tag=7743;from-tag=6472`.
    ///
    /// # Errors
    /// When it has not exactly one of each tag, or a part does not follow its grammar.
    pub fn parse(value: &[u8]) -> Result<Self, Fault> {
        let (call_id, params) = Params::behind(value)?;
        if call_id.is_empty() {
            return Err(Fault::Empty);
        }
        if !is_call_id(call_id) {
            return Err(Fault::Syntax);
        }
        Ok(Self {
            call_id: std::str::from_utf8(call_id).map_err(|_| Fault::Encoding)?.into(),
            to_tag: only(&params, "to-tag")?,
            from_tag: only(&params, "from-tag")?,
            early_only: params.contains("early-only"),
        })
    }

    /// Call-ID of the dialog.
    #[must_use]
    pub fn call_id(&self) -> &str {
        &self.call_id
    }

    /// Tag of the receiver's side of the dialog.
    #[must_use]
    pub fn to_tag(&self) -> &str {
        &self.to_tag
    }

    /// Tag of the far side of the dialog. `0` may stand for none, for a peer of RFC 2543 (RFC 3891 §6.1).
    #[must_use]
    pub fn from_tag(&self) -> &str {
        &self.from_tag
    }

    /// Tells whether a confirmed dialog must not be replaced.
    #[must_use]
    pub fn is_early_only(&self) -> bool {
        self.early_only
    }
}

impl fmt::Display for Replaces {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{};to-tag={};from-tag={}", self.call_id, self.to_tag, self.from_tag)?;
        f.write_str(if self.early_only { ";early-only" } else { "" })
    }
}

/// The only parameter of this name.
fn only(params: &Params, name: &str) -> Result<Box<str>, Fault> {
    let mut values = params.iter().filter(|(other, _)| other.eq_ignore_ascii_case(name));
    let (Some((_, Some(value))), None) = (values.next(), values.next()) else { return Err(Fault::Syntax) };
    if !params::is_identifier(value.as_bytes()) {
        return Err(Fault::Syntax);
    }
    Ok(value.into())
}

/// Visible characters without a separator of this header.
fn is_call_id(call_id: &[u8]) -> bool {
    !call_id.is_empty()
        && call_id.iter().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b';' | b','))
        && scan::trim(call_id).len() == call_id.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 3891 §6.1.
    #[test]
    fn the_samples_of_the_standard_name_a_dialog() {
        let text = "98732@sip.example.com\r\n ;from-tag=r33th4x0r\r\n ;to-tag=ff87ff";
        let replaces = Replaces::parse(text.as_bytes()).expect("valid");
        assert_eq!(
            (replaces.call_id(), replaces.to_tag(), replaces.from_tag()),
            ("98732@sip.example.com", "ff87ff", "r33th4x0r")
        );
        assert!(!replaces.is_early_only());
        let early = "87134@192.0.2.23;to-tag=24796;from-tag=0;early-only";
        assert_eq!(Replaces::parse(early.as_bytes()).map(|early| early.to_string()), Ok(early.to_owned()));
    }

    #[test]
    fn each_tag_must_stand_there_once() {
        for text in [
            "",
            "a;to-tag=1",
            "a;from-tag=1",
            "a;to-tag=1;to-tag=2;from-tag=3",
            "a;to-tag;from-tag=3",
            "a b;to-tag=1;from-tag=2",
            ";to-tag=1;from-tag=2",
        ] {
            assert!(Replaces::parse(text.as_bytes()).is_err(), "{text}");
        }
    }

    #[test]
    fn a_dialog_that_could_not_be_written_is_not_made() {
        assert!(Replaces::new("a@b", "1", "2").is_some());
        for (call_id, to_tag, from_tag) in
            [("a;b", "1", "2"), ("", "1", "2"), ("a", "1;x", "2"), ("a", "1", "\r\n")]
        {
            assert_eq!(Replaces::new(call_id, to_tag, from_tag), None);
        }
    }
}
