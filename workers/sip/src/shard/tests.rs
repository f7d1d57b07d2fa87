//! Every message of a call finds the shard that has it.

use super::*;

fn request(method: &str, uri: &str, to: &str, call_id: &str) -> Vec<u8> {
    format!(
        "{method} {uri} SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.1;branch=z9hG4bKum3-x\r\nFrom: <sip:a@b>;tag=um2-y\r\nTo: {to}\r\n\
         Call-ID: {call_id}\r\nCSeq: 1 {method}\r\nContent-Length: 0\r\n\r\n"
    )
    .into_bytes()
}

fn response(via: &str) -> Vec<u8> {
    format!(
        "SIP/2.0 200 OK\r\nv: {via}\r\nVia: SIP/2.0/UDP 10.9.9.9;branch=z9hG4bKum1-other\r\nFrom: <sip:a@b>;tag=um1-y\r\n\
         To: <sip:c@d>;tag=um1-z\r\ni: call\r\nCSeq: 1 INVITE\r\n\r\n"
    )
    .into_bytes()
}

#[test]
fn marks_read_back_for_every_shard() {
    for shard in [0, 1, 9, 10, 255, u16::MAX] {
        assert_eq!(of_tag(tag(shard, "abc").as_bytes()), Some(shard));
        assert_eq!(of_branch(branch(shard, "abc").as_bytes()), Some(shard));
        let uri = contact(&"sip:um@10.0.0.1:5060;transport=tcp?x=y".parse().expect("valid"), shard);
        assert_eq!(of_contact(uri.as_str().as_bytes()), Some(shard));
    }
}

#[test]
fn foreign_marks_are_not_ours() {
    for tag in ["", "um", "um-", "umg-1", "um12345-1", "1928301774", "um1", "SIPpTag001", "um+1-x"] {
        assert_eq!(of_tag(tag.as_bytes()), None, "{tag}");
    }
    assert_eq!(of_branch(b"um1-x"), None);
    assert_eq!(of_contact(b"sip:6000@um.example.com;um-sharded=1"), None);
}

#[test]
fn responses_follow_the_topmost_branch() {
    assert_eq!(owner(&response("SIP/2.0/UDP 10.0.0.1:5060;rport;branch=z9hG4bKum3-q"), 4), 3);
    assert_eq!(
        owner(
            &response(
                "SIP / 2.0 / UDP 10.0.0.1\r\n ;branch = z9hG4bKum2-q, SIP/2.0/TCP h;branch=z9hG4bKum0-r"
            ),
            4
        ),
        2
    );
}

#[test]
fn requests_in_a_dialog_follow_our_tag() {
    let to = "\"x;tag=um1-fake\" <sip:c@d;tag=um0-no>\r\n ;\r\n tag=um3-z";
    for method in ["BYE", "ACK", "INVITE", "CANCEL", "UPDATE"] {
        assert_eq!(owner(&request(method, "sip:w@10.0.0.1", to, "call"), 4), 3);
    }
}

/// The peer keeps only tags, as SIPp's stock scenarios do; without any mark the Call-ID decides for all alike.
#[test]
fn invite_retransmission_cancel_and_ack_of_a_new_call_meet() {
    for call in 0..50 {
        let call_id = format!("{call}-4711@127.0.0.1");
        let owners: Vec<u16> = ["INVITE", "CANCEL", "ACK"]
            .iter()
            .map(|method| {
                owner(&request(method, "sip:2001@10.0.0.1:5060", "<sip:2001@10.0.0.1>", &call_id), 7)
            })
            .collect();
        assert!(owners.iter().all(|owner| *owner == owners[0] && *owner < 7));
        let in_dialog = request(
            "BYE",
            "sip:2001@10.0.0.1:5060",
            &format!("<sip:c@d>;tag={}", tag(owners[0], "t")),
            &call_id,
        );
        assert_eq!(owner(&in_dialog, 7), owners[0]);
    }
}

#[test]
fn a_request_to_our_contact_follows_it() {
    assert_eq!(owner(&request("OPTIONS", "sip:10.0.0.1;um-shard=2", "<sip:c@d>", "call"), 4), 2);
    assert_eq!(owner(&request("BYE", "sip:10.0.0.1;um-shard=2", "<sip:c@d>;tag=foreign", "call"), 4), 2);
    assert_eq!(owner(&request("BYE", "sip:10.0.0.1;um-shard=2", "<sip:c@d>;tag=um1-x", "call"), 4), 1);
}

#[test]
fn with_fewer_shards_than_before_the_call_id_decides() {
    let by_call_id = owner(&request("INVITE", "sip:c@d", "<sip:c@d>", "call"), 2);
    for to in ["<sip:c@d>;tag=um7-z", "<sip:c@d>;tag=um2-z"] {
        assert_eq!(owner(&request("BYE", "sip:c@d", to, "call"), 2), by_call_id);
    }
    assert_eq!(owner(&response("SIP/2.0/UDP 10.0.0.1;branch=z9hG4bKum5-q"), 2), by_call_id);
}

#[test]
fn call_ids_spread_evenly() {
    let mut counts = [0u32; 8];
    for call in 0..8000 {
        counts[usize::from(by_hash(format!("{call}-31337@127.0.0.1").as_bytes(), 8))] += 1;
    }
    assert!(counts.iter().all(|count| (850..1150).contains(count)), "{counts:?}");
}

#[test]
fn anything_has_an_owner() {
    for bytes in [
        &b""[..],
        b"\r\n",
        b"\xff\x00",
        b"INVITE",
        b"SIP/2.0 200 OK\r\nVia: \r\n",
        b"A B C\r\nTo: \"\r\n\r\n",
    ] {
        assert!(owner(bytes, 3) < 3);
        assert_eq!(owner(bytes, 1), 0);
        assert_eq!(owner(bytes, 0), 0);
    }
}

/// RFC 3891 §3: the dialog that is replaced is at the shard of its tag.
#[test]
fn an_invite_that_replaces_goes_to_the_shard_of_the_dialog() {
    let invite = |to: &str, replaces: &str| {
        let text = String::from_utf8(request("INVITE", "sip:6000@10.0.0.1", to, "call")).expect("text");
        text.replace("Content-Length", &format!("Replaces: {replaces}\r\nContent-Length")).into_bytes()
    };
    let plain = owner(&invite("<sip:c@d>", "x;to-tag=foreign;from-tag=b"), 16);
    assert_eq!(plain, owner(&request("INVITE", "sip:6000@10.0.0.1", "<sip:c@d>", "call"), 16));
    for shard in 0..16 {
        let tag = tag(shard, "abc");
        assert_eq!(owner(&invite("<sip:c@d>", &format!("x@y;from-tag=b ; to-tag={tag}")), 16), shard);
        assert_eq!(owner(&invite(&format!("<sip:c@d>;tag={tag}"), "x;to-tag=um0-z;from-tag=b"), 16), shard);
    }
}
