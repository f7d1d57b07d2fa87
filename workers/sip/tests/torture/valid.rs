//! Valid messages: RFC 4475 §3.1.1, §3.3, §3.4 and RFC 5118 §4.

use um_sip::{HeaderName, Host, Scheme, StatusCode, Via};

use super::{Sample, assert_usable, uri};

const VALID: &[Sample] = &[
    Sample {
        name: "wsinv",
        text: "INVITE sip:vivekg@chair-dnrc.example.com;unknownparam SIP/2.0\nTO :\n sip:vivekg@chair-dnrc.example.com ;   tag    = 1918181833n\nfrom   : \"J Rosenberg \\\\\\\"\"       <sip:jdrosen@example.com>\n  ;\n  tag = 98asjd8\nMaX-fOrWaRdS: 0068\nCall-ID: wsinv.ndaksdj@192.0.2.1\nContent-Length   : LEN\ncseq: 0009\n  INVITE\nVia  : SIP  /   2.0\n /UDP\n    192.0.2.2;branch=390skdjuw\ns :\nNewFangledHeader:   newfangled value\n continued newfangled value\nUnknownHeaderWithUnusualValue: ;;,,;;,;\nContent-Type: application/sdp\nRoute:\n <sip:services.example.com;lr;unknownwith=value;unknown-no-value>\nv:  SIP  / 2.0  / TCP     spindle.example.com   ;\n  branch  =   z9hG4bK9ikj8  ,\n SIP  /    2.0   / UDP  192.168.255.111   ; branch=\n z9hG4bK30239\nm:\"Quoted string \\\"\\\"\" <sip:jdrosen@example.com> ; newparam =\n      newvalue ;\n  secondparam ; q = 0.33\n\nv=0\no=mhandley 29739 7272939 IN IP4 192.0.2.3\ns=-\nc=IN IP4 192.0.2.4\nt=0 0\nm=audio 49217 RTP/AVP 0 12\nm=video 3227 RTP/AVP 31\na=rtpmap:31 LPC\n",
    },
    Sample {
        name: "intmeth",
        text: "!interesting-Method0123456789_*+`.%indeed'~ sip:1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*:&it+has=1,weird!*pas$wo~d_too.(doesn't-it)@example.com SIP/2.0\nVia: SIP/2.0/TCP host1.example.com;branch=z9hG4bK-.!%66*_+`'~\nTo: \"BEL:\\\u{7} NUL:\\\u{0} DEL:\\\u{7f}\" <sip:1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*@example.com>\nFrom: token1~` token2'+_ token3*%!.- <sip:mundane@example.com>;fromParam''~+*_!.-%=\"\u{440}\u{430}\u{431}\u{43e}\u{442}\u{430}\u{44e}\u{449}\u{438}\u{439}\";tag=_token~1'+`*%!-.\nCall-ID: intmeth.word%ZK-!.*_+'@word`~)(><:\\/\"][?}{\nCSeq: 139122385 !interesting-Method0123456789_*+`.%indeed'~\nMax-Forwards: 255\nextensionHeader-!.%*+_`'~:\u{5927}\u{505c}\u{96fb}\nContent-Length: 0\n\n",
    },
    Sample {
        name: "esc01",
        text: "INVITE sip:sips%3Auser%40example.com@example.net SIP/2.0\nTo: sip:%75se%72@example.com\nFrom: <sip:I%20have%20spaces@example.net>;tag=938\nMax-Forwards: 87\ni: esc01.239409asdfakjkn23onasd0-3234\nCSeq: 234234 INVITE\nVia: SIP/2.0/UDP host5.example.net;branch=z9hG4bKkdjuw\nC: application/sdp\nContact:\n  <sip:cal%6Cer@host5.example.net;%6C%72;n%61me=v%61lue%25%34%31>\nContent-Length: 0\n\n",
    },
    Sample {
        name: "escnull",
        text: "REGISTER sip:example.com SIP/2.0\nTo: sip:null-%00-null@example.com\nFrom: sip:null-%00-null@example.com;tag=839923423\nMax-Forwards: 70\nCall-ID: escnull.39203ndfvkjdasfkq3w4otrq0adsfdfnavd\nCSeq: 14398234 REGISTER\nVia: SIP/2.0/UDP host5.example.com;branch=z9hG4bKkdjuw\nContact: <sip:%00@host5.example.com>\nContact: <sip:%00%00@host5.example.com>\nL:0\n\n",
    },
    Sample {
        name: "esc02",
        text: "RE%47IST%45R sip:registrar.example.com SIP/2.0\nTo: \"%Z%45\" <sip:resource@example.com>\nFrom: \"%Z%45\" <sip:resource@example.com>;tag=f232jadfj23\nCall-ID: esc02.asdfnqwo34rq23i34jrjasdcnl23nrlknsdf\nVia: SIP/2.0/TCP host.example.com;branch=z9hG4bK209%fzsnel234\nCSeq: 29344 RE%47IST%45R\nMax-Forwards: 70\nContact: <sip:alias1@host1.example.com>\nC%6Fntact: <sip:alias2@host2.example.com>\nContact: <sip:alias3@host3.example.com>\nl: 0\n\n",
    },
    Sample {
        name: "lwsdisp",
        text: "OPTIONS sip:user@example.com SIP/2.0\nTo: sip:user@example.com\nFrom: caller<sip:caller@example.com>;tag=323\nMax-Forwards: 70\nCall-ID: lwsdisp.1234abcd@funky.example.com\nCSeq: 60 OPTIONS\nVia: SIP/2.0/UDP funky.example.com;branch=z9hG4bKkdjuw\nl: 0\n\n",
    },
    Sample {
        name: "dblreq",
        text: "REGISTER sip:example.com SIP/2.0\nTo: sip:j.user@example.com\nFrom: sip:j.user@example.com;tag=43251j3j324\nMax-Forwards: 8\nI: dblreq.0ha0isndaksdj99sdfafnl3lk233412\nContact: sip:j.user@host.example.com\nCSeq: 8 REGISTER\nVia: SIP/2.0/UDP 192.0.2.125;branch=z9hG4bKkdjuw23492\nContent-Length: 0\n\n\nINVITE sip:joe@example.com SIP/2.0\nt: sip:joe@example.com\n",
    },
    Sample {
        name: "semiuri",
        text: "OPTIONS sip:user;par=u%40example.net@example.com SIP/2.0\nTo: sip:j_user@example.com\nFrom: sip:caller@example.org;tag=33242\nMax-Forwards: 3\nCall-ID: semiuri.0ha0isndaksdj\nCSeq: 8 OPTIONS\nAccept: application/sdp, application/pkcs7-mime,\n        multipart/mixed, multipart/signed,\n        message/sip, message/sipfrag\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKkdjuw\nl: 0\n\n",
    },
    Sample {
        name: "transports",
        text: "OPTIONS sip:user@example.com SIP/2.0\nTo: sip:user@example.com\nFrom: <sip:caller@example.com>;tag=323\nMax-Forwards: 70\nCall-ID:  transports.kijh4akdnaqjkwendsasfdj\nAccept: application/sdp\nCSeq: 60 OPTIONS\nVia: SIP/2.0/UDP t1.example.com;branch=z9hG4bKkdjuw\nVia: SIP/2.0/SCTP t2.example.com;branch=z9hG4bKklasjdhf\nVia: SIP/2.0/TLS t3.example.com;branch=z9hG4bK2980unddj\nVia: SIP/2.0/UNKNOWN t4.example.com;branch=z9hG4bKasd0f3en\nVia: SIP/2.0/TCP t5.example.com;branch=z9hG4bK0a9idfnee\nl: 0\n\n",
    },
    Sample {
        name: "unreason",
        text: "SIP/2.0 200 = 2**3 * 5**2 \u{43d}\u{43e} \u{441}\u{442}\u{43e} \u{434}\u{435}\u{432}\u{44f}\u{43d}\u{43e}\u{441}\u{442}\u{43e} - \u{43f}\u{440}\u{43e}\u{441}\u{442}\u{43e}\u{435}\nVia: SIP/2.0/UDP 192.0.2.198;branch=z9hG4bK1324923\nCall-ID: unreason.1234ksdfak3j2erwedfsASdf\nCSeq: 35 INVITE\nFrom: sip:user@example.com;tag=11141343\nTo: sip:user@example.edu;tag=2229\nContent-Length: LEN\nContent-Type: application/sdp\nContact: <sip:user@host198.example.com>\n\nv=0\no=mhandley 29739 7272939 IN IP4 192.0.2.198\n",
    },
    Sample {
        name: "noreason",
        text: "SIP/2.0 100 \nVia: SIP/2.0/UDP 192.0.2.105;branch=z9hG4bK2398ndaoe\nCall-ID: noreason.asndj203insdf99223ndf\nCSeq: 35 INVITE\nFrom: <sip:user@example.com>;tag=39ansfi3\nTo: <sip:user@example.edu>;tag=902jndnke3\nContent-Length: 0\nContact: <sip:user@host105.example.com>\n\n",
    },
    Sample {
        name: "badbranch",
        text: "OPTIONS sip:user@example.com SIP/2.0\nTo: sip:user@example.com\nFrom: sip:caller@example.org;tag=33242\nMax-Forwards: 3\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK\nAccept: application/sdp\nCall-ID: badbranch.sadonfo23i420jv0as0derf3j3n\nCSeq: 8 OPTIONS\nl: 0\n\n",
    },
    Sample {
        name: "unkscm",
        text: "OPTIONS nobodyKnowsThisScheme:totallyopaquecontent SIP/2.0\nTo: sip:user@example.com\nFrom: sip:caller@example.net;tag=384\nMax-Forwards: 3\nCall-ID: unkscm.nasdfasser0q239nwsdfasdkl34\nCSeq: 3923423 OPTIONS\nVia: SIP/2.0/TCP host9.example.com;branch=z9hG4bKkdjuw39234\nContent-Length: 0\n\n",
    },
    Sample {
        name: "novelsc",
        text: "OPTIONS soap.beep://192.0.2.103:3002 SIP/2.0\nTo: sip:user@example.com\nFrom: sip:caller@example.net;tag=384\nMax-Forwards: 3\nCall-ID: novelsc.asdfasser0q239nwsdfasdkl34\nCSeq: 3923423 OPTIONS\nVia: SIP/2.0/TCP host9.example.com;branch=z9hG4bKkdjuw39234\nContent-Length: 0\n\n",
    },
    Sample {
        name: "unksm2",
        text: "REGISTER sip:example.com SIP/2.0\nTo: isbn:2983792873\nFrom: <http://www.example.com>;tag=3234233\nCall-ID: unksm2.daksdj@hyphenated-host.example.com\nCSeq: 234902 REGISTER\nMax-Forwards: 70\nVia: SIP/2.0/UDP 192.0.2.21:5060;branch=z9hG4bKkdjuw\nContact: <name:John_Smith>\nl: 0\n\n",
    },
    Sample {
        name: "cparam01",
        text: "REGISTER sip:example.com SIP/2.0\nVia: SIP/2.0/UDP saturn.example.com:5060;branch=z9hG4bKkdjuw\nMax-Forwards: 70\nFrom: sip:watson@example.com;tag=DkfVgjkrtMwaerKKpe\nTo: sip:watson@example.com\nCall-ID: cparam01.70710@saturn.example.com\nCSeq: 2 REGISTER\nContact: sip:+19725552222@gw1.example.net;unknownparam\nl: 0\n\n",
    },
    Sample {
        name: "regescrt",
        text: "REGISTER sip:example.com SIP/2.0\nTo: sip:user@example.com\nFrom: sip:user@example.com;tag=8\nMax-Forwards: 70\nCall-ID: regescrt.k345asrl3fdbv@192.0.2.1\nCSeq: 14398234 REGISTER\nVia: SIP/2.0/UDP host5.example.com;branch=z9hG4bKkdjuw\nM: <sip:user@example.com?Route=%3Csip:sip.example.com%3E>\nL:0\n\n",
    },
    Sample {
        name: "inv2543",
        text: "INVITE sip:UserB@example.com SIP/2.0\nVia: SIP/2.0/UDP iftgw.example.com\nFrom: <sip:+13035551111@ift.client.example.net;user=phone>\nRecord-Route: <sip:UserB@example.com;maddr=ss1.example.com>\nTo: sip:+16505552222@ss1.example.net;user=phone\nCall-ID: inv2543.1717@ift.client.example.com\nCSeq: 56 INVITE\nContent-Type: application/sdp\n\nv=0\no=mhandley 29739 7272939 IN IP4 192.0.2.5\n",
    },
    Sample {
        name: "ipv6-good",
        text: "REGISTER sip:[2001:db8::10] SIP/2.0\nTo: sip:user@example.com\nFrom: sip:user@example.com;tag=81x2\nVia: SIP/2.0/UDP [2001:db8::9:1];branch=z9hG4bKas3-111\nCall-ID: SSG9559905523997077@hlau_4100\nMax-Forwards: 70\nContact: \"Caller\" <sip:caller@[2001:db8::1]>\nCSeq: 98176 REGISTER\nContent-Length: 0\n\n",
    },
    Sample {
        name: "via-received-param-with-delim",
        text: "BYE sip:[2001:db8::10] SIP/2.0\nTo: sip:user@example.com;tag=bd76ya\nFrom: sip:user@example.com;tag=81x2\nVia: SIP/2.0/UDP [2001:db8::9:1];received=[2001:db8::9:255];branch=z9hG4bKas3-111\nCall-ID: SSG9559905523997077@hlau_4100\nMax-Forwards: 70\nCSeq: 321 BYE\nContent-Length: 0\n\n",
    },
    Sample {
        name: "via-received-param-no-delim",
        text: "OPTIONS sip:[2001:db8::10] SIP/2.0\nTo: sip:user@example.com\nFrom: sip:user@example.com;tag=81x2\nVia: SIP/2.0/UDP [2001:db8::9:1];received=2001:db8::9:255;branch=z9hG4bKas3\nCall-ID: SSG95523997077@hlau_4100\nMax-Forwards: 70\nContact: \"Caller\" <sip:caller@[2001:db8::9:1]>\nCSeq: 921 OPTIONS\nContent-Length: 0\n\n",
    },
    Sample {
        name: "port-unambiguous",
        text: "REGISTER sip:[2001:db8::10]:5070 SIP/2.0\nTo: sip:user@example.com\nFrom: sip:user@example.com;tag=81x2\nVia: SIP/2.0/UDP [2001:db8::9:1];branch=z9hG4bKas3-111\nCall-ID: SSG9559905523997077@hlau_4100\nContact: \"Caller\" <sip:caller@[2001:db8::1]>\nMax-Forwards: 70\nCSeq: 98176 REGISTER\nContent-Length: 0\n\n",
    },
    Sample {
        name: "ipv4-mapped-ipv6",
        text: "INVITE sip:user@example.com SIP/2.0\nTo: sip:user@example.com\nFrom: sip:user@east.example.com;tag=5ca0x\nVia: SIP/2.0/UDP [::ffff:192.0.2.10]:19823;branch=z9hG4bKbh19\nVia: SIP/2.0/UDP [::ffff:192.0.2.2];branch=z9hG4bKas3-111\nCall-ID: SSG9559905523997077@hlau_4100\nContact: \"T. desk phone\" <sip:ted@[::ffff:192.0.2.2]>\nCSeq: 612 INVITE\nMax-Forwards: 70\nContent-Length: 0\n\n",
    },
    Sample {
        name: "ipv6-bug-abnf-3-colons",
        text: "OPTIONS sip:user@[2001:db8:::192.0.2.1] SIP/2.0\nTo: sip:user@[2001:db8:::192.0.2.1]\nFrom: sip:user@example.com;tag=810x2\nVia: SIP/2.0/UDP lab1.east.example.com;branch=z9hG4bKas3-111\nCall-ID: G9559905523997077@hlau_4100\nCSeq: 689 OPTIONS\nMax-Forwards: 70\nContent-Length: 0\n\n",
    },
];

