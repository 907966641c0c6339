//! Owns which policy is meant: the built-in one, a file, or a file of a verified pack.

use crate::args::policy::PolicyArgs;
use crate::setup;
use anyhow::Context as _;
use retention_policy::{LoadedPolicy, PolicySource};
use runtime::exit::{Exit, Failure, ResultExt as _};
use std::io::Read as _;
use std::path::Path;

/// Reads and checks it.
pub(crate) fn load(args: &PolicyArgs) -> Result<LoadedPolicy, Failure> {
    let Some(path) = setup::path(args.policy.as_ref()) else {
        return Ok(retention_policy::builtin::load(args.retention_days));
    };
    if is_pack(&path) {
        return crate::pack::policy(&path, args);
    }
    let bytes = read(&path, retention_policy::read::MAX_BYTES as u64 + 1)
        .with_context(|| format!("cannot read the policy {}", path.display()))
        .exit(Exit::Usage)?;
    retention_policy::read(&bytes, PolicySource::File(path), args.retention_days).exit(Exit::Usage)
}

/// By its name; a policy is never called so.
fn is_pack(path: &Path) -> bool {
    let name = path.file_name().map(|name| name.to_string_lossy().to_ascii_lowercase());
    name.is_some_and(|name| [".tar", ".tar.gz", ".tgz"].iter().any(|end| name.ends_with(end)))
}

/// At most `limit` bytes: a wrong path such as `/dev/zero` must not fill the memory.
pub(crate) fn read(path: &Path, limit: u64) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    std::fs::File::open(path)?.take(limit).read_to_end(&mut bytes)?;
    Ok(bytes)
}
