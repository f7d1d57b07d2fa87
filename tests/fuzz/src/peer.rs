//! What foreign parties write: requests and responses with the features that the input chooses, by hand and without the code
//! of the product.

use um_sip::{HeaderName, Message};

use crate::mutation::Draft;
use crate::source::Source;

/// What ties a request to its dialog and transaction.
#[derive(Clone, Debug, Default)]
pub struct Thread {
    /// Request-URI.
    pub uri: String,
    /// Sent-by of the Via.
    pub sent_by: String,
    /// UDP or TCP.
    pub transport: &'static str,
    /// Branch of the Via.
    pub branch: String,
    /// Value of From.
    pub from: String,
    /// Value of To.
    pub to: String,
    /// Call-ID.
    pub call_id: String,
    /// Number in CSeq.
    pub cseq: u32,
    /// Value of RAck, if it is a PRACK.
    pub acknowledged: String,
    /// Value of Replaces and what a Refer-To may carry of it.
    pub replaced: String,
}

/// Writes a request; features and body are chosen by the input.
pub fn request(source: &mut Source<'_>, method: &str, thread: &Thread) -> Draft {
    let Thread { uri, sent_by, transport, branch, from, to, call_id, cseq, acknowledged, .. } = thread;
    let mut head = format!(
        "{method} {uri} SIP/2.0\r\nVia: SIP/2.0/{transport} {sent_by};branch={branch}\r\nMax-Forwards: 70\r\n\
         From: {from}\r\nTo: {to}\r\nCall-ID: {call_id}\r\nCSeq: {cseq} {}\r\n",
        method
    );
    if !acknowledged.is_empty() && method == "PRACK" {
        head.push_str(&format!("RAck: {acknowledged}\r\n"));
    }
    if !matches!(method, "BYE" | "CANCEL" | "ACK" | "PRACK" | "INFO") {
        head.push_str(&format!("Contact: <sip:peer@{sent_by};transport={}>\r\n", transport.to_lowercase()));
    }
    let features = source.word();
    add_features(&mut head, features, REQUEST_FEATURES);
    if method == "REFER" {
        let place = source.pick(REFER_TO);
        head.push_str(&format!(
            "Refer-To: {}\r\n",
            place.replace("REPLACED", &thread.replaced.replace(';', "%3B").replace('=', "%3D"))
        ));
    }
    if features & REPLACES != 0 && !thread.replaced.is_empty() {
        head.push_str(&format!("Replaces: {}\r\n", thread.replaced));
    }
    with_body(source, head)
}

/// Writes a response to a request of ours.
pub fn response(source: &mut Source<'_>, request: &Message, status: u16, tag: &str, contact: &str) -> Draft {
    let mut head = format!("SIP/2.0 {status} Fuzz\r\n");
    for line in request.lines() {
        let kept = [HeaderName::Via, HeaderName::From, HeaderName::CallId, HeaderName::CSeq];
        if line.name.is_some_and(|name| kept.contains(&name)) {
            head.push_str(&String::from_utf8_lossy(line.raw()));
        }
    }
    let to = request.header_text(HeaderName::To).unwrap_or_default();
    let tag =
        if tag.is_empty() || request.to_tag().is_some() { String::new() } else { format!(";tag={tag}") };
    head.push_str(&format!("To: {to}{tag}\r\n"));
    if !contact.is_empty() {
        head.push_str(&format!("Contact: {contact}\r\n"));
    }
    let features = source.word();
    add_features(&mut head, features, RESPONSE_FEATURES);
    if features & RELIABLE != 0 {
        head.push_str(&format!("Require: 100rel\r\nRSeq: {}\r\n", 1 + u32::from(features >> 14)));
    }
    with_body(source, head)
}

fn add_features(head: &mut String, features: u16, lines: &[&str]) {
    for (bit, line) in lines.iter().enumerate() {
        if features & (1 << bit) != 0 {
            head.push_str(line);
        }
    }
}

fn with_body(source: &mut Source<'_>, mut head: String) -> Draft {
    let choice = source.below(BODIES.len() + 2);
    let (kind, body) = match choice.checked_sub(1).map(|index| BODIES.get(index)) {
        None => return Draft::new(head, ""),
        Some(Some((kind, body))) => (*kind, body.as_bytes()),
        Some(None) => {
            let length = source.below(256);
            ("application/sdp", source.take(length))
        }
    };
    head.push_str(&format!("Content-Type: {kind}\r\n"));
    Draft::new(head, body)
}

/// The bit of [`request`]'s features that adds `Replaces`.
const REPLACES: u16 = 1 << 15;
/// The bit of [`response`]'s features that makes it reliable; two bits above it count `RSeq`.
const RELIABLE: u16 = 1 << 13;

