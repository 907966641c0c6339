//! How a process ends: the first SIGTERM or SIGINT starts the drain period, its end or a second signal ends the process.
//!
//! ```text
//! running --first signal--> draining --finish() or drain period over--> over --1 s later, if still alive--> exit 128+n
//!                               \--second signal--> exit 128+n at once
//! ```
//!
//! Work listens to [`Shutdown::recv`] and comes to its end; servers go on (unready) until [`Shutdown::over`].

use std::fmt;
use std::io;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;
use tokio::time::Instant;

/// After the drain period, the time for `main` to return by itself before the process is ended.
const LAST_MOMENT: Duration = Duration::from_secs(1);
/// About a century: long enough for "never", short enough to add to a time.
const LONGEST: Duration = Duration::from_hours(24 * 365 * 100);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Running,
    Draining { since: Instant },
    Over,
}

/// Tells when to stop. Cheap to clone; every clone sees the same.
#[derive(Clone)]
pub struct Shutdown {
    phase: Arc<watch::Sender<Phase>>,
    drain: Duration,
}

/// Starts the end by hand: for tests, and for a tool that ends itself.
#[derive(Clone, Debug)]
pub struct ShutdownTrigger(Shutdown);

/// Why signals cannot be listened to.
#[derive(Debug, thiserror::Error)]
pub enum ShutdownError {
    /// Called outside the async runtime.
    #[error("cannot listen to signals: expected a running Tokio runtime, found none")]
    NoRuntime,
    /// The system refused.
    #[error("cannot listen to SIGTERM and SIGINT")]
    Register(#[source] io::Error),
}

/// Work was still going on when the drain period ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("work did not end within the drain period of {:.1} s", drain.as_secs_f64())]
pub struct DrainElapsed {
    /// The drain period.
    pub drain: Duration,
}

impl Shutdown {
    /// Listens to SIGTERM and SIGINT from now on. `drain` is the longest the process lives after the first of them.
    ///
    /// # Errors
    /// There is no Tokio runtime, or the system refuses the handlers.
    pub fn listen(drain: Duration) -> Result<Self, ShutdownError> {
        if tokio::runtime::Handle::try_current().is_err() {
            return Err(ShutdownError::NoRuntime);
        }
        let shutdown = Self::new(drain);
        let terminate = signal(SignalKind::terminate()).map_err(ShutdownError::Register)?;
        let interrupt = signal(SignalKind::interrupt()).map_err(ShutdownError::Register)?;
        abort_on_second().map_err(ShutdownError::Register)?;
        tokio::spawn(watch_signals(terminate, interrupt, shutdown.clone()));
        Ok(shutdown)
    }

    /// Without signals, and with a drain period that only [`Shutdown::finish`] ends.
    pub fn manual() -> (Self, ShutdownTrigger) {
        Self::manual_with_drain(LONGEST)
    }

    /// Without signals, with a drain period.
    pub fn manual_with_drain(drain: Duration) -> (Self, ShutdownTrigger) {
        let shutdown = Self::new(drain);
        (shutdown.clone(), ShutdownTrigger(shutdown))
    }

    fn new(drain: Duration) -> Self {
        Self {
            phase: Arc::new(watch::Sender::new(Phase::Running)),
            drain: drain.min(LONGEST),
        }
    }

    /// The first signal: take no new work, bring what is running to its end.
    pub async fn recv(&self) {
        self.reached(|phase| *phase != Phase::Running).await;
    }

    /// Another name for [`Shutdown::recv`], for code that reads better with it.
    pub async fn draining(&self) {
        self.recv().await;
    }

    /// Whether the first signal came.
    pub fn is_draining(&self) -> bool {
        *self.phase.borrow() != Phase::Running
    }

    /// The end of the drain period: [`Shutdown::finish`] was called, or the time is over.
    pub async fn over(&self) {
        self.recv().await;
        let since = match *self.phase.borrow() {
            Phase::Draining { since } => since,
            Phase::Running | Phase::Over => return,
        };
        tokio::select! {
            () = self.reached(|phase| *phase == Phase::Over) => {}
            () = tokio::time::sleep_until(since + self.drain) => {}
        }
    }

    /// All work is done: servers may end too, without waiting for the rest of the drain period.
    pub fn finish(&self) {
        self.phase.send_replace(Phase::Over);
    }

