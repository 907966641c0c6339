//! A real PostgreSQL's catalog is read, policies are resolved against it, and the SQL that comes out does what it says: on
//! the machine's own server, the oldest and the newest that are supported. A missing one is counted as a skip, and is a failure
//! under `CI=true`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "this is test code: a broken expectation is a panic"
)]
#![allow(unreachable_pub, reason = "nobody imports a test")]

mod ages;
mod catalog;
mod errors;
mod foreign_keys;
mod holds;
mod preflight;
mod subjects;
mod support;
mod survey;
mod transforms;

use libtest_mimic::{Arguments, Completion, Trial};
use pg_cluster::{Major, or_skip};
use std::future::Future;
use std::process::ExitCode;

/// Each test is a session or two on a server that all share.
const THREADS: usize = 4;

/// The same test on every server.
fn on_each<F: Future<Output = ()> + 'static>(name: &str, test: fn(Major) -> F) -> Vec<Trial> {
    let trial = |major: Major| {
        Trial::ignorable_test(format!("{name}::{}", major.name()), move || {
            if or_skip(major.ensure()).is_none() {
                return Ok(Completion::ignored_with(format!("no PostgreSQL {}", major.name())));
            }
            tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()?
                .block_on(test(major));
            Ok(Completion::Completed)
        })
    };
    Major::ALL.into_iter().map(trial).collect()
}

macro_rules! on_each {
    ($($test:path,)*) => {
        [$(on_each(stringify!($test), $test)),*]
    };
}

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    arguments.test_threads.get_or_insert(THREADS);
    let trials = on_each![
        ages::ages_are_as_a_naive_model_has_them,
        ages::conditions_are_fulfilled_by_values_only,
        catalog::names_and_types_come_as_they_are,
        catalog::every_column_that_an_index_speaks_of_is_seen,
        catalog::trees_of_partitions_have_the_tightest_bound_above_them,
        catalog::foreign_keys_are_followed_both_ways_and_are_not_counted_twice,
        catalog::operators_of_extensions_are_named_with_their_schema,
        catalog::triggers_rules_rights_and_row_security,
        catalog::a_table_that_somebody_keeps_locked_is_read_all_the_same,
        catalog::a_thousand_partitions_take_well_under_a_second,
        catalog::what_is_not_there_is_not_in_the_picture,
        errors::only_tables_of_this_server_are_governed,
        errors::missing_rights_and_row_security_are_told_with_what_is_needed,
        errors::values_are_tried_on_the_server,
        foreign_keys::a_row_that_any_row_refers_to_stays,
        foreign_keys::with_cascade_only_what_refuses_keeps_a_row_however_deep,
        foreign_keys::keys_into_partitions_and_into_the_whole_both_count,
        foreign_keys::children_go_before_parents_and_circles_are_told,
        foreign_keys::nothing_but_leaves_is_worked_on,
        holds::holds_follow_values_keys_and_releases,
        holds::holds_on_citext_do_not_mind_the_case,
        holds::holds_follow_the_columns_collation,
        holds::composite_keys_with_a_null_tie_nothing,
        holds::a_subject_is_held_wherever_it_is_reached,
        holds::labels_of_every_type_hold,
        holds::partitions_inheritance_and_holds_on_either,
        holds::a_hold_whose_column_was_renamed_stops_everything,
        holds::model::held_rows_are_those_of_a_naive_model,
        holds::a_row_that_becomes_held_while_we_wait_for_it_stays,
        preflight::every_question_is_answered,
        preflight::what_tables_have_is_found,
        preflight::a_published_table_that_postgres_would_refuse_is_refused,
        preflight::a_snapshot_is_seen_with_who_has_it,
        preflight::a_role_without_rights_is_told_what_it_cannot_see,
        preflight::a_hold_on_a_subject_is_void_nowhere,
        preflight::without_counts_nothing_may_go_along,
        subjects::everything_of_a_subject_goes_and_nothing_else,
        subjects::subjects_that_ask_are_those_of_whom_something_is_left,
        subjects::a_chain_that_does_not_fit_is_told,
        survey::counts_are_exact_and_totals_only_where_they_are_needed,
        survey::indexes_that_are_left_as_they_are_are_not_searched,
        survey::what_is_anonymous_already_is_not_to_be_done,
        survey::rows_that_go_along_are_counted_way_by_way,
        survey::partitions_are_chosen_one_by_one,
        survey::a_count_that_takes_too_long_is_given_up,
        transforms::null_and_constants,
        transforms::hmac_is_that_of_rfc_2104,
        transforms::addresses_lose_their_last_bits,
        transforms::whatever_text_is_taken_for_an_address_is_one_to_the_server,
        transforms::dates_lose_what_is_finer,
        transforms::several_columns_at_once_and_only_where_there_is_something_to_do,
    ];
    libtest_mimic::run(&arguments, trials.into_iter().flatten().collect()).exit_code()
}
