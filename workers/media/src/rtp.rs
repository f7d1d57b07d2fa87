//! A view of an RTP packet in a buffer (RFC 3550 section 5.1): checked once, then read and changed in place.

/// The fixed header of an RTP packet, its version and length checked.
#[derive(Debug)]
pub struct RtpView<'a> {
    header: &'a mut [u8; HEADER],
    payload_length: usize,
}

impl<'a> RtpView<'a> {
    /// Checks `packet`: version 2, and contributing sources, extension and padding within its length. `None` if it is no RTP packet.
    pub fn parse(packet: &'a mut [u8]) -> Option<Self> {
        let length = packet.len();
        let (&first, &last) = (packet.first()?, packet.last()?);
        if first >> 6 != 2 {
            return None;
        }
        let mut offset = HEADER + 4 * usize::from(first & 0x0F);
        if first & EXTENSION != 0 {
            // Two octets of profile, two of length in words.
            let words = packet.get(offset + 2..offset + 4)?;
            let words = words.iter().fold(0, |words, octet| words << 8 | usize::from(*octet));
            offset += 4 + 4 * words;
        }
        let padding = if first & PADDING == 0 { 0 } else { usize::from(last).max(1) };
        let payload_length = length.checked_sub(offset)?.checked_sub(padding)?;
        let header = packet.first_chunk_mut()?;
        Some(Self { header, payload_length })
    }

    /// Returns the payload type, 0 to 127.
    pub fn payload_type(&self) -> u8 {
        let [_, second, ..] = *self.header;
        second & !MARKER
    }

    /// Returns the marker bit.
    pub fn marker(&self) -> bool {
        let [_, second, ..] = *self.header;
        second & MARKER != 0
    }

    /// Returns the sequence number.
    pub fn sequence(&self) -> u16 {
        let [_, _, high, low, ..] = *self.header;
        u16::from_be_bytes([high, low])
    }

    /// Returns the timestamp.
    pub fn timestamp(&self) -> u32 {
        let [_, _, _, _, a, b, c, d, ..] = *self.header;
        u32::from_be_bytes([a, b, c, d])
    }

    /// Returns the synchronisation source.
    pub fn ssrc(&self) -> u32 {
        let [.., a, b, c, d] = *self.header;
        u32::from_be_bytes([a, b, c, d])
    }

    /// Returns the octets of payload, without header, extension and padding.
    pub fn payload_length(&self) -> usize {
        self.payload_length
    }

    /// Sets the payload type; only its lower 7 bits count.
    pub fn set_payload_type(&mut self, payload_type: u8) {
        let [_, second, ..] = self.header;
        *second = *second & MARKER | payload_type & !MARKER;
    }

    /// Sets the marker bit.
    pub fn set_marker(&mut self) {
        let [_, second, ..] = self.header;
        *second |= MARKER;
    }

    /// Sets the sequence number.
    pub fn set_sequence(&mut self, sequence: u16) {
        let [_, _, high, low, ..] = self.header;
        [*high, *low] = sequence.to_be_bytes();
    }

    /// Sets the timestamp.
    pub fn set_timestamp(&mut self, timestamp: u32) {
        let [_, _, _, _, a, b, c, d, ..] = self.header;
        [*a, *b, *c, *d] = timestamp.to_be_bytes();
    }

    /// Sets the synchronisation source.
    pub fn set_ssrc(&mut self, ssrc: u32) {
        let [.., a, b, c, d] = self.header;
        [*a, *b, *c, *d] = ssrc.to_be_bytes();
    }
}

/// Octets of the fixed header.
pub const HEADER: usize = 12;

const PADDING: u8 = 0x20;
const EXTENSION: u8 = 0x10;
const MARKER: u8 = 0x80;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const PLAIN: [u8; 16] = [0x80, 0x88, 0x12, 0x34, 0, 0, 0, 160, 0xDE, 0xAD, 0xBE, 0xEF, 1, 2, 3, 4];

    #[test]
    fn reads_every_field() {
        let mut packet = PLAIN;
        let view = RtpView::parse(&mut packet).unwrap();
        assert_eq!((view.payload_type(), view.marker(), view.sequence()), (8, true, 0x1234));
        assert_eq!((view.timestamp(), view.ssrc(), view.payload_length()), (160, 0xDEAD_BEEF, 4));
    }

    #[test]
    fn what_is_set_is_read_and_nothing_else_changes() {
        let mut packet = PLAIN;
        packet[1] = 8;
        let mut view = RtpView::parse(&mut packet).unwrap();
        view.set_payload_type(0xFF);
        view.set_marker();
        view.set_sequence(0xFFFE);
        view.set_timestamp(0x0102_0304);
        view.set_ssrc(0x0506_0708);
        assert_eq!((view.payload_type(), view.marker(), view.sequence()), (127, true, 0xFFFE));
        assert_eq!(packet, [0x80, 0xFF, 0xFF, 0xFE, 1, 2, 3, 4, 5, 6, 7, 8, 1, 2, 3, 4]);
    }

    #[test]
    fn payload_excludes_sources_extension_and_padding() {
        let mut packet = vec![0x80 | PADDING | EXTENSION | 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1];
        packet.extend([0; 4]); // one contributing source
        packet.extend([0xBE, 0xDE, 0, 1, 0, 0, 0, 0]); // extension of one word
        packet.extend([9; 20]);
        packet.extend([0, 0, 3]); // padding of three
        assert_eq!(RtpView::parse(&mut packet).unwrap().payload_length(), 20);
    }

    #[test]
    fn lengths_beyond_the_end_are_refused() {
        for (first, last) in [(0x8F, 0), (0x90, 0), (0xA0, 5), (0xA0, 255), (0x40, 0), (0xC0, 0)] {
            let mut packet = PLAIN;
            packet[0] = first;
            packet[15] = last;
            assert!(RtpView::parse(&mut packet).is_none(), "{first:#x} {last}");
        }
        for length in 0..HEADER {
            assert!(RtpView::parse(&mut { PLAIN }[..length]).is_none(), "{length}");
        }
    }

    proptest! {
        #[test]
        fn garbage_never_panics(mut packet in proptest::collection::vec(any::<u8>(), 0..200)) {
            let length = packet.len();
            if let Some(mut view) = RtpView::parse(&mut packet) {
                prop_assert!(view.payload_length() + HEADER <= length);
                view.set_payload_type(255);
                view.set_sequence(1);
                prop_assert_eq!((view.payload_type(), view.sequence()), (127, 1));
            }
        }
    }
}
