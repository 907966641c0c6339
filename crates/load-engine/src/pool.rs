//! One server's connections, and the jobs that wait for one.
//!
//! A job goes to the connection that was used last (so idle ones may age and close, as in a real client). When none is
//! free it waits, in order, and a connection is opened for it as long as the limit allows; whichever connection is free
//! first takes the job that waited longest. Nothing is lost without a sample.

use crate::connect::{Dialer, Opened};
use crate::h2::Multiplexed;
use crate::job::{Fresh, Job};
use crate::origin::Origin;
use crate::worker::Worker;
use crate::{ConnectError, h1};
use load_verdict::Outcome;
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;
use std::task::Waker;

/// A waiting HTTP/1.1 connection.
#[derive(Default)]
pub(crate) struct Slot {
    pub(crate) job: Cell<Option<Job>>,
    pub(crate) waker: RefCell<Option<Waker>>,
}

impl Slot {
    fn wake(&self) {
        if let Some(waker) = &*self.waker.borrow() {
            waker.wake_by_ref();
        }
    }
}

pub(crate) struct Pool {
    pub(crate) origin: Origin,
    dialer: Dialer,
    index: usize,
    /// Most connections of this thread.
    max: usize,
    max_waiting: usize,
    pub(crate) no_reuse: bool,
    idle: RefCell<Vec<Rc<Slot>>>,
    pub(crate) waiting: RefCell<VecDeque<Job>>,
    multiplexed: RefCell<Vec<Rc<Multiplexed>>>,
    pub(crate) open: Cell<usize>,
    opening: Cell<usize>,
}

impl Pool {
    pub(crate) fn new(
        origin: Origin,
        dialer: Dialer,
        index: usize,
        max: usize,
        max_waiting: usize,
        no_reuse: bool,
    ) -> Self {
        Self {
            origin,
            dialer,
            index,
            max: max.max(1),
            max_waiting,
            no_reuse,
            idle: RefCell::default(),
            waiting: RefCell::default(),
            multiplexed: RefCell::default(),
            open: Cell::new(0),
            opening: Cell::new(0),
        }
    }

    /// Sends a job, now or as soon as there is a connection.
    pub(crate) fn dispatch(&self, worker: &Rc<Worker>, mut job: Job) {
        if let Some(connection) = self.free_stream() {
            job.assigned_at_once();
            connection.start(worker, self.index, job, None);
            return;
        }
        let free = self.idle.borrow_mut().pop();
        if let Some(slot) = free {
            job.assigned_at_once();
            slot.job.set(Some(job));
            slot.wake();
            return;
        }
        if self.waiting.borrow().len() >= self.max_waiting {
            job.failed(Outcome::Dropped, (0, 0));
            return;
        }
        self.waiting.borrow_mut().push_back(job);
        self.grow(worker);
    }

    /// A job whose connection was gone before it was written: the next in line.
    pub(crate) fn dispatch_again(&self, worker: &Rc<Worker>, job: Job) {
        self.waiting.borrow_mut().push_front(job);
        self.grow(worker);
    }

    /// Opens a connection if more jobs wait than connections are being opened.
    pub(crate) fn grow(&self, worker: &Rc<Worker>) {
        let waiting = self.waiting.borrow().len();
        if self.opening.get() < waiting && self.open.get() + self.opening.get() < self.max {
            self.opening.set(self.opening.get() + 1);
            let worker = Rc::clone(worker);
            let index = self.index;
            tokio::task::spawn_local(async move {
                let pool = worker.pool(index);
                let opened = pool.dialer.open(&pool.origin, &worker.clock()).await;
                pool.opening.set(pool.opening.get() - 1);
                match opened {
                    Ok(opened) => {
                        let fresh = Fresh::of(&opened);
                        pool.opened(&worker, opened, Some(fresh)).await;
                    }
                    Err(error) => pool.could_not_open(&worker, &error),
                }
            });
        }
    }

    /// Opens one before the run.
    pub(crate) async fn open_ahead(&self, worker: &Rc<Worker>) -> Result<(), ConnectError> {
        let opened = self.dialer.open(&self.origin, &worker.clock()).await?;
        let worker = Rc::clone(worker);
        let index = self.index;
        tokio::task::spawn_local(async move {
            let pool = worker.pool(index);
            pool.opened(&worker, opened, None).await;
        });
        Ok(())
    }

    /// The life of a connection.
    async fn opened(&self, worker: &Rc<Worker>, opened: Opened, fresh: Option<Fresh>) {
        self.open.set(self.open.get() + 1);
        worker.count_opened(&opened);
        if opened.http2 {
            match Multiplexed::handshake(opened).await {
                Ok((connection, driver)) => {
                    let connection = Rc::new(connection);
                    self.multiplexed.borrow_mut().push(Rc::clone(&connection));
                    let mut fresh = fresh;
                    while let Some(job) = self.next() {
                        connection.start(worker, self.index, job, fresh.take());
                    }
                    driver.await;
                    self.multiplexed
                        .borrow_mut()
                        .retain(|other| !Rc::ptr_eq(other, &connection));
                }
                Err(error) => self.fail_first(worker, Outcome::Protocol, &error),
            }
        } else {
            h1::serve(worker, self, opened, fresh).await;
        }
        self.open.set(self.open.get() - 1);
        if !worker.is_stopping() {
            self.grow(worker);
        }
    }

    fn could_not_open(&self, worker: &Rc<Worker>, error: &ConnectError) {
        self.fail_first(worker, error.outcome(), error);
        self.grow(worker);
    }

    /// One failed attempt fails one job: the one that waited longest.
    pub(crate) fn fail_first(&self, worker: &Rc<Worker>, outcome: Outcome, error: &(dyn std::error::Error + 'static)) {
        worker.note(outcome, error);
        if let Some(job) = self.next() {
            job.failed(outcome, (0, 0));
        }
    }

    /// The job that waited longest.
    pub(crate) fn next(&self) -> Option<Job> {
        self.waiting.borrow_mut().pop_front()
    }

    pub(crate) fn park(&self, slot: &Rc<Slot>) {
        self.idle.borrow_mut().push(Rc::clone(slot));
    }

    pub(crate) fn unpark(&self, slot: &Rc<Slot>) {
        self.idle.borrow_mut().retain(|other| !Rc::ptr_eq(other, slot));
    }

    /// The multiplexed connection with the fewest streams.
    fn free_stream(&self) -> Option<Rc<Multiplexed>> {
        let all = self.multiplexed.borrow();
        let best = all.iter().min_by_key(|connection| connection.streams.get())?;
        // Above this, another connection is worth opening, when one may be.
        if best.streams.get() >= Multiplexed::COMFORTABLE && self.open.get() + self.opening.get() < self.max {
            return None;
        }
        Some(Rc::clone(best))
    }

    /// Whether no job waits for a connection and none is being opened.
    pub(crate) fn is_quiet(&self) -> bool {
        self.opening.get() == 0 && self.waiting.borrow().is_empty()
    }

    /// Jobs whose time is over while they wait.
    pub(crate) fn expire(&self, now_ns: u64) {
        loop {
            let over = self
                .waiting
                .borrow()
                .front()
                .is_some_and(|job| job.deadline_ns() <= now_ns);
            if !over {
                return;
            }
            if let Some(job) = self.next() {
                job.failed(Outcome::Timeout, (0, 0));
            }
        }
    }

    /// Wakes every waiting connection, so that it sees that the run is over.
    pub(crate) fn wake_all(&self) {
        for slot in self.idle.borrow().iter() {
            slot.wake();
        }
    }
}
