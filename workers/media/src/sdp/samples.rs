//! Descriptions as devices write them, for the tests of this module.

/// What SIPp's built-in `uac` scenario sends.
pub(super) const SIPP: &str = "v=0\r\no=user1 53655765 2353687637 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n\
    m=audio 6000 RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\n";

/// What baresip sends: multiplexing offered, RTCP told apart, many formats.
pub(super) const BARESIP: &str = "v=0\r\no=- 3264812932 1207441243 IN IP4 192.0.2.20\r\ns=-\r\nc=IN IP4 192.0.2.20\r\nt=0 0\r\na=tool:baresip 3.20.0\r\n\
    m=audio 10030 RTP/AVP 96 9 8 0 97\r\nb=AS:125\r\na=rtpmap:96 opus/48000/2\r\na=fmtp:96 stereo=1;sprop-stereo=1\r\n\
    a=rtpmap:9 G722/8000\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:97 telephone-event/8000\r\n\
    a=fmtp:97 0-15\r\na=rtcp:10031\r\na=rtcp-mux\r\na=ssrc:3011587431 cname:sip:a@192.0.2.20\r\na=sendrecv\r\n\
    a=label:1\r\na=rtcp-rsize\r\na=minptime:10\r\na=ptime:20\r\n";

/// An answer in the style of an Exchange UM server.
pub(super) const EXCHANGE: &str = "v=0\r\no=- 0 0 IN IP4 192.0.2.50\r\ns=session\r\nc=IN IP4 192.0.2.50\r\nb=CT:1000\r\nt=0 0\r\nm=audio 24632 RTP/AVP 0 101\r\n\
    c=IN IP4 192.0.2.51\r\na=rtcp:24633\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:101 telephone-event/8000\r\n\
    a=fmtp:101 0-16\r\na=ptime:20\r\n";

/// A gateway's offer: audio, then T.38, bare line feeds, static payload types without maps.
pub(super) const AUDIO_THEN_FAX: &str = "v=0\no=PBX 1 1 IN IP4 198.51.100.1\ns=call\nc=IN IP4 198.51.100.1\nt=0 0\n\
    m=audio 4000 RTP/AVP 8 0 18 101\na=rtpmap:101 telephone-event/8000\na=fmtp:18 annexb=no\na=maxptime:30\n\
    m=image 4002 udptl t38\na=T38FaxVersion:0\na=T38FaxRateManagement:transferredTCF\n";

/// Video first, then secured audio, then plain audio.
pub(super) const PLAIN_AUDIO_THIRD: &str = "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\nm=video 5000 RTP/AVP 97\r\na=rtpmap:97 H264/90000\r\n\
    m=audio 5002 RTP/SAVP 0 8\r\na=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\r\n\
    m=audio 5004 RTP/AVP 0 8\r\n";

/// IPv6 at media level, RTCP elsewhere.
pub(super) const IPV6: &str = "v=0\r\no=- 1 1 IN IP6 2001:db8::1\r\ns=-\r\nt=0 0\r\nm=audio 7000 RTP/AVP 8\r\nc=IN IP6 2001:db8::2\r\n\
    a=rtcp:9001 IN IP6 2001:db8::3\r\na=sendonly\r\n";

/// Returns `SIPP` with another c-line, m-line and further lines.
pub(super) fn varied(connection: &str, media: &str, more: &str) -> String {
    format!("v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\n{connection}t=0 0\r\n{media}\r\n{more}")
}
