//! What a load run's samples mean. Pure: no I/O, no clock, no threads.
//!
//! ```text
//! Sample --> tally (histograms, slices, counts) --> summary (what people read)
//!                        \--> evidence of each threshold --> judge --> Judgement
//! ```
//!
//! | module | owns |
//! |---|---|
//! | [`sample`] | one scheduled request, from the moment it was due to its end |
//! | [`threshold`] | k6's threshold grammar: `http_req_duration{op:read}` and `p(95)<350` |
//! | [`tally`] | everything that is kept of the samples, in constant memory; merges |
//! | [`summary`] | the figures of a run as a document: k6's aggregates, honest quantiles, slices, the worst window |
//! | [`stats`] | exact binomial bounds, order statistics, autocorrelation, sequential tests, effect sizes |
//! | [`judge`] | PASS, FAIL, INCONCLUSIVE or INVALID, and why; early stops |

pub mod judge;
pub mod sample;
pub mod stats;
pub mod summary;
pub mod tally;
pub mod threshold;

pub use judge::{Judgement, ThresholdResult, Verdict};
pub use sample::{Outcome, Sample};
pub use threshold::Threshold;
