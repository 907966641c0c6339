//! The harness of the end-to-end tests: a real OPA, the real `policy-reloader` and a simulated MC, each on ports of its
//! own, all ended with the test. A process that a failing test used prints its log.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "this is test code: a broken expectation is a panic"
)]
#![allow(clippy::print_stderr, reason = "measurements and the logs of failed tests go there")]

pub mod binary;
pub mod daemon;
pub mod http;
pub mod lab;
pub mod load;
pub mod opa;
pub mod ports;
pub mod reloader;
pub mod wait;

pub use http::{Answer, Http};
pub use lab::{Lab, Mode};
pub use opa::{Opa, OpaOptions};
pub use reloader::{Options, Reloader};
pub use wait::{LIMIT, eventually, within};
