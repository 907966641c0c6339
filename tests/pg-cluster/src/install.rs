//! Owns which PostgreSQLs there are, and where their programs are.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use tools::{Installing, Tool, Toolbox};

/// The oldest that is supported.
const OLDEST: u32 = 14;

/// Which PostgreSQL.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Major {
    /// The machine's own: the newest `initdb` on `PATH` or in `/usr/lib/postgresql/*/bin`.
    System,
    /// The oldest that is supported, from Maven Central.
    V14,
    /// The newest, from Maven Central.
    V18,
}

/// This machine lacks something, which is no fault of the code under test.
///
/// A test that gets it counts as skipped, with this as the reason; under `CI=true` it is a failure. [`crate::or_skip`]
/// decides that.
#[derive(Debug, Clone, thiserror::Error)]
#[error("no {wanted}: {why}")]
pub struct Unavailable {
    /// What.
    pub wanted: String,
    /// What was tried, and what to do.
    pub why: String,
}

impl Unavailable {
    /// For what not every build of a server has, such as an extension of contrib.
    ///
    /// # Errors
    /// It is not `there`.
    pub fn unless(there: bool, wanted: &str, why: &str) -> Result<(), Self> {
        let lacking = || Self {
            wanted: wanted.to_owned(),
            why: why.to_owned(),
        };
        there.then_some(()).ok_or_else(lacking)
    }
}

/// The programs of one PostgreSQL.
#[derive(Debug, Clone)]
pub struct Install {
    /// The folder with `initdb` and `postgres`.
    pub bin: PathBuf,
    /// 14, 15, ...
    pub major: u32,
    /// What the program says: `15.18 (Debian 15.18-0+deb12u1)`.
    pub version: String,
}

impl Major {
    /// All, in the order of preference.
    pub const ALL: [Self; 3] = [Self::System, Self::V14, Self::V18];

    /// For tests that do not care: what `PG_CLUSTER_MAJOR` names (`system`, `14` or `18`: how `make test-majors` runs them
    /// on each), else the machine's own, else the newest.
    ///
    /// # Panics
    /// `PG_CLUSTER_MAJOR` names none of them: a run on another server than the one that was meant would prove nothing.
    pub fn any() -> Self {
        static ANSWER: OnceLock<Major> = OnceLock::new();
        *ANSWER.get_or_init(|| {
            let own = if Self::System.find().is_ok() {
                Self::System
            } else {
                Self::V18
            };
            let Ok(name) = std::env::var("PG_CLUSTER_MAJOR") else {
                return own;
            };
            let named = Self::named(&name);
            assert!(
                named.is_some(),
                "PG_CLUSTER_MAJOR is {name:?}: expected system, 14 or 18"
            );
            named.unwrap_or(own)
        })
    }

    fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|major| major.name() == name)
    }

    /// Those that are here. Nothing is fetched: `make test` has done that, or `cargo run -p tools -- ensure`.
    pub fn all_found() -> Vec<Self> {
        Self::ALL.into_iter().filter(|major| major.find().is_ok()).collect()
    }

    /// `system`, `14` or `18`, for names of tests.
    pub fn name(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::V14 => "14",
            Self::V18 => "18",
        }
    }

    /// Finds it; fetches nothing.
    ///
    /// # Errors
    /// It is not here.
    pub fn find(self) -> Result<Install, Unavailable> {
        match self.tool() {
            None => system(),
            Some(tool) => quiet().find(tool).map_err(|missing| self.missing(&missing)),
        }
        .and_then(|found| self.read(&found))
    }

    /// Finds it, or fetches it into `.tools` unless `TOOLS_INSTALL=never`.
    ///
    /// # Errors
    /// It is neither here nor to be had.
    pub fn ensure(self) -> Result<Install, Unavailable> {
        if let Ok(found) = self.find() {
            return Ok(found);
        }
        match self.tool() {
            None => system(),
            Some(tool) => tools::ensure(tool).map_err(|missing| self.missing(&missing)),
        }
        .and_then(|found| self.read(&found))
    }

    fn tool(self) -> Option<Tool> {
        match self {
            Self::System => None,
            Self::V14 => Some(Tool::Postgres14),
            Self::V18 => Some(Tool::Postgres18),
        }
    }

    fn missing(self, missing: &tools::Missing) -> Unavailable {
        Unavailable {
            wanted: format!("PostgreSQL {}", self.name()),
            why: missing.why.to_string(),
        }
    }

    fn read(self, server: &Path) -> Result<Install, Unavailable> {
        read(server).ok_or_else(|| Unavailable {
            wanted: format!("PostgreSQL {}", self.name()),
            why: format!("{} tells no version", server.display()),
        })
    }
}

/// Says nothing about what it looks at: a test asks often.
fn quiet() -> Toolbox {
    Toolbox {
        report: |_| {},
        installing: Installing::Never,
        ..Toolbox::of_this_repo()
    }
}

/// The `postgres` beside the newest `initdb` of this machine. The answer is kept, as each look runs a program or two.
fn system() -> Result<PathBuf, Unavailable> {
    static ANSWER: OnceLock<Option<PathBuf>> = OnceLock::new();
    ANSWER.get_or_init(look).clone().ok_or_else(|| Unavailable {
        wanted: "PostgreSQL of this machine".to_owned(),
        why: format!("no initdb of version {OLDEST} or newer on PATH or in /usr/lib/postgresql/*/bin"),
    })
}

fn look() -> Option<PathBuf> {
    let packaged = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path().join("bin"));
    let path = std::env::var_os("PATH").unwrap_or_default();
    // A link on PATH leads to the folder that has the other programs.
    let linked = std::env::split_paths(&path).filter_map(|folder| {
        let initdb = std::fs::canonicalize(folder.join("initdb")).ok()?;
        Some(initdb.parent()?.to_owned())
    });
    packaged
        .chain(linked.collect::<Vec<_>>())
        .filter(|bin| bin.join("initdb").exists())
        .filter_map(|bin| read(&bin.join("postgres")))
        .filter(|install| install.major >= OLDEST)
        .max_by_key(|install| install.major)
        .map(|install| install.bin.join("postgres"))
}

fn read(server: &Path) -> Option<Install> {
    let output = Command::new(server).arg("--version").output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    let version = text.trim().strip_prefix("postgres (PostgreSQL) ")?;
    Some(Install {
        bin: server.parent()?.to_owned(),
        major: major_of(version)?,
        version: version.to_owned(),
    })
}

/// `18beta1` is 18.
fn major_of(version: &str) -> Option<u32> {
    let end = version.find(|c: char| !c.is_ascii_digit()).unwrap_or(version.len());
    version[..end].parse().ok()
}

#[cfg(test)]
mod tests {
    use super::major_of;

    #[test]
    fn versions_as_servers_tell_them() {
        assert_eq!(major_of("15.18 (Debian 15.18-0+deb12u1)"), Some(15));
        assert_eq!(major_of("18beta1"), Some(18));
        assert_eq!(major_of("18.6"), Some(18));
        assert_eq!(major_of("unknown"), None);
    }
}
