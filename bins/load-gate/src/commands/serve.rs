//! `load-gate serve`.

use crate::args::ServeArgs;
use runtime::exit::{Exit, Failure};

/// Does it.
pub(crate) fn serve(_args: ServeArgs) -> Result<Exit, Failure> {
    Err(Failure::usage("under construction"))
}
