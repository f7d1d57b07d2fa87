//! RTCP compound packets (RFC 3550 section 6): checked as a whole, and translated in place between a far end's numbers and ours.

use crate::continuity::Correspondence;

/// Returns whether a datagram is a chain of RTCP packets: version 2, a known type first, lengths that end where it ends.
pub fn is_well_formed(datagram: &[u8]) -> bool {
    let mut rest = datagram;
    while !rest.is_empty() {
        match split(rest) {
            Some((_, next)) => rest = next,
            None => return false,
        }
    }
    !datagram.is_empty()
}

/// How to translate what a far end says into our words to the other one.
#[derive(Debug, Clone, Copy)]
pub struct Translation {
    /// Our SSRC towards the receiver.
    pub ssrc: u32,
    /// The stream that the far end sends, and ours that carries it on; `None` when it sent none.
    pub sending: Option<Correspondence>,
    /// The stream that the far end receives from us, and the receiver's that feeds it; `None` when there is none.
    pub receiving: Option<Correspondence>,
    /// Our canonical name, repeated over the length of the far end's.
    pub name: [u8; 16],
}

impl Translation {
    /// Translates a well-formed compound packet in place; returns its new length, or `None` when nothing is left to send.
    ///
    /// Sender and receiver reports and descriptions are kept, in our SSRCs and numbers. BYE is not (the far end may change while our
    /// stream goes on), nor are packets with SSRCs that we cannot translate.
    pub fn apply(&self, buffer: &mut [u8], length: usize) -> Option<usize> {
        let (mut read, mut write, mut reports) = (0, 0, 0_u8);
        while read < length {
            let (taken, _) = split(buffer.get(read..length)?)?;
            let size = taken.len();
            // Packets only move towards the front, into room that was read already.
            buffer.copy_within(read..read + size, write);
            let packet = buffer.get_mut(write..write + size)?;
            let kept = match *packet.get(1)? {
                SENDER_REPORT => self.sender_report(packet),
                RECEIVER_REPORT => self.report(packet, RECEIVER_HEADER),
                DESCRIPTION if reports > 0 => self.description(packet),
                _ => None,
            };
            write += kept.unwrap_or(0);
            reports = reports.saturating_add(u8::from(kept.is_some()));
            read += size;
        }
        (reports > 0).then_some(write)
    }

    fn sender_report(&self, packet: &mut [u8]) -> Option<usize> {
        let sending = self.sending.filter(|sending| word(packet, 4) == Some(sending.theirs))?;
        let timestamp = word(packet, 16)?;
        set_word(packet, 16, timestamp.wrapping_add(sending.timestamp_offset))?;
        set_word(packet, 20, sending.packets)?;
        set_word(packet, 24, sending.octets)?;
        self.report(packet, SENDER_HEADER)
    }

    /// Translates sender SSRC and report blocks, dropping blocks about streams that are not ours, and any extension.
    fn report(&self, packet: &mut [u8], header: usize) -> Option<usize> {
        let count = usize::from(packet.first()? & COUNT);
        if packet.len() < header + BLOCK * count {
            return None;
        }
        set_word(packet, 4, self.ssrc)?;
        let mut kept = 0;
        for index in 0..count {
            let (from, to) = (header + BLOCK * index, header + BLOCK * kept);
            let Some(receiving) =
                self.receiving.filter(|receiving| word(packet, from) == Some(receiving.ours))
            else {
                continue;
            };
            packet.copy_within(from..from + BLOCK, to);
            set_word(packet, to, receiving.theirs)?;
            set_word(packet, to + 8, receiving.their_sequence(word(packet, to + 8)?))?;
            kept += 1;
        }
        let size = header + BLOCK * kept;
        set_header(packet, u8::try_from(kept).ok()?, size)?;
        Some(size)
    }

    /// Keeps the first chunk's canonical name, as ours: one chunk with one item of the same length.
    fn description(&self, packet: &mut [u8]) -> Option<usize> {
        let (mut at, mut name_length) = (8, None);
        while name_length.is_none() {
            let (kind, length) = (*packet.get(at)?, usize::from(*packet.get(at + 1)?));
            if kind == END {
                return None;
            }
            packet.get(at + 2..at + 2 + length)?;
            name_length = (kind == CANONICAL_NAME).then_some(length);
            at += 2 + length;
        }
        let name_length = name_length?;
        set_word(packet, 4, self.ssrc)?;
        let item = packet.get_mut(8..)?;
        let (kind, rest) = item.split_first_mut()?;
        let (length, rest) = rest.split_first_mut()?;
        (*kind, *length) = (CANONICAL_NAME, u8::try_from(name_length).ok()?);
        let (name, end) = rest.split_at_mut_checked(name_length)?;
        name.iter_mut().zip(self.name.iter().cycle()).for_each(|(octet, own)| *octet = *own);
        // At least one null octet ends the chunk, and it ends on a word.
        let size = (10 + name_length + 1).next_multiple_of(4);
        end.get_mut(..size - 10 - name_length)?.fill(END);
        set_header(packet, 1, size)?;
        Some(size)
    }
}

/// Splits the first RTCP packet off; `None` when the header is not RTCP's or the length goes beyond the end.
fn split(datagram: &[u8]) -> Option<(&[u8], &[u8])> {
    let (&[first, kind, high, low], _) = datagram.split_first_chunk()?;
    let size = 4 * (usize::from(u16::from_be_bytes([high, low])) + 1);
    (first >> 6 == 2 && KINDS.contains(&kind)).then(|| datagram.split_at_checked(size))?
}

fn word(packet: &[u8], at: usize) -> Option<u32> {
    packet.get(at..)?.first_chunk().map(|word| u32::from_be_bytes(*word))
}

fn set_word(packet: &mut [u8], at: usize, value: u32) -> Option<()> {
    *packet.get_mut(at..)?.first_chunk_mut()? = value.to_be_bytes();
    Some(())
}

/// Sets count and length, and clears the padding bit.
fn set_header(packet: &mut [u8], count: u8, size: usize) -> Option<()> {
    let [first, _, high, low] = packet.first_chunk_mut()?;
    *first = 2 << 6 | count & COUNT;
    [*high, *low] = u16::try_from(size / 4 - 1).ok()?.to_be_bytes();
    Some(())
}

const SENDER_REPORT: u8 = 200;
const RECEIVER_REPORT: u8 = 201;
const DESCRIPTION: u8 = 202;
/// Packet types that a media port takes: SR, RR, SDES, BYE, APP, RTPFB, PSFB, XR and what RFC 5761 leaves room for.
const KINDS: std::ops::RangeInclusive<u8> = 192..=223;

const COUNT: u8 = 0x1F;
/// Octets of a report block.
const BLOCK: usize = 24;
/// Octets before the report blocks of a sender report.
const SENDER_HEADER: usize = 28;
/// Octets before the report blocks of a receiver report.
const RECEIVER_HEADER: usize = 8;
/// Item type that ends a chunk.
const END: u8 = 0;
const CANONICAL_NAME: u8 = 1;

#[cfg(test)]
mod tests;
