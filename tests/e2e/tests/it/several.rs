//! Owns two OPAs behind one reloader: they follow together, or not at all.

use e2e::{Lab, Mode, Opa, OpaOptions, Reloader, eventually, opa};
use libtest_mimic::Trial;
use mc_sim::{Files, samples};
use serde_json::{Value, json};

use crate::{in_both_modes, with_opa};

pub(crate) fn trials() -> Vec<Trial> {
    let mut trials = in_both_modes("two_opas_follow_and_one_is_killed", two_opas_follow_and_one_is_killed);
    trials.extend(in_both_modes("one_of_two_opas_hangs", one_of_two_opas_hangs));
    trials.extend(in_both_modes("one_of_two_opas_refuses", one_of_two_opas_refuses));
    trials.push(with_opa("one_of_two_opas_is_for_v0", one_of_two_opas_is_for_v0));
    trials
}

fn states(status: &Value) -> Vec<String> {
    let opas = status["opas"].as_array().cloned().unwrap_or_default();
    opas.iter()
        .map(|opa| opa["state"].as_str().unwrap_or_default().to_owned())
        .collect()
}

async fn two_opas_follow_and_one_is_killed(mode: Mode) {
    let lab = Lab::new(mode);
    let one = lab.opa().await;
    let mut other = lab.opa().await;
    let reloader = lab
        .running_with(&lab.options(&[&one, &other]), &one, samples::v1(1), 1)
        .await;
    other.decides_by(1).await;
    lab.publish(samples::deny_by_data(2));
    one.decides_by(2).await;
    other.decides_by(2).await;

    other.kill();
    let reasons = reloader.not_ready().await;
    assert!(
        reasons.contains(&other.url()) && !reasons.contains(&one.url()),
        "{reasons}"
    );
    lab.publish(samples::v1(3));
    one.decides_by(3).await;
    reloader
        .status_until("each OPA is shown as it is", |status| {
            (states(status) == ["deciding", "unreachable"]).then_some(())
        })
        .await;
    assert!(!reloader.is_ready().await);

    other.restart().await;
    other.decides_by(3).await;
    reloader.ready().await;
    assert_eq!(states(&reloader.status().await), ["deciding", "deciding"]);
    lab.publish(samples::deny_by_policy(4));
    one.decides_by(4).await;
    other.decides_by(4).await;
}

/// An OPA that hangs, with its connections open, is worse than one that is gone.
async fn one_of_two_opas_hangs(mode: Mode) {
    let lab = Lab::new(mode);
    // The one that hangs is the first in the list.
    let hangs = lab.opa().await;
    let works = lab.opa().await;
    let options =
        lab.options(&[&hangs, &works])
            .args(&["--http-request-timeout-ms", "1000", "--activation-timeout-ms", "3000"]);
    let reloader = lab.running_with(&options, &works, samples::v1(1), 1).await;
    hangs.decides_by(1).await;

    hangs.freeze();
    let reasons = reloader.not_ready().await;
    assert!(reasons.contains(&hangs.url()), "{reasons}");
    lab.publish(samples::deny_by_data(2));
    let took = works.decides_by(2).await;
    eprintln!("{}: the other OPA follows after {} ms", mode.name(), took.as_millis());
    assert!(!reloader.is_ready().await);

    hangs.thaw();
    hangs.decides_by(2).await;
    reloader.ready().await;
    assert!(
        reloader.status().await["last_refusal"].is_null(),
        "nobody refused anything"
    );
}

/// A rule whose value has this one key.
fn with_shape(revision: u64, key: &str) -> Files {
    let mut files = samples::v1(revision);
    files.insert(
        "opa/shape.rego".to_owned(),
        format!("package cos.shape\n\nvalue := {{\"{key}\": {revision}}}\n").into_bytes(),
    );
    files
}

/// One OPA has a policy of its own that does not compile beside the new pack.
async fn one_of_two_opas_refuses(mode: Mode) {
    let lab = Lab::new(mode);
    let easy = lab.opa().await;
    let own = opa::file(
        &lab.path("."),
        "own.rego",
        "package own\n\nfine if data.cos.shape.value.first > 0\n",
    );
    let picky = Opa::start(OpaOptions {
        args: vec![own],
        ..lab.opa_options()
    })
    .await;
    let reloader = lab
        .running_with(&lab.options(&[&easy, &picky]), &easy, with_shape(1, "first"), 1)
        .await;
    picky.decides_by(1).await;

    lab.publish(with_shape(2, "second"));
    let status = reloader
        .status_until("the pack is refused", |status| {
            (status["last_refusal"]["reason"] == "opa_refused").then(|| status.clone())
        })
        .await;
    let message = status["last_refusal"]["message"].as_str().unwrap();
    assert!(message.contains("undefined ref"), "OPA's own words: {message}");
    both_stay(&reloader, &easy, &picky, 1).await;

    lab.publish(with_shape(3, "first"));
    easy.decides_by(3).await;
    picky.decides_by(3).await;
    reloader.ready().await;
}

async fn one_of_two_opas_is_for_v0() {
    let lab = Lab::new(Mode::Push);
    let easy = lab.opa().await;
    let old = Opa::start(OpaOptions {
        args: vec!["--v0-compatible".to_owned()],
        ..OpaOptions::default()
    })
    .await;
    // What both understand: the syntax of v1, asked for by name.
    let both = |revision| {
        let mut files = samples::v1(revision);
        assert!(samples::replace(
            &mut files,
            "opa/cos.abac.rego",
            "package cos.abac\n",
            "package cos.abac\n\nimport rego.v1\n",
        ));
        files
    };
    let reloader = lab.running_with(&lab.options(&[&easy, &old]), &easy, both(1), 1).await;
    old.decides_by(1).await;
    lab.publish(samples::deny_by_policy(2));
    reloader
        .status_until("the pack is refused", |status| {
            (status["last_refusal"]["reason"] == "opa_refused").then_some(())
        })
        .await;
    both_stay(&reloader, &easy, &old, 1).await;
    lab.publish(both(3));
    easy.decides_by(3).await;
    old.decides_by(3).await;
}

/// Both decide by the last good pack, and stay there over several polls of MC.
async fn both_stay(reloader: &Reloader, one: &Opa, other: &Opa, revision: u64) {
    one.decides_by(revision).await;
    other.decides_by(revision).await;
    let polls = "policy_reloader_polls_total{outcome=\"refused\"}";
    let before = reloader.metric(polls).await;
    eventually("several polls later", async || {
        let (a, b) = (one.revision().await, other.revision().await);
        assert_eq!(
            (a, b),
            (Some(revision), Some(revision)),
            "the last good pack decides everywhere"
        );
        (reloader.metric(polls).await >= before + 3.0).then_some(())
    })
    .await;
    let status = reloader.status().await;
    assert_eq!(status["active"]["revision"], json!(revision), "{status}");
    assert!(
        (reloader.refusals("opa_refused").await - 1.0).abs() < 0.1,
        "offered once"
    );
}
