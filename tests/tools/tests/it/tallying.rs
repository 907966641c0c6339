//! The tally as `make test` calls it: the binary, with a shell script in the place of cargo.

use std::process::{Command, Output};

fn tally(script: &str) -> Output {
    Command::new(env!("CARGO_BIN_EXE_tools"))
        .args(["tally", "sh", "-c", script])
        .output()
        .unwrap()
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

#[test]
fn everything_is_shown_in_order_and_the_last_line_adds_up() {
    let output = tally(
        "echo 'Running one' >&2; echo 'test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out'; \
         echo 'Running two' >&2; printf 'test result: ok. 4 passed; 0 failed; 0 ignored; 0 measured'",
    );
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(
        stdout(&output),
        "Running one\ntest result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out\nRunning two\n\
         test result: ok. 4 passed; 0 failed; 0 ignored; 0 measured\n7 passed, 0 failed, 1 skipped\n"
    );
}

#[test]
fn the_exit_code_of_the_runner_is_kept() {
    let output = tally("echo 'test result: FAILED. 3 passed; 2 failed; 0 ignored; 0 measured'; exit 101");
    assert_eq!(output.status.code(), Some(101));
    assert!(stdout(&output).ends_with("\n3 passed, 2 failed, 0 skipped\n"));
}

#[test]
fn a_runner_that_does_not_compile_fails() {
    let output = tally("echo 'error: could not compile' >&2; exit 101");
    assert_eq!(output.status.code(), Some(101));
    assert!(stdout(&output).ends_with("error: could not compile\n0 passed, 1 failed, 0 skipped\n"));
}

#[test]
fn a_runner_that_is_killed_fails() {
    let output = tally("echo 'test result: ok. 3 passed; 0 failed; 0 ignored; 0 measured'; kill -9 $$");
    assert_eq!(output.status.code(), Some(1));
    assert!(stdout(&output).ends_with("\n3 passed, 1 failed, 0 skipped\n"));
}

#[test]
fn a_run_without_tests_fails() {
    let output = tally("echo 'test result: ok. 0 passed; 0 failed; 2 ignored; 0 measured'");
    assert_eq!(output.status.code(), Some(1));
    assert!(stdout(&output).ends_with("\n0 passed, 0 failed, 2 skipped\n"));
    assert!(String::from_utf8_lossy(&output.stderr).contains("no test ran"));
}

#[test]
fn an_unknown_tool_is_a_usage_error() {
    let output = Command::new(env!("CARGO_BIN_EXE_tools"))
        .args(["ensure", "docker"])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(
        String::from_utf8_lossy(&output.stderr)
            .contains("expected one of opa, cosign2, cosign3, chromium, pushgateway, oha, wrk, k6")
    );
}

#[test]
fn a_program_that_may_not_be_installed_is_exit_code_4() {
    let empty = tempfile::tempdir().unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_tools"))
        .args(["path", "opa"])
        .env("PATH", empty.path())
        .env("TOOLS_DIR", empty.path())
        .env("TOOLS_INSTALL", "never")
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(4));
    assert!(output.stdout.is_empty());
    assert!(String::from_utf8_lossy(&output.stderr).starts_with("error: opa is missing: not found on PATH or in "));
}
