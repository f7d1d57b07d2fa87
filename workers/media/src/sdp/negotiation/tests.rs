//! Offer and answer over both legs of a call, as bodies in and bodies out.

use proptest::prelude::*;

use super::{
    super::{
        error::{SdpError, Unusable},
        samples::{AUDIO_THEN_FAX, BARESIP, EXCHANGE, IPV6, PLAIN_AUDIO_THIRD, SIPP, varied},
    },
    *,
};
use crate::ports::PortPair;

mod within;

const CONNECTION: &str = "c=IN IP4 192.0.2.50\r\n";

fn leg(address: &str, port: u16) -> Negotiation {
    let local = LocalMedia::new(address.parse().unwrap(), PortPair::new(port).unwrap());
    Negotiation::new(7, local)
}

fn inbound(offer: &str) -> Negotiation {
    let mut leg = leg("203.0.113.1", 20000);
    leg.handle_offer(offer.as_bytes()).unwrap();
    leg
}

fn outbound() -> Negotiation {
    leg("203.0.113.2", 20002)
}

fn maps(leg: &Negotiation) -> crate::PayloadMaps {
    match leg.remote("192.0.2.9".parse().unwrap(), Arc::from([])).unwrap().payload {
        Payload::Rtp { maps, .. } => *maps,
        Payload::Opaque => panic!("a fax has no payload types"),
    }
}

fn text(body: &Bytes) -> &str {
    std::str::from_utf8(body).unwrap()
}

/// Plays offer and answer of one call; returns both legs and what we wrote: the offer and the answer.
fn play(offer: &str, answer: &str) -> (Negotiation, Negotiation, String, String) {
    let (mut caller, mut server) = (inbound(offer), outbound());
    let offered = server.offer(&caller.proposal().unwrap()).unwrap();
    let agreement = server.handle_answer(answer.as_bytes()).unwrap();
    let answered = caller.answer(&agreement).unwrap().body;
    let (offered, answered) = (text(&offered).to_owned(), text(&answered).to_owned());
    (caller, server, offered, answered)
}

#[test]
fn the_offer_is_the_callers_with_our_address() {
    let (.., offered, answered) = play(SIPP, EXCHANGE);
    assert_eq!(
        offered,
        "v=0\r\no=- 7 1 IN IP4 203.0.113.2\r\ns=-\r\nc=IN IP4 203.0.113.2\r\nt=0 0\r\n\
         m=audio 20002 RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\na=sendrecv\r\n"
    );
    assert_eq!(
        answered,
        "v=0\r\no=- 7 1 IN IP4 203.0.113.1\r\ns=-\r\nc=IN IP4 203.0.113.1\r\nt=0 0\r\n\
         m=audio 20000 RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\na=ptime:20\r\na=sendrecv\r\n"
    );
}

#[test]
fn codecs_and_parameters_pass_and_everything_else_stays_behind() {
    let answer = varied(
        CONNECTION,
        "m=audio 9000 RTP/AVP 8 97",
        "a=rtpmap:97 telephone-event/8000\r\na=fmtp:97 0-11\r\n",
    );
    let (.., offered, answered) = play(BARESIP, &answer);
    assert!(offered.contains("m=audio 20002 RTP/AVP 96 9 8 0 97\r\n"), "{offered}");
    assert!(
        offered.contains("a=rtpmap:96 opus/48000/2\r\na=fmtp:96 stereo=1;sprop-stereo=1\r\n"),
        "{offered}"
    );
    assert!(offered.contains("a=fmtp:97 0-15\r\na=ptime:20\r\na=sendrecv\r\n"), "{offered}");
    for ours_to_drop in ["mux", "ssrc", "192.0.2.20", "tool", "a=rtcp"] {
        assert!(!offered.contains(ours_to_drop), "{ours_to_drop}: {offered}");
    }
    assert!(
        answered.contains("m=audio 20000 RTP/AVP 8 97\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:97 telephone-event/8000\r\na=fmtp:97 0-11\r\n"),
        "{answered}"
    );
}

#[test]
fn other_lines_keep_their_place_with_port_0() {
    let (.., offered, answered) = play(AUDIO_THEN_FAX, EXCHANGE);
    for body in [offered, answered] {
        assert!(body.contains("m=audio 2000"), "{body}");
        assert!(body.ends_with("m=image 0 udptl t38\r\n"), "{body}");
    }
    let plain_third =
        varied(CONNECTION, "m=video 0 RTP/AVP 97\r\nm=audio 0 RTP/SAVP 0 8\r\nm=audio 9000 RTP/AVP 0", "");
    let (.., answered) = play(PLAIN_AUDIO_THIRD, &plain_third);
    let lines: Vec<_> = answered.lines().filter(|line| line.starts_with("m=")).collect();
    assert_eq!(lines, ["m=video 0 RTP/AVP 97", "m=audio 0 RTP/SAVP 0 8", "m=audio 20000 RTP/AVP 0"]);
}

