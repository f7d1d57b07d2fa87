//! Sets of SIP response codes: the grammar of `retryable_codes` and `dead_codes`.
//!
//! `item *( "," item )`, item = `code` or `code "-" code`, codes 300–699. A 6xx code is in the set only when it is
//! listed by itself: a range that reaches into 6xx says nothing about them.

use std::fmt;
use std::str::FromStr;

/// A set of final response codes from 300 to 699; displays in canonical form (sorted, ranges merged).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CodeSet {
    /// Codes below 600: sorted, apart from each other. Ranges that reach into 6xx keep their end for the display.
    ranges: Box<[(u16, u16)]>,
    /// Codes listed by themselves for which that matters (6xx and [`NEEDS_LISTING`]), sorted.
    singles: Box<[u16]>,
}

impl CodeSet {
    /// Says whether a response code is in the set.
    #[must_use]
    pub fn contains(&self, code: u16) -> bool {
        if code >= GLOBAL_FAILURE {
            return self.lists(code);
        }
        self.ranges.iter().any(|&(low, high)| (low..=high).contains(&code))
    }

    /// Says whether a code is listed by itself, not only covered by a range; told apart only for 6xx and for 413, 415,
    /// 420 and 423, which say that the request is wrong rather than the target.
    #[must_use]
    pub fn lists(&self, code: u16) -> bool {
        self.singles.binary_search(&code).is_ok()
    }

    /// Says whether a response sends the call to the next target: the code is in the set, and listed by itself where it
    /// must be.
    #[must_use]
    pub fn retries(&self, code: u16) -> bool {
        if NEEDS_LISTING.contains(&code) { self.lists(code) } else { self.contains(code) }
    }

    /// Returns the set that `retryable_codes` has when it is unset: `480, 500-599`.
    #[must_use]
    pub fn default_retryable() -> Self {
        Self::from_items(vec![(480, 480), (500, 599)], Vec::new())
    }

    /// Returns the set that `dead_codes` has when it is unset: `408, 500-599`.
    #[must_use]
    pub fn default_dead() -> Self {
        Self::from_items(vec![(408, 408), (500, 599)], Vec::new())
    }

    fn from_items(mut ranges: Vec<(u16, u16)>, mut singles: Vec<u16>) -> Self {
        ranges.sort_unstable();
        let mut merged: Vec<(u16, u16)> = Vec::with_capacity(ranges.len());
        for (low, high) in ranges {
            match merged.last_mut() {
                Some(last) if low <= last.1.saturating_add(1) => last.1 = last.1.max(high),
                Some(_) | None => merged.push((low, high)),
            }
        }
        singles.sort_unstable();
        singles.dedup();
        Self { ranges: merged.into(), singles: singles.into() }
    }
}

impl FromStr for CodeSet {
    type Err = CodeSetError;

    fn from_str(text: &str) -> Result<Self, CodeSetError> {
        let (mut ranges, mut singles) = (Vec::new(), Vec::new());
        for (index, item) in text.split(',').enumerate() {
            if index == MAX_ITEMS {
                return Err(CodeSetError::TooMany);
            }
            let item = item.trim_matches([' ', '\t']);
            if item.is_empty() {
                return Err(CodeSetError::EmptyItem);
            }
            match item.split_once('-') {
                None => match code(item)? {
                    single if single >= GLOBAL_FAILURE => singles.push(single),
                    single => {
                        ranges.push((single, single));
                        singles.extend(NEEDS_LISTING.contains(&single).then_some(single));
                    }
                },
                Some((low, high)) => {
                    let (low, high) = (code(low)?, code(high)?);
                    if low > high {
                        return Err(CodeSetError::Backwards { low, high });
                    }
                    ranges.push((low, high));
                }
            }
        }
        Ok(Self::from_items(ranges, singles))
    }
}

impl fmt::Display for CodeSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut separator = "";
        for &(low, high) in &self.ranges {
            if low == high {
                write!(f, "{separator}{low}")?;
            } else {
                write!(f, "{separator}{low}-{high}")?;
            }
            separator = ", ";
        }
        for single in self.singles.iter().filter(|single| **single >= GLOBAL_FAILURE) {
            write!(f, "{separator}{single}")?;
            separator = ", ";
        }
        Ok(())
    }
}

/// Why a text is not a set of response codes.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CodeSetError {
    /// Nothing stands between two commas, or the whole text is empty.
    #[error("an item is empty")]
    EmptyItem,
    /// An item is not a code from 300 to 699 nor a range of two.
    #[error("`{0}` is not a response code from 300 to 699 nor a range of two")]
    NotACode(String),
    /// The range ends before it begins.
    #[error("the range {low}-{high} ends before it begins")]
    Backwards {
        /// First code of the range.
        low: u16,
        /// Last code of the range.
        high: u16,
    },
    /// More items than any list needs.
    #[error("more than {MAX_ITEMS} items")]
    TooMany,
}

fn code(text: &str) -> Result<u16, CodeSetError> {
    let text = text.trim_matches([' ', '\t']);
    let error = || CodeSetError::NotACode(text.chars().take(32).collect());
    if text.len() != 3 || !text.bytes().all(|b| b.is_ascii_digit()) {
        return Err(error());
    }
    match text.parse() {
        Ok(code @ 300..=699) => Ok(code),
        Ok(_) | Err(_) => Err(error()),
    }
}

const GLOBAL_FAILURE: u16 = 600;
/// Codes below 600 that are retried only when they are listed by themselves.
const NEEDS_LISTING: [u16; 4] = [413, 415, 420, 423];
const MAX_ITEMS: usize = 400;

#[cfg(test)]
mod tests {
    use super::*;

    fn set(text: &str) -> CodeSet {
        text.parse().unwrap()
    }

    #[test]
    fn the_default_holds_480_and_all_server_failures() {
        let codes = set("480, 500-599");
        assert_eq!(codes.to_string(), "480, 500-599");
        assert!(codes.contains(480) && codes.contains(500) && codes.contains(599));
        assert!(!codes.contains(479) && !codes.contains(481) && !codes.contains(486) && !codes.contains(600));
    }

    #[test]
    fn overlapping_ranges_merge_in_canonical_form() {
        assert_eq!(set("503,500-510 , 505-520").to_string(), "500-520");
        assert_eq!(set("501,500").to_string(), "500-501");
    }

    #[test]
    fn what_the_grammar_does_not_allow_is_rejected() {
        for text in ["200", "99", "600-590", "4xx", "480,,500", "", "480;503", "480,", "1480", "+480", "700"]
        {
            assert!(text.parse::<CodeSet>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_range_never_covers_6xx() {
        assert!(!set("480,500-699").contains(603));
        assert!(set("480,603").contains(603));
        let codes = set("600-604,603");
        assert!(codes.contains(603) && !codes.contains(604) && !codes.contains(600));
        assert_eq!(codes.to_string(), "600-604, 603");
    }

    #[test]
    fn a_range_does_not_retry_what_blames_the_request() {
        assert!(!set("400-499").retries(415) && set("400-499").retries(404));
        assert!(set("400-499, 415").retries(415));
        assert_eq!(set("415, 480").to_string(), "415, 480");
    }

    #[test]
    fn a_received_408_is_in_the_set_only_when_listed() {
        assert!(!set("480, 500-599").contains(408));
        assert!(set("408, 480").contains(408));
    }
}