const REQUEST_FEATURES: &[&str] = &[
    "Supported: 100rel, timer, replaces, norefersub\r\n",
    "Allow: INVITE, ACK, CANCEL, BYE, PRACK, UPDATE, INFO, REFER, NOTIFY, OPTIONS\r\n",
    "Require: 100rel\r\n",
    "Session-Expires: 90;refresher=uac\r\nMin-SE: 90\r\n",
    "Session-Expires: 1800;refresher=uas\r\n",
    "Diversion: <sip:2001@pbx.example.com>;reason=no-answer\r\n",
    "History-Info: <sip:2001@pbx.example.com>;index=1, <sip:6000@pbx.example.com>;index=1.1;cause=486\r\n",
    "Record-Route: <sip:127.0.0.3;lr>\r\n",
    "Record-Route: <sip:127.0.0.4>\r\n",
    "Event: refer\r\nSubscription-State: terminated;reason=noresource\r\n",
    "Require: replaces, unheard-of\r\n",
    "Refer-Sub: false\r\n",
    "Referred-By: <sip:2001@pbx.example.com>\r\n",
    "Expires: 5\r\n",
    "Reason: Q.850;cause=16\r\n",
];

const RESPONSE_FEATURES: &[&str] = &[
    "Supported: 100rel, timer, replaces\r\n",
    "Allow: INVITE, ACK, CANCEL, BYE, PRACK, UPDATE, INFO, REFER, NOTIFY, OPTIONS\r\n",
    "Record-Route: <sip:127.0.0.3;lr>\r\n",
    "Session-Expires: 90;refresher=uac\r\nRequire: timer\r\n",
    "Session-Expires: 1800;refresher=uas\r\n",
    "Min-SE: 3600\r\n",
    "Retry-After: 5\r\n",
    "WWW-Authenticate: Digest realm=\"um\", nonce=\"n1\", qop=\"auth,auth-int\", algorithm=MD5\r\n",
    "Proxy-Authenticate: Digest realm=\"um\", nonce=\"n2\", stale=TRUE, algorithm=SHA-256\r\n",
    "Refer-Sub: false\r\n",
    "Warning: 399 um \"x\"\r\n",
    "Unsupported: 100rel, timer\r\n",
];

const REFER_TO: &[&str] = &[
    "<sip:2002@pbx.example.com>",
    "<sip:2002@pbx.example.com?Replaces=REPLACED>",
    "<sip:2002@127.0.0.9:5999;transport=tcp>",
    "<tel:+15550100>",
    "<sip:2002@pbx.example.com;method=BYE>",
    "sip:6000@pbx.example.com?Replaces=REPLACED&Require=replaces",
];

const AUDIO: &str = "v=0\r\no=fuzz 1 1 IN IP4 127.0.0.2\r\ns=-\r\nc=IN IP4 127.0.0.2\r\nt=0 0\r\nm=audio 30000 RTP/AVP 0 101\r\n\
    a=rtpmap:101 telephone-event/8000\r\n";
const BODIES: &[(&str, &str)] = &[
    ("application/sdp", AUDIO),
    (
        "application/sdp",
        "v=0\r\no=fuzz 1 2 IN IP4 127.0.0.2\r\ns=-\r\nc=IN IP4 127.0.0.2\r\nt=0 0\r\nm=audio 30000 RTP/AVP 8 96\r\n\
         a=rtpmap:96 opus/48000/2\r\na=sendonly\r\n",
    ),
    (
        "application/sdp",
        "v=0\r\no=fuzz 1 3 IN IP4 127.0.0.2\r\ns=-\r\nc=IN IP4 0.0.0.0\r\nt=0 0\r\nm=audio 30000 RTP/AVP 0 8 101\r\n\
         a=rtpmap:101 telephone-event/8000\r\na=inactive\r\n",
    ),
    (
        "application/sdp",
        "v=0\r\no=fuzz 1 4 IN IP4 127.0.0.2\r\ns=-\r\nc=IN IP4 127.0.0.2\r\nt=0 0\r\nm=image 30002 udptl t38\r\n\
         a=T38FaxVersion:0\r\na=T38FaxRateManagement:transferredTCF\r\n",
    ),
    (
        "application/sdp",
        "v=0\r\no=fuzz 1 5 IN IP4 127.0.0.2\r\ns=-\r\nc=IN IP4 127.0.0.2\r\nt=0 0\r\nm=audio 30000 RTP/AVP 0\r\nm=video 30004 RTP/AVP 31\r\n\
         m=audio 0 RTP/AVP 0\r\n",
    ),
    ("application/dtmf-relay", "Signal=5\r\nDuration=160\r\n"),
    ("application/dtmf", "#"),
    ("message/sipfrag;version=2.0", "SIP/2.0 200 OK\r\n"),
    (
        "multipart/mixed;boundary=\"b\"",
        "--b\r\nContent-Type: application/sdp\r\n\r\nv=0\r\no=fuzz 1 1 IN IP4 127.0.0.2\r\ns=-\r\nc=IN IP4 127.0.0.2\r\nt=0 0\r\n\
         m=audio 30000 RTP/AVP 0\r\n\r\n--b\r\nContent-Type: text/plain\r\n\r\nx\r\n--b--\r\n",
    ),
    ("text/plain", "nothing of interest"),
];
