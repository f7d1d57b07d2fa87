//! Writes our descriptions (RFC 8866 section 5).

use bytes::Bytes;
use sdp_types::{Attribute, Connection, Origin, Session, Time};

use super::{
    codec::Codec,
    description::LocalMedia,
    direction::Direction,
    image::ImageTerms,
    lines::{Kind, Lines, OtherLine},
};

/// What we are about to write.
pub(super) struct Draft<'a> {
    pub(super) lines: &'a Lines,
    pub(super) stream: Sketch<'a>,
}

/// The stream in it.
pub(super) enum Sketch<'a> {
    Audio(AudioSketch<'a>),
    Image(&'a ImageTerms),
    /// None: every line is refused.
    Nothing,
}

/// An audio stream.
pub(super) struct AudioSketch<'a> {
    pub(super) protocol: &'a str,
    pub(super) codecs: &'a [&'a Codec],
    pub(super) direction: Direction,
    pub(super) ptime: Option<u16>,
    pub(super) max_ptime: Option<u16>,
}

impl Sketch<'_> {
    /// Returns its m-line, as it is repeated once it is refused; `None` when there is no stream.
    pub(super) fn line(&self) -> Option<OtherLine> {
        match self {
            Self::Audio(audio) => Some(OtherLine {
                media: Box::from(Kind::Audio.as_str()),
                protocol: Box::from(audio.protocol),
                formats: Box::from(audio.formats()),
            }),
            Self::Image(terms) => Some(OtherLine {
                media: Box::from(Kind::Image.as_str()),
                protocol: terms.protocol.clone(),
                formats: terms.formats.clone(),
            }),
            Self::Nothing => None,
        }
    }
}

impl Draft<'_> {
    /// Writes the description as version `version` of session `session_id`.
    pub(super) fn write(&self, session_id: u64, version: u64, local: &LocalMedia) -> Bytes {
        let mut session = Session::new(Origin::with_ip_addr(session_id, version, local.address), "-");
        session.set_connection(local.address);
        session.add_time(Time::new(0, 0));
        for (slot, other) in self.lines.list().iter().enumerate() {
            session.medias.push(match &self.stream {
                Sketch::Audio(audio) if slot == self.lines.active() => audio.write(local),
                Sketch::Image(terms) if slot == self.lines.active() => image(terms, local),
                Sketch::Audio(_) | Sketch::Image(_) | Sketch::Nothing => {
                    line(&other.media, 0, &other.protocol, &other.formats)
                }
            });
        }
        let mut body = Vec::with_capacity(512);
        session.write(&mut body).expect("writing to a vector cannot fail");
        Bytes::from(body)
    }
}

impl AudioSketch<'_> {
    fn formats(&self) -> String {
        let formats: Vec<_> = self.codecs.iter().map(|codec| codec.payload.to_string()).collect();
        formats.join(" ")
    }

    fn write(&self, local: &LocalMedia) -> sdp_types::Media {
        let mut media = line(Kind::Audio.as_str(), local.rtp, self.protocol, &self.formats());
        if local.rtcp != local.rtp.wrapping_add(1) {
            let address = Connection::from_ip_addr(local.address);
            let (kind, address) = (address.addrtype.as_str(), &address.connection_address);
            media.add_attribute_with_value("rtcp", format!("{} IN {kind} {address}", local.rtcp));
        }
        for codec in self.codecs {
            if let Some(map) = codec.map_line() {
                media.add_attribute_with_value("rtpmap", map);
            }
            if let Some(parameters) = &codec.parameters {
                media.add_attribute_with_value("fmtp", format!("{} {parameters}", codec.payload));
            }
        }
        if let Some(ptime) = self.ptime {
            media.add_attribute_with_value("ptime", ptime);
        }
        if let Some(max_ptime) = self.max_ptime {
            media.add_attribute_with_value("maxptime", max_ptime);
        }
        media.add_attribute(Attribute::new(self.direction.as_str()));
        media
    }
}

fn image(terms: &ImageTerms, local: &LocalMedia) -> sdp_types::Media {
    let mut media = line(Kind::Image.as_str(), local.rtp, &terms.protocol, &terms.formats);
    for (name, value) in &terms.attributes {
        match value {
            Some(value) => media.add_attribute_with_value(name, value),
            None => media.add_attribute(Attribute::new(name)),
        }
    }
    media
}

fn line(media: &str, port: u16, protocol: &str, formats: &str) -> sdp_types::Media {
    sdp_types::Media {
        media: media.to_owned(),
        port,
        num_ports: None,
        proto: protocol.to_owned(),
        fmt: formats.to_owned(),
        media_title: None,
        connections: Vec::new(),
        bandwidths: Vec::new(),
        key: None,
        attributes: Vec::new(),
    }
}
