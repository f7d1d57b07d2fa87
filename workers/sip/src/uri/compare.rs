//! Equality of URIs: the rules of RFC 3261 §19.1.4 and RFC 3966 §4, and a looser one for identities.

use super::{
    Scheme, Uri,
    escape::{same_text, same_text_no_case},
};

/// Parameters that make two URIs different when only one of them has it.
const DECISIVE: [&str; 5] = ["user", "ttl", "method", "maddr", "transport"];

impl Uri {
    /// Tells whether both name the same resource by the rules of the standard: user with case, host without,
    /// a written default port differs from none, unknown parameters count only when both have them.
    #[must_use]
    pub fn equivalent(&self, other: &Self) -> bool {
        if self.scheme() != other.scheme() {
            return false;
        }
        match self.scheme() {
            Scheme::Sip | Scheme::Sips => self.equivalent_sip(other),
            Scheme::Tel => self.equivalent_tel(other),
            Scheme::Other => {
                self.scheme_text().eq_ignore_ascii_case(other.scheme_text())
                    && self.scheme_specific() == other.scheme_specific()
            }
        }
    }

    /// Tells whether both name the same party: user (case counts, escapes resolved), host (no case) and port
    /// (that of the scheme when none is written) are equal. Parameters, headers and scheme do not count.
    #[must_use]
    pub fn same_party(&self, other: &Self) -> bool {
        self.same_user(other)
            && self.host().is_some()
            && self.host() == other.host()
            && self.port_or_default() == other.port_or_default()
    }

    /// Tells whether both have the same user part, or number: escapes resolved, case counts.
    #[must_use]
    pub fn same_user(&self, other: &Self) -> bool {
        same_optional(self.user(), other.user(), same_text)
    }

    fn equivalent_sip(&self, other: &Self) -> bool {
        // Also what has the same part twice, against the grammar, is the same as itself.
        if self == other {
            return true;
        }
        if self.has_too_many_parts() || other.has_too_many_parts() {
            return self == other;
        }
        self.same_user(other)
            && same_optional(self.password(), other.password(), same_text)
            && self.host_port() == other.host_port()
            && params_agree(self, other)
            && params_agree(other, self)
            && headers_agree(self, other)
            && headers_agree(other, self)
    }

    /// Every part of one is looked up in the other, so a hostile URI would cost its length squared.
    fn has_too_many_parts(&self) -> bool {
        self.params().nth(MOST_PARTS).is_some() || self.headers().nth(MOST_PARTS).is_some()
    }

    /// Visual separators do not count (RFC 3966 §4), every parameter does.
    fn equivalent_tel(&self, other: &Self) -> bool {
        let digits = |uri: &Self| -> String {
            let visual = |character: &char| !matches!(character, '-' | '.' | '(' | ')');
            uri.user().unwrap_or_default().chars().filter(visual).map(|c| c.to_ascii_lowercase()).collect()
        };
        // Also what has the same part twice, against the grammar, is the same as itself.
        if self == other {
            return true;
        }
        if self.has_too_many_parts() || other.has_too_many_parts() {
            return self == other;
        }
        let covers = |a: &Self, b: &Self| {
            a.params().all(|(name, value)| b.param(name).is_some_and(|other| same_value(value, other)))
        };
        digits(self) == digits(other) && covers(self, other) && covers(other, self)
    }
}

/// Most parameters, and most headers, of URIs that are compared part by part.
const MOST_PARTS: usize = 32;

fn params_agree(a: &Uri, b: &Uri) -> bool {
    a.params().all(|(name, value)| match b.param(name) {
        Some(other) => same_value(value, other),
        None => !DECISIVE.iter().any(|decisive| same_text_no_case(name, decisive)),
    })
}

fn headers_agree(a: &Uri, b: &Uri) -> bool {
    a.headers().all(|(name, value)| {
        b.headers()
            .any(|(other, other_value)| same_text_no_case(name, other) && same_text(value, other_value))
    })
}

fn same_value(a: Option<&str>, b: Option<&str>) -> bool {
    same_optional(a, b, same_text_no_case)
}

fn same_optional(a: Option<&str>, b: Option<&str>, same: fn(&str, &str) -> bool) -> bool {
    match (a, b) {
        (Some(a), Some(b)) => same(a, b),
        (None, None) => true,
        (Some(_), None) | (None, Some(_)) => false,
    }
}