fn sample(name: &str) -> &'static Sample {
    VALID.iter().find(|sample| sample.name == name).expect(name)
}

#[test]
fn all_valid_messages_are_usable() {
    for sample in VALID {
        assert_usable(sample.name, &sample.valid());
    }
}

#[test]
fn tortuous_parts_have_their_meaning() {
    let message = sample("intmeth").valid();
    assert_eq!(message.method().as_str(), "!interesting-Method0123456789_*+`.%indeed'~");
    assert_eq!(message.from_tag(), Some("_token~1'+`*%!-."));
    assert_eq!(message.from().expect("valid").display.as_deref(), Some("token1~` token2'+_ token3*%!.-"));
    assert_eq!(message.call_id(), "intmeth.word%ZK-!.*_+'@word`~)(><:\\/\"][?}{");

    let message = sample("esc01").valid();
    assert_eq!(uri(&message).user_text().as_deref(), Some("sips:user@example.com"));
    assert_eq!(message.to().expect("valid").uri.user_text().as_deref(), Some("user"));
    let contact = message.contacts().expect("valid").list()[0].address.uri.clone();
    assert_eq!(contact.param("lr"), Some(None));
    assert_eq!(contact.param("name"), Some(Some("v%61lue%25%34%31")));

    let message = sample("esc02").valid();
    assert_eq!(message.method().as_str(), "RE%47IST%45R");
    assert_eq!(message.contacts().expect("valid").list().len(), 2);
    assert_eq!(uri(&sample("semiuri").valid()).user(), Some("user;par=u%40example.net"));
}

