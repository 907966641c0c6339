//! Owns the rhythm: when to poll, when to look at OPA, when to stop. What is done then is the reconciler's.

use std::{
    pin::Pin,
    time::{Duration, Instant},
};

use anyhow::Context as _;
use runtime::{
    admin::Health,
    backoff::Backoff,
    exit::{Exit, Failure, ResultExt as _},
    shutdown::Shutdown,
};
use tokio::sync::mpsc;

use crate::{
    args::RunArgs,
    reconciler::{Done, Outcome, Reconciler},
    status_api,
};

/// First pause after a failed poll, doubled up to the longest.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
/// Longest pause after failed polls.
const LONGEST_PAUSE: Duration = Duration::from_secs(15);

fn jitter() -> f64 {
    fastrand::f64()
}

/// The pause before the next poll. Jitter only shortens it, so that the interval is a promise.
fn pause(outcome: &Outcome, interval: Duration, backoff: &mut Backoff, unit: f64) -> Duration {
    let Outcome::Failed { retry_after, .. } = outcome else {
        backoff.reset();
        return interval.mul_f64(0.8 + 0.2 * unit);
    };
    let own = backoff.next_delay(unit);
    // MC may ask for more patience than we have; we may have more than it asks for.
    own.max(retry_after.unwrap_or_default())
        .min(LONGEST_PAUSE.max(interval))
}

type Fetch = Pin<Box<dyn Future<Output = Done> + Send>>;

/// The end of the fetch under way; never comes when there is none.
async fn ended(fetch: &mut Option<Fetch>) -> Done {
    match fetch {
        Some(fetch) => fetch.await,
        None => std::future::pending().await,
    }
}

/// Follows MC until `shutdown`.
pub(crate) async fn follow(
    mut reconciler: Reconciler,
    args: &RunArgs,
    mut wishes: mpsc::Receiver<status_api::Refresh>,
    health: &Health,
    shutdown: &Shutdown,
) -> Result<Exit, Failure> {
    let interval = Duration::from_millis(args.poll_interval_ms);
    let watch = Duration::from_millis(args.opa.watch_interval_ms);
    let mut backoff = Backoff::new(FIRST_PAUSE.min(interval), LONGEST_PAUSE.min(interval));
    let mut next_poll = Instant::now();
    let mut next_watch = Instant::now() + watch;
    let mut wishes_open: Vec<status_api::Refresh> = Vec::new();
    // A fetch may take long; OPA is watched meanwhile.
    let mut fetch: Option<Fetch> = None;
    loop {
        health.beat();
        tokio::select! {
            () = shutdown.recv() => break,
            // A wish during a fetch wants a fetch that begins after it.
            Some(wish) = wishes.recv(), if fetch.is_none() => {
                wishes_open.push(wish);
                wishes_open.extend(std::iter::from_fn(|| wishes.try_recv().ok()));
                next_poll = Instant::now();
            }
            () = tokio::time::sleep_until(next_poll.into()), if fetch.is_none() => {
                fetch = Some(Box::pin(reconciler.begin().run()));
            }
            done = ended(&mut fetch) => {
                fetch = None;
                match reconciler.finish(done).await {
                    Err(again) => fetch = Some(Box::pin(again.run())),
                    Ok(outcome) => {
                        next_poll = Instant::now() + pause(&outcome, interval, &mut backoff, jitter());
                        for wish in wishes_open.drain(..) {
                            // Whoever asked may be gone by now.
                            let _ = wish.send(outcome.clone());
                        }
                    }
                }
            }
            () = tokio::time::sleep_until(next_watch.into()) => {
                reconciler.watch().await;
                next_watch = Instant::now() + watch;
            }
        }
    }
    tracing::info!("shutting down; OPA goes on deciding by what it has");
    Ok(Exit::Done)
}

/// One poll, and in its wake as many looks at OPA as its activation may take.
pub(crate) async fn run_once(mut reconciler: Reconciler, args: &RunArgs, shutdown: &Shutdown) -> Result<Exit, Failure> {
    let outcome = tokio::select! {
        outcome = reconciler.poll() => outcome,
        () = shutdown.recv() => Outcome::Pending {
            unreachable: false,
            message: "interrupted by a signal".to_owned(),
        },
    };
    let output = args.output.output.resolve();
    runtime::output::either(output, &status_api::summary(&outcome), |_| once_line(&outcome))
        .context("writing the result")
        .exit(Exit::Dependency)?;
    Ok(match outcome {
        Outcome::Unchanged | Outcome::Activated(_) => Exit::Done,
        Outcome::Pending { unreachable: true, .. } | Outcome::Failed { .. } => Exit::Dependency,
        Outcome::Pending { .. } => Exit::Partial,
        Outcome::Refused { .. } => Exit::Negative,
    })
}

fn once_line(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Unchanged => "nothing to do: OPA decides by the current pack".to_owned(),
        Outcome::Activated(info) => format!("activated {}, signed by {}", info.digest, info.signer),
        Outcome::Pending { message, .. } => format!("accepted, but not active yet: {message}"),
        Outcome::Refused { reason, message } => format!("refused ({reason}): {message}"),
        Outcome::Failed { message, .. } => format!("no pack: {message}"),
    }
}
