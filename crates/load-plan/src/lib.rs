//! What a load run is to do. Flags, scenario files and k6 options become one checked [`Plan`].
//!
//! | module | owns |
//! |---|---|
//! | [`plan`] | the checked plan that the engine carries out |
//! | [`schedule`] | when each request is due: constant and ramping arrival rates |
//! | [`template`] | text with `{{column}}` in it |
//! | [`check`] | what a response must satisfy |

pub mod check;
pub mod plan;
pub mod schedule;
pub mod template;
mod text;

pub use plan::Plan;
