//! What we can send on a leg by ourselves, beside what we relay: telephone events and silence.

use super::answer::AgreedCodec;
use crate::command::{Own, Silence};

/// Returns what the agreed codecs let us send; the first speech codec is the one whose silence we know, or not.
pub(super) fn own(codecs: &[AgreedCodec]) -> Own {
    let named = |codec: &AgreedCodec, name: &str| {
        codec.call.name.as_deref().is_some_and(|own| own.eq_ignore_ascii_case(name))
    };
    let speech = codecs.iter().find(|codec| codec.call.is_speech());
    let rate = speech.map_or(8000, |codec| codec.call.clock_rate);
    // Of several the one on the clock of the speech (RFC 4733 section 2.4).
    let events = codecs
        .iter()
        .find(|codec| named(codec, "telephone-event") && codec.call.clock_rate == rate)
        .map(|codec| codec.leg.payload);
    let samples = |octet, codec: &AgreedCodec| Silence { payload: codec.leg.payload, octet, octets: 160 };
    let noise = codecs.iter().find(|codec| named(codec, "CN") && codec.call.clock_rate == rate);
    let silence = match (speech, noise) {
        (Some(codec), _) if named(codec, "PCMU") => Some(samples(0xFF, codec)),
        (Some(codec), _) if named(codec, "PCMA") => Some(samples(0xD5, codec)),
        // One octet: the level of the noise below overload (RFC 3389 section 3.1).
        (_, Some(codec)) => Some(Silence { payload: codec.leg.payload, octet: 78, octets: 1 }),
        (_, None) => None,
    };
    Own { events, silence }
}
