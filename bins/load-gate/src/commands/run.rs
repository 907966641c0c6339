//! `load-gate run`.

use crate::args::RunArgs;
use runtime::exit::{Exit, Failure};

/// Does it.
pub(crate) fn run(_args: RunArgs) -> Result<Exit, Failure> {
    Err(Failure::usage("under construction"))
}
