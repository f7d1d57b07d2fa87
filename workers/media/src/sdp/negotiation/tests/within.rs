//! Offers within a dialog: what changes, a fax and back, refreshes of ours, delayed offers, forks.

use super::*;

const FAX: &str = "m=image 4400 udptl t38\r\na=T38FaxVersion:0\r\na=T38MaxBitRate:14400\r\na=T38FaxRateManagement:transferredTCF\r\n\
    a=T38FaxUdpEC:t38UDPRedundancy\r\na=silenceSupp:off - - - -";
const ANSWERED: &str = "m=audio 9000 RTP/AVP 0 101\r\na=rtpmap:101 telephone-event/8000";

fn call() -> (Negotiation, Negotiation) {
    let offer = varied(CONNECTION, "m=audio 4000 RTP/AVP 0 8 101", "a=rtpmap:101 telephone-event/8000\r\n");
    let (caller, server, ..) = play(&offer, &varied(CONNECTION, ANSWERED, ""));
    (caller, server)
}

fn lines(body: &Bytes) -> Vec<&str> {
    text(body).lines().filter(|line| line.starts_with("m=")).collect()
}

fn is_opaque(leg: &Negotiation) -> bool {
    leg.remote("192.0.2.9".parse().unwrap(), Arc::from([])).unwrap().payload == Payload::Opaque
}

/// Plays an offer of `from`'s peer through to `to`'s peer, who gives `answer`; returns what we wrote.
fn forward(from: &mut Negotiation, to: &mut Negotiation, offer: &str, answer: &str) -> (Bytes, Bytes) {
    from.handle_offer(offer.as_bytes()).unwrap();
    let offered = to.offer(&from.proposal().unwrap()).unwrap();
    let agreement = to.handle_answer(answer.as_bytes()).unwrap();
    to.commit();
    (offered, from.answer(&agreement).unwrap().body)
}

#[test]
fn an_offer_is_judged_by_what_it_changes() {
    let (caller, server) = call();
    let again = |media: &str, more: &str| varied(CONNECTION, media, more);
    let tones = "a=rtpmap:101 telephone-event/8000\r\n";
    let cases = [
        ("m=audio 4000 RTP/AVP 0 8 101", "", Change::Nothing),
        ("m=audio 4002 RTP/AVP 0 8 101", "", Change::Place),
        ("m=audio 4000 RTP/AVP 18 0 101", "", Change::Place),
        ("m=audio 4000 RTP/AVP 0 8 101", "a=sendonly\r\n", Change::Direction),
        ("m=audio 4002 RTP/AVP 0 8 101", "a=inactive\r\n", Change::Direction),
        ("m=audio 4000 RTP/AVP 8 101", "", Change::Codecs),
        ("m=audio 4000 RTP/AVP 18", "a=sendonly\r\n", Change::Codecs),
        (FAX, "", Change::Kind),
    ];
    for (media, more, change) in cases {
        assert_eq!(caller.judge(again(media, &format!("{tones}{more}")).as_bytes()), Ok(change), "{media}");
    }
    let held = varied("c=IN IP4 0.0.0.0\r\n", "m=audio 4000 RTP/AVP 0 8 101", tones);
    assert_eq!(caller.judge(held.as_bytes()), Ok(Change::Direction), "the hold of old devices");
    let refresh = varied(CONNECTION, ANSWERED, "");
    assert_eq!(server.judge(refresh.as_bytes()), Ok(Change::Nothing));
    let secure = varied(CONNECTION, "m=audio 4000 RTP/SAVP 0", "");
    assert_eq!(caller.judge(secure.as_bytes()), Err(OfferError::Unusable(Unusable::Secure)));
}

