//! Retries under a paused clock: nothing here waits.

use super::*;
use std::sync::atomic::{AtomicU32, Ordering};

#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("status {0}")]
struct Status(u16);

fn classify(error: &Status) -> Retry {
    match error.0 {
        429 => Retry::After(Duration::from_secs(7)),
        500.. => Retry::Backoff,
        _ => Retry::Never,
    }
}

fn policy(max_attempts: u32) -> RetryPolicy {
    RetryPolicy {
        max_attempts,
        base: Duration::from_secs(1),
        cap: Duration::from_secs(4),
        total_deadline: Duration::from_mins(1),
    }
}

/// Answers with the given statuses in turn, the last for ever; 200 is a success.
async fn run(policy: RetryPolicy, statuses: &[u16]) -> Result<u32, RetryError<Status>> {
    let calls = AtomicU32::new(0);
    retry(policy, classify, || async {
        let call = calls.fetch_add(1, Ordering::SeqCst);
        let status = statuses.get(call as usize).or(statuses.last()).copied().unwrap_or(200);
        if status == 200 {
            Ok(call + 1)
        } else {
            Err(Status(status))
        }
    })
    .await
}

#[tokio::test(start_paused = true)]
async fn succeeds_once_the_trouble_is_over() {
    assert_eq!(run(policy(4), &[503, 503, 200]).await.expect("third"), 3);
    assert_eq!(run(policy(4), &[200]).await.expect("first"), 1);
}

#[tokio::test(start_paused = true)]
async fn a_final_error_is_not_repeated() {
    let error = run(policy(4), &[404]).await.expect_err("404");
    assert_eq!((error.attempts, error.source), (1, Status(404)));
    let error = run(policy(9), &[503, 403]).await.expect_err("403");
    assert_eq!((error.attempts, error.source), (2, Status(403)));
}

#[tokio::test(start_paused = true)]
async fn gives_up_after_the_attempts_and_says_how_many() {
    for (max, made) in [(0, 1), (1, 1), (2, 2), (5, 5)] {
        let error = run(policy(max), &[503]).await.expect_err("503");
        assert_eq!(error.attempts, made, "max_attempts {max}");
        assert!(error.elapsed <= Duration::from_secs(1 + 2 + 4 + 4));
    }
    let error = run(policy(1), &[503]).await.expect_err("503");
    assert_eq!(error.to_string(), "failed after 1 attempt in 0.0 s");
    assert_eq!(
        std::error::Error::source(&error).map(ToString::to_string),
        Some("status 503".to_owned())
    );
    // Retry-After does not buy attempts beyond the policy.
    assert_eq!(run(policy(3), &[429]).await.expect_err("429").attempts, 3);
}

#[tokio::test(start_paused = true)]
async fn waits_as_long_as_the_server_asks() {
    let start = Instant::now();
    run(policy(3), &[429, 200]).await.expect("second");
    // Tokio's timer has millisecond steps.
    assert!(
        (7_000..=7_002).contains(&start.elapsed().as_millis()),
        "{:?}",
        start.elapsed()
    );
}

#[tokio::test(start_paused = true)]
async fn no_attempt_starts_after_the_deadline() {
    let short = RetryPolicy {
        total_deadline: Duration::from_secs(6),
        ..policy(100)
    };
    let start = Instant::now();
    let error = run(short, &[429]).await.expect_err("429");
    assert_eq!(error.attempts, 1);
    assert_eq!(
        start.elapsed(),
        Duration::ZERO,
        "it must not sleep towards a deadline it cannot keep"
    );

    let error = run(
        RetryPolicy {
            total_deadline: Duration::from_secs(10),
            ..policy(1000)
        },
        &[503],
    )
    .await
    .expect_err("503");
    assert!(error.elapsed <= Duration::from_secs(10), "{error}");
    assert!(error.attempts > 1, "{error}");
}

#[tokio::test(start_paused = true)]
async fn can_run_in_a_task_of_its_own() {
    let task = tokio::spawn(retry(policy(2), classify, || std::future::ready(Ok::<_, Status>(1))));
    assert_eq!(task.await.expect("task").expect("success"), 1);
}

#[test]
fn drawn_delays_start_at_zero_and_respect_the_bound() {
    let mut smallest = Duration::MAX;
    for _ in 0..200 {
        let delays: Vec<_> = FullJitter {
            policy: policy(5),
            step: 0,
        }
        .collect();
        assert_eq!(delays.len(), 4);
        for (delay, bound) in delays.iter().zip([1, 2, 4, 4]) {
            assert!(*delay <= Duration::from_secs(bound));
        }
        smallest = smallest.min(delays[0]);
    }
    assert!(
        smallest < Duration::from_millis(500),
        "full jitter reaches down to zero, smallest was {smallest:?}"
    );
}

#[test]
fn retry_after_reads_seconds_and_dates() {
    let now: jiff::Timestamp = "2026-01-05T10:00:00Z".parse().expect("time");
    let cap = Duration::from_mins(1);
    let read = |text: &str| {
        let mut headers = HeaderMap::new();
        headers.insert(header::RETRY_AFTER, text.parse().expect("header"));
        retry_after(&headers, now, cap)
    };
    assert_eq!(read("5"), Some(Duration::from_secs(5)));
    assert_eq!(read(" 0 "), Some(Duration::ZERO));
    assert_eq!(read("86400"), Some(cap));
    assert_eq!(read("99999999999999999999999999"), Some(cap));
    assert_eq!(read("Mon, 05 Jan 2026 10:00:30 GMT"), Some(Duration::from_secs(30)));
    assert_eq!(read("Mon, 05 Jan 2026 09:00:00 GMT"), Some(Duration::ZERO));
    assert_eq!(read("Mon, 05 Jan 2099 09:00:00 GMT"), Some(cap));
    for garbage in ["", "-1", "+5", "soon", "1.5", "Mon, 99 Jan 2026"] {
        assert_eq!(read(garbage), None, "{garbage}");
    }
    assert_eq!(retry_after(&HeaderMap::new(), now, cap), None);
}
