//! A whole description, read with bounds (RFC 8866 section 5); ours are written in `draft.rs`.

use std::net::IpAddr;

use sdp_types::Session;

use super::{
    audio::Audio,
    error::{SdpError, Unusable},
    image::Image,
    lines::{Kind, Lines, OtherLine},
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
    /// `None` when the media type is neither audio nor image.
    stream: Option<Result<Stream, Unusable>>,
}

/// A stream that we can relay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stream {
    /// Audio over RTP.
    Audio(Audio),
    /// Fax over UDPTL.
    Image(Image),
}

impl Stream {
    /// Returns what it is.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Audio(_) => Kind::Audio,
            Self::Image(_) => Kind::Image,
        }
    }
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
            match &line.stream {
                Some(Ok(Stream::Audio(audio))) => return Ok((slot, audio)),
                Some(Err(unusable)) if line.is(Kind::Audio) => problem = problem.or(Some(*unusable)),
                Some(Ok(Stream::Image(_)) | Err(_)) | None => {}
            }
        }
        Err(problem.unwrap_or(Unusable::NoAudio))
    }

    /// Returns the stream that an offer is about, and its position: audio at `before`, where it was, else any audio, else a fax.
    ///
    /// # Errors
    /// As [`Self::audio`].
    pub(super) fn stream(&self, before: Option<usize>) -> Result<(usize, Stream), Unusable> {
        let held = before.and_then(|slot| Some((slot, self.audio_line(slot)?)));
        let audio = held.map_or_else(|| self.audio(), Ok);
        audio.map(|(slot, audio)| (slot, Stream::Audio(audio.clone()))).or_else(|unusable| {
            let images = self.lines.iter().enumerate().filter_map(|(slot, line)| match &line.stream {
                Some(Ok(Stream::Image(image))) => Some((slot, Stream::Image(image.clone()))),
                Some(Ok(Stream::Audio(_)) | Err(_)) | None => None,
            });
            images.into_iter().next().ok_or(unusable)
        })
    }

    /// Returns the stream at the position at which we offered one of this kind.
    ///
    /// # Errors
    /// Why the stream there cannot be used.
    pub(super) fn stream_at(&self, slot: usize, kind: Kind) -> Result<&Stream, Unusable> {
        match self.lines.get(slot).map(|line| &line.stream) {
            Some(Some(Ok(stream))) if stream.kind() == kind => Ok(stream),
            Some(Some(Err(unusable))) => Err(*unusable),
            Some(Some(Ok(_)) | None) | None => Err(Unusable::NoAudio),
        }
    }

    /// Returns all m-lines, of which the one at `active` is ours.
    pub(super) fn lines(&self, active: usize) -> Lines {
        Lines::new(self.lines.iter().map(|line| line.other.clone()).collect(), active)
    }

    fn audio_line(&self, slot: usize) -> Option<&Audio> {
        match &self.lines.get(slot)?.stream {
            Some(Ok(Stream::Audio(audio))) => Some(audio),
            Some(Ok(Stream::Image(_)) | Err(_)) | None => None,
        }
    }
}

impl Line {
    fn read(session: &Session, media: &sdp_types::Media) -> Self {
        let text = |text: &str| Box::from(text);
        let other =
            OtherLine { media: text(&media.media), protocol: text(&media.proto), formats: text(&media.fmt) };
        let mut line = Self { other, stream: None };
        if line.is(Kind::Audio) {
            line.stream = Some(Audio::read(session, media).map(Stream::Audio));
        } else if line.is(Kind::Image) {
            line.stream = Some(Image::read(session, media).map(Stream::Image));
        }
        line
    }

    fn is(&self, kind: Kind) -> bool {
        self.other.media.eq_ignore_ascii_case(kind.as_str())
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
