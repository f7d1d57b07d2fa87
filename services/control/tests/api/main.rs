//! The API of the control plane, asked over gRPC: the same tests on the embedded store and on a real etcd, and after
//! each of them the store is audited.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod apply;
mod credentials;
mod fixture;
mod outage;
mod paging;
mod refusals;
mod replicas;
mod resources;
mod routes;
mod services;
mod simulate;
mod standard;
mod sync;
mod watch;
mod worker;
mod writes;

use crate::fixture::{Backend, Fixture};

macro_rules! suite {
    ($($area:ident :: $test:ident),* $(,)?) => {
        mod on_embedded {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $test() {
                let mut fixture = super::Fixture::start(super::Backend::Embedded).await;
                super::$area::$test(&mut fixture).await;
                fixture.finish().await;
            })*
        }
        mod on_etcd {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $test() {
                let mut fixture = super::Fixture::start(super::Backend::Etcd).await;
                super::$area::$test(&mut fixture).await;
                fixture.finish().await;
            })*
        }
    };
}

suite! {
    standard::every_kind_is_created_read_and_deleted,
    standard::settings_exist_before_anybody_wrote_them,
    standard::an_update_changes_what_its_mask_names,
    standard::an_update_without_mask_changes_what_is_set,
    standard::an_update_of_everything_takes_away_what_is_not_given,
    standard::an_update_may_create_when_it_is_allowed_to,
    standard::a_no_op_update_keeps_etag_and_revision,
    standard::a_read_mask_leaves_the_rest_out,
    standard::what_a_user_wrote_is_what_he_reads,
    paging::pages_are_of_one_revision,
    paging::page_tokens_are_checked,
    writes::an_etag_guards_update_and_delete,
    writes::validation_writes_nothing,
    writes::a_repeated_request_has_its_first_result,
    writes::a_request_id_is_good_for_one_request,
    writes::a_request_id_sent_many_times_at_once_writes_once,
    writes::concurrent_updates_are_all_kept_or_refused,
    refusals::all_wrong_fields_are_named_at_once,
    refusals::names_and_ids_are_checked,
    refusals::a_taken_value_names_its_holder,
    refusals::a_missing_reference_is_named,
    refusals::what_is_referred_to_cannot_be_deleted,
    refusals::a_topology_that_does_not_compile_is_refused,
    refusals::unknown_mask_paths_are_refused,
    credentials::a_password_is_sealed_and_no_answer_holds_it,
    credentials::a_password_that_is_left_out_stays,
    credentials::a_new_password_is_a_change_that_is_not_shown,
    credentials::credentials_and_who_uses_them_hang_together,
    routes::the_first_row_that_matches_takes_the_call,
    routes::rows_are_checked_when_they_are_written,
    apply::resources_are_created_updated_and_left_alone,
    apply::another_managers_resource_is_a_conflict_unless_forced,
    apply::prune_deletes_only_what_the_manager_left_out,
    apply::diff_says_what_apply_would_do_and_writes_nothing,
    apply::an_export_applies_back_unchanged,
    apply::every_wrong_resource_is_named_in_one_answer,
    apply::a_large_apply_is_refused_when_atomic_and_else_written_in_steps,
    apply::users_of_a_large_apply_may_pass_their_numbers_on,
    apply::stations_of_a_large_apply_may_rely_on_the_settings_in_it,
    apply::users_may_swap_their_numbers,
    apply::if_revision_looks_at_everything_but_users,
    apply::a_repeated_apply_is_recognised,
    watch::a_watch_begins_with_everything,
    watch::a_revision_arrives_whole,
    watch::a_watch_resumes_after_any_revision_it_was_told,
    watch::bookmarks_come_although_others_are_busy,
    watch::forgotten_revisions_are_refused,
    watch::bad_requests_are_refused,
    simulate::the_choice_is_explained,
    simulate::an_assumed_state_moves_a_target_back,
    simulate::nobody_is_not_found,
    simulate::a_source_that_is_not_admitted_is_refused,
    simulate::reported_states_count,
    sync::a_worker_gets_a_snapshot_and_then_deltas,
    sync::a_refused_line_is_shown_until_it_is_put_in_force,
    sync::a_worker_that_comes_back_gets_only_what_changed,
    sync::a_worker_of_another_store_gets_everything,
    sync::a_worker_that_is_ahead_is_sent_away,
    sync::a_newer_stream_replaces_an_older_one,
    sync::live_entries_are_answered,
    sync::who_does_not_say_who_he_is_is_sent_away,
    services::reflection_lists_the_services,
    services::health_tells_what_is_ready,
    services::strong_reads_are_answered_by_the_store,
    outage::reads_go_on_and_say_how_old_they_are,
    outage::a_write_whose_answer_was_lost_is_found_again,
    outage::nothing_is_half_written,
    replicas::of_two_conflicting_writes_one_wins,
    replicas::a_write_is_seen_on_the_other_replica,
    replicas::a_refusal_knows_what_the_other_replica_wrote,
    replicas::a_worker_may_move_to_the_other_replica,
    replicas::a_restarted_replica_calls_the_same_state_by_the_same_revision,
}
