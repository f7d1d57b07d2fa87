//! Reading descriptions: what is used, what is refused and why, what bounds hold.

use std::net::SocketAddr;

use proptest::prelude::*;

use super::{
    super::samples::{AUDIO_THEN_FAX, BARESIP, EXCHANGE, IPV6, PLAIN_AUDIO_THIRD, SIPP, varied},
    *,
};
use crate::sdp::Direction;

const CONNECTION: &str = "c=IN IP4 192.0.2.1\r\n";

fn audio(body: &str) -> (usize, Audio) {
    let description = Description::parse(body.as_bytes()).unwrap();
    let (slot, audio) = description.audio().unwrap();
    (slot, audio.clone())
}

fn unusable(body: &str) -> Unusable {
    Description::parse(body.as_bytes()).unwrap().audio().unwrap_err()
}

fn address(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

#[test]
fn reads_descriptions_of_real_devices() {
    let cases = [
        // body, slot, RTP, RTCP, payload types, direction
        (SIPP, 0, "127.0.0.1:6000", "127.0.0.1:6001", &[0][..], Direction::SendRecv),
        (BARESIP, 0, "192.0.2.20:10030", "192.0.2.20:10031", &[96, 9, 8, 0, 97], Direction::SendRecv),
        (EXCHANGE, 0, "192.0.2.51:24632", "192.0.2.51:24633", &[0, 101], Direction::SendRecv),
        (AUDIO_THEN_FAX, 0, "198.51.100.1:4000", "198.51.100.1:4001", &[8, 0, 18, 101], Direction::SendRecv),
        (PLAIN_AUDIO_THIRD, 2, "192.0.2.1:5004", "192.0.2.1:5005", &[0, 8], Direction::SendRecv),
        (IPV6, 0, "[2001:db8::2]:7000", "[2001:db8::3]:9001", &[8], Direction::SendOnly),
    ];
    for (body, slot, rtp, rtcp, payloads, direction) in cases {
        let (found, audio) = audio(body);
        assert_eq!(found, slot, "{body}");
        assert_eq!((audio.remote.rtp, audio.remote.rtcp), (address(rtp), address(rtcp)), "{body}");
        assert_eq!(audio.codecs.iter().map(|codec| codec.payload).collect::<Vec<_>>(), payloads, "{body}");
        assert_eq!(audio.direction, direction, "{body}");
    }
    assert!(audio(BARESIP).1.rtcp_mux);
    assert_eq!(audio(BARESIP).1.ptime, Some(20));
    assert_eq!(audio(AUDIO_THEN_FAX).1.max_ptime, Some(30));
}

#[test]
fn says_why_a_stream_cannot_be_used() {
    let plain = "m=audio 4000 RTP/AVP 0";
    let cases = [
        (CONNECTION, "m=audio 4000 RTP/SAVP 0", Unusable::Secure),
        (CONNECTION, "m=audio 4000 UDP/TLS/RTP/SAVPF 0", Unusable::Secure),
        (CONNECTION, "m=audio 4000 TCP/MRCPv2 1", Unusable::Profile),
        (CONNECTION, "m=audio 0 RTP/AVP 0", Unusable::PortZero),
        (CONNECTION, "m=image 4000 udptl t38", Unusable::NoAudio),
        (CONNECTION, "m=audio 4000 RTP/AVP 13", Unusable::NoCodec),
        (CONNECTION, "m=audio 4000 RTP/AVP 300 x", Unusable::NoCodec),
        ("", plain, Unusable::NoAddress),
        ("c=IN IP4 pbx.example.com\r\n", plain, Unusable::AddressNotNumeric),
        ("c=ATM NSAP 47\r\n", plain, Unusable::AddressNotNumeric),
        ("c=IN IP4 224.2.1.1/127\r\n", plain, Unusable::Multicast),
    ];
    for (connection, media, reason) in cases {
        assert_eq!(unusable(&varied(connection, media, "")), reason, "{connection}{media}");
    }
}

#[test]
fn an_address_of_zeros_means_hold() {
    for (attribute, direction) in [("", Direction::SendOnly), ("a=recvonly\r\n", Direction::Inactive)] {
        let body = varied("c=IN IP4 0.0.0.0\r\n", "m=audio 4000 RTP/AVP 0", attribute);
        assert_eq!(audio(&body).1.direction, direction);
    }
}

#[test]
fn direction_of_the_session_holds_where_the_media_says_nothing() {
    let body = varied(&format!("{CONNECTION}a=inactive\r\n"), "m=audio 4000 RTP/AVP 0", "");
    assert_eq!(audio(&body).1.direction, Direction::Inactive);
    let body = varied(&format!("{CONNECTION}a=inactive\r\n"), "m=audio 4000 RTP/AVP 0", "a=recvonly\r\n");
    assert_eq!(audio(&body).1.direction, Direction::RecvOnly);
}

#[test]
fn errors_name_the_line() {
    let line = |body: &str| match Description::parse(body.as_bytes()) {
        Err(SdpError::Line { line, .. }) => line,
        other => panic!("{other:?}"),
    };
    assert_eq!(line("v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nt=0 0\r\nm=audio x RTP/AVP 0\r\n"), 5);
    assert_eq!(line("v=0\r\no=- 1\r\ns=-\r\n"), 2);
    assert_eq!(line("v=1\r\n"), 1);
    assert_eq!(line(""), 0);
    assert_eq!(line("hello"), 1);
}

#[test]
fn bodies_are_bounded() {
    let long = format!("{SIPP}a=x:{}\r\n", "y".repeat(MOST_OCTETS));
    assert!(matches!(Description::parse(long.as_bytes()), Err(SdpError::TooLong { .. })));
    let many = format!("{SIPP}{}", "a=x\r\n".repeat(MOST_LINES));
    assert!(matches!(Description::parse(many.as_bytes()), Err(SdpError::TooManyLines { .. })));
    let formats: Vec<_> = (0..128).map(|payload: u8| payload.to_string()).collect();
    let body = varied(CONNECTION, &format!("m=audio 4000 RTP/AVP {}", formats.join(" ")), "");
    assert_eq!(audio(&body).1.codecs.len(), 32);
}

#[test]
fn text_that_is_not_utf8_does_no_harm() {
    let mut body =
        b"v=0\r\no=Z\xFCrich 1 1 IN IP4 192.0.2.1\r\ns=B\xFCro\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n".to_vec();
    body.extend(b"m=audio 4000 RTP/AVP 0\r\n");
    assert!(Description::parse(&body).unwrap().audio().is_ok());
}

proptest! {
    #[test]
    fn garbage_never_panics(body in proptest::collection::vec(any::<u8>(), 0..400)) {
        let _ = Description::parse(&body).map(|description| description.audio().is_ok());
    }

    #[test]
    fn damaged_descriptions_never_panic(
        sample in proptest::sample::select(vec![SIPP, BARESIP, EXCHANGE, AUDIO_THEN_FAX, PLAIN_AUDIO_THIRD, IPV6]),
        damage in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
    ) {
        let mut body = sample.as_bytes().to_vec();
        for (index, octet) in damage {
            let index = index.index(body.len());
            body[index] = octet;
        }
        let _ = Description::parse(&body).map(|description| description.audio().is_ok());
    }
}
