//! Changes messages at random, by a seed: bits, bytes, pieces, and the characters that parsers trip over.

/// A source of mutations; the same seed gives the same ones.
pub(crate) struct Mutator {
    state: u64,
}

/// Pieces that have a meaning somewhere in a message.
const PIECES: &[&[u8]] = &[
    b"\r\n",
    b"\n",
    b"\r",
    b"\r\n ",
    b"\r\n\r\n",
    b"\"",
    b"\\",
    b"<",
    b">",
    b";",
    b",",
    b":",
    b"@",
    b"=",
    b"?",
    b"&",
    b"%",
    b"%00",
    b"[",
    b"]",
    b"(",
    b" ",
    b"\t",
    b"\0",
    b"\xff",
    b"\xc3\x28",
    b";tag=",
    b";branch=",
    b";rport",
    b";received=",
    b"*",
    b"0",
    b"-1",
    b"4294967296",
    b"sip:",
    b"SIP/2.0",
    b"Content-Length: ",
    b"Via: ",
    b"l:9999\r\n",
    b"\xe2\x80\xae",
];

impl Mutator {
    pub(crate) fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    /// A number below `bound` (SplitMix64).
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((mixed ^ (mixed >> 31)) % (bound.max(1) as u64)).unwrap_or(0)
    }

    /// A message with one to six changes.
    pub(crate) fn mutate(&mut self, bytes: &[u8]) -> Vec<u8> {
        let mut mutated = bytes.to_vec();
        for _ in 0..=self.below(6) {
            self.change(&mut mutated);
        }
        mutated
    }

    /// Bytes that are no message, of pieces that occur in messages.
    pub(crate) fn noise(&mut self, longest: usize) -> Vec<u8> {
        let length = self.below(longest);
        let mut noise = Vec::new();
        while noise.len() < length {
            if self.below(3) == 0 {
                noise.push(u8::try_from(self.below(256)).unwrap_or(0));
            } else {
                noise.extend_from_slice(PIECES[self.below(PIECES.len())]);
            }
        }
        noise
    }

    fn change(&mut self, bytes: &mut Vec<u8>) {
        let at = self.below(bytes.len() + 1);
        let to = (at + self.below(40)).min(bytes.len());
        match self.below(6) {
            0 if at < bytes.len() => bytes[at] ^= 1 << self.below(8),
            1 => {
                bytes.drain(at..to);
            }
            2 => {
                let copy = bytes[at..to].to_vec();
                let target = self.below(bytes.len() + 1);
                bytes.splice(target..target, copy);
            }
            3 => bytes.truncate(at.max(bytes.len() / 2)),
            _ => {
                let piece = PIECES[self.below(PIECES.len())];
                bytes.splice(at..at, piece.iter().copied());
            }
        }
    }
}
