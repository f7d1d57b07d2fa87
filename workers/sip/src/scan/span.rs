//! A part of a buffer by position, so that a parsed value can point into its own text.

use std::ops::Range;

/// Start and end offset within some buffer of at most 4 GiB.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Span {
    start: u32,
    end: u32,
}

impl Span {
    /// Makes a span of two offsets; an offset that does not fit makes it empty, which no caller can reach:
    /// every buffer is held to [`crate::Limits`] first.
    #[inline]
    pub(crate) fn new(start: usize, end: usize) -> Self {
        if start > end || end > u32::MAX as usize {
            return Self::default();
        }
        #[cfg_attr(
            not(test),
            expect(clippy::cast_possible_truncation, reason = "both are in range, see above")
        )]
        Self { start: start as u32, end: end as u32 }
    }

    /// The span of `part` within `whole`; empty if it is, or does not lie inside.
    #[inline]
    pub(crate) fn within(whole: &[u8], part: &[u8]) -> Self {
        let start = (part.as_ptr() as usize).wrapping_sub(whole.as_ptr() as usize);
        if part.is_empty() || start > whole.len() || part.len() > whole.len() - start {
            return Self::default();
        }
        Self::new(start, start + part.len())
    }

    /// Offset of the first byte.
    #[inline]
    pub(crate) fn start(self) -> usize {
        self.start as usize
    }

    /// Offset behind the last byte.
    #[inline]
    pub(crate) fn end(self) -> usize {
        self.end as usize
    }

    /// Number of bytes.
    #[inline]
    pub(crate) fn len(self) -> usize {
        (self.end - self.start) as usize
    }

    /// Both offsets.
    #[inline]
    pub(crate) fn range(self) -> Range<usize> {
        self.start()..self.end()
    }

    /// The bytes meant; empty if the buffer is a shorter one.
    #[inline]
    pub(crate) fn of(self, buffer: &[u8]) -> &[u8] {
        buffer.get(self.range()).unwrap_or_default()
    }

    /// The text meant; empty if the buffer is a shorter one.
    #[inline]
    pub(crate) fn of_text(self, buffer: &str) -> &str {
        buffer.get(self.range()).unwrap_or_default()
    }
}
