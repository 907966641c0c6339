//! Owns the policy of a signed pack: `data/retention.json`, after the whole verification.

use crate::args::policy::PolicyArgs;
use retention_policy::LoadedPolicy;
use runtime::exit::Failure;
use std::path::Path;

/// Verifies the pack and reads its policy.
pub(crate) fn policy(path: &Path, _args: &PolicyArgs) -> Result<LoadedPolicy, Failure> {
    Err(Failure::usage(format!("packs are not read yet: {}", path.display())))
}
