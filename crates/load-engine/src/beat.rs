//! When to sleep through the arrival of answers.
//!
//! Waking costs more than a request: on the machines this was measured on, 15 to 25 us of processor time for each sleep,
//! against 10 us for sending and reading. A thread that sends often therefore reads answers when it wakes for the next
//! request. Their latency is exact all the same, because the kernel stamped them as they arrived (`stamped`). It does so
//! only while nothing depends on being read at once: no job waits for a connection, none is being opened, and bodies are
//! small enough that the kernel's buffers hold them.
//!
//! At very high rates it also lets a few requests become due before it wakes, as every tool does whose timer is coarse;
//! the send lag says so, and it is counted in the judged latency.

/// Longest sleep in which nothing is read, and longest delay of a request that is due. One thousandth of a second is
/// little against every limit that is worth a gate.
const LONGEST_NS: u64 = 1_100_000;
const LONGEST_DELAY_NS: u64 = 1_000_000;
/// Requests that are sent in one go at most.
const TOGETHER: u64 = 10;
/// Requests closer than this are sent together.
const CLOSE_NS: u64 = 450_000;
/// Responses larger than this are read as they come: the kernel's buffer must never fill up and stop the server.
pub(crate) const SMALL_BODY: u64 = 16 << 10;

/// Whether the system stamps what it receives.
pub(crate) const STAMPS: bool = cfg!(target_os = "linux");

/// When the thread should wake for an arrival.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wake {
    /// At this time, and for everything that happens before.
    Listening(u64),
    /// At this time, for nothing else.
    Deaf(u64),
}

/// Decides it: `now` is the time, `due` the next arrival's (later than now), `before` that of the one before it, all on the
/// run's clock.
pub(crate) fn wake(now_ns: u64, due_ns: u64, before_ns: u64, may_be_deaf: bool) -> Wake {
    if !may_be_deaf {
        return Wake::Listening(due_ns);
    }
    let gap = due_ns.saturating_sub(before_ns);
    let delay = if gap < CLOSE_NS {
        (gap * TOGETHER).min(LONGEST_DELAY_NS)
    } else {
        0
    };
    let at = due_ns.max(now_ns.saturating_add(delay));
    if at.saturating_sub(now_ns) > LONGEST_NS {
        Wake::Listening(due_ns)
    } else {
        Wake::Deaf(at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;

    #[test]
    fn rare_requests_are_waited_for_with_open_ears() {
        assert_eq!(wake(0, 20 * MS, 0, true), Wake::Listening(20 * MS));
        assert_eq!(wake(0, 2 * MS, 0, true), Wake::Listening(2 * MS));
    }

    #[test]
    fn at_a_thousand_a_second_each_is_sent_in_time() {
        assert_eq!(wake(5 * MS, 6 * MS, 5 * MS, true), Wake::Deaf(6 * MS));
        assert_eq!(wake(5 * MS, 6 * MS, 5 * MS, false), Wake::Listening(6 * MS));
    }

    #[test]
    fn at_ten_thousand_a_second_no_request_waits_longer_than_a_millisecond() {
        let due = 5 * MS + 100_000;
        assert_eq!(wake(5 * MS, due, 5 * MS, true), Wake::Deaf(6 * MS));
        for now in (4 * MS..=due).step_by(7_919) {
            let Wake::Deaf(at) = wake(now, due, due - 100_000, true) else {
                panic!("it should sleep");
            };
            assert!((due..=due + LONGEST_DELAY_NS).contains(&at));
        }
    }
}
