//! Waking many tasks of one thread, each at its exact time.
//!
//! The runtime's timer counts in milliseconds, and an answer that is a millisecond late is no truth. On Linux one timerfd
//! wakes the thread for the earliest of all who wait; elsewhere the runtime's timer has to do.

use std::cell::{Cell, RefCell};
use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

/// The clock and all who wait for it. Of one thread.
pub(crate) struct Alarm {
    start: Instant,
    waiting: RefCell<BinaryHeap<Reverse<Waiting>>>,
    armed_for: Cell<u64>,
    timer: imp::Timer,
}

struct Waiting {
    at_ns: u64,
    waker: Waker,
}

impl PartialEq for Waiting {
    fn eq(&self, other: &Self) -> bool {
        self.at_ns == other.at_ns
    }
}

impl Eq for Waiting {}

impl PartialOrd for Waiting {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Waiting {
    fn cmp(&self, other: &Self) -> Ordering {
        self.at_ns.cmp(&other.at_ns)
    }
}

const NOT_ARMED: u64 = u64::MAX;

impl Alarm {
    /// Inside a runtime only.
    pub(crate) fn new(start: Instant) -> io::Result<Rc<Self>> {
        Ok(Rc::new(Self {
            start,
            waiting: RefCell::default(),
            armed_for: Cell::new(NOT_ARMED),
            timer: imp::Timer::new()?,
        }))
    }

    /// Nanoseconds since the start.
    pub(crate) fn now(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }

    /// Ends when that time has come.
    pub(crate) fn until(self: &Rc<Self>, at_ns: u64) -> Until {
        Until {
            alarm: Rc::clone(self),
            at_ns,
            waiting: false,
        }
    }

    /// Wakes whoever is due, for ever: this is a task of its own.
    pub(crate) async fn run(self: Rc<Self>) -> io::Result<()> {
        loop {
            self.timer.fired().await?;
            self.armed_for.set(NOT_ARMED);
            let now = self.now();
            let mut waiting = self.waiting.borrow_mut();
            while waiting.peek().is_some_and(|next| next.0.at_ns <= now) {
                if let Some(Reverse(due)) = waiting.pop() {
                    due.waker.wake();
                }
            }
            let next = waiting.peek().map(|next| next.0.at_ns);
            drop(waiting);
            if let Some(at_ns) = next {
                self.arm(at_ns);
            }
        }
    }

    fn arm(&self, at_ns: u64) {
        if at_ns < self.armed_for.get() {
            // Never zero, which would switch the timer off.
            let wait = Duration::from_nanos(at_ns.saturating_sub(self.now()).max(1));
            self.timer.set(wait);
            self.armed_for.set(at_ns);
        }
    }
}

/// See [`Alarm::until`].
pub(crate) struct Until {
    alarm: Rc<Alarm>,
    at_ns: u64,
    waiting: bool,
}

impl Future for Until {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if self.alarm.now() >= self.at_ns {
            return Poll::Ready(());
        }
        // The task is the same for the life of this future, so the first waker stays the right one.
        if !self.waiting {
            let waiting = Waiting {
                at_ns: self.at_ns,
                waker: cx.waker().clone(),
            };
            self.alarm.waiting.borrow_mut().push(Reverse(waiting));
            self.alarm.arm(self.at_ns);
            self.waiting = true;
        }
        Poll::Pending
    }
}

#[cfg(target_os = "linux")]
mod imp {
    use std::io;
    use std::time::Duration;

    use rustix::fd::OwnedFd;
    use rustix::time::{
        Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create, timerfd_settime,
    };
    use tokio::io::{Interest, unix::AsyncFd};

    pub(super) struct Timer(AsyncFd<OwnedFd>);

    impl Timer {
        pub(super) fn new() -> io::Result<Self> {
            let fd = timerfd_create(
                TimerfdClockId::Monotonic,
                TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC,
            )?;
            #[expect(
                deprecated,
                reason = "its successor is unsafe because a descriptor could be closed while registered; this one is \
                          owned here, for as long as it is registered"
            )]
            AsyncFd::with_interest(fd, Interest::READABLE).map(Self)
        }

        pub(super) fn set(&self, wait: Duration) {
            let spec = Itimerspec {
                it_interval: Timespec { tv_sec: 0, tv_nsec: 0 },
                it_value: Timespec {
                    tv_sec: i64::try_from(wait.as_secs()).unwrap_or(i64::MAX),
                    tv_nsec: wait.subsec_nanos().into(),
                },
            };
            // Fails only for a time that is none, and for a descriptor that is none.
            let _ = timerfd_settime(self.0.get_ref(), TimerfdTimerFlags::empty(), &spec);
        }

        /// Waits for it to fire. It is not read: setting it again clears it.
        pub(super) async fn fired(&self) -> io::Result<()> {
            self.0.readable().await?.clear_ready();
            Ok(())
        }
    }
}

#[cfg(not(target_os = "linux"))]
mod imp {
    use std::cell::Cell;
    use std::io;
    use std::time::Duration;

    use tokio::sync::Notify;
    use tokio::time::{Instant, sleep_until};

    pub(super) struct Timer {
        at: Cell<Option<Instant>>,
        changed: Notify,
    }

    impl Timer {
        pub(super) fn new() -> io::Result<Self> {
            Ok(Self {
                at: Cell::new(None),
                changed: Notify::new(),
            })
        }

        pub(super) fn set(&self, wait: Duration) {
            self.at.set(Some(Instant::now() + wait));
            self.changed.notify_one();
        }

        pub(super) async fn fired(&self) -> io::Result<()> {
            loop {
                match self.at.get() {
                    None => self.changed.notified().await,
                    Some(at) => tokio::select! {
                        () = sleep_until(at) => {
                            self.at.set(None);
                            return Ok(());
                        }
                        () = self.changed.notified() => {}
                    },
                }
            }
        }
    }
}
