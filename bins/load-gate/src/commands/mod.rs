//! One file a command.

pub(crate) mod compare;
pub(crate) mod evidence;
pub(crate) mod merge;
pub(crate) mod report;
pub(crate) mod run;
pub(crate) mod schema;
pub(crate) mod serve;
mod serve_run;
