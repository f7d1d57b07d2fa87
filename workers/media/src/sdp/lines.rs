//! The m-lines of one dialog: within it they never get fewer nor change order (RFC 3264 section 8). One of them carries our stream, the
//! others are repeated with port 0.

/// An m-line as it was written last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OtherLine {
    /// Media type.
    pub media: Box<str>,
    /// Transport profile.
    pub protocol: Box<str>,
    /// Format list.
    pub formats: Box<str>,
}

/// What a stream is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Audio over RTP.
    Audio,
    /// Fax over UDPTL.
    Image,
}

impl Kind {
    /// Returns the media type of its m-line.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Audio => "audio",
            Self::Image => "image",
        }
    }
}

/// Where an offer wants a new kind of stream.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Placing {
    /// In a line of its own.
    #[default]
    Own,
    /// In the line of the stream before (RFC 3264 section 8.3.3).
    Instead,
}

/// The m-lines of one dialog.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Lines {
    list: Vec<OtherLine>,
    active: usize,
}

impl Lines {
    pub(super) fn new(list: Vec<OtherLine>, active: usize) -> Self {
        Self { list, active }
    }

    /// Returns the position of our stream.
    pub(super) fn active(&self) -> usize {
        self.active
    }

    pub(super) fn list(&self) -> &[OtherLine] {
        &self.list
    }

    /// Chooses the line for a stream: one of its kind, else that of the stream before if so wished, else a new one.
    pub(super) fn place(&mut self, kind: Kind, placing: Placing) {
        let is_kind = |line: &OtherLine| line.media.eq_ignore_ascii_case(kind.as_str());
        if self.list.get(self.active).is_some_and(is_kind) {
            return;
        }
        match (self.list.iter().position(is_kind), placing) {
            (Some(slot), _) => self.active = slot,
            (None, Placing::Instead) if self.active < self.list.len() => {}
            (None, Placing::Instead | Placing::Own) => self.active = self.list.len(),
        }
    }

    /// Notes how the line of our stream is written.
    pub(super) fn write(&mut self, line: OtherLine) {
        match self.list.get_mut(self.active) {
            Some(slot) => *slot = line,
            None => {
                self.active = self.list.len();
                self.list.push(line);
            }
        }
    }
}
