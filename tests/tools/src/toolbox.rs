//! Where programs are looked for, and in what order: `PATH`, the folder `.tools/bin`, installation.

use std::fs;
use std::path::{Path, PathBuf};

use crate::catalog::{Source, Spec, Tool};
use crate::{install, probe, say};

/// A program that is not to be had here.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{tool} is missing")]
pub struct Missing {
    /// Which program.
    pub tool: Tool,
    /// What stood in the way.
    #[source]
    pub why: Why,
}

/// What stood in the way of a program.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Why {
    /// It is not there, and the caller did not want it installed.
    #[error("not found on PATH or in {}, and not to be installed; `make tools` installs it", folder.display())]
    NotInstalled {
        /// The folder that was looked into besides `PATH`.
        folder: PathBuf,
    },
    /// No Go that is new enough could be found or installed.
    #[error("no Go >= {wanted} to build it with: {detail}")]
    NoGo {
        /// The release that the package's go.mod asks for.
        wanted: semver::Version,
        /// What was tried, and how it failed.
        detail: String,
    },
    /// The command that installs it failed.
    #[error("`{recipe}` failed: {detail}")]
    Build {
        /// The command.
        recipe: String,
        /// The end of what it printed.
        detail: String,
    },
    /// What was built does not answer as the version that was asked for.
    #[error("what `{recipe}` installed says version {found}, expected {wanted}")]
    Unexpected {
        /// The command.
        recipe: String,
        /// What the program answered.
        found: String,
        /// The versions that would have done.
        wanted: &'static str,
    },
    /// It comes as a Debian package, and this process cannot install one.
    #[error("it comes as a Debian package, and {reason}: run `sudo apt-get install {package}`, or put it on PATH")]
    Package {
        /// The package's name.
        package: &'static str,
        /// What keeps us from installing it.
        reason: &'static str,
    },
    /// It could not be fetched or unpacked.
    #[error("cannot fetch {what}: {detail}")]
    Fetch {
        /// What, and from where.
        what: String,
        /// The causes, the outermost first.
        detail: String,
    },
    /// A program that builds or installs it is not there.
    #[error("`{recipe}` needs {program}, which is not on PATH")]
    NoBuilder {
        /// The command.
        recipe: String,
        /// The program that is missing.
        program: &'static str,
    },
    /// The folder could not be written, or a program not be started.
    #[error("cannot {action} {}: {detail}", path.display())]
    Io {
        /// What was attempted.
        action: &'static str,
        /// On which file.
        path: PathBuf,
        /// The system's words.
        detail: String,
    },
}

/// Whether a program that is not there may be installed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Installing {
    /// Yes: builds take minutes.
    Allowed,
    /// No: only look.
    Never,
}

/// The places to look in. Tests make their own; everybody else uses [`Toolbox::of_this_repo`].
#[derive(Debug, Clone)]
pub struct Toolbox {
    /// The folder that holds what was installed (`bin/` below it has the programs).
    pub folder: PathBuf,
    /// The folders of `PATH`.
    pub search_path: Vec<PathBuf>,
    /// Whether to install what is not found.
    pub installing: Installing,
    /// Takes each line about what is being done.
    pub report: fn(&str),
}

impl Toolbox {
    /// `.tools` in this repository, the environment's `PATH`, and installation unless `TOOLS_INSTALL=never`.
    pub fn of_this_repo() -> Self {
        let folder = std::env::var_os("TOOLS_DIR").filter(|dir| !dir.is_empty()).map_or_else(
            || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.tools"),
            PathBuf::from,
        );
        let never = std::env::var("TOOLS_INSTALL").is_ok_and(|value| value == "never");
        Self {
            folder: std::path::absolute(&folder).map_or(folder, |path| without_parents(&path)),
            search_path: std::env::var_os("PATH")
                .iter()
                .flat_map(std::env::split_paths)
                .collect(),
            report: say::say,
            installing: if never { Installing::Never } else { Installing::Allowed },
        }
    }

    /// Finds a program on `PATH` or in the folder.
    pub fn find(&self, tool: Tool) -> Result<PathBuf, Missing> {
        let spec = tool.spec();
        self.look(tool, &spec).ok_or_else(|| Missing {
            tool,
            why: Why::NotInstalled {
                folder: self.folder.clone(),
            },
        })
    }

    /// Finds a program, or installs it. Any number of processes may ask at once: one installs, the others wait.
    pub fn ensure(&self, tool: Tool) -> Result<PathBuf, Missing> {
        let spec = tool.spec();
        if let Some(path) = self.look(tool, &spec) {
            return Ok(path);
        }
        if self.installing == Installing::Never {
            return Err(Missing {
                tool,
                why: Why::NotInstalled {
                    folder: self.folder.clone(),
                },
            });
        }
        self.install(tool, &spec).map_err(|why| Missing { tool, why })
    }

    fn look(&self, tool: Tool, spec: &Spec) -> Option<PathBuf> {
        self.on_path(tool, spec).or_else(|| {
            let own = self.own(spec);
            own.is_file().then(|| self.first_that_will_do(tool, spec, [own]))?
        })
    }

    /// The program on `PATH`, if there is one that will do.
    pub(crate) fn on_path(&self, tool: Tool, spec: &Spec) -> Option<PathBuf> {
        let found = spec
            .on_path
            .iter()
            .flat_map(|name| probe::candidates(&self.search_path, name));
        self.first_that_will_do(tool, spec, found)
    }

    fn first_that_will_do(
        &self,
        tool: Tool,
        spec: &Spec,
        candidates: impl IntoIterator<Item = PathBuf>,
    ) -> Option<PathBuf> {
        for path in candidates {
            match probe::version_of(&path, &spec.says) {
                Some(version) if spec.accepts(&version) => {
                    (self.report)(&format!("{tool}: {} (version {version})", path.display()));
                    return Some(path);
                }
                other => {
                    let found = other.map_or_else(|| "tells no version".to_owned(), |version| format!("is {version}"));
                    (self.report)(&format!(
                        "{tool}: {} {found}, wanted {}: not used",
                        path.display(),
                        spec.accepts
                    ));
                }
            }
        }
        None
    }

    fn install(&self, tool: Tool, spec: &Spec) -> Result<PathBuf, Why> {
        fs::create_dir_all(self.folder.join("bin")).map_err(Why::io("create", &self.folder))?;
        let _lock = install::lock(self)?;
        // Whoever held the lock before may have installed it.
        if let Some(path) = self.own(spec).is_file().then(|| self.look(tool, spec)).flatten() {
            return Ok(path);
        }
        install::install(tool, spec, self)
    }

    fn own(&self, spec: &Spec) -> PathBuf {
        match spec.source {
            Source::Maven { .. } => self.folder.join(spec.installed_name),
            _ => self.folder.join("bin").join(spec.installed_name),
        }
    }
}

impl Why {
    /// For `map_err`: the system's error with the file that it is about.
    pub(crate) fn io(action: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_owned();
        move |error| Self::Io {
            action,
            path,
            detail: error.to_string(),
        }
    }
}

/// `a/b/../../c` as `a/c`, so that messages are easy to read. Only for our own fixed path, which has no links in it
/// that matter.
fn without_parents(path: &Path) -> PathBuf {
    path.components().fold(PathBuf::new(), |mut out, part| {
        if part == std::path::Component::ParentDir {
            out.pop();
        } else {
            out.push(part);
        }
        out
    })
}