    /// Runs `work` to its end, but after the first signal no longer than the drain period.
    ///
    /// # Errors
    /// The drain period ended first; `work` was dropped.
    pub async fn within_drain<F: Future>(&self, work: F) -> Result<F::Output, DrainElapsed> {
        tokio::select! {
            biased;
            output = work => Ok(output),
            () = self.over() => Err(DrainElapsed { drain: self.drain }),
        }
    }

    fn start(&self) {
        self.phase.send_if_modified(|phase| {
            let first = *phase == Phase::Running;
            if first {
                *phase = Phase::Draining { since: Instant::now() };
            }
            first
        });
    }

    async fn reached(&self, condition: impl FnMut(&Phase) -> bool) {
        // The sender lives in `self`, so the channel cannot close while we wait.
        let _ = self.phase.subscribe().wait_for(condition).await;
    }
}

impl fmt::Debug for Shutdown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shutdown")
            .field("phase", &*self.phase.borrow())
            .field("drain", &self.drain)
            .finish()
    }
}

impl ShutdownTrigger {
    /// What the first signal does.
    pub fn trigger(&self) {
        self.0.start();
    }
}

/// The second signal ends the process inside the signal handler: at once, even when the runtime hangs.
fn abort_on_second() -> io::Result<()> {
    let draining = Arc::new(AtomicBool::new(false));
    for number in [signal_hook::consts::SIGTERM, signal_hook::consts::SIGINT] {
        // The order matters: the check comes before the mark, so the first signal only marks.
        signal_hook::flag::register_conditional_shutdown(number, 128 + number, Arc::clone(&draining))?;
        signal_hook::flag::register(number, Arc::clone(&draining))?;
    }
    Ok(())
}

async fn watch_signals(mut terminate: Signal, mut interrupt: Signal, shutdown: Shutdown) {
    let (name, code) = tokio::select! {
        _ = terminate.recv() => ("SIGTERM", 128 + signal_hook::consts::SIGTERM),
        _ = interrupt.recv() => ("SIGINT", 128 + signal_hook::consts::SIGINT),
    };
    tracing::info!(
        signal = name,
        drain_seconds = shutdown.drain.as_secs_f64(),
        "shutting down; a second signal ends the process at once"
    );
    shutdown.start();
    // The promise is about the drain period, so it also holds when `finish` was called and `main` does not return.
    tokio::time::sleep(shutdown.drain + LAST_MOMENT).await;
    tracing::error!("{}; ending the process", DrainElapsed { drain: shutdown.drain });
    end_process(code);
}

#[expect(
    clippy::disallowed_methods,
    reason = "main did not return within the drain period: nothing is left to unwind to"
)]
fn end_process(code: i32) -> ! {
    std::process::exit(code)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn every_clone_sees_the_first_signal_and_the_end() {
        let (shutdown, trigger) = Shutdown::manual();
        let clone = shutdown.clone();
        assert!(!shutdown.is_draining());
        trigger.trigger();
        clone.recv().await;
        assert!(clone.is_draining());
        let over = tokio::spawn(async move { clone.over().await });
        tokio::time::sleep(Duration::from_hours(1)).await;
        assert!(!over.is_finished(), "a manual drain ends by finish() alone");
        shutdown.finish();
        over.await.expect("over");
    }

    #[tokio::test(start_paused = true)]
    async fn the_drain_period_counts_from_the_first_signal() {
        let (shutdown, trigger) = Shutdown::manual_with_drain(Duration::from_secs(10));
        let start = Instant::now();
        trigger.trigger();
        tokio::time::sleep(Duration::from_secs(4)).await;
        trigger.trigger();
        shutdown.over().await;
        assert_eq!(start.elapsed().as_secs(), 10);
    }

    #[tokio::test(start_paused = true)]
    async fn work_may_finish_while_draining_but_not_for_ever() {
        let (shutdown, trigger) = Shutdown::manual_with_drain(Duration::from_secs(10));
        let long = async {
            tokio::time::sleep(Duration::from_hours(1)).await;
            1
        };
        assert_eq!(shutdown.within_drain(long).await, Ok(1), "nothing is cut while running");
        trigger.trigger();
        assert_eq!(shutdown.within_drain(async { 2 }).await, Ok(2));
        let error = shutdown
            .within_drain(std::future::pending::<()>())
            .await
            .expect_err("cut");
        assert_eq!(error.to_string(), "work did not end within the drain period of 10.0 s");
    }

    #[test]
    fn listening_needs_a_runtime() {
        assert!(matches!(
            Shutdown::listen(Duration::ZERO),
            Err(ShutdownError::NoRuntime)
        ));
    }
}
