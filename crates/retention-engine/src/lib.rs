//! Applies a plan: batches, sweeps, strategies, throttling, verification.
//!
//! ```text
//! Engine::apply(task) -> sweep every leaf by its strategy -> count what is left -> sweep again, or done
//!                          \-> batch: gate, statement, audit row, commit: one transaction
//! ```
//!
//! | module | owns |
//! |---|---|
//! | [`options`] | limits, patience, and the run |
//! | [`error`] | why the engine stops |
//! | [`progress`] | what a person sees |
//! | [`controller`] | how large the next batch is |
//! | [`engine`] | sessions, sweeps, how a task is carried out |
//! | [`erasure`] | the right to be forgotten: subjects, their rows, and when one is done |
//! | [`ledger`] | the ledger of erased subjects, outside the governed database |
//! | `batch`, `statement`, `wire` | one transaction: its statements, and how they travel |
//! | `job` | what strategies share: counters, budgets, getting out of the way of locks |
//! | `tid_range`, `hot_passes`, `keyset`, `limited`, `partition` | one strategy each |
//! | `detach`, `settle` | a partition: taken out, dropped behind a last look |
//! | `note`, `noted` | partitions that earlier runs began to detach: what a note means, what is done |
//! | `around` | rows that foreign keys keep although nothing said so |
//! | `regain` | a lost server |
//! | `throttle`, `watch` | when to make room for others |
//! | `horizon` | whether old versions of rows can be pruned by now |
//! | `verify`, `holds` | what is left; what is held |

pub mod controller;
pub mod engine;
pub mod erasure;
pub mod error;
pub mod ledger;
pub mod options;
pub mod progress;

mod around;
mod attempt;
mod batch;
mod detach;
mod holds;
mod horizon;
mod hot_passes;
mod job;
mod keyset;
mod limited;
mod note;
mod noted;
mod partition;
mod regain;
mod settle;
mod statement;
mod throttle;
mod tid_range;
mod verify;
mod watch;
mod wire;

pub use controller::Controller;
pub use engine::{Counted, Engine, Parts};
pub use erasure::{ErasureError, ErasureReport, canonical_keys};
pub use error::EngineError;
pub use ledger::{Ledger, LedgerFailure};
pub use options::{Options, RunContext, Throttle};
pub use progress::Progress;
