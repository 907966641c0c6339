//! Owns the packs that must not decide: each is refused for its own reason, and OPA is not touched.

use e2e::{Lab, Mode, Opa, OpaOptions, Reloader};
use libtest_mimic::Trial;
use mc_sim::{Endpoint, Files, PACK_ID, Published, build_signed, samples};
use pack_verify::sign::{KeyKind, Signer};
use serde_json::{Value, json};

use crate::{in_both_modes, with_opa};

pub(crate) fn trials() -> Vec<Trial> {
    [
        in_both_modes("refused_before_opa_sees_it", refused_before_opa_sees_it),
        in_both_modes("refused_by_opa_alone", refused_by_opa_alone),
        in_both_modes("good_packs_between_bad_ones", good_packs_between_bad_ones),
        vec![
            with_opa(
                "refused_by_an_opa_that_says_nothing",
                refused_by_an_opa_that_says_nothing,
            ),
            with_opa(
                "an_opa_without_long_polling_follows",
                an_opa_without_long_polling_follows,
            ),
        ],
    ]
    .into_iter()
    .flatten()
    .collect()
}

const POLICY: &str = "opa/cos.abac.rego";

/// Names of bad packs, the packs, and the reason for which each is refused. The last good one has revision 5.
fn bad_packs(lab: &Lab) -> Vec<(&'static str, Published, &'static str)> {
    let signed = |files: Files| build_signed(files, &lab.signer).unwrap();
    let with = |path: &str, text: &str| {
        let mut files = samples::v1(6);
        files.insert(path.to_owned(), text.as_bytes().to_vec());
        signed(files)
    };
    let good = || signed(samples::v1(6));
    let bytes = |bytes: Vec<u8>| {
        let bundle = lab.signer.sign(&bytes).unwrap();
        Published::new(bytes).with_attestation(bundle)
    };

    let mut tampered_tar = good();
    let mut tar = tampered_tar.tar.to_vec();
    let word = b"staging";
    let at = tar.windows(word.len()).position(|part| part == word).unwrap();
    tar[at] = b'S';
    tampered_tar.tar = tar.into();

    let mut tampered_bundle = good();
    let mut bundle: Value = serde_json::from_slice(tampered_bundle.attestation.as_ref().unwrap()).unwrap();
    let signature = bundle["messageSignature"]["signature"].as_str().unwrap().to_owned();
    let flipped = if &signature[20..21] == "A" { "B" } else { "A" };
    bundle["messageSignature"]["signature"] = json!(format!("{}{flipped}{}", &signature[..20], &signature[21..]));
    tampered_bundle.attestation = Some(bundle.to_string().into());

    let foreigner = Signer::generate(KeyKind::EcdsaP256).unwrap();
    let mut policies_gone = samples::v1(6);
    policies_gone.remove(POLICY);

    vec![
        ("tampered tar", tampered_tar, "signature_mismatch"),
        ("tampered bundle", tampered_bundle, "signature_invalid"),
        ("no bundle", Published::new(good().tar), "signature_missing"),
        ("bundle that is none", good().with_attestation("{}"), "bundle_malformed"),
        (
            "foreign key",
            build_signed(samples::v1(6), &foreigner).unwrap(),
            "wrong_key",
        ),
        ("expired", signed(samples::expired(6)), "expired"),
        ("lower revision", signed(samples::v1(4)), "revision_lower"),
        (
            "same revision, other bytes",
            signed(samples::deny_by_data(5)),
            "revision_reused",
        ),
        (
            "Rego that does not compile",
            signed(samples::broken_rego(6)),
            "rego_invalid",
        ),
        (
            "data where a rule stands",
            with("data/abac.json", r#"{"allow": true}"#),
            "data_collision",
        ),
        (
            "golden decision that fails",
            signed(samples::wrong_golden(6)),
            "golden_failed",
        ),
        (
            "package under system",
            with("opa/authz.rego", "package system.authz\n\nallow := true\n"),
            "reserved_root",
        ),
        ("no policy", signed(policies_gone), "no_policy"),
        (
            "data that is no JSON",
            with("data/retention.json", "{\"revision\": 6,"),
            "data_invalid",
        ),
        (
            "HTML",
            bytes(b"<!doctype html><html><body>Log in</body></html>".to_vec()),
            "not_a_pack",
        ),
        ("nothing", bytes(Vec::new()), "not_a_pack"),
        (
            "a manifest that is none",
            with("pack.json", "{\"revision\": -1}"),
            "manifest_invalid",
        ),
    ]
}

async fn refused_before_opa_sees_it(mode: Mode) {
    let lab = Lab::new(mode);
    let opa = lab.opa().await;
    let options = lab.options(&[&opa]).by_hand();
    let reloader = lab.running_with(&options, &opa, samples::v1(5), 5).await;
    let active = reloader.status().await["active"].clone();
    let untouched = opa.everything().await;

    for (name, pack, reason) in bad_packs(&lab) {
        lab.sim.publish(PACK_ID, pack);
        let before = reloader.refusals(reason).await;
        let outcome = reloader.refresh().await;
        assert_eq!(outcome["outcome"], "refused", "{name}: {outcome}");
        assert_eq!(outcome["reason"], reason, "{name}: {outcome}");
        assert!(
            (reloader.refusals(reason).await - before - 1.0).abs() < 0.1,
            "{name}: counted once"
        );
        let status = reloader.status().await;
        assert_eq!(status["last_refusal"]["reason"], reason, "{name}");
        assert!(
            status["last_refusal"]["message"]
                .as_str()
                .is_some_and(|text| text.len() > 10)
        );
        assert_eq!(status["active"], active, "{name}: the last good pack stays");
        assert_eq!(status["state"], "steady", "{name}");
        assert_eq!(opa.everything().await, untouched, "{name}: OPA was touched");
        assert_eq!(opa.revision().await, Some(5), "{name}");
        assert_eq!(opa.allows().await, Some(true), "{name}");
    }
    good_again(&lab, &opa, &reloader).await;
}

/// Calls a function that exists nowhere: an interpreter that evaluates notices, only OPA's compiler does before.
fn unknown_function(revision: u64) -> Files {
    let mut files = samples::v1(revision);
    assert!(samples::replace(
        &mut files,
        POLICY,
        "allow if count(reasons) == 0",
        "allow if count(reasons) == 0\n\nunasked := no_such_function(1) if input.never == \"asked\"",
    ));
    samples::with_manifest(files, "golden", json!([]))
}

/// OPA's compiler knows the shapes of rules' values; the interpreter used before it does not.
fn wrong_type(revision: u64) -> Files {
    let mut files = samples::v1(revision);
    assert!(samples::replace(
        &mut files,
        POLICY,
        "allow if count(reasons) == 0",
        "allow if count(reasons) == 0\n\nlost := revisions.nowhere.at_all",
    ));
    samples::with_manifest(files, "golden", json!([]))
}

async fn refused_by_opa_alone(mode: Mode) {
    let lab = Lab::new(mode);
    let opa = lab.opa().await;
    let options = lab.options(&[&opa]).by_hand();
    let reloader = lab.running_with(&options, &opa, samples::v1(5), 5).await;
    let untouched = opa.everything().await;

    lab.publish(wrong_type(6));
    let outcome = reloader.refresh().await;
    assert_eq!(outcome["outcome"], "refused", "{outcome}");
    assert_eq!(outcome["reason"], "opa_refused", "{outcome}");
    let message = outcome["message"].as_str().unwrap();
    assert!(message.contains("undefined ref"), "OPA's own words: {message}");
    assert!(message.contains("cos.abac.rego"), "with the file: {message}");
    opa.decides_by(5).await;
    assert_eq!(opa.everything().await, untouched);

    // The same bytes are neither fetched nor offered again.
    lab.sim.clear_requests();
    for _ in 0..3 {
        let outcome = reloader.refresh().await;
        assert_eq!(outcome["reason"], "opa_refused", "{outcome}");
    }
    let requests = lab.sim.requests();
    assert_eq!(requests.count(Endpoint::Pack, 304), 3);
    assert_eq!(requests.len(), 3, "{requests:?}");
    assert!(
        (reloader.refusals("opa_refused").await - 1.0).abs() < 0.1,
        "offered once"
    );
    assert_eq!(opa.everything().await, untouched);
    assert!(reloader.is_ready().await);

    // Whoever finds it first, a function that exists nowhere is refused.
    lab.publish(unknown_function(6));
    let outcome = reloader.refresh().await;
    assert_eq!(outcome["outcome"], "refused", "{outcome}");
    let reason = outcome["reason"].as_str().unwrap();
    assert!(["opa_refused", "rego_invalid"].contains(&reason), "{outcome}");
    opa.decides_by(5).await;
    assert_eq!(opa.everything().await, untouched);

    good_again(&lab, &opa, &reloader).await;
}

/// OPA tries a bundle that it refused once more, and reports that too: no good pack may be blamed for it.
async fn good_packs_between_bad_ones(mode: Mode) {
    const PAIRS: u64 = 15;
    let lab = Lab::new(mode);
    let opa = lab.opa().await;
    let options = lab.options(&[&opa]).by_hand();
    let reloader = lab.running_with(&options, &opa, samples::v1(1), 1).await;
    for pair in 1..=PAIRS {
        lab.publish(wrong_type(2 * pair));
        let outcome = reloader.refresh().await;
        assert_eq!(outcome["reason"], "opa_refused", "bad pack {pair}: {outcome}");
        lab.publish(samples::v1(2 * pair + 1));
        let outcome = reloader.refresh().await;
        assert_eq!(outcome["outcome"], "activated", "good pack {pair}: {outcome}");
        assert_eq!(opa.revision().await, Some(2 * pair + 1));
    }
}

/// What `opa-config` prints, changed by an operator who knows better.
fn other_config(lab: &Lab, change: impl FnOnce(String) -> String) -> OpaOptions {
    let options = lab.opa_options();
    let path = options.config.clone().unwrap();
    let text = std::fs::read_to_string(&path).unwrap();
    let changed = change(text.clone());
    assert_ne!(text, changed);
    std::fs::write(path, changed).unwrap();
    options
}

/// Without `status.service` no refusal is ever reported: patience ends, and the last good pack is offered again.
async fn refused_by_an_opa_that_says_nothing() {
    let lab = Lab::new(Mode::Bundle);
    let silent = other_config(&lab, |text| text.replace("\nstatus:\n  service: reloader\n", "\n"));
    let opa = Opa::start(silent).await;
    let options = lab
        .options(&[&opa])
        .by_hand()
        .args(&["--activation-timeout-ms", "1500"]);
    let reloader = lab.running_with(&options, &opa, samples::v1(5), 5).await;
    assert!(reloader.daemon.log().has(&["WARN", "does not post its status"]));
    let untouched = opa.everything().await;

    lab.publish(wrong_type(6));
    let outcome = reloader.refresh().await;
    assert_eq!(outcome["reason"], "opa_refused", "{outcome}");
    assert!(
        outcome["message"].as_str().unwrap().contains("status.service"),
        "{outcome}"
    );
    opa.decides_by(5).await;
    assert_eq!(opa.everything().await, untouched);
    good_again(&lab, &opa, &reloader).await;
}

async fn an_opa_without_long_polling_follows() {
    let lab = Lab::new(Mode::Bundle);
    let impatient = other_config(&lab, |text| {
        text.replace("      long_polling_timeout_seconds: 10\n", "")
    });
    let opa = Opa::start(impatient).await;
    let options = lab.options(&[&opa]).by_hand();
    let reloader = lab.running_with(&options, &opa, samples::v1(5), 5).await;
    assert!(reloader.daemon.log().has(&["WARN", "does not use long polling"]));
    lab.publish(wrong_type(6));
    let outcome = reloader.refresh().await;
    assert_eq!(outcome["reason"], "opa_refused", "{outcome}");
    good_again(&lab, &opa, &reloader).await;
}

async fn good_again(lab: &Lab, opa: &Opa, reloader: &Reloader) {
    lab.publish(samples::deny_by_policy(7));
    let outcome = reloader.refresh().await;
    assert_eq!(outcome["outcome"], "activated", "{outcome}");
    assert_eq!(opa.revision().await, Some(7));
    assert_eq!(opa.allows().await, Some(false));
}
