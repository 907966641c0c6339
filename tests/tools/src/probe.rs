//! Asks a program for its version, by running it once.

use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use semver::Version;

use crate::catalog::Says;

/// The files called `name` in the folders of a search path that this user may execute, in order.
pub(crate) fn candidates(search_path: &[PathBuf], name: &str) -> Vec<PathBuf> {
    search_path
        .iter()
        .map(|folder| folder.join(name))
        .filter(|file| is_executable(file))
        .collect()
}

#[cfg(unix)]
fn is_executable(file: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    file.metadata()
        .is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
}

#[cfg(not(unix))]
fn is_executable(file: &Path) -> bool {
    file.is_file()
}

/// Asks `program` for its version; `None` if it does not say one in the way that it should.
pub(crate) fn version_of(program: &Path, says: &Says) -> Option<Version> {
    let output = run(Command::new(program).args(says.args)).ok()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    (output.status.code() == Some(says.exit))
        .then(|| version_after(&text, says.label))
        .flatten()
}

/// Runs a command to its end, with no input and its output kept.
pub(crate) fn run(command: &mut Command) -> io::Result<Output> {
    command.stdin(Stdio::null()).output()
}

/// The version in the first word after `label` that stands at the start of a line: `v1.2.3`, `go1.26`, `1.27rc1`.
pub(crate) fn version_after(text: &str, label: &str) -> Option<Version> {
    let rest = text.lines().find_map(|line| line.trim_start().strip_prefix(label))?;
    let word = rest.split_whitespace().next()?;
    // Debian's revision of a package is no part of the program's version: `debian/4.1.0-3+b2`.
    if let Some(packaged) = word.strip_prefix("debian/") {
        return parse(packaged.split('-').next()?);
    }
    parse(word.trim_start_matches("go").trim_start_matches('v'))
}

/// Semantic versions, and Go's own (`1.26` is 1.26.0; `1.27rc1` comes before 1.27.0).
fn parse(word: &str) -> Option<Version> {
    if let Ok(version) = Version::parse(word) {
        return Some(version);
    }
    let end = word
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(word.len());
    let (numbers, tail) = word.split_at(end);
    let mut parts = numbers
        .trim_end_matches('.')
        .split('.')
        .map(|part| part.parse::<u64>().ok());
    let major = parts.next()??;
    let minor = parts.next().unwrap_or(Some(0))?;
    let patch = parts.next().unwrap_or(Some(0))?;
    let mut version = Version::new(major, minor, patch);
    if !tail.is_empty() {
        version.pre = semver::Prerelease::new(tail.trim_start_matches('-')).unwrap_or_default();
    }
    Some(version)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_as_the_programs_print_them() {
        let opa = "Version: 1.22.2\nBuild Commit: \nGo Version: go1.26.8\nRego Version: v1\n";
        assert_eq!(version_after(opa, "Version:"), Some(Version::new(1, 22, 2)));
        let cosign = "  ____ ___\ncosign: A tool\n\nGitVersion:    v2.2.4\nGitCommit:     unknown\n";
        assert_eq!(version_after(cosign, "GitVersion:"), Some(Version::new(2, 2, 4)));
        assert_eq!(
            version_after("go version go1.26.8 linux/amd64", "go version"),
            Some(Version::new(1, 26, 8))
        );
        assert_eq!(
            version_after("go version go1.26 linux/amd64", "go version"),
            Some(Version::new(1, 26, 0))
        );
        let wrk = "wrk debian/4.1.0-3+b2 [epoll] Copyright (C) 2012 Will Glozer";
        assert_eq!(version_after(wrk, "wrk"), Some(Version::new(4, 1, 0)));
        let chromium = "Chromium 156.0.8078.79 built on Debian GNU/Linux 12 (bookworm)";
        assert_eq!(version_after(chromium, "Chromium"), Some(Version::new(156, 0, 8078)));
        let pushgateway =
            "pushgateway, version 1.5.1 (branch: debian/sid, revision: 1.5.1-2+b5)\n  go version: go1.19.8";
        assert_eq!(
            version_after(pushgateway, "pushgateway, version"),
            Some(Version::new(1, 5, 1))
        );
        assert_eq!(
            version_after("k6 v0.52.0 (go1.26.8, linux/amd64)", "k6"),
            Some(Version::new(0, 52, 0))
        );
        assert_eq!(version_after("GitVersion: devel", "GitVersion:"), None);
        assert_eq!(version_after("", "Version:"), None);
    }

    #[test]
    fn a_release_candidate_comes_before_its_release() {
        let candidate = version_after("go version go1.26rc1 linux/amd64", "go version").unwrap();
        assert!(candidate < Version::new(1, 26, 0));
        assert!(candidate > Version::new(1, 25, 9));
    }
}
