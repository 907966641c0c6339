//! A workbench: a folder with a pack, and both programs run in it without network, home or prompts.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use mc_sim::samples;

pub(crate) struct Bench {
    folder: tempfile::TempDir,
}

impl Bench {
    /// With `pack.tar`, and `flipped.tar` that differs from it in one bit.
    pub(crate) fn new() -> Self {
        let bench = Self {
            folder: tempfile::tempdir().unwrap(),
        };
        let mut tar = mc_sim::build_unsigned(samples::v1(1)).unwrap().tar.to_vec();
        std::fs::write(bench.path("pack.tar"), &tar).unwrap();
        // In the text of a file, where neither the tar's own checksums nor its layout notice.
        let at = tar.windows(6).position(|six| six == b"tenant").unwrap();
        tar[at] ^= 1;
        std::fs::write(bench.path("flipped.tar"), tar).unwrap();
        bench
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The program under test, in the folder.
    pub(crate) fn reloader<A: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = A>) -> Output {
        self.run(Path::new(env!("CARGO_BIN_EXE_policy-reloader")), args)
    }

    /// cosign, in the folder.
    pub(crate) fn cosign<A: AsRef<OsStr>>(&self, cosign: &Path, args: impl IntoIterator<Item = A>) -> Output {
        self.run(cosign, args)
    }

    fn run<A: AsRef<OsStr>>(&self, program: &Path, args: impl IntoIterator<Item = A>) -> Output {
        Command::new(program)
            .args(args)
            .current_dir(self.folder.path())
            .env_clear()
            .env("HOME", self.folder.path())
            .env("COSIGN_PASSWORD", "")
            // Whoever tries to reach the network hits a port where nobody listens.
            .env("HTTP_PROXY", "http://127.0.0.1:1")
            .env("HTTPS_PROXY", "http://127.0.0.1:1")
            .stdin(Stdio::null())
            .output()
            .unwrap_or_else(|error| panic!("{}: {error}", program.display()))
    }
}

/// The output of a command that has to succeed.
pub(crate) fn succeeds(output: &Output) -> String {
    assert!(output.status.success(), "{}", both(output));
    both(output)
}

/// Both streams, for messages.
pub(crate) fn both(output: &Output) -> String {
    format!(
        "{}\n{}{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}
