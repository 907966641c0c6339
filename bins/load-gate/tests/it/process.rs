//! Starts load-gate.

use std::ffi::OsStr;
use std::process::Command;

/// The program with these arguments, an empty environment, and no terminal.
pub(crate) fn load_gate<A: AsRef<OsStr>>(args: impl IntoIterator<Item = A>) -> Command {
    program::command(env!("CARGO_BIN_EXE_load-gate"), args)
}
