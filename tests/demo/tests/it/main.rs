//! The demo must fail when what it promises does not happen, and leave nothing behind. That it succeeds is shown by
//! `make demo` itself.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// The demo with its temporary files in `folder`, without an OPA, and with a load-gate and a retention-job that do nothing.
fn demo(folder: &Path) -> Command {
    let load_gate = script(folder, "load-gate", "exit 3");
    let retention_job = script(folder, "retention-job", "exit 3");
    let mut command = Command::new(env!("CARGO_BIN_EXE_demo"));
    command
        .env_clear()
        .env("TMPDIR", folder)
        .env("TOOLS_DIR", folder.join("tools"))
        .env("LOAD_GATE", load_gate)
        .env("RETENTION_JOB", retention_job)
        .stdin(Stdio::null());
    command
}

/// A program in the place of one of the tools.
fn script(folder: &Path, name: &str, text: &str) -> PathBuf {
    let path = folder.join(name);
    fs::write(&path, format!("#!/bin/sh\n{text}\n")).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    path
}

fn demo_folders(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries
        .filter(|path| path.file_name().unwrap().to_string_lossy().starts_with("demo-"))
        .collect()
}

#[test]
fn a_missing_tool_is_a_clear_error_and_not_a_failed_demo() {
    for (name, variable) in [
        ("policy-reloader", "POLICY_RELOADER"),
        ("load-gate", "LOAD_GATE"),
        ("retention-job", "RETENTION_JOB"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let reloader = script(folder.path(), "policy-reloader", "exit 3");
        let output = demo(folder.path())
            .env("POLICY_RELOADER", reloader)
            .env(variable, folder.path().join("none"))
            .output()
            .unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{stderr}");
        assert!(
            stderr.contains(&format!("the program {name} is missing: expected it at ")),
            "{stderr}"
        );
        assert!(stderr.contains("run `make demo`, which builds it"), "{stderr}");
        assert!(output.stdout.is_empty());
    }
}

#[test]
fn a_reloader_that_ends_is_a_failure_with_its_last_words_and_one_json_line() {
    let folder = tempfile::tempdir().unwrap();
    let reloader = script(folder.path(), "policy-reloader", "echo these are my last words; exit 3");
    let output = demo(folder.path())
        .args(["--output", "json"])
        .env("POLICY_RELOADER", reloader)
        .output()
        .unwrap();
    let story = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{story}");
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["ok"], false);
    assert_eq!(report["shown"], 0);
    assert_eq!(report["not_shown"], 4, "the act with OPA: {report}");
    let checks = report["checks"].as_array().unwrap();
    assert_eq!(report["failed"].as_u64(), Some(checks.len() as u64 - 4));
    assert_eq!(checks[0]["id"], "pack_loaded");
    let why = checks[0]["why"].as_str().unwrap();
    assert!(
        why.contains("policy-reloader has ended by itself (exit status: 3)"),
        "{why}"
    );
    assert!(!story.contains('\x1b'), "a pipe gets plain text");
    assert!(story.contains("  these are my last words\n"), "{story}");
    let kept = demo_folders(folder.path());
    assert_eq!(kept.len(), 1);
    assert!(story.contains(&kept[0].display().to_string()), "{story}");
    assert!(kept[0].join("reloader.log").exists());
    // What load-gate did is told as well: a script that only exits has no verdict.
    let gate = checks.iter().find(|check| check["id"] == "evidence_ok").unwrap();
    let why = gate["why"].as_str().unwrap();
    assert!(
        why.contains("expected exit code 0 with the verdict PASS, found 3 with none"),
        "{why}"
    );
}

#[test]
fn an_interrupt_ends_every_process_and_removes_every_file() {
    let folder = tempfile::tempdir().unwrap();
    let pid_file = folder.path().join("pid");
    let reloader = script(
        folder.path(),
        "policy-reloader",
        &format!("echo $$ > {}; exec sleep 600", pid_file.display()),
    );
    let mut running = demo(folder.path())
        .env("POLICY_RELOADER", reloader)
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let limit = Instant::now() + Duration::from_secs(20);
    let child = loop {
        let text = fs::read_to_string(&pid_file).unwrap_or_default();
        if text.ends_with('\n') {
            break text.trim().to_owned();
        }
        assert!(Instant::now() < limit, "the reloader was not started");
        std::thread::sleep(Duration::from_millis(5));
    };
    let kill = |args: &[&str]| {
        Command::new("kill")
            .args(args)
            .stderr(Stdio::null())
            .status()
            .unwrap()
            .success()
    };
    assert!(kill(&["-0", &child]), "the child runs");
    assert!(kill(&["-INT", &running.id().to_string()]));
    assert_eq!(running.wait().unwrap().code(), Some(130));
    assert!(!kill(&["-0", &child]), "the child is gone");
    assert!(demo_folders(folder.path()).is_empty());
}
