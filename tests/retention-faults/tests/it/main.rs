//! `retention-job` under faults: killed, cut off, locked out, full disk, standby, restored backup, tampered proof. The real
//! program as a process against real servers. What a machine cannot do is counted as a skip, with the reason, and is a
//! failure under `CI=true`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "this is test code: a broken expectation is a panic"
)]
#![allow(clippy::print_stderr, reason = "measurements are part of what these tests say")]

mod budget;
mod clock;
mod cut;
mod disk;
mod guards;
mod holds;
mod kills;
mod locks;
mod metrics;
mod mutations;
mod packs;
mod restart;
mod restore;
mod second_night;
mod slow;
mod standby;
mod two;

use std::process::ExitCode;

use libtest_mimic::{Arguments, Trial};

/// Each test has a server or two, which mostly wait.
const THREADS: usize = 3;

fn plain(name: &str, test: fn()) -> Trial {
    Trial::test(name, move || {
        test();
        Ok(())
    })
}

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    arguments.test_threads.get_or_insert(THREADS);
    if !arguments.list {
        // Once, before the clocks of the tests run.
        retention_faults::binary::retention_job();
    }
    let trials = [
        // The long one first.
        kills::trials(),
        restart::trials(),
        cut::trials(),
        locks::trials(),
        mutations::trials(),
        two::trials(),
        holds::trials(),
        disk::trials(&arguments),
        restore::trials(),
        budget::trials(),
        guards::trials(),
        clock::trials(),
        packs::trials(),
        second_night::trials(),
        standby::trials(),
        metrics::trials(&arguments),
    ]
    .into_iter()
    .flatten()
    .collect();
    libtest_mimic::run(&arguments, trials).exit_code()
}