#[test]
fn an_odd_rtcp_port_is_told() {
    let mut server = outbound();
    server.local.rtcp = 20009;
    let body = server.offer(&Proposal::telephony()).unwrap();
    assert!(text(&body).contains("a=rtcp:20009 IN IP4 203.0.113.2\r\n"), "{}", text(&body));
}

#[test]
fn a_call_may_join_ipv4_and_ipv6() {
    let answer = varied(CONNECTION, "m=audio 9000 RTP/AVP 8", "a=recvonly\r\n");
    let (caller, server, offered, answered) = play(IPV6, &answer);
    assert!(offered.contains("c=IN IP4 203.0.113.2\r\n") && offered.contains("a=sendonly\r\n"), "{offered}");
    assert!(answered.contains("a=recvonly\r\n"), "{answered}");
    assert_eq!(
        (caller.direction(), server.direction()),
        (Some(Direction::RecvOnly), Some(Direction::SendOnly))
    );
    let mut server = leg("2001:db8::9", 20004);
    let offered = server.offer(&caller.proposal().unwrap()).unwrap();
    assert!(text(&offered).contains("c=IN IP6 2001:db8::9\r\n"), "{}", text(&offered));
}

#[test]
fn an_old_style_hold_never_shows_zeros_to_the_far_end() {
    let offer = varied("c=IN IP4 0.0.0.0\r\n", "m=audio 4000 RTP/AVP 0", "");
    let answer = varied(CONNECTION, "m=audio 9000 RTP/AVP 0", "a=recvonly\r\n");
    let (caller, _, offered, answered) = play(&offer, &answer);
    assert!(offered.contains("a=sendonly\r\n") && !offered.contains("0.0.0.0"), "{offered}");
    assert!(answered.contains("a=recvonly\r\n") && !answered.contains("0.0.0.0"), "{answered}");
    assert_eq!(caller.direction(), Some(Direction::RecvOnly));
}

#[test]
fn secured_offers_are_refused_with_their_reason() {
    let mut caller = leg("203.0.113.1", 20000);
    let offer = varied(CONNECTION, "m=audio 4000 RTP/SAVP 0", "");
    assert_eq!(caller.handle_offer(offer.as_bytes()), Err(OfferError::Unusable(Unusable::Secure)));
    assert!(matches!(caller.handle_offer(b"junk"), Err(OfferError::Malformed(SdpError::Line { .. }))));
    assert_eq!(caller.handle_offer(SIPP.as_bytes()), Ok(()));
}

#[test]
fn answers_that_cannot_be_used_name_why() {
    let cases = [
        ("m=audio 0 RTP/AVP 0", AnswerError::Unusable(Unusable::PortZero)),
        ("m=audio 9000 RTP/SAVP 0", AnswerError::Unusable(Unusable::Secure)),
        ("m=image 9000 udptl t38", AnswerError::Unusable(Unusable::NoAudio)),
        (
            "m=audio 9000 RTP/AVP 101\r\na=rtpmap:101 telephone-event/8000",
            AnswerError::Unusable(Unusable::NoCodec),
        ),
    ];
    for (media, error) in cases {
        let mut server = outbound();
        server.offer(&Proposal::telephony()).unwrap();
        assert_eq!(server.handle_answer(varied(CONNECTION, media, "").as_bytes()), Err(error), "{media}");
        assert!(server.handle_answer(EXCHANGE.as_bytes()).is_ok(), "the offer is still pending");
    }
    assert_eq!(
        outbound().handle_answer(EXCHANGE.as_bytes()),
        Err(AnswerError::NotExpected(WrongState::NoOffer))
    );
}

