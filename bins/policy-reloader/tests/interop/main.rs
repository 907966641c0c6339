//! Interop with the real cosign, both ways: 2.2.4 (what MC's CI runs; older bundle format) and 3.1.3 (Sigstore bundles).
//!
//! A harness of its own, because libtest cannot skip at run time: where a cosign cannot be had its tests count as
//! ignored (said on stderr), and under `CI=true` that is a failure.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod bench;
mod from_cosign;
mod to_cosign;

use std::path::PathBuf;
use std::process::ExitCode;

use libtest_mimic::{Arguments, Failed, Trial};
use tools::Tool;

/// One release of cosign.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Release {
    V2,
    V3,
}

impl Release {
    fn tool(self) -> Tool {
        match self {
            Self::V2 => Tool::Cosign2,
            Self::V3 => Tool::Cosign3,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::V2 => "cosign_2_2_4",
            Self::V3 => "cosign_3_1_3",
        }
    }
}

/// Formats of a signature bundle.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Format {
    Sigstore,
    Older,
}

impl Format {
    fn name(self) -> &'static str {
        match self {
            Self::Sigstore => "sigstore",
            Self::Older => "older",
        }
    }

    /// The value of `pack sign --format`.
    fn option(self) -> &'static str {
        match self {
            Self::Sigstore => "sigstore",
            Self::Older => "cosign2",
        }
    }
}

/// Kinds of keys, by the value of `pack keygen --kind`.
const KINDS: [&str; 2] = ["ecdsa-p256", "ed25519"];

/// What a test gets: the program.
type Test = Box<dyn Fn(PathBuf) + Send>;

fn tests(release: Release) -> Vec<(String, Test)> {
    let mut tests: Vec<(String, Test)> = Vec::new();
    let writes: &[Format] = match release {
        Release::V2 => &[Format::Older],
        Release::V3 => &[Format::Sigstore, Format::Older],
    };
    for &format in writes {
        for origin in from_cosign::ORIGINS {
            tests.push((
                format!("from_{}::{}_with_{}", release.name(), format.name(), origin.name()),
                Box::new(move |cosign| from_cosign::check(&cosign, release, format, origin)),
            ));
        }
    }
    for format in [Format::Sigstore, Format::Older] {
        for kind in KINDS {
            tests.push((
                format!("to_{}::{}_with_{kind}", release.name(), format.name()),
                Box::new(move |cosign| to_cosign::check(&cosign, release, format, kind)),
            ));
        }
    }
    tests
}

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let mut trials = Vec::new();
    for release in [Release::V2, Release::V3] {
        // Listing must not install anything.
        let cosign = if arguments.list {
            tools::find(release.tool()).ok()
        } else {
            tools::require(release.tool()).ok()
        };
        for (name, test) in tests(release) {
            let missing = cosign.is_none();
            let cosign = cosign.clone().unwrap_or_default();
            let run = move || -> Result<(), Failed> {
                test(cosign);
                Ok(())
            };
            trials.push(Trial::test(name, run).with_ignored_flag(missing));
        }
    }
    libtest_mimic::run(&arguments, trials).exit_code()
}
