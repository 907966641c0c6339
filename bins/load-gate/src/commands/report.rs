//! `load-gate report`.

use crate::args::ReportArgs;
use runtime::exit::{Exit, Failure};

/// Does it.
pub(crate) fn report(_args: &ReportArgs) -> Result<Exit, Failure> {
    Err(Failure::usage("under construction"))
}
