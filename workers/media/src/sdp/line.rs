//! A whole description: reading one with bounds, and writing ours (RFC 8866 section 5).

use std::net::IpAddr;

use bytes::Bytes;
use sdp_types::{Attribute, Connection, Origin, Session, Time};

use super::{
    audio::Audio,
    codec::Codec,
    direction::Direction,
    error::{SdpError, Unusable},
};
use crate::ports::PortPair;

/// A description that was received, reduced to what a relay needs of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Description {
    lines: Vec<Line>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Line {
    other: OtherLine,
    /// `None` when the media type is not audio.
    audio: Option<Result<Audio, Unusable>>,
}

/// An m-line that we do not use: repeated with port 0, so that the order of m-lines stays (RFC 3264 section 6).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OtherLine {
    /// Media type.
    pub media: Box<str>,
    /// Transport profile.
    pub protocol: Box<str>,
    /// Format list.
    pub formats: Box<str>,
}

/// Where we receive the media of one leg, as the peer is told; behind NAT the address is the advertised one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LocalMedia {
    /// Goes in `o=` and `c=`.
    pub address: IpAddr,
    /// Port of the m-line.
    pub rtp: u16,
    /// Told by `a=rtcp` only if it is not the next port (RFC 3605).
    pub rtcp: u16,
}

impl LocalMedia {
    /// Describes a reserved pair behind `address`.
    pub fn new(address: IpAddr, ports: PortPair) -> Self {
        Self { address, rtp: ports.rtp(), rtcp: ports.rtcp() }
    }
}

impl Description {
    /// Reads a body.
    ///
    /// # Errors
    /// [`SdpError`] when it is too large or not a session description; whether we can use it, [`Self::audio`] says.
    pub fn parse(body: &[u8]) -> Result<Self, SdpError> {
        if body.len() > MOST_OCTETS {
            return Err(SdpError::TooLong { length: body.len(), limit: MOST_OCTETS });
        }
        if body.iter().filter(|octet| **octet == b'\n').count() > MOST_LINES {
            return Err(SdpError::TooManyLines { limit: MOST_LINES });
        }
        // Old PBXs write names in Latin-1; we pass no free text on, so a replacement character does no harm.
        let text = String::from_utf8_lossy(body);
        let session = Session::parse(text.as_bytes()).map_err(|error| refusal(&error))?;
        let lines = session.medias.iter().map(|media| Line::read(&session, media)).collect();
        Ok(Self { lines })
    }

    /// Returns the first audio stream that we can use, and the position of its m-line.
    ///
    /// # Errors
    /// Why the first audio stream cannot be used, when none can.
    pub fn audio(&self) -> Result<(usize, &Audio), Unusable> {
        let mut problem = None;
        for (slot, line) in self.lines.iter().enumerate() {
            match &line.audio {
                Some(Ok(audio)) => return Ok((slot, audio)),
                Some(Err(unusable)) => problem = problem.or(Some(*unusable)),
                None => {}
            }
        }
        Err(problem.unwrap_or(Unusable::NoAudio))
    }

    /// Returns the audio stream at the position at which we offered it.
    ///
    /// # Errors
    /// Why the stream there cannot be used.
    pub(super) fn audio_at(&self, slot: usize) -> Result<&Audio, Unusable> {
        match self.lines.get(slot).map(|line| &line.audio) {
            Some(Some(Ok(audio))) => Ok(audio),
            Some(Some(Err(unusable))) => Err(*unusable),
            Some(None) | None => Err(Unusable::NoAudio),
        }
    }

    /// Returns the m-lines other than the one at `slot`, as those before and those after it.
    pub(super) fn others(&self, slot: usize) -> Slots {
        let other = |line: &Line| line.other.clone();
        Slots {
            before: self.lines.iter().take(slot).map(other).collect(),
            after: self.lines.iter().skip(slot + 1).map(other).collect(),
        }
    }
}

impl Line {
    fn read(session: &Session, media: &sdp_types::Media) -> Self {
        let audio = media.media.eq_ignore_ascii_case("audio").then(|| Audio::read(session, media));
        let text = |text: &str| Box::from(text);
        let other =
            OtherLine { media: text(&media.media), protocol: text(&media.proto), formats: text(&media.fmt) };
        Self { other, audio }
    }
}

/// The m-lines around ours; within a dialog they never get fewer nor change order (RFC 3264 section 8).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Slots {
    pub(super) before: Vec<OtherLine>,
    pub(super) after: Vec<OtherLine>,
}

impl Slots {
    /// Returns the position of our m-line.
    pub(super) fn audio(&self) -> usize {
        self.before.len()
    }
}

/// What we are about to write.
pub(super) struct Draft<'a> {
    pub(super) slots: &'a Slots,
    pub(super) protocol: &'a str,
    pub(super) codecs: &'a [&'a Codec],
    pub(super) direction: Direction,
    pub(super) ptime: Option<u16>,
    pub(super) max_ptime: Option<u16>,
}

impl Draft<'_> {
    /// Writes the description as version `version` of session `session_id`.
    pub(super) fn write(&self, session_id: u64, version: u64, local: &LocalMedia) -> Bytes {
        let mut session = Session::new(Origin::with_ip_addr(session_id, version, local.address), "-");
        session.set_connection(local.address);
        session.add_time(Time::new(0, 0));
        session.medias.extend(self.slots.before.iter().map(refused));
        session.medias.push(self.audio(local));
        session.medias.extend(self.slots.after.iter().map(refused));
        let mut body = Vec::with_capacity(512);
        session.write(&mut body).expect("writing to a vector cannot fail");
        Bytes::from(body)
    }

    fn audio(&self, local: &LocalMedia) -> sdp_types::Media {
        let formats: Vec<_> = self.codecs.iter().map(|codec| codec.payload.to_string()).collect();
        let mut media = line("audio", local.rtp, self.protocol, &formats.join(" "));
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

fn refused(other: &OtherLine) -> sdp_types::Media {
    line(&other.media, 0, &other.protocol, &other.formats)
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

/// Turns the parser's error into ours, keeping the line number.
fn refusal(error: &sdp_types::ParserError) -> SdpError {
    use sdp_types::ParserError as E;
    #[expect(
        deprecated,
        reason = "the parser's enum still has variants that it no longer returns; the match stays exhaustive"
    )]
    let line = match *error {
        E::UnexpectedLine(line, _)
        | E::InvalidLineFormat(line, _)
        | E::InvalidFieldEncoding(line, _)
        | E::InvalidFieldFormat(line, _)
        | E::MissingField(line, _)
        | E::FieldTrailingData(line, _)
        | E::InvalidVersion(line, _)
        | E::MultipleVersions(line)
        | E::MultipleOrigins(line)
        | E::MultipleSessionNames(line)
        | E::MultipleSessionDescription(line)
        | E::MultipleUris(line)
        | E::MultipleConnections(line)
        | E::MultipleTimeZones(line)
        | E::MultipleMediaTitles(line)
        | E::MultipleKeys(line)
        | E::RepeatWithoutTime(line) => line,
        E::NoVersion | E::NoOrigin | E::NoSessionName => 0,
    };
    SdpError::Line { line, problem: error.to_string() }
}

/// Octets of a description that we read; real ones have 200 to 2,000.
const MOST_OCTETS: usize = 16 * 1024;

/// Lines of a description that we read.
const MOST_LINES: usize = 512;

#[cfg(test)]
mod tests;
