//! Tells RTP from RTCP and both from anything else by the first two octets (RFC 5761 section 4, RFC 7983).

/// What a datagram on a media port is, by its first octets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Packet {
    /// RTP version 2.
    Rtp,
    /// RTCP version 2: packet types 192 to 223 stand where RTP has marker and payload types 64 to 95.
    Rtcp,
    /// STUN, DTLS, version 0 or 1, empty, or noise.
    Unknown,
}

/// Classifies a datagram; says nothing about whether the rest of it is well formed.
pub fn classify(datagram: &[u8]) -> Packet {
    match datagram {
        [first, second, ..] if first >> 6 == 2 => match second {
            192..=223 => Packet::Rtcp,
            0..=191 | 224..=255 => Packet::Rtp,
        },
        [] | [_] | [_, _, ..] => Packet::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn payload_types_with_and_without_marker_are_rtp() {
        for payload in [0, 8, 13, 101, 127, 0x80, 0x80 | 8, 0x80 | 101] {
            assert_eq!(classify(&[0x80, payload, 0, 0]), Packet::Rtp, "{payload}");
        }
    }

    #[test]
    fn report_types_are_rtcp() {
        for kind in [200, 201, 202, 203, 204, 205, 206, 207] {
            assert_eq!(classify(&[0x81, kind]), Packet::Rtcp, "{kind}");
        }
    }

    #[test]
    fn other_protocols_are_unknown() {
        for datagram in [&[][..], &[0x80], &[0, 1, 0, 0], &[20, 254, 253], &[0x40, 0], &[0xC0, 200]] {
            assert_eq!(classify(datagram), Packet::Unknown, "{datagram:?}");
        }
    }
}
