//! Framing by length, keep-alive, and streams that are lost.

use proptest::prelude::*;

use super::*;

fn message(body: &str, more: &str) -> String {
    format!(
        "INVITE sip:6000@um.example.com SIP/2.0\r\nVia: SIP/2.0/TCP 10.0.0.1;branch=z9hG4bKa\r\nFrom: <sip:a@b>;tag=1\r\n\
         To: <sip:c@d>\r\nCall-ID: x\r\nCSeq: 1 INVITE\r\n{more}l : {}\r\n\r\n{body}",
        body.len()
    )
}

/// Everything that comes out of a stream cut at these positions; a lost stream ends it.
fn frames(stream: &[u8], cuts: &[usize], limits: Limits) -> (Vec<Frame>, Option<(Cause, bool)>) {
    let mut framer = Framer::new(limits);
    let mut frames = Vec::new();
    let mut cuts: Vec<usize> =
        cuts.iter().map(|cut| cut % (stream.len() + 1)).chain([0, stream.len()]).collect();
    cuts.sort_unstable();
    for piece in cuts.windows(2) {
        framer.push(&stream[piece[0]..piece[1]]);
        loop {
            match framer.poll() {
                Ok(Some(frame)) => frames.push(frame),
                Ok(None) => break,
                Err(error) => return (frames, Some((error.cause, error.salvage.is_some()))),
            }
        }
    }
    (frames, None)
}

fn whole(stream: &[u8]) -> (Vec<Frame>, Option<(Cause, bool)>) {
    frames(stream, &[], Limits::default())
}

#[test]
fn takes_messages_and_keep_alives_apart() {
    let (first, second) = (message("v=0\r\n\r\n", ""), message("", "Subject: a\r\n b\r\n"));
    let stream = format!("\r\n\r\n{first}\r\n{second}\r\n\r\n");
    let expected = [
        Frame::Pong,
        Frame::Ping,
        Frame::Message(first.into()),
        Frame::Pong,
        Frame::Message(second.into()),
        Frame::Pong,
        Frame::Ping,
    ];
    assert_eq!(whole(stream.as_bytes()), (expected.to_vec(), None));
}

#[test]
fn line_feeds_alone_frame_too() {
    let text = message("body", "").replace("\r\n", "\n");
    assert_eq!(whole(format!("\n{text}").as_bytes()), (vec![Frame::Message(text.into())], None));
}

#[test]
fn a_faulty_message_that_can_be_framed_does_not_end_the_stream() {
    let faulty = "INVITE  sip:a@b SIP/2.0\r\nno colon\r\nContent-Length: 2\r\n\r\nab".to_owned();
    let good = message("", "");
    let expected = vec![Frame::Message(faulty.clone().into()), Frame::Message(good.clone().into())];
    assert_eq!(whole((faulty + &good).as_bytes()), (expected, None));
}

/// RFC 3261 §20.14, RFC 4475 §3.1.2.2, §3.3.9.
#[test]
fn a_message_of_unknown_length_ends_the_stream_and_can_be_answered() {
    let head = message("", "").replace("l : 0\r\n", "");
    let with = |line: &str| whole(head.replace("CSeq", &format!("{line}CSeq")).as_bytes()).1;
    assert_eq!(with(""), Some((Cause::LengthMissing, true)));
    assert_eq!(
        with("l: 1\r\nContent-Length: 2\r\n"),
        Some((Cause::Duplicate(HeaderName::ContentLength), true))
    );
    let number = Cause::Header(HeaderError { name: HeaderName::ContentLength, fault: Fault::Number });
    assert_eq!(with("l: -999\r\n"), Some((number, true)));
    assert_eq!(with("l: 99999999999999999999999\r\n"), Some((number, true)));
    assert_eq!(with("l: 300000\r\n"), Some((Cause::TooLong, true)));
}

#[test]
fn what_is_not_sip_ends_the_stream_early() {
    assert_eq!(whole(b"\x16\x03\x01\x02").1, Some((Cause::StartLine, false)));
    assert_eq!(whole(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").1, Some((Cause::LengthMissing, false)));
    assert_eq!(whole(&[b'a'; 9000]).1, Some((Cause::StartLine, false)));
}

#[test]
fn a_head_without_end_is_cut_off_at_the_limit() {
    let limits = Limits { stream_message_bytes: 2000, ..Limits::default() };
    let endless = message("", "").replace("\r\n\r\n", "\r\n") + &"X: y\r\n".repeat(400);
    assert_eq!(frames(endless.as_bytes(), &[], limits).1, Some((Cause::TooLong, true)));
}

#[test]
fn a_lost_stream_stays_lost_and_empty() {
    let mut framer = Framer::new(Limits::default());
    framer.push(b"\x00");
    assert!(framer.poll().is_err());
    framer.push(message("", "").as_bytes());
    assert_eq!(framer.poll().ok(), Some(None));
    assert!(framer.buffer.is_empty() && !framer.is_within_message());
}

#[test]
fn tells_when_a_message_is_half_there() {
    let text = message("body", "");
    let mut framer = Framer::new(Limits::default());
    framer.push(b"\r\n");
    while framer.poll().expect("framed").is_some() {}
    assert!(!framer.is_within_message());
    framer.push(&text.as_bytes()[..text.len() - 1]);
    assert_eq!(framer.poll().expect("framed"), None);
    assert!(framer.is_within_message());
}

fn piece() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        4 => (".{0,20}", prop_oneof![Just(""), Just("Subject: a\r\n b\r\n"), Just("no colon\r\n")])
            .prop_map(|(body, more)| message(&body, more).into_bytes()),
        2 => Just(b"\r\n\r\n".to_vec()),
        1 => Just(b"\r\n".to_vec()),
        1 => Just(b"\n".to_vec()),
        1 => Just(b"\r".to_vec()),
        1 => proptest::collection::vec(any::<u8>(), 0..40),
        1 => Just(message("x", "").replace("\r\n", "\n").into_bytes()),
        1 => Just(message("x", "l: 7\r\n").into_bytes()),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn how_the_stream_is_cut_makes_no_difference(
        pieces in proptest::collection::vec(piece(), 0..6),
        cuts in proptest::collection::vec(any::<usize>(), 0..30),
        limit in prop_oneof![Just(256 * 1024usize), 100..600usize],
    ) {
        let stream = pieces.concat();
        let limits = Limits { stream_message_bytes: limit, ..Limits::default() };
        let every_byte: Vec<usize> = (0..stream.len()).collect();
        let reference = frames(&stream, &[], limits);
        let faults = |result: &(Vec<Frame>, Option<(Cause, bool)>)| result.1.map(|(cause, _)| cause);
        for cuts in [&cuts, &every_byte] {
            let result = frames(&stream, cuts, limits);
            prop_assert_eq!(&result.0, &reference.0);
            prop_assert_eq!(faults(&result), faults(&reference));
        }
    }
}