#[test]
fn a_fax_takes_the_line_of_the_audio_if_its_offerer_does_so() {
    let (mut caller, mut server) = call();
    let fax = varied(CONNECTION, FAX, "");
    let (offered, answered) =
        forward(&mut server, &mut caller, &fax, &fax.replace("image 4400", "image 5500"));
    assert_eq!(lines(&offered), ["m=image 20000 udptl t38"]);
    assert_eq!(lines(&answered), ["m=image 20002 udptl t38"]);
    for body in [&offered, &answered] {
        for attribute in ["T38FaxVersion:0", "T38MaxBitRate:14400", "T38FaxUdpEC:t38UDPRedundancy"] {
            assert!(text(body).contains(&format!("a={attribute}\r\n")), "{}", text(body));
        }
        assert!(!text(body).contains("silenceSupp") && !text(body).contains("a=sendrecv"), "{}", text(body));
    }
    assert!(is_opaque(&caller) && is_opaque(&server));
    assert_eq!((caller.kind(), server.kind()), (Some(Kind::Image), Some(Kind::Image)));
    let audio = varied(CONNECTION, ANSWERED, "");
    let (offered, answered) = forward(&mut server, &mut caller, &audio, &audio);
    assert_eq!(lines(&offered), ["m=audio 20000 RTP/AVP 0 101"]);
    assert_eq!(lines(&answered), ["m=audio 20002 RTP/AVP 0 101"]);
    assert!(!is_opaque(&caller) && !is_opaque(&server));
}

#[test]
fn a_fax_beside_the_audio_leaves_its_line_with_port_0_and_back_again() {
    let (mut caller, mut server) = call();
    let fax = varied(CONNECTION, &format!("m=audio 0 RTP/AVP 0\r\n{FAX}"), "");
    let (offered, answered) = forward(&mut caller, &mut server, &fax, &fax);
    assert_eq!(lines(&offered), ["m=audio 0 RTP/AVP 0 8 101", "m=image 20002 udptl t38"]);
    assert_eq!(lines(&answered), ["m=audio 0 RTP/AVP 0", "m=image 20000 udptl t38"]);
    let audio = varied(CONNECTION, "m=audio 4000 RTP/AVP 0\r\nm=image 0 udptl t38", "");
    let (offered, answered) = forward(&mut caller, &mut server, &audio, &audio);
    assert_eq!(lines(&offered), ["m=audio 20002 RTP/AVP 0", "m=image 0 udptl t38"]);
    assert_eq!(lines(&answered), ["m=audio 20000 RTP/AVP 0", "m=image 0 udptl t38"]);
}

#[test]
fn a_refresh_of_a_fax_is_answered_with_the_identical_answer() {
    let (mut caller, mut server) = call();
    let fax = varied(CONNECTION, FAX, "");
    let (offered, answered) =
        forward(&mut server, &mut caller, &fax, &fax.replace("image 4400", "image 5500"));
    assert_eq!(server.judge(fax.as_bytes()), Ok(Change::Nothing));
    server.handle_offer(fax.as_bytes()).unwrap();
    assert_eq!(server.answer_locally().unwrap().body, answered);
    let theirs = fax.replace("image 4400", "image 5500");
    assert_eq!(caller.judge(theirs.as_bytes()), Ok(Change::Nothing));
    caller.handle_offer(theirs.as_bytes()).unwrap();
    assert_eq!(caller.answer_locally().unwrap().body, offered, "who answered then may refresh as well");
    let other = fax.replace("14400", "9600");
    assert_eq!(server.judge(other.as_bytes()), Ok(Change::Kind));
}

#[test]
fn a_refused_fax_leaves_everything_as_it_was() {
    let (mut caller, mut server) = call();
    let before = caller.remote("192.0.2.9".parse().unwrap(), Arc::from([]));
    server.handle_offer(varied(CONNECTION, FAX, "").as_bytes()).unwrap();
    caller.offer(&server.proposal().unwrap()).unwrap();
    caller.withdraw_offer();
    server.reject_offer();
    assert_eq!(caller.remote("192.0.2.9".parse().unwrap(), Arc::from([])), before);
    let refresh = varied(CONNECTION, ANSWERED, "");
    server.handle_offer(refresh.as_bytes()).unwrap();
    assert_eq!(lines(&server.answer_locally().unwrap().body), ["m=audio 20002 RTP/AVP 0 101"]);
    let joined = caller.joined(Direction::SendRecv).unwrap();
    assert_eq!(joined.codecs().len(), 2);
    let offered = caller.offer(&joined).unwrap();
    assert_eq!(lines(&offered), ["m=audio 20000 RTP/AVP 0 101"]);
}

