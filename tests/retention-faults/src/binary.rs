//! Owns where the program under test is.

use std::path::PathBuf;
use std::sync::OnceLock;

/// The path of `retention-job`; built at the first call. `RETENTION_JOB` names a finished one instead.
///
/// # Panics
/// When it does not build.
pub fn retention_job() -> &'static PathBuf {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| program::built("retention-job", "RETENTION_JOB"))
}
