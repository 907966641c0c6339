//! Who this binary is: name, version, commit. No build script: the compiler's environment is enough.

use std::fmt;

/// Name, version and commit of a binary; made by [`build_info!`](crate::build_info!).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BuildInfo {
    /// Package name, such as `policy-reloader`.
    pub name: &'static str,
    /// Package version.
    pub version: &'static str,
    /// Git commit, when the build set `GIT_COMMIT`.
    pub commit: Option<&'static str>,
}

impl BuildInfo {
    /// `name/version`, as a `User-Agent` product.
    pub fn user_agent(&self) -> String {
        format!("{}/{}", self.name, self.version)
    }

    /// The commit, or `unknown`.
    pub fn commit_or_unknown(&self) -> &'static str {
        self.commit.unwrap_or("unknown")
    }
}

impl fmt::Display for BuildInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.name, self.version)?;
        match self.commit {
            Some(commit) => write!(f, " ({commit})"),
            None => Ok(()),
        }
    }
}

/// The [`BuildInfo`] of the package that calls it.
#[macro_export]
macro_rules! build_info {
    () => {
        $crate::build_info::BuildInfo {
            name: env!("CARGO_PKG_NAME"),
            version: env!("CARGO_PKG_VERSION"),
            commit: option_env!("GIT_COMMIT"),
        }
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_the_calling_package() {
        let info = build_info!();
        assert_eq!(info.name, "runtime");
        assert_eq!(info.user_agent(), format!("runtime/{}", env!("CARGO_PKG_VERSION")));
    }

    #[test]
    fn shows_the_commit_only_when_known() {
        let mut info = BuildInfo {
            name: "tool",
            version: "1.2.3",
            commit: None,
        };
        assert_eq!(info.to_string(), "tool 1.2.3");
        assert_eq!(info.commit_or_unknown(), "unknown");
        info.commit = Some("abc");
        assert_eq!(info.to_string(), "tool 1.2.3 (abc)");
    }
}
