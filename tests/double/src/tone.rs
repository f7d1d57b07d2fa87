//! Text as tones: one syllable a character, so that who is speaking can be heard by a person and read by a program.
//!
//! A syllable is 40 ms of two tones (one of eight low, one of eight high: 64 symbols) and 20 ms of silence. A sentence is
//! `START text check check END` and is repeated with a pause. All tones are multiples of 50 Hz: whole periods fit in a frame.

use std::f32::consts::TAU;

/// Samples in 20 ms at 8 kHz, the content of a packet.
pub const FRAME: usize = 160;

/// One packet of sound.
pub type Frame = [i16; FRAME];

/// The characters that can be said, by symbol; upper case is said as lower case, anything else as `?`.
pub const ALPHABET: &str = "0123456789abcdefghijklmnopqrstuvwxyz/@.+-_:;=,!?*#~%&'()$ ";

/// Begins a sentence.
pub const START: u8 = 63;

/// Ends a sentence.
pub const END: u8 = 62;

/// Number of tones in each group.
pub const TONES: usize = 8;

/// Frequency of a low tone in Hz.
#[must_use]
pub fn low(tone: usize) -> f32 {
    400.0 + 100.0 * tone as f32
}

/// Frequency of a high tone in Hz.
#[must_use]
pub fn high(tone: usize) -> f32 {
    1300.0 + 100.0 * tone as f32
}

/// Says a sentence over and over, frame by frame.
#[derive(Clone, Debug)]
pub struct Speaker {
    symbols: Vec<u8>,
    /// Frames until the end of the pause that stands in front of the sentence.
    at: usize,
}

impl Speaker {
    /// Begins with a short silence, while the way of the sound is set up.
    #[must_use]
    pub fn new(text: &str) -> Self {
        let text: Vec<u8> = text.chars().take(LONGEST).map(symbol).collect();
        let mut symbols = vec![START];
        symbols.extend(&text);
        symbols.extend(check(&text));
        symbols.push(END);
        Self { symbols, at: 0 }
    }

    /// Returns the next 20 ms.
    pub fn frame(&mut self) -> Frame {
        let sentence = self.symbols.len() * SYLLABLE;
        let at = self.at;
        self.at = (at + 1) % (LEAD + sentence + PAUSE);
        let spoken = at.checked_sub(LEAD).filter(|at| at % SYLLABLE < VOICED);
        let symbol = spoken.and_then(|at| self.symbols.get(at / SYLLABLE));
        symbol.map_or([0; FRAME], |symbol| sound(*symbol))
    }
}

/// Returns the symbol of a character.
fn symbol(character: char) -> u8 {
    let position = |wanted: char| ALPHABET.chars().position(|known| known == wanted);
    let found = position(character.to_ascii_lowercase()).or_else(|| position('?'));
    found.and_then(|at| u8::try_from(at).ok()).unwrap_or(0)
}

/// Returns the character of a symbol.
#[must_use]
pub fn character(symbol: u8) -> Option<char> {
    ALPHABET.chars().nth(symbol.into())
}

/// Two symbols that tell a sentence heard whole from one with a symbol lost or changed.
#[must_use]
pub fn check(text: &[u8]) -> [u8; 2] {
    let (mut sum, mut weighted) = (text.len() % 61, 7_usize);
    for symbol in text {
        sum = (sum + usize::from(*symbol)) % 61;
        weighted = (weighted * 3 + usize::from(*symbol)) % 59;
    }
    [sum, weighted].map(|value| u8::try_from(value).unwrap_or(0))
}

fn sound(symbol: u8) -> Frame {
    let (low, high) = (low(usize::from(symbol / 8) % TONES), high(usize::from(symbol) % TONES));
    std::array::from_fn(|at| {
        let phase = TAU * at as f32 / 8000.0;
        (AMPLITUDE * ((phase * low).sin() + (phase * high).sin())) as i16
    })
}

/// Frames of a syllable, and how many of them sound.
const SYLLABLE: usize = 3;
const VOICED: usize = 2;
/// Silent frames before and after a sentence.
const LEAD: usize = 5;
const PAUSE: usize = 10;
/// Characters of a sentence that are said.
pub const LONGEST: usize = 60;
const AMPLITUDE: f32 = 6000.0;
