//! All threads: open connections, start together, stop, end.

use crate::clock::Clock;
use crate::connect::{ConnectError, Dialer};
use crate::origin::Origin;
use crate::prepared::Prepared;
use crate::setup::{dialer, make_room, origins, pools, prepare, threads};
use crate::shared::{Gauges, Outbox, Shared, take};
use crate::usage::{self, ThreadReading, ThreadUsage, Usage};
use crate::worker::Worker;
use load_plan::Plan;
use load_verdict::{Outcome, Sample};
use std::collections::BTreeMap;
use std::io;
use std::rc::Rc;
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// From "all are ready" to the first request: time enough for every thread to hear of it.
const RUN_UP: Duration = Duration::from_millis(1);

/// Why a run could not begin.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// TLS files or options cannot be used: configuration.
    #[error(transparent)]
    Tls(#[from] runtime::HttpConfigError),
    /// The plan holds something that is not HTTP.
    #[error("the plan cannot be carried out: {0}")]
    Plan(&'static str),
    /// The system gives no thread, timer or runtime.
    #[error("cannot start the load generator")]
    System(#[source] io::Error),
    /// Nothing can be reached, and the plan says to fail fast: a verdict, not an error of ours.
    #[error("no request succeeded")]
    Unreachable {
        /// How every request would have ended.
        outcome: Outcome,
        /// What happened.
        #[source]
        source: ConnectError,
    },
}

/// A run that goes on.
pub struct Running {
    shared: Arc<Shared>,
    started: Instant,
    throttled_before: Option<u64>,
    threads: Vec<JoinHandle<io::Result<ThreadUsage>>>,
    outboxes: Vec<Outbox>,
}

/// A run that is over.
#[derive(Debug, Clone)]
pub struct Finished {
    /// From the start of the schedule to the last sample.
    pub elapsed: Duration,
    /// What the generator used.
    pub usage: Usage,
    /// The last gauges.
    pub gauges: Gauges,
    /// The first error message of each kind.
    pub causes: BTreeMap<Outcome, String>,
    /// Connections that were opened.
    pub opened: u64,
    /// Mean time to connect.
    pub mean_connect: Duration,
    /// Mean time of a TLS handshake, over all connections.
    pub mean_tls: Duration,
}

/// Opens the first connections and starts the schedule. Blocks until the connections are open, at most for the plan's
/// connect timeout.
///
/// # Errors
/// See [`SetupError`]; no request was sent then.
pub fn start(plan: &Arc<Plan>) -> Result<Running, SetupError> {
    let (origins, of_request) = origins(plan)?;
    let dialer = dialer(plan, &origins)?;
    let origins: Arc<[Origin]> = origins.into();
    let count = threads(plan);
    make_room(plan.connections.max);
    let shared = Arc::new(Shared::default());
    let base = Instant::now();
    let (ready, readiness) = mpsc::channel();
    let mut threads = Vec::with_capacity(count);
    let mut starters = Vec::with_capacity(count);
    let mut outboxes = Vec::with_capacity(count);
    for shard in 0..count {
        let (go, going) = tokio::sync::oneshot::channel();
        let outbox = Outbox::default();
        let sending = SendingThread {
            plan: Arc::clone(plan),
            prepared: prepare(plan, &origins, &of_request)?,
            origins: Arc::clone(&origins),
            dialer: dialer.clone(),
            clock: Clock::starting_at(base),
            outbox: Arc::clone(&outbox),
            shared: Arc::clone(&shared),
            shard,
            shards: count,
            ready: ready.clone(),
            going,
        };
        let thread = std::thread::Builder::new()
            .name(format!("load-{shard}"))
            // Connections are boxed; nothing here is deep.
            .stack_size(512 << 10)
            .spawn(move || sending.run())
            .map_err(SetupError::System)?;
        threads.push(thread);
        outboxes.push(outbox);
        starters.push(go);
    }
    drop(ready);
    let mut opened = 0;
    let mut problem = None;
    while let Ok((count, error)) = readiness.recv() {
        opened += count;
        problem = problem.or(error);
    }
    if let (true, 0, Some(source)) = (plan.connections.fail_fast, opened, problem) {
        // Threads whose starter is gone end.
        drop(starters);
        for thread in threads {
            let _ = thread.join();
        }
        return Err(SetupError::Unreachable {
            outcome: source.outcome(),
            source,
        });
    }
    let throttled_before = usage::throttled_us();
    let started = Instant::now() + RUN_UP;
    for go in starters {
        // A thread that is gone says why when it is joined.
        let _ = go.send(started);
    }
    Ok(Running {
        shared,
        started,
        throttled_before,
        threads,
        outboxes,
    })
}

impl Running {
    /// Time since the start of the schedule.
    pub fn elapsed(&self) -> Duration {
        Instant::now().saturating_duration_since(self.started)
    }

    /// Sends nothing more; requests on their way get a second.
    pub fn stop(&self) {
        self.shared.ask(1);
    }

    /// Ends at once; requests on their way are unfinished.
    pub fn stop_now(&self) {
        self.shared.ask(2);
    }

    /// Threads that send.
    pub fn threads(&self) -> usize {
        self.threads.len()
    }

    /// Whether every thread has ended.
    pub fn is_finished(&self) -> bool {
        self.threads.iter().all(JoinHandle::is_finished)
    }

    /// Whether there were attempts enough to say that nothing will succeed, and why: no whole response so far.
    pub fn hopeless(&self) -> Option<(Outcome, String)> {
        self.shared.hopeless()
    }

    /// Gauges.
    pub fn gauges(&self) -> Gauges {
        self.shared.latest()
    }

    /// Moves the samples that have come since the last call to the end of `samples`. Memory stays flat when this is called
    /// often: a tenth of a second is a good interval.
    pub fn take(&self, samples: &mut Vec<Sample>) {
        take(&self.outboxes, samples);
    }

    /// Waits for the end, and moves the last samples to the end of `samples`.
    ///
    /// # Errors
    /// A thread could not use its timer.
    pub fn join(self, samples: &mut Vec<Sample>) -> io::Result<Finished> {
        let mut accounts = Vec::with_capacity(self.threads.len());
        for thread in self.threads {
            match thread.join() {
                Ok(result) => accounts.push(result?),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        take(&self.outboxes, samples);
        let elapsed = Instant::now().saturating_duration_since(self.started);
        let throttled = self
            .throttled_before
            .zip(usage::throttled_us())
            .map(|(before, after)| after.saturating_sub(before));
        let (opened, mean_connect, mean_tls) = self.shared.connections();
        Ok(Finished {
            elapsed,
            usage: usage::total(&accounts, throttled, elapsed),
            gauges: self.shared.latest(),
            causes: self.shared.causes(),
            opened,
            mean_connect,
            mean_tls,
        })
    }
}

/// What one sending thread is given, and its life.
struct SendingThread {
    plan: Arc<Plan>,
    prepared: Vec<Prepared>,
    origins: Arc<[Origin]>,
    dialer: Dialer,
    clock: Clock,
    outbox: Outbox,
    shared: Arc<Shared>,
    shard: usize,
    shards: usize,
    ready: mpsc::Sender<(usize, Option<ConnectError>)>,
    going: tokio::sync::oneshot::Receiver<Instant>,
}

impl SendingThread {
    fn run(self) -> io::Result<ThreadUsage> {
        punctual();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let local = tokio::task::LocalSet::new();
        let ahead = self.plan.connections.initial.div_ceil(self.shards).max(1);
        let pools = pools(&self.plan, &self.origins, &self.dialer, self.shard, self.shards);
        let worker = Rc::new(Worker::new(
            self.plan,
            self.prepared,
            pools,
            self.clock,
            self.outbox,
            self.shared,
        ));
        let usage = local.block_on(&runtime, async {
            let opened = worker.open_ahead(ahead).await;
            // The starter waits until every sender is gone, so it hears of all.
            let _ = self.ready.send(opened);
            drop(self.ready);
            let reading = ThreadReading::now();
            if let Ok(start) = self.going.await {
                worker.work(start, self.shard, self.shards).await?;
            }
            Ok::<_, io::Error>(reading.until_now())
        })?;
        // Requests still on their way become samples as their tasks are dropped.
        drop(local);
        Ok(usage)
    }
}

/// Wakes this thread when it asked to be woken: by default Linux may do it 0.05 ms later, to wake several at once.
fn punctual() {
    #[cfg(target_os = "linux")]
    // A system that refuses wakes us a little later, and the send lag shows it.
    let _ = nix::sys::prctl::set_timerslack(1);
}
