//! All threads: open connections, start together, stop, end.

use crate::clock::Clock;
use crate::connect::{ConnectError, Dialer};
use crate::origin::Origin;
use crate::pool::Pool;
use crate::prepared::{Impossible, Prepared};
use crate::tls;
use crate::usage::{self, ThreadReading, ThreadUsage, Usage};
use crate::worker::Worker;
use load_plan::Plan;
use load_plan::plan::Protocol;
use load_verdict::{Outcome, Sample};
use std::collections::BTreeMap;
use std::io;
use std::rc::Rc;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Requests a second that one thread is asked to send, at most: half of what it can.
const RATE_OF_A_THREAD: f64 = 25_000.0;
/// From "all are ready" to the first request: time enough for every thread to hear of it.
const RUN_UP: Duration = Duration::from_millis(1);
/// Connection attempts and requests without a single success before a run that fails fast is given up.
const HOPELESS: u64 = 20;

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

/// How a run is told to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stop {
    Run,
    Soon,
    Now,
}

/// Samples of one thread that nobody has taken yet. The lock is held for a push or a swap and for nothing else: whoever
/// makes histograms of the samples never holds up the thread that sends.
pub(crate) type Outbox = Arc<Mutex<Vec<Sample>>>;

/// What threads tell each other.
#[derive(Default)]
pub(crate) struct Shared {
    stop: AtomicU8,
    open: AtomicU64,
    most_open: AtomicU64,
    in_flight: AtomicU64,
    waiting: AtomicU64,
    succeeded: AtomicU64,
    broken: AtomicU64,
    opened: AtomicU64,
    connect_ns: AtomicU64,
    tls_ns: AtomicU64,
    causes: Mutex<BTreeMap<Outcome, String>>,
}

impl Shared {
    pub(crate) fn stop(&self) -> Stop {
        match self.stop.load(Relaxed) {
            0 => Stop::Run,
            1 => Stop::Soon,
            _ => Stop::Now,
        }
    }

    fn ask(&self, stop: u8) {
        self.stop.fetch_max(stop, Relaxed);
    }

    pub(crate) fn ended(&self, outcome: Outcome) {
        if outcome.answered() {
            if self.succeeded.load(Relaxed) == 0 && outcome == Outcome::Ok {
                self.succeeded.store(1, Relaxed);
            }
        } else {
            self.broken.fetch_add(1, Relaxed);
        }
    }

    pub(crate) fn note(&self, outcome: Outcome, error: &dyn std::error::Error) {
        let mut causes = self.causes.lock().unwrap_or_else(PoisonError::into_inner);
        causes.entry(outcome).or_insert_with(|| {
            std::iter::successors(Some(error), |error| error.source())
                .map(ToString::to_string)
                .fold(String::new(), |mut text, part| {
                    if text.is_empty() {
                        text = part;
                    } else if !text.contains(&part) {
                        text.push_str(": ");
                        text.push_str(&part);
                    }
                    text
                })
        });
    }

    pub(crate) fn opened(&self, connect_ns: u64, tls_ns: u64) {
        self.opened.fetch_add(1, Relaxed);
        self.connect_ns.fetch_add(connect_ns, Relaxed);
        self.tls_ns.fetch_add(tls_ns, Relaxed);
    }

    /// Replaces what a thread said before by what it says now.
    pub(crate) fn gauges(&self, before: (u64, u64, u64), now: (u64, u64, u64)) {
        let replace = |gauge: &AtomicU64, before: u64, now: u64| {
            let change = now.wrapping_sub(before);
            gauge.fetch_add(change, Relaxed).wrapping_add(change)
        };
        let open = replace(&self.open, before.0, now.0);
        self.most_open.fetch_max(open, Relaxed);
        replace(&self.in_flight, before.1, now.1);
        replace(&self.waiting, before.2, now.2);
    }
}

/// What a run looks like from outside, a tenth of a second old at most.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Gauges {
    /// Open connections.
    pub connections: u64,
    /// Most that were open.
    pub most_connections: u64,
    /// Requests taken up and not ended.
    pub in_flight: u64,
    /// Of those, waiting for a connection.
    pub waiting: u64,
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
        let setup = Setup {
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
            .spawn(move || setup.run())
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
        if self.shared.succeeded.load(Relaxed) > 0 || self.shared.broken.load(Relaxed) < HOPELESS {
            return None;
        }
        let causes = self.shared.causes.lock().unwrap_or_else(PoisonError::into_inner);
        causes.iter().next().map(|(outcome, text)| (*outcome, text.clone()))
    }

    /// Gauges.
    pub fn gauges(&self) -> Gauges {
        gauges(&self.shared)
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
        let opened = self.shared.opened.load(Relaxed);
        let mean = |sum: &AtomicU64| Duration::from_nanos(sum.load(Relaxed).checked_div(opened).unwrap_or(0));
        Ok(Finished {
            elapsed,
            usage: usage::total(&accounts, throttled, elapsed),
            gauges: gauges(&self.shared),
            causes: self
                .shared
                .causes
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .clone(),
            opened,
            mean_connect: mean(&self.shared.connect_ns),
            mean_tls: mean(&self.shared.tls_ns),
        })
    }
}

