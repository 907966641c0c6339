//! Owns where the programs of a PostgreSQL are.

use std::path::{Path, PathBuf};
use std::process::Command;

/// Which PostgreSQL.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Major {
    /// The machine's own, the newest that is found.
    System,
}

/// It is not here.
#[derive(Debug, Clone, thiserror::Error)]
#[error("no PostgreSQL {wanted}: {why}")]
pub struct Unavailable {
    /// Which.
    pub wanted: String,
    /// What was looked for.
    pub why: String,
}

/// The programs of one PostgreSQL.
#[derive(Debug, Clone)]
pub struct Install {
    /// The folder with `initdb` and `postgres`.
    pub bin: PathBuf,
    /// 14, 15, ...
    pub major: u32,
}

impl Major {
    /// For tests that do not care.
    pub fn any() -> Self {
        Self::System
    }

    /// Finds it.
    ///
    /// # Errors
    /// It is not here.
    pub fn find(self) -> Result<Install, Unavailable> {
        let mut found: Vec<Install> = std::fs::read_dir("/usr/lib/postgresql")
            .into_iter()
            .flatten()
            .flatten()
            .filter_map(|entry| read(&entry.path().join("bin")))
            .collect();
        let on_path = std::env::var_os("PATH").unwrap_or_default();
        found.extend(std::env::split_paths(&on_path).filter_map(|folder| {
            let initdb = std::fs::canonicalize(folder.join("initdb")).ok()?;
            read(initdb.parent()?)
        }));
        found
            .into_iter()
            .filter(|install| install.major >= 14)
            .max_by_key(|install| install.major)
            .ok_or_else(|| Unavailable {
                wanted: "of this machine".to_owned(),
                why: "no initdb of version 14 or newer on PATH or in /usr/lib/postgresql/*/bin".to_owned(),
            })
    }
}

fn read(bin: &Path) -> Option<Install> {
    if !bin.join("initdb").exists() {
        return None;
    }
    let output = Command::new(bin.join("postgres")).arg("--version").output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    let version = text.split_whitespace().nth(2)?;
    Some(Install {
        bin: bin.to_owned(),
        major: version.split('.').next()?.parse().ok()?,
    })
}
