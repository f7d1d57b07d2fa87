//! Tones back to text: what [`crate::tone::Speaker`] said, whatever was lost on the way.
//!
//! A sentence counts only if its check symbols are right; a lost packet spoils one sentence, the next is heard again.

use std::f32::consts::TAU;

use crate::tone::{self, END, FRAME, LONGEST, START, TONES};

/// Listens to one stream.
#[derive(Clone, Debug, Default)]
pub struct Listener {
    block: Vec<i16>,
    /// The symbol that sounds just now.
    sounding: Option<u8>,
    /// Symbols since the last `START`.
    sentence: Option<Vec<u8>>,
    heard: Vec<String>,
    sentences: u64,
    spoilt: u64,
}

impl Listener {
    /// Takes samples, of any number.
    pub fn hear(&mut self, samples: impl IntoIterator<Item = i16>) {
        for sample in samples {
            self.block.push(sample);
            if self.block.len() == FRAME {
                let sound = classify(&self.block);
                self.block.clear();
                self.on_sound(sound);
            }
        }
    }

    /// Returns the different sentences heard, the first one first; at most [`MOST_SENTENCES`].
    #[must_use]
    pub fn heard(&self) -> &[String] {
        &self.heard
    }

    /// Returns how many sentences were heard whole.
    #[must_use]
    pub fn sentences(&self) -> u64 {
        self.sentences
    }

    /// Returns how many sentences came to their end and were not whole.
    #[must_use]
    pub fn spoilt(&self) -> u64 {
        self.spoilt
    }

    fn on_sound(&mut self, sound: Sound) {
        match sound {
            Sound::Silence => self.sounding = None,
            Sound::Noise => {}
            Sound::Symbol(symbol) if self.sounding == Some(symbol) => {}
            Sound::Symbol(symbol) => {
                self.sounding = Some(symbol);
                self.on_symbol(symbol);
            }
        }
    }

    fn on_symbol(&mut self, symbol: u8) {
        match symbol {
            START => self.sentence = Some(Vec::new()),
            END => {
                if let Some(sentence) = self.sentence.take() {
                    self.on_sentence(&sentence);
                }
            }
            _ => {
                let sentence = self.sentence.take().filter(|sentence| sentence.len() < LONGEST + 2);
                self.sentence = sentence.map(|mut sentence| {
                    sentence.push(symbol);
                    sentence
                });
            }
        }
    }

    fn on_sentence(&mut self, sentence: &[u8]) {
        let Some((text, found)) = sentence.split_last_chunk::<2>() else { return self.spoilt += 1 };
        let text_heard: Option<String> = text.iter().map(|symbol| tone::character(*symbol)).collect();
        let Some(text_heard) = text_heard.filter(|_| tone::check(text) == *found) else {
            return self.spoilt += 1;
        };
        self.sentences += 1;
        if self.heard.len() < MOST_SENTENCES && !self.heard.contains(&text_heard) {
            self.heard.push(text_heard);
        }
    }
}

enum Sound {
    Silence,
    Noise,
    Symbol(u8),
}

fn classify(block: &[i16]) -> Sound {
    let energy: f32 = block.iter().map(|sample| f32::from(*sample).powi(2)).sum();
    if energy < (FRAME as f32) * QUIET * QUIET {
        return Sound::Silence;
    }
    let (low, low_power) = strongest(block, tone::low);
    let (high, high_power) = strongest(block, tone::high);
    // A sine of its own has power N/2 times its energy.
    let whole = energy * FRAME as f32 / 2.0;
    let is_pair = low_power > whole * EACH && high_power > whole * EACH;
    match u8::try_from(low * TONES + high) {
        Ok(symbol) if is_pair => Sound::Symbol(symbol),
        Ok(_) | Err(_) => Sound::Noise,
    }
}

/// Returns the strongest tone of a group and its power (Goertzel).
fn strongest(block: &[i16], frequency: fn(usize) -> f32) -> (usize, f32) {
    let power = |tone: usize| {
        let coefficient = 2.0 * (TAU * frequency(tone) / 8000.0).cos();
        let (mut last, mut before) = (0.0, 0.0);
        for sample in block {
            (last, before) = (f32::from(*sample) + coefficient * last - before, last);
        }
        last * last + before * before - coefficient * last * before
    };
    let powers = (0..TONES).map(|tone| (tone, power(tone)));
    powers.max_by(|(_, a), (_, b)| a.total_cmp(b)).unwrap_or((0, 0.0))
}

/// Different sentences that are kept of one stream: more than two can only come of mixed-up calls.
pub const MOST_SENTENCES: usize = 8;

/// Level below which it is silent.
const QUIET: f32 = 150.0;
/// Least part of the power that each of the two tones must have.
const EACH: f32 = 0.3;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{g711::Law, tone::Speaker};

    fn say(text: &str, law: Law, lost: impl Fn(usize) -> bool) -> Listener {
        let (mut speaker, mut listener) = (Speaker::new(text), Listener::default());
        for frame in
            (0..250).map(|at| (at, speaker.frame())).filter(|(at, _)| !lost(*at)).map(|(_, frame)| frame)
        {
            listener.hear(frame.map(|sample| law.decode(law.encode(sample))));
        }
        listener
    }

    #[test]
    fn hears_what_was_said_in_both_laws() {
        for law in [Law::Pcmu, Law::Pcma] {
            for text in ["um1/6000/2001/a", "um2/6000/lee@example.com/a", "", "00000011111", "~%&'()$ "] {
                assert_eq!(say(text, law, |_| false).heard(), [text]);
            }
        }
    }

    #[test]
    fn every_character_has_its_own_sound() {
        for (at, character) in tone::ALPHABET.chars().enumerate() {
            assert_eq!(tone::character(u8::try_from(at).unwrap()), Some(character));
            assert_eq!(say(&character.to_string(), Law::Pcma, |_| false).heard(), [character.to_string()]);
        }
        assert!(tone::ALPHABET.len() <= usize::from(END));
    }

    #[test]
    fn one_lost_packet_spoils_one_sentence_at_most() {
        for lost in 0..70 {
            let listener = say("um1/6000/2001/a", Law::Pcmu, |at| at == lost);
            assert_eq!(listener.heard(), ["um1/6000/2001/a"], "without packet {lost}");
        }
    }

    #[test]
    fn silence_and_noise_say_nothing() {
        let mut listener = Listener::default();
        listener.hear([0; 16_000]);
        listener.hear((0..16_000_i32).map(|at| (at.wrapping_mul(1_103_515_245) >> 16) as i16));
        assert!(listener.heard().is_empty());
    }
}
