//! A seeded server whose own log is the truth that load tests are held to.
//!
//! It answers GraphQL over HTTP/1.1, HTTP/2 (by prior knowledge or ALPN) and TLS as a [`TargetConfig`] says: after
//! fixed or heavy-tailed times, with freezes, errors, resets, garbage and more, in any combination, the same again for
//! the same seed. Every request is in its log with when it came, when its answer was to leave, and when it left.
//!
//! ```text
//! accept --> h1 | h2 --take--> behaviour (pure: what becomes of request n) --until--> alarm (timerfd) --> answer
//!                       |                                                                              |
//!                       +------------------------------> log <-----------------------------------------+
//! ```
//!
//! One thread does everything, so that a benchmark can give it a core: about 10 us of processor time a request.
//!
//! ```
//! use load_target::{Target, TargetConfig};
//!
//! let target = Target::start(TargetConfig { latency: "lognormal:20:1:2000".parse()?, ..TargetConfig::default() })?;
//! assert!(target.url().starts_with("http://127.0.0.1:"));
//! assert_eq!(target.truth().total(), 0);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod alarm;
mod answers;
mod behaviour;
mod config;
mod control;
mod h1;
mod h2;
mod log;
mod server;
mod shared;
mod target;
mod tls;
mod wire;

pub use config::{ConfigError, Fault, Freeze, Kind, Latency, OverLimit, Protocol, TargetConfig};
pub use log::{Request, Seen, Truth, nearest_rank};
pub use target::Target;
