//! Argo's web metric asks here: `POST /v1/evidence` and `POST /v1/run` start or join a check and wait for its end.
//!
//! ```text
//! POST --request (what is asked)--> board (start, join, kept, full) --work (evidence, load run)--> answer
//! ```
//!
//! | module | owns |
//! |---|---|
//! | [`request`] | the bodies, and what is wrong with them |
//! | [`board`] | which checks run, which verdicts are kept |
//! | [`answer`] | the JSON and the statuses |
//! | [`http`] | the endpoints |
//! | [`work`] | how a check is made |
//! | [`metrics`] | Prometheus metrics |

pub(crate) mod answer;
pub(crate) mod board;
pub(crate) mod http;
pub(crate) mod metrics;
pub(crate) mod request;
pub(crate) mod work;

#[cfg(test)]
mod tests;
