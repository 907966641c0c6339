//! What a load run is to do. Flags, scenario files and k6 options become one checked [`Plan`].
//!
//! ```text
//! flags -----------\
//! scenario file ----+--> layers --> requests, schedule, thresholds --> Plan
//! k6 options ------/
//! ```
//!
//! | module | owns |
//! |---|---|
//! | [`settings`] | every option, as a command line gives it |
//! | `file` | the scenario file and k6's options, and the JSON Schema |
//! | `build` | from settings to a plan, with every error that can be made before the run |
//! | [`plan`] | the checked plan that the engine carries out |
//! | `redact` | the plan as a document without secrets |
//! | [`schedule`] | when each request is due: constant and ramping arrival rates |
//! | [`template`] | text with `{{column}}` in it |
//! | [`check`] | what a response must satisfy |
//! | [`duration`] | `5m`, `1m30s`, `500ms` |

mod build;
pub mod check;
pub mod duration;
pub mod error;
mod file;
pub mod plan;
mod redact;
pub mod schedule;
pub mod settings;
pub mod template;
mod text;

pub use error::PlanError;
pub use file::scenario_schema;
pub use plan::Plan;
pub use settings::{EarlyStopChoice, Hidden, Settings};
