//! G.711: sixteen-bit samples to one octet and back, µ-law and A-law (ITU-T G.711, RFC 3551 §4.5.14).

use serde::Serialize;

/// Which of the two companding laws.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Law {
    /// µ-law, payload type 0.
    Pcmu,
    /// A-law, payload type 8.
    Pcma,
}

impl Law {
    /// Finds the law of an encoding name in an `a=rtpmap` line.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        if name.eq_ignore_ascii_case("PCMU") {
            Some(Self::Pcmu)
        } else if name.eq_ignore_ascii_case("PCMA") {
            Some(Self::Pcma)
        } else {
            None
        }
    }

    /// Encodes a sample.
    #[must_use]
    pub fn encode(self, sample: i16) -> u8 {
        match self {
            Self::Pcmu => encode_mu(sample),
            Self::Pcma => encode_a(sample),
        }
    }

    /// Decodes an octet.
    #[must_use]
    pub fn decode(self, octet: u8) -> i16 {
        match self {
            Self::Pcmu => decode_mu(octet),
            Self::Pcma => decode_a(octet),
        }
    }
}

fn encode_mu(sample: i16) -> u8 {
    let magnitude = i32::from(sample).abs().min(CLIP) + BIAS;
    let segment = (magnitude.ilog2()).saturating_sub(7);
    let step = (magnitude >> (segment + 3)) & 0x0F;
    let sign = if sample < 0 { 0x80 } else { 0 };
    !octet(sign | (segment as i32) << 4 | step)
}

fn decode_mu(octet: u8) -> i16 {
    let octet = !octet;
    let segment = (octet >> 4) & 7;
    let magnitude = ((i32::from(octet & 0x0F) << 3) + BIAS) << segment;
    signed(magnitude - BIAS, octet & 0x80 != 0)
}

fn encode_a(sample: i16) -> u8 {
    // A negative sample of A-law counts from -1, so that both halves have the same steps.
    let magnitude = if sample < 0 { -i32::from(sample) - 1 } else { i32::from(sample) } >> 3;
    let segment = if magnitude < 32 { 0 } else { magnitude.ilog2() - 4 };
    let step = (magnitude >> segment.max(1)) & 0x0F;
    let sign = if sample < 0 { 0 } else { 0x80 };
    octet(sign | (segment as i32) << 4 | step) ^ 0x55
}

fn decode_a(octet: u8) -> i16 {
    let octet = octet ^ 0x55;
    let segment = (octet >> 4) & 7;
    let step = i32::from(octet & 0x0F) << 4;
    let magnitude = match segment {
        0 => step + 8,
        _ => (step + 0x108) << (segment - 1),
    };
    signed(magnitude, octet & 0x80 == 0)
}

fn octet(value: i32) -> u8 {
    u8::try_from(value & 0xFF).unwrap_or(0)
}

fn signed(magnitude: i32, negative: bool) -> i16 {
    i16::try_from(if negative { -magnitude } else { magnitude }).unwrap_or(i16::MAX)
}

const BIAS: i32 = 0x84;
const CLIP: i32 = 32_635;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_octet_reads_back_as_itself() {
        for octet in 0..=255_u8 {
            assert_eq!(Law::Pcma.encode(Law::Pcma.decode(octet)), octet, "A-law {octet:#x}");
            // µ-law has two zeros; the negative one comes back as the positive one.
            let expected = if octet == 0x7F { 0xFF } else { octet };
            assert_eq!(Law::Pcmu.encode(Law::Pcmu.decode(octet)), expected, "µ-law {octet:#x}");
        }
    }

    #[test]
    fn silence_is_what_the_standard_says() {
        assert_eq!((Law::Pcmu.encode(0), Law::Pcma.encode(0)), (0xFF, 0xD5));
    }

    #[test]
    fn a_sample_changes_by_less_than_a_sixteenth() {
        for law in [Law::Pcmu, Law::Pcma] {
            for sample in (-32_000..32_000).step_by(37) {
                let error = (i32::from(law.decode(law.encode(sample))) - i32::from(sample)).abs();
                assert!(error <= i32::from(sample).abs() / 16 + 16, "{law:?} {sample} {error}");
            }
        }
    }
}
