//! One thread: takes arrivals up in time, hands them to pools, and sees every one of them to its end.

use crate::beat::{self, Wake};
use crate::clock::Clock;
use crate::connect::{ConnectError, Opened};
use crate::job::Job;
use crate::pacer::Pacer;
use crate::pool::Pool;
use crate::prepared::{NotHttp, Prepared};
use crate::shared::{Outbox, Shared, Stop};
use bytes::Bytes;
use http::Request;
use http_body_util::Full;
use load_plan::Plan;
use load_plan::schedule::Arrival;
use load_verdict::{Outcome, Sample};
use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::io;
use std::rc::Rc;
use std::sync::{Arc, PoisonError};
use std::task::{Poll, Waker};
use std::time::{Duration, Instant};

/// How often waiting jobs are looked at for their time limit, and gauges published.
const SWEEP: Duration = Duration::from_millis(100);
/// When arrivals are due faster than they are taken up, connections run after this many.
const BURST: u32 = 8;
/// After a stop, requests that are on their way get this long.
const GRACE: Duration = Duration::from_secs(1);

pub(crate) struct Worker {
    pub(crate) plan: Arc<Plan>,
    pub(crate) timeout_ns: u64,
    prepared: Vec<Prepared>,
    pools: Vec<Pool>,
    clock: Cell<Clock>,
    outbox: Outbox,
    shared: Arc<Shared>,
    outstanding: Cell<u64>,
    /// Largest response so far, in bytes.
    largest: Cell<u64>,
    stopping: Cell<bool>,
    /// The main task of the thread, woken when it may have something to do.
    main: RefCell<Option<Waker>>,
}

impl Worker {
    pub(crate) fn new(
        plan: Arc<Plan>,
        prepared: Vec<Prepared>,
        pools: Vec<Pool>,
        clock: Clock,
        outbox: Outbox,
        shared: Arc<Shared>,
    ) -> Self {
        Self {
            timeout_ns: u64::try_from(plan.timeout.as_nanos()).unwrap_or(u64::MAX),
            plan,
            prepared,
            pools,
            clock: Cell::new(clock),
            outbox,
            shared,
            outstanding: Cell::new(0),
            largest: Cell::new(0),
            stopping: Cell::new(false),
            main: RefCell::new(None),
        }
    }

    pub(crate) fn clock(&self) -> Clock {
        self.clock.get()
    }

    pub(crate) fn now(&self) -> u64 {
        self.clock.get().now()
    }

    pub(crate) fn pool(&self, index: usize) -> &Pool {
        &self.pools[index]
    }

    pub(crate) fn prepared_of(&self, arrival: &Arrival) -> &Prepared {
        &self.prepared[usize::from(arrival.request)]
    }

    pub(crate) fn request_for(&self, arrival: &Arrival, http2: bool) -> Result<Request<Full<Bytes>>, NotHttp> {
        self.prepared_of(arrival)
            .build(arrival, self.plan.data.as_deref(), self.plan.seed, http2)
    }

    /// No new work: connections without a job close.
    pub(crate) fn is_stopping(&self) -> bool {
        self.stopping.get()
    }

    pub(crate) fn record(&self, sample: &Sample) {
        self.outbox.lock().unwrap_or_else(PoisonError::into_inner).push(*sample);
        self.shared.ended(sample.outcome);
        self.largest.set(self.largest.get().max(sample.received_bytes));
        let left = self.outstanding.get().saturating_sub(1);
        self.outstanding.set(left);
        if left == 0 && self.stopping.get() {
            self.wake_main();
        }
    }

