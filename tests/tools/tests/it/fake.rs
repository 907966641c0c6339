//! A folder with fake programs, and a toolbox that sees nothing else.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;
use tools::{Installing, Toolbox};

/// A world of its own: `path/` is its `PATH`, `tools/` its folder of installed programs.
pub(crate) struct World {
    root: TempDir,
}

impl World {
    pub(crate) fn new() -> Self {
        let world = Self {
            root: tempfile::tempdir().unwrap(),
        };
        fs::create_dir_all(world.folder().join("bin")).unwrap();
        world
    }

    pub(crate) fn folder(&self) -> PathBuf {
        self.root.path().join("tools")
    }

    /// A file that fake programs append to.
    pub(crate) fn journal(&self) -> PathBuf {
        self.root.path().join("journal")
    }

    pub(crate) fn journal_lines(&self) -> Vec<String> {
        fs::read_to_string(self.journal())
            .unwrap_or_default()
            .lines()
            .map(str::to_owned)
            .collect()
    }

    /// Puts a shell script on the world's `PATH`, in its folder number `place`.
    pub(crate) fn program(&self, place: usize, name: &str, script: &str) -> PathBuf {
        let folder = self.root.path().join(format!("path{place}"));
        fs::create_dir_all(&folder).unwrap();
        write_program(&folder.join(name), script)
    }

    /// Puts a shell script among the installed programs.
    pub(crate) fn installed(&self, name: &str, script: &str) -> PathBuf {
        write_program(&self.folder().join("bin").join(name), script)
    }

    pub(crate) fn toolbox(&self, installing: Installing) -> Toolbox {
        let search_path = (0..3)
            .map(|place| self.root.path().join(format!("path{place}")))
            .collect();
        Toolbox {
            folder: self.folder(),
            search_path,
            installing,
            report: |_| {},
        }
    }

    /// What a failed or finished installation left lying about besides the programs and the lock.
    pub(crate) fn leftovers(&self) -> Vec<String> {
        let entries = fs::read_dir(self.folder()).unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        names.filter(|name| name.starts_with("installing-")).collect()
    }
}

/// A script that prints what the real program prints about its version.
pub(crate) fn says(label: &str, version: &str) -> String {
    format!("echo '{label} {version}'")
}

/// Lets a child process write the file. If this process did, a test that starts a program at that very moment would
/// pass the open file on to it, and running the script would fail with "text file busy".
fn write_program(path: &Path, script: &str) -> PathBuf {
    let status = Command::new("/bin/sh")
        .args([
            "-c",
            r#"printf '#!/bin/sh\n%s\n' "$1" > "$2" && chmod 755 "$2""#,
            "sh",
            script,
        ])
        .arg(path)
        .status()
        .unwrap();
    assert!(status.success());
    path.to_owned()
}
