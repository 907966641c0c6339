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
    /// Chromium, without a window: opens the HTML reports.
    Chromium,
    /// Prometheus' Pushgateway: takes the metrics of load runs.
    Pushgateway,
    /// oha, a load generator: a peer in benchmarks.
    Oha,
    /// wrk, a load generator without a schedule: the peer for the ceiling.
    Wrk,
    /// k6 0.52, which the users come from: a peer in benchmarks.
    K6,
    /// The server of the oldest PostgreSQL that we support.
    Postgres14,
    /// The server of the newest.
    Postgres18,
}

/// A name that is none of ours.
#[derive(Debug, thiserror::Error)]
#[error("unknown tool `{0}`: expected one of {names}", names = Tool::ALL.map(Tool::name).join(", "))]
pub struct UnknownTool(String);

/// What is known about one program.
#[derive(Debug)]
pub(crate) struct Spec {
    /// Names it may have on `PATH`, in order of preference.
    pub(crate) on_path: &'static [&'static str],
    pub(crate) says: Says,
    /// The versions that will do.
    pub(crate) accepts: &'static str,
    /// What it is called in `.tools/bin`, or below `.tools` when it is more than one file.
    pub(crate) installed_name: &'static str,
    pub(crate) source: Source,
}

/// How a program tells its version.
#[derive(Debug)]
pub(crate) struct Says {
    /// Arguments that make it print its version.
    pub(crate) args: &'static [&'static str],
    /// What stands before the version in that output.
    pub(crate) label: &'static str,
    /// The exit code that it prints it with.
    pub(crate) exit: i32,
}

/// Where a program comes from when it is not there.
#[derive(Debug)]
pub(crate) enum Source {
    /// `go install`.
    Go {
        /// The Go package, with the version that is installed.
        package: &'static str,
        /// What `go install` calls the result.
        built_name: &'static str,
        /// The Go release that its go.mod asks for.
        go: Version,
    },
    /// `cargo install`, of the crate's only program, which has its name.
    Crate {
        /// On crates.io.
        name: &'static str,
        version: &'static str,
    },
    /// `apt-get install`, which only root may do and which goes to the system, not to `.tools`.
    Debian {
        /// The package's name.
        package: &'static str,
    },
    /// A whole PostgreSQL from Maven Central (Zonky's binaries), by the library that knows where it is.
    Maven {
        /// The release, as Maven numbers it.
        version: &'static str,
    },
}

impl Tool {
    /// Every tool, in the order of declaration.
    pub const ALL: [Self; 10] = [
        Self::Opa,
        Self::Cosign2,
        Self::Cosign3,
        Self::Chromium,
        Self::Pushgateway,
        Self::Oha,
        Self::Wrk,
        Self::K6,
        Self::Postgres14,
        Self::Postgres18,
    ];

    /// What `make test` runs against; the others are peers in benchmarks only.
    pub const FOR_TESTS: [Self; 7] = [
        Self::Opa,
        Self::Cosign2,
        Self::Cosign3,
        Self::Chromium,
        Self::Pushgateway,
        Self::Postgres14,
        Self::Postgres18,
    ];

    /// The name used on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Opa => "opa",
            Self::Cosign2 => "cosign2",
            Self::Cosign3 => "cosign3",
            Self::Chromium => "chromium",
            Self::Pushgateway => "pushgateway",
            Self::Oha => "oha",
            Self::Wrk => "wrk",
            Self::K6 => "k6",
            Self::Postgres14 => "postgres14",
            Self::Postgres18 => "postgres18",
        }
    }

    pub(crate) fn spec(self) -> Spec {
        let says = |args, label| Says { args, label, exit: 0 };
        match self {
            Self::Opa => Spec {
                on_path: &["opa"],
                says: says(&["version"], "Version:"),
                accepts: ">=1.21.3, <2",
                installed_name: "opa",
                source: Source::Go {
                    package: "github.com/open-policy-agent/opa@v1.22.2",
                    built_name: "opa",
                    go: Version::new(1, 26, 0),
                },
            },
            Self::Cosign2 => Spec {
                on_path: &["cosign-2.2.4", "cosign"],
                says: says(&["version"], "GitVersion:"),
                accepts: "=2.2.4",
                installed_name: "cosign-2.2.4",
                source: Source::Go {
                    package: "github.com/sigstore/cosign/v2/cmd/cosign@v2.2.4",
                    built_name: "cosign",
                    go: Version::new(1, 21, 0),
                },
            },
            Self::Cosign3 => Spec {
                on_path: &["cosign-3.1.3", "cosign"],
                says: says(&["version"], "GitVersion:"),
                accepts: "=3.1.3",
                installed_name: "cosign-3.1.3",
                source: Source::Go {
                    package: "github.com/sigstore/cosign/v3/cmd/cosign@v3.1.3",
                    built_name: "cosign",
                    go: Version::new(1, 26, 0),
                },
            },
            Self::Chromium => Spec {
                on_path: &["chromium", "chromium-browser"],
                says: says(&["--version"], "Chromium"),
                // `--headless=new`, which takes the screenshots.
                accepts: ">=112",
                installed_name: "chromium",
                source: Source::Debian { package: "chromium" },
            },
            Self::Pushgateway => Spec {
                on_path: &["prometheus-pushgateway", "pushgateway"],
                says: says(&["--version"], "pushgateway, version"),
                // Logs the port that it got when it is asked to listen on port 0.
                accepts: ">=1.5.1, <2",
                installed_name: "pushgateway",
                // Where the package starts a service (policy-rc.d decides), that one is left alone: tests start their own.
                source: Source::Debian {
                    package: "prometheus-pushgateway",
                },
            },
            Self::Oha => Spec {
                on_path: &["oha"],
                says: says(&["--version"], "oha"),
                accepts: "=1.16.0",
                installed_name: "oha",
                source: Source::Crate {
                    name: "oha",
                    version: "1.16.0",
                },
            },
            Self::Wrk => Spec {
                on_path: &["wrk"],
                says: Says {
                    args: &["-v"],
                    label: "wrk",
                    exit: 1,
                },
                accepts: ">=4.1.0, <5",
                installed_name: "wrk",
                source: Source::Debian { package: "wrk" },
            },
            Self::K6 => Spec {
                on_path: &["k6"],
                says: says(&["version"], "k6"),
                accepts: "=0.52.0",
                installed_name: "k6",
                source: Source::Go {
                    package: "go.k6.io/k6@v0.52.0",
                    built_name: "k6",
                    go: Version::new(1, 20, 0),
                },
            },
            Self::Postgres14 => postgres("=14.24.0", "postgresql/14.24.0/bin/postgres", "14.24.0"),
            Self::Postgres18 => postgres("=18.6.0", "postgresql/18.6.0/bin/postgres", "18.6.0"),
        }
    }
}

/// Never from `PATH`: tests mean exactly this release, with nothing of the machine's own in it.
const fn postgres(accepts: &'static str, installed_name: &'static str, version: &'static str) -> Spec {
    Spec {
        on_path: &[],
        says: Says {
            args: &["--version"],
            label: "postgres (PostgreSQL)",
            exit: 0,
        },
        accepts,
        installed_name,
        source: Source::Maven { version },
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
            let version = match spec.source {
                Source::Go { package, .. } => package.split_once("@v").unwrap().1,
                Source::Crate { version, .. } | Source::Maven { version } => version,
                // Whatever the distribution has; it is looked at after the installation.
                Source::Debian { .. } => continue,
            };
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
            "unknown tool `docker`: expected one of opa, cosign2, cosign3, chromium, pushgateway, oha, wrk, k6, \
             postgres14, postgres18"
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
