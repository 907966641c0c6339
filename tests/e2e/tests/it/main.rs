//! End-to-end tests of `policy-reloader` against a real OPA. A missing OPA is counted as a skip, with the reason, and is
//! a failure under `CI=true`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "this is test code: a broken expectation is a panic"
)]
#![allow(clippy::print_stderr, reason = "measurements are part of what these tests say")]

mod change;
mod content;
mod crash;
mod embedded;
mod faults;
mod once;
mod opa_restarts;
mod refusals;
mod several;
mod signals;
mod start;
mod swaps;
mod syntax;
mod tokens;
mod trust;
mod unchanged;

use std::{future::Future, process::ExitCode};

use e2e::Mode;
use libtest_mimic::{Arguments, Completion, Trial};
use tools::Tool;

/// Each test runs two to four processes, most of which wait.
const THREADS: usize = 4;

/// A test that needs a real OPA.
fn with_opa<F: Future<Output = ()>>(name: impl Into<String>, test: impl FnOnce() -> F + Send + 'static) -> Trial {
    Trial::ignorable_test(name, move || {
        if let Err(skip) = tools::require(Tool::Opa) {
            return Ok(Completion::ignored_with(skip));
        }
        run(test);
        Ok(Completion::Completed)
    })
}

/// The same test in bundle mode and in push mode.
fn in_both_modes<F: Future<Output = ()> + 'static>(name: &str, test: fn(Mode) -> F) -> Vec<Trial> {
    Mode::ALL
        .into_iter()
        .map(|mode| with_opa(format!("{name}::{}", mode.name()), move || test(mode)))
        .collect()
}

fn run<F: Future<Output = ()>>(test: impl FnOnce() -> F) {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap()
        .block_on(test());
}

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    arguments.test_threads.get_or_insert(THREADS);
    if !arguments.list {
        // Once, before the clocks of the tests run.
        e2e::binary::policy_reloader();
    }
    let trials = [
        // The long ones first.
        swaps::trials(),
        crash::trials(),
        refusals::trials(),
        opa_restarts::trials(),
        faults::trials(),
        several::trials(),
        start::trials(),
        signals::trials(),
        change::trials(),
        content::trials(),
        once::trials(),
        syntax::trials(),
        trust::trials(),
        unchanged::trials(),
        embedded::trials(),
        tokens::trials(),
    ]
    .into_iter()
    .flatten()
    .collect();
    libtest_mimic::run(&arguments, trials).exit_code()
}