#[test]
fn faxes_that_cannot_be_relayed_are_refused() {
    let (mut caller, _) = call();
    for (media, reason) in [
        ("m=image 4400 tcp t38", Unusable::NoAudio),
        ("m=image 4400 UDP/TLS/UDPTL t38", Unusable::NoAudio),
        ("m=image 4400 udptl t37", Unusable::NoAudio),
        ("m=image 0 udptl t38", Unusable::NoAudio),
        ("m=audio 0 RTP/AVP 0\r\nm=image 0 udptl t38", Unusable::PortZero),
    ] {
        let offer = varied(CONNECTION, media, "");
        assert_eq!(caller.handle_offer(offer.as_bytes()), Err(OfferError::Unusable(reason)), "{media}");
    }
}

#[test]
fn an_early_answer_is_undone_when_the_offer_is_refused_after_all() {
    let (_, mut server) = call();
    let proposal = Proposal::telephony();
    server.offer(&proposal).unwrap();
    server.handle_answer(varied(CONNECTION, "m=audio 9900 RTP/AVP 8", "").as_bytes()).unwrap();
    server.withdraw_offer();
    let remote = server.remote("192.0.2.9".parse().unwrap(), Arc::from([])).unwrap();
    assert_eq!(remote.media.rtp.port(), 9000);
    server.offer(&proposal).unwrap();
    server.handle_answer(varied(CONNECTION, "m=audio 9900 RTP/AVP 8", "").as_bytes()).unwrap();
    server.commit();
    server.withdraw_offer();
    let remote = server.remote("192.0.2.9".parse().unwrap(), Arc::from([])).unwrap();
    assert_eq!(remote.media.rtp.port(), 9900, "an accepted offer is not undone");
}

#[test]
fn a_refresh_of_ours_has_the_same_version() {
    let (mut caller, mut server) = call();
    let (offered, answered) = (server.sent.clone().unwrap(), caller.sent.clone().unwrap());
    assert_eq!(server.offer_again(), Ok(offered.clone()));
    server.handle_answer(varied(CONNECTION, ANSWERED, "").as_bytes()).unwrap();
    assert_eq!(server.offer_again(), Ok(offered), "as often as one likes");
    assert_eq!(caller.offer_again(), Ok(answered.clone()));
    let moved = varied(CONNECTION, "m=audio 4444 RTP/AVP 0 101\r\na=rtpmap:101 telephone-event/8000", "");
    caller.handle_answer(moved.as_bytes()).unwrap();
    assert_eq!(caller.offer_again(), Ok(answered));
    assert_eq!(caller.offer_again(), Err(WrongState::OurOfferPending));
    assert_eq!(outbound().offer_again(), Err(WrongState::NoOffer));
}

#[test]
fn a_dialog_keeps_the_numbers_it_has_given() {
    let (mut caller, mut server) = call();
    let offer = varied(
        CONNECTION,
        "m=audio 4000 RTP/AVP 8 96 101",
        "a=rtpmap:96 telephone-event/8000\r\na=rtpmap:101 G726-32/8000\r\n",
    );
    let answer = varied(CONNECTION, "m=audio 9000 RTP/AVP 8 101", "a=rtpmap:101 telephone-event/8000\r\n");
    let (offered, answered) = forward(&mut caller, &mut server, &offer, &answer);
    assert_eq!(lines(&offered), ["m=audio 20002 RTP/AVP 8 101 96"]);
    assert!(text(&offered).contains("a=rtpmap:96 G726-32/8000\r\n"), "{}", text(&offered));
    assert_eq!(lines(&answered), ["m=audio 20000 RTP/AVP 8 96"]);
    assert_eq!(maps(&server).sent.map(96), 101);
    assert_eq!(maps(&server).received.map(101), 96);
    assert_eq!(maps(&caller).sent.map(96), 96);
}

