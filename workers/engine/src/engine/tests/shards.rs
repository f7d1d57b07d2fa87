//! One worker with several shards: any socket may receive anything, the owner deals with it.

use super::*;

fn rig(shards: u16) -> Rig {
    Rig::with(shards, &topology(2, |parts| parts.list.entries[0].max_calls = Some(3)))
}

#[test]
fn calls_spread_over_the_shards_and_every_message_finds_its_own() {
    for shards in [1, 2, 5] {
        let mut rig = rig(shards);
        for index in 0..40 {
            let caller = Caller::new(&format!("c{index}"));
            let (invite, ok) = rig.answered_call(&caller);
            if index % 2 == 0 {
                rig.receive(caller.flow, caller.inside("BYE", 2, &ok, ""));
                rig.response(200);
                rig.request(&Method::Bye);
            } else {
                rig.receive(invite.flow, invite.inside("BYE", 1, ""));
                rig.response(200);
                rig.request(&Method::Bye);
            }
            rig.silent();
            rig.pass_ms(300);
            rig.skip();
        }
        assert_eq!(rig.records.len(), 40);
        let used = (0..shards).filter(|shard| rig.records.iter().any(|record| record.call.shard == *shard));
        assert_eq!(used.count(), usize::from(shards));
        rig.assert_at_rest();
    }
}

#[test]
fn a_cancel_finds_the_shard_of_its_invite() {
    let mut rig = rig(5);
    for index in 0..20 {
        let caller = Caller::new(&format!("c{index}"));
        rig.call(&caller);
        rig.receive(caller.flow, caller.cancel());
        rig.response(200);
        let terminated = rig.response(487);
        rig.receive(caller.flow, caller.ack_failure(&terminated));
        rig.silent();
    }
}

#[test]
fn what_one_shard_suffers_the_others_avoid() {
    let mut rig = rig(3);
    rig.probes_answered = false;
    let first = rig.call(&Caller::new("a"));
    rig.receive(first.flow, first.answer_as(503, "", "um", "Retry-After: 60\r\n"));
    rig.skip();
    for index in 0..10 {
        assert_eq!(rig.call(&Caller::new(&format!("c{index}"))).flow.remote, address(12, 5060));
    }
}

#[test]
fn a_limit_of_a_target_counts_the_calls_of_all_shards() {
    let mut rig = rig(3);
    let mut first = 0;
    for index in 0..12 {
        let caller = Caller::new(&format!("c{index}"));
        let (invite, _) = rig.answered_call(&caller);
        first += usize::from(invite.flow.remote == address(11, 5060));
        rig.pass_ms(50);
        rig.skip();
    }
    assert_eq!(first, 3);
}

#[test]
fn each_target_is_probed_by_one_shard() {
    let mut rig = rig(4);
    rig.probes_shown = true;
    rig.pass_ms(1_000);
    let mut branches: Vec<&str> = rig.sent.iter().filter_map(|sent| sent.message.branch()).collect();
    branches.sort_unstable();
    branches.dedup();
    assert_eq!(branches.len(), 2);
}
