//! The direction of a stream (RFC 8866 section 6.7), always from one side's point of view.

/// Which way media flows, seen by the side that says so.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Direction {
    /// Both ways; what holds when nothing is said.
    #[default]
    SendRecv,
    /// That side only sends.
    SendOnly,
    /// That side only receives.
    RecvOnly,
    /// Neither way.
    Inactive,
}

impl Direction {
    /// Returns the direction with the given halves.
    pub fn of(sends: bool, receives: bool) -> Self {
        match (sends, receives) {
            (true, true) => Self::SendRecv,
            (true, false) => Self::SendOnly,
            (false, true) => Self::RecvOnly,
            (false, false) => Self::Inactive,
        }
    }

    /// Returns whether that side sends.
    pub fn sends(self) -> bool {
        matches!(self, Self::SendRecv | Self::SendOnly)
    }

    /// Returns whether that side receives.
    pub fn receives(self) -> bool {
        matches!(self, Self::SendRecv | Self::RecvOnly)
    }

    /// Returns the same flow seen from the other side.
    pub fn mirrored(self) -> Self {
        Self::of(self.receives(), self.sends())
    }

    /// Returns what both directions, seen from the same side, permit.
    pub fn and(self, other: Self) -> Self {
        Self::of(self.sends() && other.sends(), self.receives() && other.receives())
    }

    /// Returns the name of the attribute.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::SendRecv => "sendrecv",
            Self::SendOnly => "sendonly",
            Self::RecvOnly => "recvonly",
            Self::Inactive => "inactive",
        }
    }

    /// Reads the name of an attribute; `None` when it is not a direction.
    pub(super) fn from_attribute(name: &str) -> Option<Self> {
        [Self::SendRecv, Self::SendOnly, Self::RecvOnly, Self::Inactive]
            .into_iter()
            .find(|direction| name.eq_ignore_ascii_case(direction.as_str()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mirror_swaps_sending_and_receiving() {
        assert_eq!(Direction::SendOnly.mirrored(), Direction::RecvOnly);
        assert_eq!(Direction::SendRecv.mirrored(), Direction::SendRecv);
        assert_eq!(Direction::Inactive.mirrored(), Direction::Inactive);
    }

    #[test]
    fn both_sides_must_permit_a_flow() {
        assert_eq!(Direction::SendOnly.and(Direction::RecvOnly), Direction::Inactive);
        assert_eq!(Direction::SendRecv.and(Direction::RecvOnly), Direction::RecvOnly);
    }

    #[test]
    fn attribute_names_are_read_without_case() {
        assert_eq!(Direction::from_attribute("SendOnly"), Some(Direction::SendOnly));
        assert_eq!(Direction::from_attribute("ptime"), None);
    }
}
