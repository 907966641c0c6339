//! One scheduled request, from the moment it was due to its end. All times are nanoseconds.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How a scheduled request ended. Only [`Outcome::Ok`] has a latency that counts: every other one is "not answered
/// rightly", which the judged distribution takes as infinitely late.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
pub enum Outcome {
    /// A response below 400, and every check passed.
    Ok,
    /// A status of 400 or above (k6's `http_req_failed`).
    HttpError,
    /// The status was fine and a check was not: a wrong answer is no answer.
    CheckFailed,
    /// No complete response within the time limit.
    Timeout,
    /// The host name could not be resolved.
    Dns,
    /// No connection: refused, unreachable.
    Connect,
    /// The TLS handshake failed.
    Tls,
    /// The connection ended before the response was complete.
    Reset,
    /// The answer was not HTTP, or broke its rules.
    Protocol,
    /// Never sent: too many were waiting already. Counted, never silent.
    Dropped,
    /// Still running when the run was cut off.
    Unfinished,
}

impl Outcome {
    /// Every outcome, in the order of declaration; `outcome as usize` is the index.
    pub const ALL: [Self; 11] = [
        Self::Ok,
        Self::HttpError,
        Self::CheckFailed,
        Self::Timeout,
        Self::Dns,
        Self::Connect,
        Self::Tls,
        Self::Reset,
        Self::Protocol,
        Self::Dropped,
        Self::Unfinished,
    ];

    /// The name in results, metrics and `error_code` tags.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::HttpError => "http_error",
            Self::CheckFailed => "check_failed",
            Self::Timeout => "timeout",
            Self::Dns => "dns",
            Self::Connect => "connect",
            Self::Tls => "tls",
            Self::Reset => "reset",
            Self::Protocol => "protocol",
            Self::Dropped => "dropped",
            Self::Unfinished => "unfinished",
        }
    }

    /// Whether a whole response arrived.
    pub const fn answered(self) -> bool {
        matches!(self, Self::Ok | Self::HttpError | Self::CheckFailed)
    }
}

/// One scheduled request.
///
/// ```text
/// due --lag--> taken up --queue--> --connect--> --tls--> sent --first_byte--> head --receive--> done
/// |<-------------------------------- total (judged) ------------------------------------------>|
///                                                        |<----- service (k6's duration) ----->|
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sample {
    /// Which request of the plan; index into the plan's requests.
    pub request: u16,
    /// Which scenario of the plan.
    pub scenario: u16,
    /// When it was due, since the start of the schedule (warm-up included).
    pub due_ns: u64,
    /// In the warm-up: sent, and not counted in anything judged.
    pub warm_up: bool,
    /// From due to taken up: the generator's own lateness.
    pub lag_ns: u64,
    /// Waiting for a connection, without the two below.
    pub queue_ns: u64,
    /// Of the wait, the part in which its connection was being opened (0 on a kept connection).
    pub connect_ns: u64,
    /// Of the wait, the part in which its TLS handshake was made (0 on a kept connection).
    pub tls_ns: u64,
    /// From sent to the response's head (for a failed request: to its end).
    pub first_byte_ns: u64,
    /// From the head to the last byte.
    pub receive_ns: u64,
    /// Bytes written for it, as far as the connection can tell.
    pub sent_bytes: u64,
    /// Bytes read for it.
    pub received_bytes: u64,
    /// The response's status; 0 when there was none.
    pub status: u16,
    /// How it ended.
    pub outcome: Outcome,
    /// Bit `i`: check `i` of the plan was made of this response.
    pub checks_made: u32,
    /// Bit `i`: check `i` failed. A request that got no answer fails all its checks.
    pub checks_failed: u32,
}

impl Sample {
    /// From due to done: what somebody who wanted the answer at that moment waited.
    pub const fn total_ns(&self) -> u64 {
        self.lag_ns + self.queue_ns + self.connect_ns + self.tls_ns + self.first_byte_ns + self.receive_ns
    }

    /// From sent to done: k6's `http_req_duration`.
    pub const fn service_ns(&self) -> u64 {
        self.first_byte_ns + self.receive_ns
    }

    /// The judged latency: `None` is infinitely late.
    pub const fn judged_ns(&self) -> Option<u64> {
        match self.outcome {
            Outcome::Ok => Some(self.total_ns()),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outcomes_are_their_own_index_and_name() {
        for (index, outcome) in Outcome::ALL.into_iter().enumerate() {
            assert_eq!(outcome as usize, index);
            assert_eq!(serde_json::to_value(outcome).unwrap(), outcome.as_str());
        }
    }
}