/// SIPp's stock `uas` answers PCMU whatever was offered, also to the PCMA of its own `uac_pcap`.
#[test]
fn an_answer_outside_the_offer_is_passed_on_as_it_is() {
    let offer = varied(CONNECTION, "m=audio 4000 RTP/AVP 8 101", "a=rtpmap:101 telephone-event/8000\r\n");
    let (mut caller, mut server) = (inbound(&offer), outbound());
    server.offer(&caller.proposal().unwrap()).unwrap();
    let agreement = server.handle_answer(SIPP.as_bytes()).unwrap();
    assert_eq!(agreement.kinship(), Kinship::Foreign);
    let answer = caller.answer(&agreement).unwrap();
    assert!(
        text(&answer.body).contains("m=audio 20000 RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\n"),
        "{}",
        text(&answer.body)
    );
    let maps = maps(&server);
    assert_eq!((maps.sent.map(8), maps.received.map(8), maps.received.map(0)), (8, 8, 0));
    assert_eq!(caller.answer(&agreement), Ok(answer));
}

#[test]
fn codecs_in_use_that_are_offered_no_more_end_a_local_answer() {
    let (mut caller, ..) = play(SIPP, EXCHANGE);
    let offer = varied(CONNECTION, "m=audio 4000 RTP/AVP 8", "");
    caller.handle_offer(offer.as_bytes()).unwrap();
    assert_eq!(caller.answer_locally(), Err(AnswerError::NoCommonCodec));
    caller.reject_offer();
    assert_eq!(caller.codecs().len(), 1, "what held before still holds");
}

#[test]
fn renumbered_answers_map_payload_types_per_leg() {
    let offer = varied(CONNECTION, "m=audio 4000 RTP/AVP 0 96", "a=rtpmap:96 telephone-event/8000\r\n");
    let answer = varied(CONNECTION, "m=audio 9000 RTP/AVP 0 101", "a=rtpmap:101 telephone-event/8000\r\n");
    let (caller, server, _, answered) = play(&offer, &answer);
    assert!(answered.contains("m=audio 20000 RTP/AVP 0 96\r\n"), "the caller keeps its number: {answered}");
    assert_eq!(maps(&server).sent.map(96), 101);
    assert_eq!((maps(&server).received.map(101), maps(&server).received.map(96)), (96, 96));
    assert_eq!((maps(&caller).sent.map(96), maps(&caller).received.map(96)), (96, 96));
}

#[test]
fn one_dialog_gets_one_answer() {
    let (mut caller, mut server) = (inbound(AUDIO_THEN_FAX), outbound());
    server.offer(&caller.proposal().unwrap()).unwrap();
    let early = server.handle_answer(EXCHANGE.as_bytes()).unwrap();
    let first = caller.answer(&early).unwrap();
    // The first server fails after its 183; the second is offered only what the caller was answered.
    let mut second = outbound();
    let offered = second.offer(&caller.proposal().unwrap()).unwrap();
    assert!(text(&offered).contains("RTP/AVP 0 101\r\n"), "{}", text(&offered));
    assert!(text(&offered).ends_with("m=image 0 udptl t38\r\n"), "{}", text(&offered));
    let answer = varied(CONNECTION, "m=audio 9100 RTP/AVP 0", "");
    let agreement = second.handle_answer(answer.as_bytes()).unwrap();
    assert_eq!(caller.answer(&agreement), Ok(first));
}

#[test]
fn an_answer_that_promised_more_is_marked() {
    let (mut caller, mut server) = (inbound(AUDIO_THEN_FAX), outbound());
    server.offer(&caller.proposal().unwrap()).unwrap();
    let both = varied(CONNECTION, "m=audio 9000 RTP/AVP 0 8", "");
    let agreement = server.handle_answer(both.as_bytes()).unwrap();
    assert!(!caller.answer(&agreement).unwrap().diverged);
    let less = varied(CONNECTION, "m=audio 9000 RTP/AVP 8", "");
    let agreement = server.handle_answer(less.as_bytes()).unwrap();
    assert!(caller.answer(&agreement).unwrap().diverged);
}

#[test]
fn a_second_answer_moves_the_far_end() {
    let mut server = outbound();
    server.offer(&Proposal::telephony()).unwrap();
    server.handle_answer(EXCHANGE.as_bytes()).unwrap();
    let moved = varied(CONNECTION, "m=audio 9100 RTP/AVP 8", "");
    server.handle_answer(moved.as_bytes()).unwrap();
    let remote = server.remote("192.0.2.50".parse().unwrap(), Arc::from([])).unwrap();
    assert_eq!(remote.media.rtp, "192.0.2.50:9100".parse().unwrap());
}

