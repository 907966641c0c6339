//! Whether the tool is alive and ready, as its own code says.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// Without other advice: several polls may fail by timeout before a loop counts as stuck.
const HEARTBEAT_MAX_AGE: Duration = Duration::from_mins(3);

/// Shared between the work, which sets it, and the admin port, which shows it. Not ready until told so.
#[derive(Clone)]
pub struct Health {
    state: Arc<Mutex<State>>,
    max_age: Duration,
}

#[derive(Debug)]
struct State {
    ready: bool,
    reason: String,
    beat: Option<Instant>,
}

impl Health {
    /// Not ready ("starting"), no heartbeat yet; the heartbeat may be 180 s old.
    pub fn new() -> Self {
        Self::with_heartbeat(HEARTBEAT_MAX_AGE)
    }

    /// As [`Health::new`], with the age at which the heartbeat counts as lost.
    pub fn with_heartbeat(max_age: Duration) -> Self {
        let state = State {
            ready: false,
            reason: "starting".to_owned(),
            beat: None,
        };
        Self {
            state: Arc::new(Mutex::new(state)),
            max_age,
        }
    }

    /// Sets readiness. The reason is shown while not ready: say what is missing, and never a secret.
    pub fn set_ready(&self, ready: bool, reason: impl Into<String>) {
        let mut state = self.lock();
        state.ready = ready;
        state.reason = reason.into();
    }

    /// What was last set; draining is not considered.
    pub fn is_ready(&self) -> bool {
        self.lock().ready
    }

    /// "The main loop still turns." After the first call, `/livez` fails when the last one is too long ago.
    pub fn beat(&self) {
        self.lock().beat = Some(Instant::now());
    }

    /// Why `/livez` is red; empty when it is green.
    pub(super) fn not_alive(&self) -> Vec<String> {
        let age = self.lock().beat.map(|beat| beat.elapsed());
        match age {
            Some(age) if age > self.max_age => {
                vec![format!(
                    "no heartbeat for {} s, expected one every {} s",
                    age.as_secs(),
                    self.max_age.as_secs()
                )]
            }
            _ => Vec::new(),
        }
    }

    /// Why `/readyz` is red; empty when it is green.
    pub(super) fn not_ready(&self, draining: bool) -> Vec<String> {
        let mut reasons = Vec::new();
        if draining {
            reasons.push("shutting down".to_owned());
        }
        let state = self.lock();
        if !state.ready {
            reasons.push(state.reason.clone());
        }
        reasons
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // No code panics while it holds the lock, and even then the values are whole.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for Health {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Health {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Health")
            .field("state", &*self.lock())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_not_ready_until_told() {
        let health = Health::new();
        assert!(!health.is_ready());
        assert_eq!(health.not_ready(false), ["starting"]);
        health.set_ready(true, "");
        assert!(health.clone().is_ready());
        assert!(health.not_ready(false).is_empty());
        assert_eq!(health.not_ready(true), ["shutting down"]);
        health.set_ready(false, "no pack yet");
        assert_eq!(health.not_ready(true), ["shutting down", "no pack yet"]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_lost_heartbeat_is_not_alive() {
        let health = Health::with_heartbeat(Duration::from_secs(30));
        tokio::time::advance(Duration::from_hours(1)).await;
        assert!(
            health.not_alive().is_empty(),
            "without a first beat there is no watchdog"
        );
        health.beat();
        tokio::time::advance(Duration::from_secs(30)).await;
        assert!(health.not_alive().is_empty());
        tokio::time::advance(Duration::from_secs(1)).await;
        assert_eq!(health.not_alive(), ["no heartbeat for 31 s, expected one every 30 s"]);
        health.beat();
        assert!(health.not_alive().is_empty());
    }
}
