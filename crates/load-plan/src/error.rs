//! Why there is no plan. All of them are mistakes of whoever asked for the run; nothing was sent.

use crate::{check::CheckError, duration::DurationError, schedule::ScheduleError, template::TemplateError};
use load_verdict::threshold::ThresholdError;
use std::{io, path::PathBuf};

/// Why there is no plan.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PlanError {
    /// A file that cannot be read.
    #[error("cannot read the {what} {}", path.display())]
    File {
        /// What the file is.
        what: &'static str,
        /// Where it was looked for.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A file that is not what it should be.
    #[error("{whereabouts}: {message}")]
    Syntax {
        /// File, line, column and path of keys.
        whereabouts: String,
        /// What is wrong.
        message: String,
    },
    /// Options that are wrong or do not fit together.
    #[error("{message}")]
    Invalid {
        /// What is wrong and what to do.
        message: String,
    },
    /// A duration.
    #[error("cannot use {what}")]
    Duration {
        /// Of what.
        what: String,
        /// Why.
        #[source]
        source: DurationError,
    },
    /// A template.
    #[error("cannot use {what}")]
    Template {
        /// Of what.
        what: String,
        /// Why.
        #[source]
        source: TemplateError,
    },
    /// A check.
    #[error("cannot use the check {check:?}")]
    Check {
        /// As it was written.
        check: String,
        /// Why.
        #[source]
        source: CheckError,
    },
    /// A threshold.
    #[error("cannot use the threshold {threshold:?}")]
    Threshold {
        /// As it was written.
        threshold: String,
        /// Why.
        #[source]
        source: ThresholdError,
    },
    /// A schedule.
    #[error("cannot use the schedule of {what}")]
    Schedule {
        /// Of what.
        what: String,
        /// Why.
        #[source]
        source: ScheduleError,
    },
    /// A threshold that could never pass.
    #[error(
        "the threshold {threshold:?} can never pass: it needs {needed} samples that all keep it, and the run has {planned}; raise the rate or the duration, lower the confidence, or ask for a lower percentile"
    )]
    Impossible {
        /// As it was written.
        threshold: String,
        /// Samples that it needs.
        needed: u64,
        /// Samples that the run has.
        planned: u64,
    },
}

impl PlanError {
    pub(crate) fn invalid(message: impl Into<String>) -> Self {
        Self::Invalid {
            message: message.into(),
        }
    }
}
