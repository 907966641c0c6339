//! What the generator itself used and had to wait for. A generator that was starved must not pass a verdict.

use std::time::{Duration, Instant};

/// Figures of one run; `None` where the system does not tell.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Usage {
    /// Largest share of the time, over the sending threads, in which one was ready to run and had no processor.
    pub cpu_wait: Option<f64>,
    /// Share of the time in which the cgroup was throttled.
    pub throttled: Option<f64>,
    /// Largest share of one core that a sending thread used.
    pub busiest_thread: Option<f64>,
    /// Processor time of the sending threads.
    pub cpu: Option<Duration>,
}

/// A reading of this thread's account.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ThreadReading {
    at: Instant,
    account: Option<Account>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Account {
    ran_ns: u64,
    waited_ns: u64,
}

/// What a thread did between two readings.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ThreadUsage {
    wall_ns: u64,
    account: Option<Account>,
}

impl ThreadReading {
    /// Of the calling thread.
    pub(crate) fn now() -> Self {
        Self {
            at: Instant::now(),
            account: std::fs::read_to_string("/proc/thread-self/schedstat")
                .ok()
                .and_then(|text| parse_schedstat(&text)),
        }
    }

    pub(crate) fn until_now(self) -> ThreadUsage {
        let now = Self::now();
        ThreadUsage {
            wall_ns: u64::try_from((now.at - self.at).as_nanos()).unwrap_or(u64::MAX),
            account: self.account.zip(now.account).map(|(before, after)| Account {
                ran_ns: after.ran_ns.saturating_sub(before.ran_ns),
                waited_ns: after.waited_ns.saturating_sub(before.waited_ns),
            }),
        }
    }
}

/// `ran waited slices`, in nanoseconds (Linux, Documentation/scheduler/sched-stats).
fn parse_schedstat(text: &str) -> Option<Account> {
    let mut fields = text.split_ascii_whitespace();
    Some(Account {
        ran_ns: fields.next()?.parse().ok()?,
        waited_ns: fields.next()?.parse().ok()?,
    })
}

/// A reading of how long the cgroup was throttled so far, in microseconds.
pub(crate) fn throttled_us() -> Option<u64> {
    // In a container the cgroup namespace makes its own group the root; cgroup v1 has another path and is not read.
    let text = std::fs::read_to_string("/sys/fs/cgroup/cpu.stat").ok()?;
    parse_cpu_stat(&text)
}

fn parse_cpu_stat(text: &str) -> Option<u64> {
    let value = text.lines().find_map(|line| line.strip_prefix("throttled_usec "))?;
    value.trim().parse().ok()
}

/// Puts the threads together.
pub(crate) fn total(threads: &[ThreadUsage], throttled_us: Option<u64>, wall: Duration) -> Usage {
    let share = |part: fn(&Account) -> u64| {
        threads
            .iter()
            .map(|thread| {
                thread
                    .account
                    .map(|account| part(&account) as f64 / thread.wall_ns.max(1) as f64)
            })
            .collect::<Option<Vec<_>>>()
            .and_then(|shares| shares.into_iter().reduce(f64::max))
    };
    Usage {
        cpu_wait: share(|account| account.waited_ns),
        busiest_thread: share(|account| account.ran_ns),
        throttled: throttled_us.map(|us| us as f64 / 1e6 / wall.as_secs_f64().max(1e-9)),
        cpu: threads
            .iter()
            .map(|thread| thread.account.map(|account| account.ran_ns))
            .sum::<Option<u64>>()
            .map(Duration::from_nanos),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_accounts_are_read() {
        assert_eq!(
            parse_schedstat("1500 250 7\n"),
            Some(Account {
                ran_ns: 1500,
                waited_ns: 250
            })
        );
        assert_eq!(parse_schedstat("nonsense"), None);
        assert_eq!(
            parse_cpu_stat("usage_usec 5\nnr_throttled 2\nthrottled_usec 77\n"),
            Some(77)
        );
        assert_eq!(parse_cpu_stat("usage_usec 5\n"), None);
    }

    #[test]
    fn the_worst_thread_counts() {
        let thread = |ran_ns, waited_ns| ThreadUsage {
            wall_ns: 1_000,
            account: Some(Account { ran_ns, waited_ns }),
        };
        let usage = total(&[thread(500, 10), thread(100, 300)], Some(50), Duration::from_millis(1));
        assert_eq!((usage.busiest_thread, usage.cpu_wait), (Some(0.5), Some(0.3)));
        assert_eq!(usage.cpu, Some(Duration::from_nanos(600)));
        assert!((usage.throttled.unwrap() - 0.05).abs() < 1e-12);
        let unknown = ThreadUsage {
            wall_ns: 1_000,
            account: None,
        };
        assert_eq!(
            total(&[thread(1, 1), unknown], None, Duration::from_millis(1)).cpu_wait,
            None
        );
    }
}
