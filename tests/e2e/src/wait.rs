//! Owns waiting: for a condition, with a deadline; never for a time alone.

use std::time::{Duration, Instant};

/// What a change may take: the promise of the product. A test that waits longer has failed.
pub const LIMIT: Duration = Duration::from_secs(30);

const PAUSE: Duration = Duration::from_millis(10);

/// Asks until there is something; gives it and how long it took.
///
/// # Panics
/// When [`LIMIT`] is over first.
pub async fn eventually<T>(what: &str, ask: impl AsyncFnMut() -> Option<T>) -> (T, Duration) {
    within(LIMIT, what, ask).await
}

/// As [`eventually`], with a limit of its own.
///
/// # Panics
/// When the limit is over first.
pub async fn within<T>(limit: Duration, what: &str, mut ask: impl AsyncFnMut() -> Option<T>) -> (T, Duration) {
    let started = Instant::now();
    loop {
        if let Some(found) = ask().await {
            return (found, started.elapsed());
        }
        assert!(started.elapsed() < limit, "not within {limit:?}: {what}");
        tokio::time::sleep(PAUSE).await;
    }
}
