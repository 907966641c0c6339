//! Servers start, answer, fail as asked, and are gone afterwards; on every PostgreSQL that is here.
//!
//! A harness of its own, because libtest cannot skip at run time: what needs a PostgreSQL (or a mount) that cannot be had
//! counts as ignored, said on stderr, and under `CI=true` that is a failure.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod copies;
mod faults;
mod helper;
mod leftovers;
mod secured;
mod servers;
mod users;

use std::process::ExitCode;

use libtest_mimic::{Arguments, Trial};
use pg_cluster::{Cluster, Major};

/// Tests by the names of their functions.
macro_rules! tests {
    ($($module:ident::$test:ident),* $(,)?) => {
        [$((stringify!($test), |major| { run($module::$test(major)); })),*]
    };
}

type OnEach = (&'static str, fn(Major));

/// On each PostgreSQL.
const EACH: [OnEach; 10] = tests![
    servers::starts_answers_and_restarts,
    servers::settings_and_rules_are_obeyed,
    secured::certificates_are_right_and_bound,
    secured::a_wrong_name_is_refused,
    copies::a_standby_catches_up_and_only_reads,
    copies::a_standby_follows_a_busy_server,
    copies::a_snapshot_goes_back_in_time,
    faults::a_power_cut_keeps_what_was_committed,
    faults::sessions_end_and_processes_are_killed,
    faults::a_paused_server_hangs_and_goes_on,
];

/// On any of them.
const ONCE: [(&str, fn()); 6] = [
    ("ten_at_once", || run(servers::ten_at_once())),
    ("a_server_outlives_the_thread_that_started_it", || {
        run(leftovers::a_server_outlives_the_thread_that_started_it());
    }),
    ("drop_leaves_nothing", leftovers::drop_leaves_nothing),
    (
        "a_paused_server_is_dropped_as_well",
        leftovers::a_paused_server_is_dropped_as_well,
    ),
    ("a_killed_test_leaves_nothing", leftovers::a_killed_test_leaves_nothing),
    (
        "a_password_that_cannot_be_is_refused",
        servers::a_password_that_cannot_be_is_refused,
    ),
];

/// Where file systems can be mounted.
const MOUNTING: [(&str, fn()); 2] = [
    ("a_small_disk_runs_full_and_recovers", || {
        run(faults::a_small_disk_runs_full_and_recovers());
    }),
    (
        "a_killed_test_leaves_no_mount",
        leftovers::a_killed_test_leaves_no_mount,
    ),
];

fn main() -> ExitCode {
    if let Ok(what) = std::env::var(helper::HELPER) {
        helper::help(&what);
        return ExitCode::SUCCESS;
    }
    let arguments = Arguments::from_args();
    // Listing must not fetch anything.
    let usable = |major: Major| {
        let found = if arguments.list {
            major.find().ok()
        } else {
            pg_cluster::or_skip(major.ensure())
        };
        found.is_some()
    };
    // The machine need not have one of its own: the fetched ones are enough, also in CI.
    let majors: Vec<(Major, bool)> = Major::ALL
        .into_iter()
        .filter(|major| *major != Major::System || major.find().is_ok())
        .map(|major| (major, usable(major)))
        .collect();
    let some = majors.iter().any(|(major, usable)| *usable && *major == Major::any());
    let mounting = some && (arguments.list || pg_cluster::or_skip(pg_cluster::small_disk_possible()).is_some());
    let root = rustix::process::geteuid().is_root();

    let mut trials = Vec::new();
    for (name, test) in EACH {
        for &(major, usable) in &majors {
            trials.push(trial(format!("{name}::{}", major.name()), move || test(major), usable));
        }
    }
    for (name, test) in ONCE {
        trials.push(trial(name.to_owned(), test, some));
    }
    for (name, test) in MOUNTING {
        trials.push(trial(name.to_owned(), test, mounting));
    }
    if root {
        let readable = some && (arguments.list || pg_cluster::or_skip(users::others_can_run(Major::any())).is_some());
        let test = users::an_ordinary_user_can_do_it_too;
        trials.push(trial("an_ordinary_user_can_do_it_too".to_owned(), test, readable));
        let newest = majors.contains(&(Major::V18, true));
        let test = users::programs_in_a_closed_folder_are_copied;
        trials.push(trial("programs_in_a_closed_folder_are_copied".to_owned(), test, newest));
    }
    libtest_mimic::run(&arguments, trials).exit_code()
}

fn trial(name: String, test: impl FnOnce() + Send + 'static, usable: bool) -> Trial {
    let run = move || {
        test();
        Ok(())
    };
    Trial::test(name, run).with_ignored_flag(!usable)
}

fn run(test: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap()
        .block_on(test);
}

/// One number.
async fn number(cluster: &Cluster, sql: &str) -> i64 {
    let client = cluster.connect("postgres").await.unwrap();
    client.query_one(sql, &[]).await.unwrap().get(0)
}
