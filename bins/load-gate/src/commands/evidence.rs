//! `load-gate evidence`.

use crate::args::EvidenceArgs;
use runtime::exit::{Exit, Failure};

/// Does it.
pub(crate) fn evidence(_args: EvidenceArgs) -> Result<Exit, Failure> {
    Err(Failure::usage("under construction"))
}
