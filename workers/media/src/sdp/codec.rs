//! One format of an RTP audio line: payload type, encoding and its parameters (RFC 8866 sections 6.6 and 6.15, RFC 3551 section 6).

/// An offered or accepted payload type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Codec {
    /// Payload type number, 0 to 127.
    pub payload: u8,
    /// Encoding name as written, or that of the static assignment; `None` when the number is dynamic and nothing names it.
    pub name: Option<Box<str>>,
    /// RTP clock in Hz.
    pub clock_rate: u32,
    /// Audio channels.
    pub channels: u8,
    /// Whether an `a=rtpmap` line names it; static payload types need none.
    pub mapped: bool,
    /// The rest of its `a=fmtp` line.
    pub parameters: Option<Box<str>>,
}

impl Codec {
    /// Creates the codec that a bare payload type number means (RFC 3551 table 4).
    pub(super) fn of_payload(payload: u8) -> Self {
        let assigned = STATIC.iter().find(|(number, ..)| *number == payload);
        Self {
            payload,
            name: assigned.map(|(_, name, ..)| Box::from(*name)),
            clock_rate: assigned.map_or(DEFAULT_CLOCK_RATE, |(_, _, rate, _)| *rate),
            channels: assigned.map_or(1, |(.., channels)| *channels),
            mapped: false,
            parameters: None,
        }
    }

    /// Takes the value of an `a=rtpmap` line after the number: `PCMU/8000` or `L16/44100/2`; one that makes no sense is ignored.
    pub(super) fn apply_map(&mut self, encoding: &str) {
        let mut parts = encoding.trim().split('/');
        let (Some(name), Some(Ok(rate))) =
            (parts.next(), parts.next().map(|rate| rate.trim().parse::<u32>()))
        else {
            return;
        };
        if name.is_empty() || !(1..=1_000_000).contains(&rate) {
            return;
        }
        self.name = Some(Box::from(name));
        self.clock_rate = rate;
        self.channels = parts.next().and_then(|channels| channels.trim().parse().ok()).unwrap_or(1);
        self.mapped = true;
    }

    /// Returns whether both are the same encoding, whatever their numbers; unnamed ones can only be told by number.
    pub fn same_encoding(&self, other: &Self) -> bool {
        match (&self.name, &other.name) {
            (Some(ours), Some(theirs)) => {
                ours.eq_ignore_ascii_case(theirs)
                    && self.clock_rate == other.clock_rate
                    && self.channels == other.channels
            }
            (None, _) | (_, None) => self.payload == other.payload,
        }
    }

    /// Returns whether it carries speech, rather than tones, comfort noise or redundancy around another codec.
    pub fn is_speech(&self) -> bool {
        self.name
            .as_deref()
            .is_none_or(|name| !COMPANIONS.iter().any(|other| name.eq_ignore_ascii_case(other)))
    }

    /// Returns the value of its `a=rtpmap` line, if it needs one.
    pub(super) fn map_line(&self) -> Option<String> {
        let name = self.name.as_deref().filter(|_| self.mapped)?;
        Some(match self.channels {
            0 | 1 => format!("{} {name}/{}", self.payload, self.clock_rate),
            channels => format!("{} {name}/{}/{channels}", self.payload, self.clock_rate),
        })
    }
}

/// The clock of telephony, and the one assumed when nothing names another.
pub(super) const DEFAULT_CLOCK_RATE: u32 = 8000;

/// Encodings that never stand alone.
const COMPANIONS: [&str; 5] = ["telephone-event", "tone", "CN", "red", "ulpfec"];

/// Number, name, clock and channels of the static audio payload types (RFC 3551 table 4).
const STATIC: [(u8, &str, u32, u8); 17] = [
    (0, "PCMU", 8000, 1),
    (3, "GSM", 8000, 1),
    (4, "G723", 8000, 1),
    (5, "DVI4", 8000, 1),
    (6, "DVI4", 16000, 1),
    (7, "LPC", 8000, 1),
    (8, "PCMA", 8000, 1),
    (9, "G722", 8000, 1),
    (10, "L16", 44100, 2),
    (11, "L16", 44100, 1),
    (12, "QCELP", 8000, 1),
    (13, "CN", 8000, 1),
    (14, "MPA", 90000, 1),
    (15, "G728", 8000, 1),
    (16, "DVI4", 11025, 1),
    (17, "DVI4", 22050, 1),
    (18, "G729", 8000, 1),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn mapped(payload: u8, encoding: &str) -> Codec {
        let mut codec = Codec::of_payload(payload);
        codec.apply_map(encoding);
        codec
    }

    #[test]
    fn a_static_number_equals_its_named_encoding() {
        assert!(Codec::of_payload(0).same_encoding(&mapped(96, "pcmu/8000")));
        assert!(Codec::of_payload(10).same_encoding(&mapped(97, "L16/44100/2")));
        assert!(!Codec::of_payload(0).same_encoding(&Codec::of_payload(8)));
    }

    #[test]
    fn clock_and_channels_tell_encodings_apart() {
        assert!(!mapped(101, "telephone-event/8000").same_encoding(&mapped(102, "telephone-event/48000")));
        assert!(!mapped(96, "opus/48000/2").same_encoding(&mapped(96, "opus/48000")));
    }

    #[test]
    fn tones_and_comfort_noise_are_no_speech() {
        assert!(!mapped(101, "Telephone-Event/8000").is_speech());
        assert!(!Codec::of_payload(13).is_speech());
        assert!(Codec::of_payload(18).is_speech());
    }

    #[test]
    fn a_senseless_map_is_ignored() {
        for encoding in ["", "PCMU", "PCMU/x", "/8000", "PCMU/0"] {
            assert_eq!(mapped(0, encoding), Codec::of_payload(0), "{encoding}");
        }
    }

    #[test]
    fn map_line_repeats_what_was_read() {
        assert_eq!(mapped(96, "opus/48000/2").map_line().as_deref(), Some("96 opus/48000/2"));
        assert_eq!(
            mapped(101, "telephone-event/8000").map_line().as_deref(),
            Some("101 telephone-event/8000")
        );
        assert_eq!(Codec::of_payload(0).map_line(), None);
    }
}
