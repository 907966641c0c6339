//! Whole processes: signals, exit codes, and what goes to stdout and stderr.

use crate::child::{Mode, end, run, said, signal, start};
use std::time::{Duration, Instant};

#[tokio::test]
async fn sigterm_during_work_lets_it_finish() {
    for name in ["TERM", "INT"] {
        let mut child = start(Mode::Graceful, &[]);
        said(&mut child, "ready").await;
        signal(&child, name);
        said(&mut child, "work is done").await;
        assert_eq!(end(child).await.code, Some(0), "{name}");
    }
}

#[tokio::test]
async fn the_second_signal_ends_even_a_stuck_process_at_once() {
    for (first, second, code) in [("TERM", "TERM", 143), ("INT", "INT", 130), ("TERM", "INT", 130)] {
        let mut child = start(Mode::Stuck, &[]);
        said(&mut child, "ready").await;
        signal(&child, first);
        said(&mut child, "draining").await;
        let start = Instant::now();
        signal(&child, second);
        assert_eq!(end(child).await.code, Some(code), "{first} {second}");
        assert!(
            start.elapsed() < Duration::from_secs(20),
            "it must not wait for the drain period"
        );
    }
}

#[tokio::test]
async fn the_drain_period_is_kept_by_force() {
    let mut child = start(Mode::NeverEnds, &[]);
    said(&mut child, "ready").await;
    signal(&child, "TERM");
    assert_eq!(end(child).await.code, Some(143));
}

#[tokio::test]
async fn an_error_is_printed_once_with_its_causes() {
    let output = run(Mode::Fails, &[]).await;
    assert_eq!(output.code, Some(4));
    assert_eq!(output.stderr, "error: cannot reach MC: no route\n");
}

#[tokio::test]
async fn wrong_usage_is_code_2() {
    let output = run(Mode::Usage, &[]).await;
    assert_eq!(output.code, Some(2));
    assert!(output.stderr.contains("Usage:"), "{output:?}");
}

#[tokio::test]
async fn a_closed_stderr_does_not_end_the_process() {
    let mut child = start(Mode::LogsIntoTheVoid, &[]);
    drop(child.stderr.take());
    drop(child.stdin.take());
    assert_eq!(end(child).await.code, Some(2));
}

#[tokio::test]
async fn logs_go_to_stderr_as_json_and_the_result_to_stdout() {
    let output = run(Mode::LogsAndEnds, &[]).await;
    assert_eq!(output.code, Some(0));
    let line: serde_json::Value = serde_json::from_str(&output.stderr).expect("exactly one JSON line");
    assert_eq!((&line["message"], &line["answer"]), (&"at work".into(), &42.into()));
    assert_eq!(output.stdout.lines().last(), Some(r#"{"outcome":"done"}"#));
}
