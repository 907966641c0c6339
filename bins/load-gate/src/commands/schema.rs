//! `load-gate schema`.

use crate::args::SchemaArgs;
use runtime::exit::{Exit, Failure};

/// Does it.
pub(crate) fn schema(_args: &SchemaArgs) -> Result<Exit, Failure> {
    Err(Failure::usage("under construction"))
}
