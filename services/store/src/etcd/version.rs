//! What an etcd version can be trusted with.

/// A server's version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Version {
    major: u32,
    minor: u32,
    patch: u32,
}

impl Version {
    /// Reads `3.5.13`, with or without a suffix; `None` for anything else.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let core = text.split(['-', '+']).next()?;
        let mut numbers = core.split('.').map(str::parse);
        let version =
            Self { major: numbers.next()?.ok()?, minor: numbers.next()?.ok()?, patch: numbers.next()?.ok()? };
        numbers.next().is_none().then_some(version)
    }

    /// Whether a progress notification proves that all events before it were delivered.
    ///
    /// Older versions may send it ahead of events that a watcher has still to receive.
    pub(super) const fn progress_is_proof(self) -> bool {
        match (self.major, self.minor) {
            (0..=2, _) | (3, 0..=3) => false,
            (3, 4) => self.patch >= 31,
            (3, 5) => self.patch >= 13,
            (3.., _) => true,
        }
    }

    /// Whether the version may corrupt data when it is killed.
    pub(super) const fn is_unsafe(self) -> bool {
        self.major == 3 && self.minor == 5 && self.patch <= 2
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(text: &str) -> Version {
        Version::parse(text).unwrap()
    }

    #[test]
    fn progress_is_a_proof_from_the_repaired_patch_of_each_line() {
        for text in ["3.4.31", "3.5.13", "3.6.0", "4.0.0", "3.5.26-rc.1"] {
            assert!(version(text).progress_is_proof(), "{text}");
        }
        for text in ["3.3.99", "3.4.23", "3.4.30", "3.5.1", "3.5.12", "2.9.9"] {
            assert!(!version(text).progress_is_proof(), "{text}");
        }
    }

    #[test]
    fn only_the_first_patches_of_3_5_are_unsafe() {
        assert!(version("3.5.0").is_unsafe() && version("3.5.2").is_unsafe());
        assert!(!version("3.5.3").is_unsafe() && !version("3.4.23").is_unsafe());
    }

    #[test]
    fn nonsense_is_no_version() {
        for text in ["", "3", "3.5", "3.5.x", "3.5.1.1", "not_decided"] {
            assert_eq!(Version::parse(text), None, "{text}");
        }
    }
}
