//! Bytes that nobody meant to send: whatever arrives, nothing panics, and what is sent because of it is well
//! formed. The mutations follow fixed seeds, so a failure is the same failure in every run.

mod mutate;

use std::{fmt::Display, net::SocketAddr};

use bytes::Bytes;
use mutate::Mutator;
use um_sip::{
    CSeq, Contact, ContentType, Diversion, Frame, Framer, HeaderName, HistoryEntry, Limits, Message,
    NameAddr, Reason, ResponseBuilder, RetryAfter, StatusCode, Uri, Via, message::FromValue, shard,
};

const CORPUS: &[&str] = &[
    include_str!("../samples/invite.sip"),
    include_str!("../samples/folded.sip"),
    include_str!("../samples/response.sip"),
    include_str!("../samples/register.sip"),
];

fn corpus() -> impl Iterator<Item = Vec<u8>> {
    CORPUS.iter().map(|text| text.replace('\n', "\r\n").into_bytes())
}

fn source() -> SocketAddr {
    "192.0.2.9:40001".parse().expect("address")
}

/// Reads everything that can be asked for.
fn read_all(message: &Message) {
    let _ = (message.from(), message.to(), message.top_via(), message.contacts(), message.content_type());
    let _ = (message.diversions(), message.history(), message.expires(), message.retry_after());
    let _ = (message.body_bytes(), message.phrase(), message.branch(), message.sent_by(), message.call_id());
    if let Ok(uri) = message.request_uri() {
        let edited = uri.with_user(Some("x y")).with_param("p", Some("a;b")).without_headers();
        assert_eq!(Uri::parse(edited.as_str().as_bytes()).expect("written by us"), edited);
        assert!(uri.equivalent(&uri) && uri.same_user(&uri));
    }
    for name in HeaderName::KNOWN {
        for value in message.values(*name).chain(message.header(*name)) {
            rewrite::<NameAddr>(value);
            rewrite::<Contact>(value);
            rewrite::<Via>(value);
            rewrite::<Diversion>(value);
            rewrite::<HistoryEntry>(value);
            rewrite::<Reason>(value);
            rewrite::<RetryAfter>(value);
            rewrite::<ContentType>(value);
            rewrite::<CSeq>(value);
        }
    }
    let _ = rsip::SipMessage::try_from(message);
}

/// What can be read can be written, and then says the same; it never holds a line break.
fn rewrite<T: FromValue + Display>(value: &[u8]) {
    let Ok(read) = T::from_value(value) else { return };
    let written = read.to_string();
    assert!(!written.contains(|c: char| c.is_ascii_control()), "{written:?}");
    match T::from_value(written.as_bytes()) {
        Ok(again) => assert_eq!(again.to_string(), written),
        Err(fault) => panic!("{fault}: {written:?} of {:?}", String::from_utf8_lossy(value)),
    }
}

/// A response made of a request is one message of its own: it reads back, and says what the request said.
fn answer(request: &Message) {
    for status in [StatusCode::TRYING, StatusCode::RINGING, StatusCode::BUSY_HERE] {
        let bytes = ResponseBuilder::new(request, source(), status, "um1-tag").build();
        let response = Message::parse(bytes.clone(), &Limits::default())
            .unwrap_or_else(|error| panic!("{error}\n{:?}\nof {:?}", bytes, request.bytes()));
        assert_eq!(response.status(), Some(status));
        assert_eq!(response.call_id(), request.call_id());
        assert_eq!(response.cseq(), request.cseq());
        assert_eq!((response.branch(), response.from_tag()), (request.branch(), request.from_tag()));
        assert!(response.body().is_empty());
        assert_eq!(response.bytes().len(), bytes.len());
    }
}

/// What every received datagram goes through.
fn receive(bytes: &Bytes) {
    assert!(shard::owner(bytes, 5) < 5);
    match Message::parse(bytes.clone(), &Limits::default()) {
        Ok(message) => {
            read_all(&message);
            if message.is_request() {
                answer(&message);
            }
        }
        Err(error) => {
            let Some(salvage) = error.salvage else { return };
            assert!(salvage.top_via().is_some());
            let response = ResponseBuilder::refusing(&salvage, source(), &error.cause.to_string()).build();
            assert!(
                response.starts_with(b"SIP/2.0 ") && response.ends_with(b"\r\nContent-Length: 0\r\n\r\n")
            );
        }
    }
}

#[test]
fn the_corpus_is_valid() {
    for bytes in corpus() {
        let message = Message::parse(bytes.into(), &Limits::default()).expect("valid");
        read_all(&message);
    }
}

#[test]
fn no_mutated_datagram_does_harm() {
    let mut mutator = Mutator::new(0x5eed);
    for bytes in corpus() {
        for _ in 0..2500 {
            receive(&mutator.mutate(&bytes).into());
        }
    }
}

#[test]
fn no_prefix_of_a_message_does_harm() {
    for bytes in corpus() {
        let bytes = Bytes::from(bytes);
        for length in 0..bytes.len() {
            receive(&bytes.slice(..length));
        }
    }
}

#[test]
fn no_noise_does_harm() {
    let mut mutator = Mutator::new(0xbad);
    for _ in 0..2500 {
        receive(&mutator.noise(600).into());
    }
}

#[test]
fn no_mutated_stream_does_harm() {
    let mut mutator = Mutator::new(0xf00d);
    let limits = Limits { stream_message_bytes: 4096, ..Limits::default() };
    for _ in 0..500 {
        let stream: Vec<u8> = corpus().flat_map(|bytes| mutator.mutate(&bytes)).collect();
        let mut framer = Framer::new(limits);
        for piece in stream.chunks(mutator.below(700) + 1) {
            framer.push(piece);
            loop {
                match framer.poll() {
                    Ok(Some(Frame::Message(bytes))) => {
                        assert!(bytes.len() <= limits.stream_message_bytes);
                        receive(&bytes);
                    }
                    Ok(Some(Frame::Ping | Frame::Pong)) => {}
                    Ok(None) => break,
                    Err(error) => {
                        if let Some(salvage) = error.salvage {
                            let _ = ResponseBuilder::refusing(&salvage, source(), "lost").build();
                        }
                    }
                }
            }
        }
    }
}

/// Values that make careless parsers quadratic or worse; each is read in one pass.
#[test]
fn long_values_are_read_in_one_pass() {
    let with = |line: String| {
        let text = CORPUS[0].replace("User-Agent: ExamplePBX/12.4", &line).replace('\n', "\r\n");
        receive(&text.into());
    };
    for unit in [",", ";", "<", "\"", "\\", "\" ", "a,", ";a", ";a=\"b\"", "<>,", "%41", "(", "\n ", "\n\t,"]
    {
        for name in ["Contact", "Via", "Route", "Diversion", "History-Info", "Retry-After", "Reason"] {
            with(format!("{name}: <sip:a@b>{}", unit.repeat(8000 / unit.len())));
        }
    }
}
