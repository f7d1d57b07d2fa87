//! The media half of one call: a pair of ports, the session description, and the voice that follows from it.

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Instant,
};

use bytes::Bytes;
use um_media::{
    Direction, LocalMedia, Negotiation, PortPair,
    sdp::{AgreedCodec, Agreement, AudioAgreement, Codec, Kinship, Proposal},
};

use crate::{
    g711::Law,
    voice::{Packets, Settled, Voice},
};

/// Media of one call.
#[derive(Debug)]
pub(crate) struct Audio {
    negotiation: Negotiation,
    ports: PortPair,
    local: SocketAddr,
    says: String,
    ssrc: u32,
    voice: Option<Voice>,
}

impl Audio {
    /// Makes the media of a call that is not agreed on yet; `number` makes session id and SSRC.
    pub(crate) fn new(address: IpAddr, ports: PortPair, says: String, number: u64) -> Self {
        let mixed = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let [a, b, c, d, ..] = mixed.to_be_bytes();
        Self {
            negotiation: Negotiation::new(mixed, LocalMedia::new(address, ports)),
            ports,
            local: SocketAddr::new(address, ports.rtp()),
            says,
            ssrc: u32::from_be_bytes([a, b, c, d]),
            voice: None,
        }
    }

    /// Answers an offer with the first G.711 in it and telephone events, and starts or changes the voice.
    ///
    /// # Errors
    /// Why the offer cannot be used, in words.
    pub(crate) fn answer(&mut self, now: Instant, offer: &[u8]) -> Result<Bytes, String> {
        self.negotiation.handle_offer(offer).map_err(|error| error.to_string())?;
        let answered = self
            .agreement()
            .and_then(|agreement| self.negotiation.answer(&agreement).map_err(|error| error.to_string()));
        match answered {
            Ok(answer) => {
                self.settle(now)?;
                Ok(answer.body)
            }
            Err(error) => {
                self.negotiation.reject_offer();
                Err(error)
            }
        }
    }

    /// Writes our offer.
    pub(crate) fn offer(&mut self) -> Result<Bytes, String> {
        self.negotiation.offer(&Proposal::telephony()).map_err(|error| error.to_string())
    }

    /// Takes the answer to our offer, and starts or changes the voice.
    ///
    /// # Errors
    /// Why the answer cannot be used, in words.
    pub(crate) fn on_answer(&mut self, now: Instant, answer: &[u8]) -> Result<(), String> {
        let agreement = self.negotiation.handle_answer(answer).map_err(|error| error.to_string())?;
        if agreement.kinship() == Kinship::Foreign {
            return Err("the answer has no codec of the offer".into());
        }
        self.settle(now)
    }

    pub(crate) fn local(&self) -> SocketAddr {
        self.local
    }

    pub(crate) fn ports(&self) -> PortPair {
        self.ports
    }

    pub(crate) fn voice_mut(&mut self) -> Option<&mut Voice> {
        self.voice.as_mut()
    }

    pub(crate) fn packets(&self) -> Packets {
        self.voice.as_ref().map(Voice::packets).unwrap_or_default()
    }

    pub(crate) fn heard(&self) -> Vec<String> {
        self.voice.as_ref().map(|voice| voice.listener().heard().to_vec()).unwrap_or_default()
    }

    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        self.voice.as_ref().map(Voice::poll_timeout)
    }

    fn agreement(&self) -> Result<Agreement, String> {
        let proposal = self.negotiation.proposal().ok_or("there is no offer")?;
        let speech =
            proposal.codecs().iter().find(|codec| law(codec).is_some()).ok_or("the offer has no G.711")?;
        let events = proposal.codecs().iter().find(|codec| is_events(codec));
        let accepted = [Some(speech), events].into_iter().flatten();
        Ok(Agreement::Audio(AudioAgreement {
            kinship: Kinship::Common,
            codecs: accepted.map(|codec| AgreedCodec { call: codec.clone(), leg: codec.clone() }).collect(),
            remote: um_media::RemoteMedia { rtp: self.local, rtcp: self.local },
            direction: Direction::SendRecv,
            ptime: Some(20),
            max_ptime: None,
        }))
    }

    fn settle(&mut self, now: Instant) -> Result<(), String> {
        let remote = self.negotiation.remote(self.local.ip(), Arc::from([])).ok_or("nothing is agreed")?;
        let speech = self.negotiation.codecs().iter().find_map(|codec| Some((law(&codec.call)?, &codec.leg)));
        let (law, codec) = speech.ok_or("no G.711 is agreed")?;
        let settled = Settled {
            law,
            payload_type: codec.payload,
            remote: remote.media.rtp,
            muted: !remote.direction.sends() || remote.media.rtp.ip().is_unspecified(),
        };
        match &mut self.voice {
            Some(voice) => voice.change(settled),
            None => self.voice = Some(Voice::new(now, settled, &self.says, self.ssrc)),
        }
        Ok(())
    }
}

fn law(codec: &Codec) -> Option<Law> {
    codec.name.as_deref().and_then(Law::from_name).filter(|_| codec.clock_rate == 8000)
}

fn is_events(codec: &Codec) -> bool {
    codec.name.as_deref().is_some_and(|name| name.eq_ignore_ascii_case("telephone-event"))
}
