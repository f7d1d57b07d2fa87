//! Sets of methods: what Allow lists (RFC 3261 §20.5).

use std::fmt;

use crate::{header_name::HeaderName, message::Message, method::Method};

/// A set of the methods known by name; it is written as the value of Allow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct MethodSet(u16);

impl MethodSet {
    /// No method.
    pub const NONE: Self = Self(0);

    /// Makes a set. Methods without a name here are in no set.
    #[must_use]
    pub const fn of(methods: &[Method]) -> Self {
        let mut set = Self::NONE;
        let mut rest = methods;
        while let [method, behind @ ..] = rest {
            set = set.with(method);
            rest = behind;
        }
        set
    }

    /// Reads the methods of a comma-separated list; others than those known by name are left out.
    #[must_use]
    pub fn listed(list: &str) -> Self {
        let methods = list.split(',').filter_map(|name| Method::from_bytes(name.trim().as_bytes()));
        methods.fold(Self::NONE, |set, method| set.with(&method))
    }

    /// The same set with one more method.
    #[must_use]
    pub const fn with(self, method: &Method) -> Self {
        Self(self.0 | bit(method))
    }

    /// The same set without a method.
    #[must_use]
    pub const fn without(self, method: &Method) -> Self {
        Self(self.0 & !bit(method))
    }

    /// Tells whether a method is in the set.
    #[must_use]
    pub const fn contains(self, method: &Method) -> bool {
        self.0 & bit(method) != 0
    }

    /// Tells whether the set has no method.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }
}

impl fmt::Display for MethodSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut joint = "";
        for method in Method::KNOWN.iter().filter(|method| self.contains(method)) {
            write!(f, "{joint}{method}")?;
            joint = ", ";
        }
        Ok(())
    }
}

impl Message {
    /// The known methods that Allow lists; `None` without the header, which says nothing (RFC 3261 §20.5).
    #[must_use]
    pub fn allow(&self) -> Option<MethodSet> {
        self.header(HeaderName::Allow)?;
        let methods = self.values(HeaderName::Allow).filter_map(Method::from_bytes);
        Some(methods.fold(MethodSet::NONE, |set, method| set.with(&method)))
    }
}

const fn bit(method: &Method) -> u16 {
    match method {
        Method::Invite => 1,
        Method::Ack => 1 << 1,
        Method::Bye => 1 << 2,
        Method::Cancel => 1 << 3,
        Method::Options => 1 << 4,
        Method::Register => 1 << 5,
        Method::Prack => 1 << 6,
        Method::Update => 1 << 7,
        Method::Info => 1 << 8,
        Method::Subscribe => 1 << 9,
        Method::Notify => 1 << 10,
        Method::Refer => 1 << 11,
        Method::Message => 1 << 12,
        Method::Publish => 1 << 13,
        Method::Other(_) => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::Limits;

    fn allow(headers: &str) -> Option<MethodSet> {
        let text = format!(
            "SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\r\nFrom: <sip:c@d>;tag=1\r\nTo: <sip:a@b>;tag=2\r\nCall-ID: x\r\nCSeq: 1 INVITE\r\n{headers}\r\n"
        );
        Message::parse(text.into(), &Limits::default()).expect("valid").allow()
    }

    /// RFC 3261 §20.5: a header without values allows nothing, no header says nothing.
    #[test]
    fn allowed_methods_are_gathered_over_lines() {
        let set = allow("Allow: INVITE,ACK, FOO\r\nAllow: UPDATE\r\n").expect("there");
        assert_eq!(set, MethodSet::of(&[Method::Update, Method::Ack, Method::Invite]));
        assert_eq!(set.to_string(), "INVITE, ACK, UPDATE");
        assert_eq!(MethodSet::listed("ACK,INVITE , UPDATE,FOO,"), set);
        assert_eq!(allow("Allow:\r\n"), Some(MethodSet::NONE));
        assert_eq!(allow(""), None);
    }

    #[test]
    fn every_known_method_has_a_place_of_its_own() {
        let mut all = MethodSet::NONE;
        for method in &Method::KNOWN {
            assert!(!all.contains(method));
            all = all.with(method);
            assert!(all.contains(method));
        }
        assert!(all.without(&Method::Invite).contains(&Method::Publish));
        let other = Method::from_bytes(b"FOO").expect("a token");
        assert!(!all.contains(&other) && MethodSet::NONE.with(&other).is_empty());
    }
}