#[test]
fn hold_is_answered_by_us_with_the_mirrored_direction_and_a_grown_version() {
    let (mut caller, ..) = play(AUDIO_THEN_FAX, EXCHANGE);
    let steps =
        [("a=sendonly", "a=recvonly", 2), ("a=inactive", "a=inactive", 3), ("a=sendrecv", "a=sendrecv", 4)];
    for (theirs, ours, version) in steps {
        caller
            .handle_offer(
                format!(
                    "{}{theirs}\n",
                    AUDIO_THEN_FAX.replace("m=image 4002", &format!("{theirs}\nm=image 0"))
                )
                .as_bytes(),
            )
            .unwrap();
        let answer = caller.answer_locally().unwrap();
        let body = text(&answer.body);
        assert!(body.contains(&format!("o=- 7 {version} IN")), "{body}");
        assert!(body.contains(&format!("{ours}\r\nm=image 0 udptl t38")), "{body}");
        assert!(body.contains("RTP/AVP 0 101\r\n"), "{body}");
    }
}

#[test]
fn a_refresh_without_change_keeps_the_version() {
    let answer = varied(CONNECTION, "m=audio 9000 RTP/AVP 0", "");
    let (mut caller, _, _, answered) = play(SIPP, &answer);
    caller.handle_offer(SIPP.as_bytes()).unwrap();
    assert_eq!(text(&caller.answer_locally().unwrap().body), answered);
}

#[test]
fn offers_that_cross_are_told_apart() {
    let (mut caller, mut server, ..) = play(SIPP, EXCHANGE);
    caller.handle_offer(SIPP.as_bytes()).unwrap();
    assert_eq!(caller.handle_offer(SIPP.as_bytes()), Err(OfferError::Pending(WrongState::PeerOfferPending)));
    assert_eq!(caller.offer(&Proposal::telephony()), Err(WrongState::PeerOfferPending));
    server.offer(&Proposal::telephony()).unwrap();
    assert_eq!(server.handle_offer(SIPP.as_bytes()), Err(OfferError::Pending(WrongState::OurOfferPending)));
    assert_eq!(server.offer(&Proposal::telephony()), Err(WrongState::OurOfferPending));
    caller.reject_offer();
    server.withdraw_offer();
    assert_eq!(caller.handle_offer(SIPP.as_bytes()), Ok(()));
    assert_eq!(server.handle_offer(SIPP.as_bytes()), Ok(()));
}

#[test]
fn a_caller_without_an_offer_gets_one_of_ours() {
    let (mut server, mut caller) = (outbound(), leg("203.0.113.1", 20000));
    server.offer(&Proposal::telephony()).unwrap();
    server.handle_answer(EXCHANGE.as_bytes()).unwrap();
    let body = caller.offer(&server.proposal().unwrap()).unwrap();
    assert!(text(&body).contains("m=audio 20000 RTP/AVP 0 101\r\n"), "{}", text(&body));
    caller.handle_answer(SIPP.as_bytes()).unwrap();
    assert_eq!(caller.codecs().len(), 1);
}

#[test]
fn nothing_is_known_before_an_answer() {
    let caller = inbound(SIPP);
    assert_eq!(caller.remote("192.0.2.9".parse().unwrap(), Arc::from([])), None);
    assert_eq!(caller.direction(), None);
    assert_eq!(outbound().proposal(), None);
    assert_eq!(outbound().answer_locally(), Err(AnswerError::NotExpected(WrongState::NoOffer)));
}

proptest! {
    /// Whatever an offer looks like: if we take it, what we offer on can be read again and keeps the place of every m-line.
    #[test]
    fn what_we_write_can_be_read(
        sample in proptest::sample::select(vec![SIPP, BARESIP, AUDIO_THEN_FAX, PLAIN_AUDIO_THIRD, IPV6]),
        damage in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
    ) {
        let mut body = sample.as_bytes().to_vec();
        for (index, octet) in damage {
            let index = index.index(body.len());
            body[index] = octet;
        }
        let mut caller = leg("203.0.113.1", 20000);
        if caller.handle_offer(&body).is_ok() {
            let (mut server, proposal) = (outbound(), caller.proposal().unwrap());
            let offered = server.offer(&proposal).unwrap();
            let read = Description::parse(&offered).unwrap();
            let stream = read.stream_at(proposal.lines.active(), proposal.kind()).unwrap();
            let codecs = match stream {
                Stream::Audio(audio) => audio.codecs.len(),
                Stream::Image(_) => 0,
            };
            prop_assert_eq!(codecs, proposal.codecs().len());
            // A far end that echoes our offer as its answer accepts all of it.
            let agreement = server.handle_answer(&offered).unwrap();
            prop_assert!(caller.answer(&agreement).is_ok());
        }
    }
}
