//! Waking at an absolute time.
//!
//! The runtime's own timer has a resolution of 1 ms and sends 0.7 to 1.4 ms late. On Linux a timerfd with an absolute
//! deadline wakes the thread through the same epoll, without a coarse clock between. It is never read: setting it again
//! clears it, which saves a system call for every request. A second sleep is never needed either: when the wake comes
//! early for any reason, the clock says so and the timer is set again.

use crate::clock::Clock;
use std::io;
use std::task::{Context, Poll};

#[cfg(target_os = "linux")]
mod imp {
    use super::{Clock, Context, Poll, io};
    use rustix::fd::OwnedFd;
    use rustix::time::{
        Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create, timerfd_settime,
    };
    use std::time::Duration;
    use tokio::io::{Interest, unix::AsyncFd};

    pub(crate) struct Pacer {
        fd: AsyncFd<OwnedFd>,
        armed_for: Option<u64>,
    }

    impl Pacer {
        pub(crate) fn new() -> io::Result<Self> {
            let fd = timerfd_create(
                TimerfdClockId::Monotonic,
                TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC,
            )?;
            #[expect(
                deprecated,
                reason = "its successor is unsafe because the type behind it may close its descriptor early; an OwnedFd does not"
            )]
            let fd = AsyncFd::with_interest(fd, Interest::READABLE)?;
            Ok(Self { fd, armed_for: None })
        }

        /// Ready when `due` is over.
        pub(crate) fn poll_until(&mut self, clock: &Clock, due_ns: u64, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
            loop {
                let wait = clock.until(due_ns);
                if wait.is_zero() {
                    self.armed_for = None;
                    return Poll::Ready(Ok(()));
                }
                if self.armed_for != Some(due_ns) {
                    self.arm(wait)?;
                    self.armed_for = Some(due_ns);
                }
                match self.fd.poll_read_ready(cx) {
                    Poll::Pending => return Poll::Pending,
                    Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                    Poll::Ready(Ok(mut guard)) => {
                        guard.clear_ready();
                        // Fired: for this deadline, or for an earlier one that nobody waited for.
                        self.armed_for = None;
                    }
                }
            }
        }

        /// Relative to now, which is read in the same breath: the kernel turns it into an absolute time itself, and the
        /// schedule stays absolute because each wait is computed from the due time.
        fn arm(&self, wait: Duration) -> io::Result<()> {
            let spec = Itimerspec {
                it_interval: Timespec { tv_sec: 0, tv_nsec: 0 },
                it_value: Timespec {
                    tv_sec: i64::try_from(wait.as_secs()).unwrap_or(i64::MAX),
                    tv_nsec: wait.subsec_nanos().into(),
                },
            };
            timerfd_settime(self.fd.get_ref(), TimerfdTimerFlags::empty(), &spec)?;
            Ok(())
        }
    }
}

/// The runtime's timer. Compiled for tests too, so that it is known to work where it is not used.
#[cfg(any(test, not(target_os = "linux")))]
#[allow(clippy::unnecessary_wraps, reason = "the same signature as on Linux")]
mod portable {
    use super::{Clock, Context, Poll, io};
    use std::future::Future;
    use std::pin::Pin;
    use tokio::time::{Instant, Sleep, sleep_until};

    pub(crate) struct Pacer {
        sleep: Pin<Box<Sleep>>,
    }

    impl Pacer {
        pub(crate) fn new() -> io::Result<Self> {
            Ok(Self {
                sleep: Box::pin(sleep_until(Instant::now())),
            })
        }

        pub(crate) fn poll_until(&mut self, clock: &Clock, due_ns: u64, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
            let wait = clock.until(due_ns);
            if wait.is_zero() {
                return Poll::Ready(Ok(()));
            }
            self.sleep.as_mut().reset(Instant::now() + wait);
            match self.sleep.as_mut().poll(cx) {
                Poll::Ready(()) => Poll::Ready(Ok(())),
                Poll::Pending => Poll::Pending,
            }
        }
    }
}

#[cfg(target_os = "linux")]
pub(crate) use imp::Pacer;
#[cfg(not(target_os = "linux"))]
pub(crate) use portable::Pacer;

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::poll_fn;
    use std::time::{Duration, Instant};

    /// Waits for a few due times, and for one that is over; gives how late each wake was.
    macro_rules! waits {
        ($pacer:ty) => {{
            let clock = Clock::starting_at(Instant::now());
            let mut pacer = <$pacer>::new().unwrap();
            let mut late = Vec::new();
            for due_ns in [2_000_000, 2_500_000, 9_000_000, 9_000_000, 1_000_000] {
                poll_fn(|cx| pacer.poll_until(&clock, due_ns, cx)).await.unwrap();
                late.push(Duration::from_nanos(clock.now()).checked_sub(Duration::from_nanos(due_ns)));
            }
            late
        }};
    }

    #[tokio::test]
    async fn no_pacer_wakes_before_the_time() {
        for late in [waits!(Pacer), waits!(portable::Pacer)] {
            assert!(late.iter().all(Option::is_some), "{late:?}");
            assert!(
                late.iter().flatten().all(|late| *late < Duration::from_secs(5)),
                "{late:?}"
            );
        }
    }
}
