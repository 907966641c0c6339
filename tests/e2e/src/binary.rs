//! Owns where the program under test is.

use std::path::PathBuf;
use std::sync::OnceLock;

/// The path of `policy-reloader`; built at the first call. `POLICY_RELOADER` names a finished one instead.
///
/// # Panics
/// When it does not build.
pub fn policy_reloader() -> &'static PathBuf {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| program::built("policy-reloader", "POLICY_RELOADER"))
}
