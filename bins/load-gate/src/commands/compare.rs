//! `load-gate compare`.

use crate::args::CompareArgs;
use runtime::exit::{Exit, Failure};

/// Does it.
pub(crate) fn compare(_args: &CompareArgs) -> Result<Exit, Failure> {
    Err(Failure::usage("under construction"))
}
