//! Owns copying of whole folders, also of one that a running server writes to.

use std::fs;
use std::io;
use std::os::unix::fs::{MetadataExt as _, lchown};
use std::path::Path;

use crate::error::{Error, file_error};

/// Copies a folder with its modes, and gives it to `owner` (a user and its group). A file that goes away meanwhile is
/// left out: a server's backup is made for that.
pub(crate) fn copy_tree(from: &Path, to: &Path, owner: Option<u32>) -> Result<(), Error> {
    copy_folder(from, to, owner).map_err(file_error(&format!("copy {} to", from.display()), to))
}

fn copy_folder(from: &Path, to: &Path, owner: Option<u32>) -> io::Result<()> {
    fs::create_dir(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let (source, target) = (entry.path(), to.join(entry.file_name()));
        match copy_entry(&entry, &source, &target, owner) {
            Err(error) if error.kind() == io::ErrorKind::NotFound && !source.exists() => {}
            done => done?,
        }
    }
    let meta = fs::metadata(from)?;
    fs::set_permissions(to, meta.permissions())?;
    give(to, owner)
}

fn copy_entry(entry: &fs::DirEntry, source: &Path, target: &Path, owner: Option<u32>) -> io::Result<()> {
    let kind = entry.file_type()?;
    if kind.is_dir() {
        return copy_folder(source, target, owner);
    }
    if kind.is_symlink() {
        std::os::unix::fs::symlink(fs::read_link(source)?, target)?;
    } else if kind.is_file() {
        // Keeps the mode, and shares the blocks where the file system can.
        fs::copy(source, target)?;
    } else {
        // Sockets are of no use in a copy.
        return Ok(());
    }
    give(target, owner)
}

fn give(path: &Path, owner: Option<u32>) -> io::Result<()> {
    let Some(owner) = owner else { return Ok(()) };
    if fs::symlink_metadata(path)?.uid() == owner {
        return Ok(());
    }
    lchown(path, Some(owner), Some(owner))
}