fn take(outboxes: &[Outbox], samples: &mut Vec<Sample>) {
    for outbox in outboxes {
        let mut outbox = outbox.lock().unwrap_or_else(PoisonError::into_inner);
        if samples.is_empty() {
            // The sender goes on with an allocation of the size that it needed last time.
            std::mem::swap(&mut *outbox, samples);
        } else {
            samples.append(&mut outbox);
        }
    }
}

fn gauges(shared: &Shared) -> Gauges {
    Gauges {
        connections: shared.open.load(Relaxed),
        most_connections: shared.most_open.load(Relaxed),
        in_flight: shared.in_flight.load(Relaxed),
        waiting: shared.waiting.load(Relaxed),
    }
}

/// One thread before it runs.
struct Setup {
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

impl Setup {
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

/// A connection is a file. Many systems allow 1,024 by default and far more to whoever asks.
fn make_room(connections: usize) {
    #[cfg(target_os = "linux")]
    {
        use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
        /// Files that are open besides connections.
        const OTHERS: u64 = 100;
        let limit = getrlimit(Resource::Nofile);
        let wanted = connections as u64 + OTHERS;
        if limit.current.is_some_and(|current| current < wanted) {
            let current = limit.maximum.map_or(wanted, |maximum| maximum.min(wanted));
            // If it is refused, connections fail with "too many open files", and the result says so.
            let _ = setrlimit(
                Resource::Nofile,
                Rlimit {
                    current: Some(current),
                    maximum: limit.maximum,
                },
            );
        }
    }
    #[cfg(not(target_os = "linux"))]
    let _ = connections;
}

fn threads(plan: &Plan) -> usize {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    plan.threads.unwrap_or_else(|| {
        let wanted = (plan.schedule.peak_rate() / RATE_OF_A_THREAD).ceil();
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "clamped to the number of cores"
        )]
        let wanted = wanted.clamp(1.0, cores as f64) as usize;
        wanted
    })
}

/// The servers of the plan, each once and resolved, and which one each request goes to.
fn origins(plan: &Plan) -> Result<(Vec<Origin>, Vec<usize>), SetupError> {
    let mut origins: Vec<Origin> = Vec::new();
    let mut of_request = Vec::with_capacity(plan.requests.len());
    for request in &plan.requests {
        let origin = Origin::of(&request.origin).ok_or(SetupError::Plan("a URL has no host"))?;
        let known = origins
            .iter()
            .position(|other| other.authority == origin.authority && other.scheme == origin.scheme);
        of_request.push(known.unwrap_or(origins.len()));
        if known.is_none() {
            origins.push(origin);
        }
    }
    let mut problem = None;
    for origin in &mut origins {
        if let Err(error) = origin.resolve() {
            problem.get_or_insert(error);
        }
    }
    match problem {
        Some(source) if plan.connections.fail_fast && origins.iter().all(|origin| origin.addresses.is_empty()) => {
            Err(SetupError::Unreachable {
                outcome: source.outcome(),
                source,
            })
        }
        _ => Ok((origins, of_request)),
    }
}

fn dialer(plan: &Plan, origins: &[Origin]) -> Result<Dialer, SetupError> {
    let tls = if origins.iter().any(Origin::is_tls) {
        Some(tls::config(&plan.tls, plan.connections.protocol)?)
    } else {
        None
    };
    Ok(Dialer {
        tls,
        server_name: plan.tls.server_name.clone(),
        timeout: plan.connections.connect_timeout,
        only_http2: plan.connections.protocol == Protocol::Http2,
    })
}

fn prepare(plan: &Plan, origins: &[Origin], of_request: &[usize]) -> Result<Vec<Prepared>, SetupError> {
    plan.requests
        .iter()
        .zip(of_request)
        .map(|(request, &origin)| {
            let server = &origins[origin];
            let needs_body = plan
                .checks
                .iter()
                .enumerate()
                .any(|(index, check)| request.checks & (1 << index) != 0 && check.needs_body());
            Prepared::new(request, origin, server.scheme, &server.authority, needs_body)
        })
        .collect::<Result<_, Impossible>>()
        .map_err(|Impossible(what)| SetupError::Plan(what))
}

fn pools(plan: &Plan, origins: &[Origin], dialer: &Dialer, shard: usize, shards: usize) -> Vec<Pool> {
    let part = |all: usize| all / shards + usize::from(shard < all % shards);
    origins
        .iter()
        .enumerate()
        .map(|(index, origin)| {
            Pool::new(
                origin.clone(),
                dialer.clone(),
                index,
                part(plan.connections.max),
                part(plan.connections.max_waiting).max(1),
                plan.connections.no_reuse,
            )
        })
        .collect()
}
