//! Bounded retries for operations that are safe to repeat: full jitter, the server's `Retry-After`, a total deadline, and
//! the attempt count in the error. Built on `backon`.

use crate::backoff::{exponential, fraction};
use ::http::{HeaderMap, header};
use backon::Retryable;
use std::fmt;
use std::time::Duration;
use tokio::time::Instant;

/// How often and how long to try.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetryPolicy {
    /// Attempts in total, the first included. 0 counts as 1.
    pub max_attempts: u32,
    /// The first delay is drawn from 0 to this; each further step doubles it.
    pub base: Duration,
    /// No drawn delay is longer.
    pub cap: Duration,
    /// No attempt starts later than this after the first one. It does not cut an attempt short: that is the request
    /// timeout's work.
    pub total_deadline: Duration,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            max_attempts: 4,
            base: Duration::from_millis(250),
            cap: Duration::from_secs(5),
            total_deadline: Duration::from_secs(30),
        }
    }
}

impl RetryPolicy {
    /// One attempt, no retry.
    pub const fn once() -> Self {
        Self {
            max_attempts: 1,
            base: Duration::ZERO,
            cap: Duration::ZERO,
            total_deadline: Duration::ZERO,
        }
    }
}

/// What to do about one error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retry {
    /// A repeat would fail the same way, or is not safe.
    Never,
    /// Try again after a drawn delay.
    Backoff,
    /// The server said when to come back (see [`retry_after`]).
    After(Duration),
}

/// The last error, and how much was tried before giving up.
#[derive(Debug)]
pub struct RetryError<E> {
    /// Attempts made, at least 1.
    pub attempts: u32,
    /// Time since the first attempt began.
    pub elapsed: Duration,
    /// What the last attempt said.
    pub source: E,
}

impl<E> fmt::Display for RetryError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plural = if self.attempts == 1 { "" } else { "s" };
        write!(
            f,
            "failed after {} attempt{plural} in {:.1} s",
            self.attempts,
            self.elapsed.as_secs_f64()
        )
    }
}

impl<E: std::error::Error + 'static> std::error::Error for RetryError<E> {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.source)
    }
}

/// Runs `op` until it succeeds, `classify` says never, or the policy is used up.
///
/// # Errors
/// The last error with attempts and elapsed time.
pub async fn retry<T, E, F, Fut>(
    policy: RetryPolicy,
    classify: impl Fn(&E) -> Retry,
    mut op: F,
) -> Result<T, RetryError<E>>
where
    F: FnMut() -> Fut,
    Fut: Future<Output = Result<T, E>>,
{
    let start = Instant::now();
    let mut attempts: u32 = 0;
    let result = (|| {
        attempts += 1;
        op()
    })
    .retry(FullJitter { policy, step: 0 })
    .when(|error| classify(error) != Retry::Never)
    .adjust(|error, drawn| {
        // `None` means that the attempts are used up, whatever the server asks for.
        let delay = match classify(error) {
            Retry::Never => return None,
            Retry::Backoff => drawn?,
            Retry::After(wait) => drawn.map(|_| wait)?,
        };
        (start.elapsed().saturating_add(delay) < policy.total_deadline).then_some(delay)
    })
    .sleep(tokio::time::sleep)
    .await;
    result.map_err(|source| RetryError {
        attempts,
        elapsed: start.elapsed(),
        source,
    })
}

/// Delays drawn from 0 to a doubling bound: of the usual schemes the one that spreads clients best.
#[derive(Debug)]
struct FullJitter {
    policy: RetryPolicy,
    step: u32,
}

impl Iterator for FullJitter {
    type Item = Duration;

    fn next(&mut self) -> Option<Duration> {
        if self.step + 1 >= self.policy.max_attempts {
            return None;
        }
        let bound = exponential(self.policy.base, self.policy.cap, self.step);
        self.step += 1;
        Some(fraction(bound, random_unit()))
    }
}

/// A random number from 0 to 1, for jitter only.
pub fn random_unit() -> f64 {
    fastrand::f64()
}

/// What the response's `Retry-After` asks for, at most `cap`: seconds, or an HTTP date (RFC 9110, 10.2.3) that is
/// compared with `now`. A date in the past is zero; anything else that cannot be read is `None`.
pub fn retry_after(headers: &HeaderMap, now: jiff::Timestamp, cap: Duration) -> Option<Duration> {
    let text = headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim();
    let wait = if !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) {
        // Too many digits for a number is still "very long".
        text.parse().map_or(Duration::MAX, Duration::from_secs)
    } else {
        let then = jiff::Timestamp::try_from(httpdate::parse_http_date(text).ok()?).ok()?;
        Duration::try_from(then.duration_since(now)).unwrap_or(Duration::ZERO)
    };
    Some(wait.min(cap))
}

#[cfg(test)]
mod tests;