#[test]
fn an_offer_in_a_2xx_is_answered_with_what_the_caller_offered_as_well() {
    let mut caller = inbound(BARESIP);
    let mut server = outbound();
    let offer =
        varied(CONNECTION, "m=audio 9000 RTP/AVP 18 8 0 101", "a=rtpmap:101 telephone-event/8000\r\n");
    server.handle_offer(offer.as_bytes()).unwrap();
    assert!(server.joins(&caller.proposal().unwrap()));
    let (answer, agreement) = server.answer_joining(&caller.proposal().unwrap()).unwrap();
    assert_eq!(lines(&answer.body), ["m=audio 20002 RTP/AVP 8 0 101"]);
    let answered = caller.answer(&agreement).unwrap().body;
    assert_eq!(lines(&answered), ["m=audio 20000 RTP/AVP 8 0 97"]);
    assert_eq!(maps(&server).sent.map(97), 101);
    assert_eq!(maps(&server).received.map(101), 97);
}

#[test]
fn an_offer_without_common_codec_is_answered_with_port_0() {
    let caller = inbound(SIPP);
    let mut server = outbound();
    let offer = varied(CONNECTION, "m=audio 9000 RTP/AVP 18\r\nm=video 9002 RTP/AVP 99", "");
    server.handle_offer(offer.as_bytes()).unwrap();
    assert!(!server.joins(&caller.proposal().unwrap()) && !server.keeps());
    assert_eq!(server.answer_joining(&caller.proposal().unwrap()), Err(AnswerError::NoCommonCodec));
    let refusal = server.answer_nothing().unwrap();
    assert_eq!(lines(&refusal), ["m=audio 0 RTP/AVP 18", "m=video 0 RTP/AVP 99"]);
    assert_eq!(server.answer_nothing(), Err(WrongState::NoOffer));
}

#[test]
fn an_offer_to_a_caller_without_one_names_what_the_server_took_first() {
    let (mut server, mut caller) = (outbound(), leg("203.0.113.1", 20000));
    server.offer(&Proposal::telephony()).unwrap();
    server
        .handle_answer(
            varied(CONNECTION, "m=audio 9000 RTP/AVP 8 101", "a=rtpmap:101 telephone-event/8000\r\n")
                .as_bytes(),
        )
        .unwrap();
    let wide = server.joined(Direction::SendRecv).unwrap().widened(&Proposal::telephony());
    let offered = caller.offer(&wide).unwrap();
    assert_eq!(lines(&offered), ["m=audio 20000 RTP/AVP 8 101 0"]);
    caller.handle_answer(varied(CONNECTION, "m=audio 4000 RTP/AVP 8", "").as_bytes()).unwrap();
    assert!(caller.fits(&server));
    caller.handle_answer(SIPP.as_bytes()).unwrap();
    assert!(!caller.fits(&server), "he took another one");
}

#[test]
fn forks_of_one_offer_are_answered_each_alone() {
    let mut first = outbound();
    first.offer(&Proposal::telephony()).unwrap();
    let early = first.fork();
    first.handle_answer(varied(CONNECTION, "m=audio 9000 RTP/AVP 0", "").as_bytes()).unwrap();
    let mut second = first.fork();
    assert!(early.is_offering() && second.is_offering() && second.codecs().is_empty());
    second.handle_answer(varied(CONNECTION, "m=audio 9100 RTP/AVP 8", "").as_bytes()).unwrap();
    assert_eq!((first.codecs()[0].leg.payload, second.codecs()[0].leg.payload), (0, 8));
}

#[test]
fn a_limit_of_the_other_leg_outlives_a_hold() {
    let (mut caller, mut server) = (inbound(SIPP), outbound());
    server.offer(&caller.proposal().unwrap()).unwrap();
    let agreement = server
        .handle_answer(varied(CONNECTION, "m=audio 9000 RTP/AVP 0", "a=recvonly\r\n").as_bytes())
        .unwrap();
    caller.answer(&agreement).unwrap();
    assert_eq!(caller.direction(), Some(Direction::RecvOnly));
    for (said, ours) in [("a=inactive\r\n", Direction::Inactive), ("a=sendrecv\r\n", Direction::RecvOnly)] {
        caller.handle_offer(format!("{SIPP}{said}").as_bytes()).unwrap();
        caller.answer_locally().unwrap();
        assert_eq!(caller.direction(), Some(ours));
    }
}