    /// Keeps the first message of each kind, for the person who asks why.
    pub(crate) fn note(&self, outcome: Outcome, error: &(dyn std::error::Error + 'static)) {
        self.shared.note(outcome, error);
    }

    pub(crate) fn count_opened(&self, opened: &Opened) {
        self.shared.opened(opened.connect_ns, opened.tls_ns);
    }

    fn wake_main(&self) {
        if let Some(waker) = &*self.main.borrow() {
            waker.wake_by_ref();
        }
    }

    fn remember_main(&self, waker: &Waker) {
        let mut main = self.main.borrow_mut();
        if !main.as_ref().is_some_and(|known| known.will_wake(waker)) {
            *main = Some(waker.clone());
        }
    }

    /// Opens `ahead` connections to each server at the same time; how many could be opened, and why not more.
    pub(crate) async fn open_ahead(self: &Rc<Self>, ahead: usize) -> (usize, Option<ConnectError>) {
        let mut opened = 0;
        let mut problem = None;
        for pool in 0..self.pools.len() {
            let mut tasks = tokio::task::JoinSet::new();
            for _ in 0..ahead {
                let this = Rc::clone(self);
                tasks.spawn_local(async move { this.pool(pool).open_ahead(&this).await });
            }
            while let Some(result) = tasks.join_next().await {
                match result {
                    Ok(Ok(())) => opened += 1,
                    Ok(Err(error)) => {
                        self.note(error.outcome(), &error);
                        problem.get_or_insert(error);
                    }
                    Err(_) => {}
                }
            }
        }
        (opened, problem)
    }

    /// Carries this thread's part of the schedule out.
    pub(crate) async fn work(self: &Rc<Self>, start: Instant, shard: usize, shards: usize) -> io::Result<()> {
        self.clock.set(Clock::starting_at(start));
        let mut pacer = Pacer::new()?;
        let sweeper = tokio::task::spawn_local(sweep(Rc::clone(self)));
        // The clock says 0 until the start, so "due" has no meaning before it.
        poll_fn(|cx| pacer.poll_until(&self.clock(), 0, cx)).await?;
        let mut burst = 0;
        let mut before_ns = 0;
        for arrival in self.plan.schedule.arrivals(shard, shards) {
            let waited = self.now() < arrival.due_ns;
            if waited {
                self.wait_for(&mut pacer, arrival.due_ns, before_ns).await?;
            }
            if self.shared.stop() != Stop::Run {
                break;
            }
            before_ns = arrival.due_ns;
            self.outstanding.set(self.outstanding.get() + 1);
            let pool = self.prepared_of(&arrival).origin;
            self.pools[pool].dispatch(self, Job::new(Rc::clone(self), arrival));
            burst = if waited { 0 } else { burst + 1 };
            if burst >= BURST {
                burst = 0;
                tokio::task::yield_now().await;
            }
        }
        self.stopping.set(true);
        self.last_ones().await;
        sweeper.abort();
        for pool in &self.pools {
            pool.wake_all();
            // Jobs that still wait become samples as they are dropped.
            drop(pool.waiting.take());
        }
        Ok(())
    }

    /// Waits until an arrival is due, or a stop is asked for.
    async fn wait_for(&self, pacer: &mut Pacer, due_ns: u64, before_ns: u64) -> io::Result<()> {
        if let Wake::Deaf(_) = beat::wake(self.now(), due_ns, before_ns, self.may_be_deaf()) {
            // What was handed over is written in the first round; what has arrived meanwhile is read in the second.
            tokio::task::yield_now().await;
            tokio::task::yield_now().await;
            if let Wake::Deaf(at) = beat::wake(self.now(), due_ns, before_ns, self.may_be_deaf()) {
                std::thread::sleep(self.clock().until(at));
                return Ok(());
            }
        }
        poll_fn(|cx| {
            if self.shared.stop() != Stop::Run {
                return Poll::Ready(Ok(()));
            }
            self.remember_main(cx.waker());
            pacer.poll_until(&self.clock(), due_ns, cx)
        })
        .await
    }

    /// Whether nothing depends on answers being read as they come: see [`beat`].
    fn may_be_deaf(&self) -> bool {
        beat::STAMPS && self.largest.get() <= beat::SMALL_BODY && self.pools.iter().all(Pool::is_quiet)
    }

    /// Waits for the requests that are on their way: for as long as each may take, or a moment after a stop.
    async fn last_ones(&self) {
        let mut asked: Option<Instant> = None;
        poll_fn(|cx| {
            self.remember_main(cx.waker());
            let over = match self.shared.stop() {
                Stop::Run => false,
                Stop::Soon => asked.get_or_insert_with(Instant::now).elapsed() >= GRACE,
                Stop::Now => true,
            };
            if over || self.outstanding.get() == 0 {
                Poll::Ready(())
            } else {
                Poll::Pending
            }
        })
        .await;
    }

    /// Open connections, requests on their way, and those of them that wait.
    fn gauges(&self) -> (u64, u64, u64) {
        (
            self.pools.iter().map(|pool| pool.open.get() as u64).sum(),
            self.outstanding.get(),
            self.pools.iter().map(|pool| pool.waiting.borrow().len() as u64).sum(),
        )
    }
}

/// Time limits of waiting jobs, gauges, and the look at the stop flag when nothing else wakes the thread.
async fn sweep(worker: Rc<Worker>) {
    let mut published = (0, 0, 0);
    loop {
        tokio::time::sleep(SWEEP).await;
        let now = worker.now();
        for pool in &worker.pools {
            pool.expire(now);
        }
        let gauges = worker.gauges();
        worker.shared.gauges(published, gauges);
        published = gauges;
        if worker.shared.stop() != Stop::Run || worker.is_stopping() {
            worker.wake_main();
        }
    }
}
