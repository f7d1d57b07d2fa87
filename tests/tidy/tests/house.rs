//! The house rules, applied to this repository.

use um_tidy::{
    Repo, architecture, assert_clean, banned, conformance, dependency, length, naming, proto, purity,
    telemetry, workplace,
};

#[test]
fn files_are_short() {
    assert_clean(length::files(&Repo::read(), length::LONG_FILES));
}

#[test]
fn functions_are_short() {
    assert_clean(length::functions(&Repo::read(), length::LONG_FUNCTIONS));
}

#[test]
fn main_configures_builds_runs_and_drains() {
    assert_clean(length::mains(&Repo::read()));
}

#[test]
fn every_file_opens_with_what_it_is() {
    assert_clean(length::headers(&Repo::read()));
}

#[test]
fn names_say_something() {
    assert_clean(naming::names(&Repo::read()));
}

#[test]
fn docs_stay_few() {
    assert_clean(naming::notes(&Repo::read()));
}

#[test]
fn crates_keep_to_the_dependency_table() {
    assert_clean(dependency::breaches(&Repo::read()));
}

#[test]
fn pure_crates_are_pure() {
    assert_clean(purity::breaches(&Repo::read()));
}

#[test]
fn rsip_stays_inside_um_sip() {
    assert_clean(purity::rsip(&Repo::read()));
}

#[test]
fn nothing_is_promised_or_ignored() {
    assert_clean(banned::words(&Repo::read()));
}

#[test]
fn nothing_tells_where_it_was_written() {
    assert_clean(workplace::traces(&Repo::read()));
}

#[test]
fn protos_compile_are_commented_and_well_named() {
    let set = proto::compile(&Repo::read().root.join("proto")).expect("the API compiles");
    assert!(set.file.len() > 5, "the whole API was read");
    assert_clean(proto::breaches(&set));
}

#[test]
fn the_architecture_names_what_is_there() {
    assert_clean(architecture::breaches(&Repo::read()));
}

#[test]
fn the_other_documents_name_files_that_are_there() {
    let repo = Repo::read();
    for path in ["README.md", "CONTRIBUTING.md", telemetry::PATH, conformance::PATH] {
        assert_clean(architecture::missing_files_of(&repo, path));
    }
}

#[test]
fn every_instrument_and_span_is_documented() {
    assert_clean(telemetry::undocumented(&Repo::read()));
}

#[test]
fn every_instrument_is_recorded() {
    assert_clean(telemetry::unrecorded(&Repo::read()));
}

#[test]
fn every_behaviour_names_tests_that_are_there() {
    assert_clean(conformance::breaches(&Repo::read()));
}
