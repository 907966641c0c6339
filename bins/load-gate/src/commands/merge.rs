//! `load-gate merge`.

use crate::args::MergeArgs;
use runtime::exit::{Exit, Failure};

/// Does it.
pub(crate) fn merge(_args: &MergeArgs) -> Result<Exit, Failure> {
    Err(Failure::usage("under construction"))
}
