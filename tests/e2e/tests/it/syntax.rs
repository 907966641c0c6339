//! Owns the forms that a pack comes in: Rego v0 and v1, and archives that the system's `tar` wrote.

use std::{path::Path, process::Command};

use e2e::{Lab, Mode, Opa, OpaOptions, Reloader};
use libtest_mimic::Trial;
use mc_sim::{Files, samples};

use crate::{in_both_modes, with_opa};

pub(crate) fn trials() -> Vec<Trial> {
    let mut trials = vec![
        with_opa("v0_and_v1_in_bundle_mode_without_flags", v0_and_v1_in_bundle_mode),
        with_opa("v0_and_v1_without_a_manifest", v0_and_v1_without_a_manifest),
        with_opa("v0_pushed_to_an_opa_for_v0", v0_pushed_to_an_opa_for_v0),
        with_opa("v0_pushed_to_an_opa_for_v1_is_refused", v0_pushed_to_an_opa_for_v1),
    ];
    trials.extend(in_both_modes("a_pack_written_by_tar", a_pack_written_by_tar));
    trials.extend(in_both_modes(
        "rego_that_only_opa_can_read_is_refused_or_left_to_opa",
        rego_that_only_opa_can_read,
    ));
    trials
}

async fn v0_and_v1_in_bundle_mode() {
    let lab = Lab::new(Mode::Bundle);
    let (opa, _reloader) = lab.running(samples::v0(1), 1).await;
    assert_eq!(opa.allows().await, Some(true));
    lab.publish(samples::deny_by_policy(2));
    opa.decides_by(2).await;
    assert_eq!(opa.allows().await, Some(false));
}

/// As packs were before there was a pack.json: the text alone tells the syntax.
async fn v0_and_v1_without_a_manifest() {
    let lab = Lab::new(Mode::Bundle);
    let (opa, reloader) = lab.running(samples::without_manifest(1), 1).await;
    let mut files = samples::v0(2);
    files.remove("pack.json");
    lab.publish(files);
    opa.decides_by(2).await;
    assert_eq!(opa.allows().await, Some(true));
    let status = reloader.status_until("the status names the new pack", |status| {
        (status["last_poll"]["outcome"] == "unchanged").then(|| status.clone())
    });
    assert!(
        status.await["active"]["revision"].is_null(),
        "nothing states a revision"
    );
}

async fn v0_pushed_to_an_opa_for_v0() {
    let lab = Lab::new(Mode::Push);
    let opa = Opa::start(OpaOptions {
        args: vec!["--v0-compatible".to_owned()],
        ..OpaOptions::default()
    })
    .await;
    let _reloader = lab.running_with(&lab.options(&[&opa]), &opa, samples::v0(1), 1).await;
    assert_eq!(opa.allows().await, Some(true));
    lab.publish(samples::v0(2));
    opa.decides_by(2).await;
}

async fn v0_pushed_to_an_opa_for_v1() {
    let lab = Lab::new(Mode::Push);
    let opa = lab.opa().await;
    lab.publish(samples::v0(1));
    let reloader = Reloader::start(&lab.options(&[&opa])).await;
    let status = reloader
        .status_until("the pack is refused", |status| {
            (!status["last_refusal"].is_null()).then(|| status.clone())
        })
        .await;
    assert_eq!(status["last_refusal"]["reason"], "opa_refused", "{status}");
    let message = status["last_refusal"]["message"].as_str().unwrap();
    assert!(
        message.contains("`if` keyword is required"),
        "OPA's own words: {message}"
    );
    assert!(message.contains("cos.abac.rego"), "with the file: {message}");
    assert_eq!(opa.allows().await, None);
    assert!(!reloader.is_ready().await, "nothing decides");

    lab.publish(samples::v1(2));
    opa.decides_by(2).await;
    reloader.ready().await;
}

fn tar(folder: &Path, arguments: &[&str]) -> Vec<u8> {
    let output = Command::new("tar")
        .args(arguments)
        .args(["-f", "-", "-C"])
        .arg(folder)
        .arg(".")
        .output()
        .expect("tar runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

fn unpacked(lab: &Lab, files: &Files, name: &str) -> std::path::PathBuf {
    let folder = lab.path(name);
    for (path, bytes) in files {
        let path = folder.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }
    folder
}

async fn a_pack_written_by_tar(mode: Mode) {
    let lab = Lab::new(mode);
    let (opa, _reloader) = lab.running(samples::v1(1), 1).await;
    let packs = [
        (2, samples::deny_by_data(2), &["-c"][..]),
        (3, samples::v1(3), &["-c", "-z"][..]),
        (4, samples::deny_by_policy(4), &["-c", "--format=pax"][..]),
    ];
    for (revision, files, arguments) in packs {
        let folder = unpacked(&lab, &files, &revision.to_string());
        lab.publish_bytes(tar(&folder, arguments));
        opa.decides_by(revision).await;
        assert_eq!(opa.allows().await, Some(revision == 3), "{arguments:?}");
    }
}

/// OPA takes an expression in forty parentheses; the interpreter that preflight uses does not.
async fn rego_that_only_opa_can_read(mode: Mode) {
    let only_opa = |revision| -> Files {
        let mut files = samples::v1(revision);
        let policy = files.get_mut("opa/cos.abac.rego").unwrap();
        policy.extend(format!("\nnested := {}1{}\n", "(".repeat(40), ")".repeat(40)).into_bytes());
        files
    };
    let lab = Lab::new(mode);
    let (opa, reloader) = lab.running(samples::v1(1), 1).await;
    lab.publish(only_opa(2));
    reloader
        .status_until("the pack is refused", |status| {
            (status["last_refusal"]["reason"] == "rego_invalid").then_some(())
        })
        .await;
    assert_eq!(opa.revision().await, Some(1));
    drop((opa, reloader));

    let lab = Lab::new(mode);
    let opa = lab.opa().await;
    let options = lab.options(&[&opa]).args(&["--unreadable-rego", "warn"]);
    let reloader = lab.running_with(&options, &opa, samples::v1(1), 1).await;
    lab.publish(only_opa(2));
    opa.decides_by(2).await;
    assert!(
        reloader
            .daemon
            .log()
            .has(&["WARN", "OPA's compiler judges it", "too deep"])
    );
    // What OPA cannot read either is refused by OPA, and the last good pack stays.
    let mut broken = only_opa(3);
    broken.get_mut("opa/cos.abac.rego").unwrap().extend(b"\nbroken {{{\n");
    lab.publish(broken);
    reloader
        .status_until("OPA refuses it", |status| {
            (status["last_refusal"]["reason"] == "opa_refused").then_some(())
        })
        .await;
    assert_eq!(opa.revision().await, Some(2));
}
