//! The programs that tests need: which versions will do, how each tells its version, and where it comes from.

use std::fmt;
use std::str::FromStr;

use semver::{Version, VersionReq};

/// A real program that tests run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Tool {
    /// Open Policy Agent. 1.21.3 is the first without the bundle signature bypass (GHSA-g2pf-6v5v-qcc8).
    Opa,
    /// cosign 2.2.4: what MC's CI signs with.
    Cosign2,
    /// cosign 3.1.3: the current format.
    Cosign3,
}

/// A name that is none of ours.
#[derive(Debug, thiserror::Error)]
#[error("unknown tool `{0}`: expected one of opa, cosign2, cosign3")]
pub struct UnknownTool(String);

/// What is known about one program.
#[derive(Debug)]
pub(crate) struct Spec {
    /// Names it may have on `PATH`, in order of preference.
    pub(crate) on_path: &'static [&'static str],
    /// Arguments that make it print its version.
    pub(crate) version_args: &'static [&'static str],
    /// What stands before the version in that output.
    pub(crate) version_label: &'static str,
    /// The versions that will do.
    pub(crate) accepts: &'static str,
    /// The Go package, with the version that is installed.
    pub(crate) package: &'static str,
    /// What `go install` calls the result.
    pub(crate) built_name: &'static str,
    /// What it is called in `.tools/bin`.
    pub(crate) installed_name: &'static str,
    /// The Go release that its go.mod asks for.
    pub(crate) go: Version,
}

impl Tool {
    /// Every tool, in the order of declaration.
    pub const ALL: [Self; 3] = [Self::Opa, Self::Cosign2, Self::Cosign3];

    /// The name used on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Opa => "opa",
            Self::Cosign2 => "cosign2",
            Self::Cosign3 => "cosign3",
        }
    }

    pub(crate) fn spec(self) -> Spec {
        match self {
            Self::Opa => Spec {
                on_path: &["opa"],
                version_args: &["version"],
                version_label: "Version:",
                accepts: ">=1.21.3, <2",
                package: "github.com/open-policy-agent/opa@v1.22.2",
                built_name: "opa",
                installed_name: "opa",
                go: Version::new(1, 26, 0),
            },
            Self::Cosign2 => Spec {
                on_path: &["cosign-2.2.4", "cosign"],
                version_args: &["version"],
                version_label: "GitVersion:",
                accepts: "=2.2.4",
                package: "github.com/sigstore/cosign/v2/cmd/cosign@v2.2.4",
                built_name: "cosign",
                installed_name: "cosign-2.2.4",
                go: Version::new(1, 21, 0),
            },
            Self::Cosign3 => Spec {
                on_path: &["cosign-3.1.3", "cosign"],
                version_args: &["version"],
                version_label: "GitVersion:",
                accepts: "=3.1.3",
                package: "github.com/sigstore/cosign/v3/cmd/cosign@v3.1.3",
                built_name: "cosign",
                installed_name: "cosign-3.1.3",
                go: Version::new(1, 26, 0),
            },
        }
    }
}

impl Spec {
    /// Whether this version will do. The requirements are constants; one that does not parse accepts nothing, and a
    /// test holds them to that.
    pub(crate) fn accepts(&self, version: &Version) -> bool {
        VersionReq::parse(self.accepts).is_ok_and(|wanted| wanted.matches(version))
    }
}

impl fmt::Display for Tool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Tool {
    type Err = UnknownTool;

    fn from_str(name: &str) -> Result<Self, UnknownTool> {
        Self::ALL
            .into_iter()
            .find(|tool| tool.name() == name)
            .ok_or_else(|| UnknownTool(name.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_tool_accepts_the_version_that_it_installs() {
        for tool in Tool::ALL {
            let spec = tool.spec();
            let (_, version) = spec.package.split_once("@v").unwrap();
            assert!(
                spec.accepts(&Version::parse(version).unwrap()),
                "{tool} would install {version} and refuse it"
            );
        }
    }

    #[test]
    fn names_round_trip_and_others_are_refused() {
        for (index, tool) in Tool::ALL.into_iter().enumerate() {
            assert_eq!(tool.name().parse::<Tool>().unwrap(), tool);
            assert_eq!(tool as usize, index, "`ensure` keeps its answers by this number");
        }
        assert_eq!(
            "docker".parse::<Tool>().unwrap_err().to_string(),
            "unknown tool `docker`: expected one of opa, cosign2, cosign3"
        );
    }

    #[test]
    fn opa_with_the_signature_bypass_is_refused() {
        let spec = Tool::Opa.spec();
        assert!(!spec.accepts(&Version::new(1, 21, 2)));
        assert!(spec.accepts(&Version::new(1, 21, 3)));
        assert!(
            !Tool::Cosign2.spec().accepts(&Version::new(2, 2, 5)),
            "cosign is wanted exactly"
        );
    }
}