#[test]
fn the_second_request_of_a_datagram_is_not_a_body() {
    let message = sample("dblreq").valid();
    assert_eq!((message.method().as_str(), message.body().len()), ("REGISTER", 0));
}

#[test]
fn any_transport_may_stand_in_a_via() {
    let vias: Vec<Via> = sample("transports").valid().list(HeaderName::Via).expect("valid");
    let tokens: Vec<_> = vias.iter().map(Via::transport_token).collect();
    assert_eq!(tokens, ["UDP", "SCTP", "TLS", "UNKNOWN", "TCP"]);
}

#[test]
fn any_phrase_will_do() {
    assert_eq!(sample("noreason").valid().status(), Some(StatusCode::TRYING));
    let message = sample("unreason").valid();
    assert_eq!(message.status(), Some(StatusCode::OK));
    assert!(message.phrase().is_some_and(|phrase| phrase.starts_with(b"= 2**3")));
}

#[test]
fn unknown_schemes_are_told_apart_from_faults() {
    for name in ["unkscm", "novelsc"] {
        assert_eq!(uri(&sample(name).valid()).scheme(), Scheme::Other);
    }
    assert_eq!(sample("unksm2").valid().to().expect("valid").uri.scheme_text(), "isbn");
}

#[test]
fn addresses_of_version_6_are_hosts() {
    let host = |text: &str| Some(Host::Ip(text.parse().expect("address")));
    assert_eq!(uri(&sample("ipv6-good").valid()).host().cloned(), host("2001:db8::10"));
    assert_eq!(uri(&sample("port-unambiguous").valid()).port(), Some(5070));
    assert_eq!(uri(&sample("ipv6-bug-abnf-3-colons").valid()).host().cloned(), host("2001:db8::192.0.2.1"));
    for name in ["via-received-param-with-delim", "via-received-param-no-delim"] {
        let via = sample(name).valid().top_via().expect("valid");
        assert_eq!(via.received(), "2001:db8::9:255".parse().ok());
    }
    assert_eq!(sample("ipv4-mapped-ipv6").valid().sent_by(), ("[::ffff:192.0.2.10]", Some(19823)));
}

#[test]
fn a_message_of_the_old_standard_has_neither_branch_nor_tag() {
    let message = sample("inv2543").valid();
    assert_eq!((message.branch(), message.from_tag(), message.max_forwards()), (None, None, None));
    assert_eq!(sample("badbranch").valid().branch(), Some("z9hG4bK"));
}
