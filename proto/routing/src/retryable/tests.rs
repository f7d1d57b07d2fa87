//! Tests of the judgement: the vectors of the code grammar and each line of the evaluation order.

use um_topology::Line;

use super::*;

fn plan(codes: &str) -> AttemptPlan {
    let mut line = Line::new("um", "lo".parse().unwrap());
    line.transport.retryable_codes = Some(codes.parse().unwrap());
    AttemptPlan::new(&line, None)
}

fn judge(codes: &str, status: u16) -> Verdict {
    verdict(status, None, &plan(codes))
}

const NEXT: Verdict = Verdict::Next { block: None };

const fn last(status: u16) -> Verdict {
    Verdict::Final { status, block: None }
}

#[test]
fn a_code_of_the_set_moves_on_and_any_other_is_final() {
    assert_eq!(judge("480, 500-599", 480), NEXT);
    assert_eq!(judge("480, 500-599", 500), NEXT);
    assert_eq!(judge("480, 500-599", 486), last(486));
    assert_eq!(judge("480, 500-599", 404), last(404));
}

#[test]
fn the_default_set_is_480_and_5xx() {
    let plan = AttemptPlan::new(&Line::new("um", "lo".parse().unwrap()), None);
    assert_eq!(verdict(480, None, &plan), NEXT);
    assert_eq!(verdict(599, None, &plan), NEXT);
    assert_eq!(verdict(486, None, &plan), last(486));
}

#[test]
fn a_6xx_is_final_unless_listed_by_itself() {
    assert_eq!(judge("480,500-699", 603), last(603));
    assert_eq!(judge("480,603", 603), NEXT);
    assert_eq!(judge("600-604,603", 603), NEXT);
    assert_eq!(judge("600-604,603", 604), last(604));
}

#[test]
fn a_received_408_is_final_unless_listed_but_our_own_timeout_moves_on() {
    assert_eq!(judge("480, 500-599", 408), last(408));
    assert_eq!(judge("408", 408), NEXT);
    assert_eq!(LocalFailure::Silence.verdict(), NEXT);
}

#[test]
fn a_challenge_or_another_3xx_reaches_the_caller_as_502() {
    assert_eq!(judge("480", 401), last(502));
    assert_eq!(judge("480", 407), last(502));
    assert_eq!(judge("480", 305), last(502));
    assert_eq!(judge("480", 380), last(502));
    assert_eq!(judge("401", 401), NEXT);
}

#[test]
fn the_three_redirects_are_followed_even_if_a_range_covers_them() {
    for status in [300, 301, 302] {
        assert_eq!(judge("300-599", status), Verdict::Redirect);
    }
}

#[test]
fn what_blames_the_request_is_final_unless_listed_by_itself() {
    assert_eq!(judge("400-499", 415), last(415));
    assert_eq!(judge("415", 415), NEXT);
}

#[test]
fn a_503_with_retry_after_blocks_its_target_for_at_most_300_s() {
    let plan = plan("480, 500-599");
    let block = |seconds| match verdict(503, seconds, &plan) {
        Verdict::Next { block } => block.map(|time| time.as_secs()),
        other @ (Verdict::Accept | Verdict::Redirect | Verdict::Final { .. }) => panic!("{other:?}"),
    };
    assert_eq!(block(Some(20)), Some(20));
    assert_eq!(block(Some(86_400)), Some(300));
    assert_eq!(block(None), None);
    assert_eq!(block(Some(0)), None);
    assert_eq!(verdict(500, Some(20), &plan), NEXT);
}

#[test]
fn an_unlisted_503_is_final_and_blocks_all_the_same() {
    let block = Some(Duration::from_secs(20));
    assert_eq!(verdict(503, Some(20), &plan("480")), Verdict::Final { status: 503, block });
}

#[test]
fn a_2xx_is_accepted_whatever_the_set_says() {
    assert_eq!(judge("300-699", 200), Verdict::Accept);
}

#[test]
fn ringing_without_an_answer_is_final() {
    assert_eq!(LocalFailure::NoAnswer.verdict(), last(408));
    assert_eq!(LocalFailure::NoAnswer.effect(), Effect::Alive);
}

#[test]
fn local_failures_count_as_503_or_408_and_make_the_target_suspect() {
    assert_eq!(LocalFailure::Refused.synthetic(), 503);
    assert_eq!(LocalFailure::ConnectTimeout.synthetic(), 503);
    assert_eq!(LocalFailure::TryingOnly.synthetic(), 408);
    assert_eq!(LocalFailure::Refused.effect(), Effect::Failed);
}

#[test]
fn a_response_proves_life_unless_its_code_is_dead() {
    assert_eq!(effect(480, None, false), Effect::Alive);
    assert_eq!(effect(500, None, true), Effect::Failed);
    assert_eq!(effect(503, None, true), Effect::Failed);
    assert_eq!(effect(503, Some(7), true), Effect::Blocked(Duration::from_secs(7)));
}

const fn response(status: u16) -> AttemptEnd {
    AttemptEnd::Response { status, retry_after: None }
}

#[test]
fn servers_that_all_failed_give_503_with_retry_after() {
    let unavailable = FinalResponse { status: 503, retry_after: Some(10) };
    let refused = AttemptEnd::Local(LocalFailure::Refused);
    let silent = AttemptEnd::Local(LocalFailure::Silence);
    assert_eq!(most_useful(&[refused, response(500), silent]), unavailable);
    assert_eq!(most_useful(&[]), unavailable);
}

#[test]
fn otherwise_the_caller_gets_the_last_response_that_a_server_sent() {
    let silent = AttemptEnd::Local(LocalFailure::Silence);
    let last = |attempts: &[AttemptEnd]| most_useful(attempts).status;
    assert_eq!(last(&[response(480), silent]), 480);
    assert_eq!(last(&[response(486), response(480)]), 480);
    assert_eq!(last(&[response(480), response(500)]), 500);
    assert_eq!(last(&[response(407), silent]), 502);
}
