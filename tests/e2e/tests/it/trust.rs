//! Owns what vouches for the bytes: a digest alone, or a key.

use e2e::{Lab, Mode, Reloader};
use libtest_mimic::Trial;
use mc_sim::{Endpoint, Fault, PACK_ID, build_unsigned, samples};

use crate::with_opa;

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        with_opa("digest_only_is_said_to_be_insecure", digest_only_is_said_to_be_insecure),
        with_opa("digest_only_needs_a_digest", digest_only_needs_a_digest),
        with_opa("a_signature_needs_no_digest_header", a_signature_needs_no_digest_header),
    ]
}

async fn digest_only_is_said_to_be_insecure() {
    let lab = Lab::new(Mode::Bundle);
    let opa = lab.opa().await;
    lab.sim.publish(PACK_ID, build_unsigned(samples::v1(1)).unwrap());
    let options = lab
        .untrusting_options(&[&opa])
        .args(&["--trust", "insecure-digest-only"]);
    let reloader = Reloader::start(&options).await;
    opa.decides_by(1).await;
    reloader.ready().await;
    let status = reloader.status().await;
    assert_eq!(status["trust"], "insecure-digest-only");
    assert!(
        reloader
            .daemon
            .log()
            .has(&["WARN", "insecure-digest-only", "nobody vouches"])
    );
    assert_eq!(
        lab.sim.requests().answered(Endpoint::Attestation),
        0,
        "nobody looks at it, so nobody asks for it"
    );
}

async fn digest_only_needs_a_digest() {
    let lab = Lab::new(Mode::Bundle);
    let opa = lab.opa().await;
    lab.publish(samples::v1(1));
    lab.sim.set_fault(Fault::NoDigestHeader);
    let options = lab
        .untrusting_options(&[&opa])
        .args(&["--trust", "insecure-digest-only"]);
    let reloader = Reloader::start(&options).await;
    let message = reloader
        .status_until("the pack is refused", |status| {
            let refusal = &status["last_refusal"];
            (refusal["reason"] == "digest_missing").then(|| refusal["message"].to_string())
        })
        .await;
    assert!(message.contains("--trust key"), "it says what to do: {message}");
    assert!(reloader.refusals("digest_missing").await >= 1.0);
    assert_eq!(opa.allows().await, None);
    assert!(!reloader.is_ready().await);

    // The same pack, now with its digest.
    lab.sim.clear_faults();
    opa.decides_by(1).await;
}

async fn a_signature_needs_no_digest_header() {
    let lab = Lab::new(Mode::Bundle);
    let opa = lab.opa().await;
    lab.publish(samples::v1(1));
    lab.sim.set_fault(Fault::NoDigestHeader);
    let reloader = Reloader::start(&lab.options(&[&opa])).await;
    opa.decides_by(1).await;
    let (status, _) = e2e::eventually("the pack is active", async || {
        let status = reloader.status().await;
        (status["active"]["revision"] == 1).then_some(status)
    })
    .await;
    assert_eq!(status["trust"], "key");
    assert!(status["last_refusal"].is_null());
}
