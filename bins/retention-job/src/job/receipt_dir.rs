//! Owns the copies of receipts outside the database. What an earlier run could not write (it was killed behind its
//! commit) is written now.

use anyhow::Context as _;
use pg_session::Session;
use retention_proof::receipt::file_name;
use retention_store::receipt;
use runtime::exit::{Exit, Failure, ResultExt as _};
use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::Write as _;
use std::path::Path;

/// Receipts that are read at once.
const PAGE: u32 = 100;

/// Writes the receipts that the folder does not have; gives how many.
///
/// # Errors
/// The folder, or the database.
pub(crate) async fn fill(session: &Session, folder: &Path) -> Result<u64, Failure> {
    fs::create_dir_all(folder)
        .with_context(|| format!("cannot make the folder for receipts {}", folder.display()))
        .exit(Exit::Dependency)?;
    let known: BTreeSet<String> = fs::read_dir(folder)
        .with_context(|| format!("cannot read the folder for receipts {}", folder.display()))
        .exit(Exit::Dependency)?
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .collect();
    let (mut after, mut written) = (0, 0);
    loop {
        let page = receipt::page(session, after, PAGE)
            .await
            .map_err(crate::failure::db("cannot read the receipts"))?;
        let Some(last) = page.last() else { return Ok(written) };
        after = last.number;
        for receipt in &page {
            let name = file_name(receipt.number, &receipt.run_id);
            if !known.contains(&name) {
                write(folder, &name, &receipt.envelope)
                    .with_context(|| format!("cannot write the receipt {}", folder.join(&name).display()))
                    .exit(Exit::Dependency)?;
                written += 1;
            }
        }
    }
}

/// Whole or not at all, and on the disk.
fn write(folder: &Path, name: &str, text: &str) -> std::io::Result<()> {
    let (path, new) = (folder.join(name), folder.join(format!(".{name}.new")));
    let mut file = File::create(&new)?;
    file.write_all(text.as_bytes())?;
    file.write_all(b"\n")?;
    file.sync_all()?;
    fs::rename(&new, &path)?;
    File::open(folder)?.sync_all()
}
