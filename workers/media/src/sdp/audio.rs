//! Reads one audio m-line with what the session level adds to it: codecs, far address, direction.

use std::net::{IpAddr, SocketAddr};

use super::{codec::Codec, direction::Direction, error::Unusable};

/// An audio stream that we can relay, as its sender described it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Audio {
    /// Transport profile as written, `RTP/AVP` or `RTP/AVPF`.
    pub protocol: Box<str>,
    /// Formats in the order of the m-line; at least one of them is speech.
    pub codecs: Vec<Codec>,
    /// Where the sender of the description receives.
    pub remote: RemoteMedia,
    /// Its direction, seen by itself; an address of all zeros takes its receiving half away (RFC 3264 section 8.4).
    pub direction: Direction,
    /// `a=ptime`, in ms.
    pub ptime: Option<u16>,
    /// `a=maxptime`, in ms.
    pub max_ptime: Option<u16>,
    /// Whether it would take RTP and RTCP on one port (RFC 5761); answered without, so both ports stay in use.
    pub rtcp_mux: bool,
}

/// Where a far end receives RTP and RTCP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RemoteMedia {
    /// Address of the m-line and its c-line.
    pub rtp: SocketAddr,
    /// The next port, or what `a=rtcp` says (RFC 3605).
    pub rtcp: SocketAddr,
}

impl Audio {
    /// Reads an m-line whose media type is audio.
    pub(super) fn read(session: &sdp_types::Session, media: &sdp_types::Media) -> Result<Self, Unusable> {
        if media.port == 0 {
            return Err(Unusable::PortZero);
        }
        check_profile(&media.proto)?;
        let address = connection_address(session, media)?;
        let mut direction = direction(session, media);
        if address.is_unspecified() {
            direction = direction.and(Direction::SendOnly);
        }
        Ok(Self {
            protocol: Box::from(media.proto.as_str()),
            codecs: codecs(media)?,
            remote: RemoteMedia {
                rtp: SocketAddr::new(address, media.port),
                rtcp: rtcp_address(media, address),
            },
            direction,
            ptime: milliseconds(media, "ptime"),
            max_ptime: milliseconds(media, "maxptime"),
            rtcp_mux: media.has_attribute("rtcp-mux"),
        })
    }
}

fn check_profile(protocol: &str) -> Result<(), Unusable> {
    let is = |name: &&str| protocol.eq_ignore_ascii_case(name);
    if ["RTP/AVP", "RTP/AVPF"].iter().any(is) {
        Ok(())
    } else if ["RTP/SAVP", "RTP/SAVPF", "UDP/TLS/RTP/SAVP", "UDP/TLS/RTP/SAVPF"].iter().any(is) {
        Err(Unusable::Secure)
    } else {
        Err(Unusable::Profile)
    }
}

/// Reads the media's own c-line, else the session's.
pub(super) fn connection_address(
    session: &sdp_types::Session,
    media: &sdp_types::Media,
) -> Result<IpAddr, Unusable> {
    let connection = media.connections.first().or(session.connection.as_ref()).ok_or(Unusable::NoAddress)?;
    if connection.nettype != sdp_types::NetType::In {
        return Err(Unusable::AddressNotNumeric);
    }
    let address = numeric(&connection.connection_address).ok_or(Unusable::AddressNotNumeric)?;
    if address.is_multicast() { Err(Unusable::Multicast) } else { Ok(address) }
}

/// Reads `a=rtcp` (RFC 3605), else takes the port after RTP's.
fn rtcp_address(media: &sdp_types::Media, address: IpAddr) -> SocketAddr {
    let next = SocketAddr::new(address, media.port.saturating_add(1));
    let Some(Some(value)) = media.get_first_attribute_value("rtcp") else { return next };
    let mut fields = value.split_ascii_whitespace();
    let Some(port) = fields.next().and_then(|port| port.parse().ok()).filter(|port| *port != 0) else {
        return next;
    };
    let own = fields.nth(2).and_then(numeric).filter(|own| !own.is_multicast());
    SocketAddr::new(own.unwrap_or(address), port)
}

fn direction(session: &sdp_types::Session, media: &sdp_types::Media) -> Direction {
    let first = |attributes: &[sdp_types::Attribute]| {
        attributes.iter().find_map(|attribute| Direction::from_attribute(&attribute.attribute))
    };
    first(&media.attributes).or_else(|| first(&session.attributes)).unwrap_or_default()
}

fn codecs(media: &sdp_types::Media) -> Result<Vec<Codec>, Unusable> {
    let mut codecs: Vec<Codec> = Vec::new();
    for format in media.fmt.split_ascii_whitespace() {
        if let Ok(payload) = format.parse::<u8>()
            && payload < 128
            && codecs.len() < MOST_FORMATS
            && !codecs.iter().any(|codec| codec.payload == payload)
        {
            codecs.push(Codec::of_payload(payload));
        }
    }
    for attribute in &media.attributes {
        let name = attribute.attribute.as_str();
        let Some((number, rest)) = attribute.value.as_deref().and_then(|value| value.trim().split_once(' '))
        else {
            continue;
        };
        let Some(codec) = number
            .parse()
            .ok()
            .and_then(|payload: u8| codecs.iter_mut().find(|codec| codec.payload == payload))
        else {
            continue;
        };
        if name.eq_ignore_ascii_case("rtpmap") {
            codec.apply_map(rest);
        } else if name.eq_ignore_ascii_case("fmtp") && codec.parameters.is_none() {
            codec.parameters = Some(Box::from(rest.trim()));
        }
    }
    if codecs.iter().any(Codec::is_speech) { Ok(codecs) } else { Err(Unusable::NoCodec) }
}

fn milliseconds(media: &sdp_types::Media, name: &str) -> Option<u16> {
    media.get_first_attribute_value(name)??.trim().parse().ok().filter(|value| *value != 0)
}

/// Reads an IP address, with or without a `/ttl` suffix.
fn numeric(text: &str) -> Option<IpAddr> {
    text.split('/').next()?.parse().ok()
}

/// Formats of one m-line that are read; the rest is as if not offered.
const MOST_FORMATS: usize = 32;
