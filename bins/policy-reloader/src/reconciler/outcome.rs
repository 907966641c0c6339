//! Owns what a poll came to, in the words that `once`, `POST /v1/refresh` and the metrics use.

use std::time::Duration;

use crate::board::PackInfo;

/// What a poll came to, for `once`, `POST /v1/refresh` and the pause before the next poll.
#[derive(Debug, Clone)]
pub enum Outcome {
    /// Nothing new.
    Unchanged,
    /// A new pack decides.
    Activated(Box<PackInfo>),
    /// A new pack is accepted, and no OPA has it yet.
    Pending {
        /// Whether that is because an OPA does not answer.
        unreachable: bool,
        /// What is being waited for.
        message: String,
    },
    /// A pack was refused, now or before with the same bytes.
    Refused {
        /// The closed reason.
        reason: &'static str,
        /// The whole message.
        message: String,
    },
    /// MC gave no pack.
    Failed {
        /// The whole message.
        message: String,
        /// How long MC asked us to wait.
        retry_after: Option<Duration>,
    },
}

impl Outcome {
    /// As in metrics and `GET /status`.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Unchanged => "unchanged",
            Self::Activated(_) => "activated",
            Self::Pending { .. } => "pending",
            Self::Refused { .. } => "refused",
            Self::Failed { .. } => "failed",
        }
    }
}
