//! `Refer-Sub` (RFC 4488 §4): whether a REFER makes a subscription.

use std::fmt;

use crate::{error::Fault, params::Params};

/// A Refer-Sub value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReferSub {
    /// There is a subscription, which is also what holds without the header.
    pub subscribes: bool,
}

impl ReferSub {
    /// Reads `true` or `false`.
    ///
    /// # Errors
    /// When it is neither.
    pub fn parse(value: &[u8]) -> Result<Self, Fault> {
        let (value, _) = Params::behind_token(value)?;
        match () {
            () if value.eq_ignore_ascii_case("true") => Ok(Self { subscribes: true }),
            () if value.eq_ignore_ascii_case("false") => Ok(Self { subscribes: false }),
            () => Err(Fault::Syntax),
        }
    }
}

impl fmt::Display for ReferSub {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.subscribes { "true" } else { "false" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 4488 §4.
    #[test]
    fn a_refer_says_whether_it_wants_a_subscription() {
        assert_eq!(ReferSub::parse(b"False;x=y").map(|value| value.subscribes), Ok(false));
        assert_eq!(ReferSub::parse(b"true").map(|value| value.to_string()), Ok("true".into()));
        assert!(ReferSub::parse(b"maybe").is_err() && ReferSub::parse(b"").is_err());
    }
}
