//! MC that does not answer as the contract says: what `once` and `verify` make of it.

use std::process::Command;

use mc_sim::{Fault, PACK_ID, Published, Sim, SimConfig, Target, samples};
use pack_verify::sign::{KeyKind, Signer};

use crate::support::{Desk, reloader};
use crate::table::Table;
use program::Nobody;

const GOOD: i32 = 0;
const REFUSED: i32 = 1;
const USAGE: i32 = 2;
const FAILED: i32 = 4;

/// A desk, an MC with a good pack of that desk, and no OPA: what MC does wrong is seen before OPA is asked.
struct Scene {
    desk: Desk,
    sim: Sim,
    nobody: Nobody,
}

impl Scene {
    fn new() -> Self {
        let desk = Desk::new();
        let sim = Sim::start(SimConfig {
            bearer: Some("canary-mc-4f1d".to_owned()),
            ..SimConfig::default()
        })
        .unwrap();
        sim.publish_signed(PACK_ID, samples::v1(1), &desk.signer).unwrap();
        Self {
            desk,
            sim,
            nobody: Nobody::new(),
        }
    }

    fn once(&self, url: &str) -> Command {
        let mut command = reloader(["once", "--activation", "push", "--log-format", "json"]);
        command
            .args(["--opa-url", &self.nobody.url(), "--pack-url", url])
            .args(["--http-connect-timeout-ms", "2000", "--http-request-timeout-ms", "2000"])
            .args(self.desk.trust());
        command
    }

    fn verify(&self, url: &str) -> Command {
        let mut command = reloader(["verify", url, "--log-format", "json"]);
        command
            .args(["--http-connect-timeout-ms", "2000", "--http-request-timeout-ms", "2000"])
            .args(self.desk.trust());
        command
    }
}

#[test]
fn once_says_what_mc_did_wrong() {
    let scene = Scene::new();
    let (desk, sim) = (&scene.desk, &scene.sim);
    let url = sim.pack_url(PACK_ID);
    let mut table = Table::new(desk.folder());
    let nobody = format!("{}/v1/policy/packs/{PACK_ID}", scene.nobody.url());
    table.case("MC is not there", FAILED, &mut scene.once(&nobody));
    table.case(
        "the name of MC does not resolve",
        FAILED,
        &mut scene.once("http://mc.invalid/pack"),
    );
    table.case(
        "MC wants another token",
        FAILED,
        scene.once(&url).env("MC_TOKEN", "canary-opa-8a52"),
    );
    table.case("MC wants a token", FAILED, scene.once(&url).env_remove("MC_TOKEN"));
    table.case(
        "MC does not know the pack",
        FAILED,
        &mut scene.once(&sim.pack_url("another")),
    );
    sim.announce("unbuilt");
    table.case(
        "MC has not built the pack",
        FAILED,
        &mut scene.once(&sim.pack_url("unbuilt")),
    );
    for (name, exit, fault) in [
        (
            "MC forbids it",
            FAILED,
            Fault::Status {
                code: 403,
                retry_after: None,
            },
        ),
        (
            "MC fails",
            FAILED,
            Fault::Status {
                code: 500,
                retry_after: Some(7),
            },
        ),
        ("MC is a login page", FAILED, Fault::Html),
        ("MC redirects", FAILED, Fault::RedirectLoop),
        ("MC hangs up", FAILED, Fault::Reset { at: None }),
        ("MC hangs up in the middle", FAILED, Fault::Reset { at: Some(700) }),
        ("MC stops in the middle", FAILED, Fault::Truncate { at: 700 }),
        (
            "MC sends headers and then nothing",
            FAILED,
            Fault::SlowDrip { bytes_per_sec: 0 },
        ),
        ("MC thinks too long", FAILED, Fault::Latency { ms: 60_000 }),
        ("MC announces another digest", REFUSED, Fault::WrongDigest),
        ("MC announces two digests", REFUSED, Fault::DigestConflict),
    ] {
        sim.clear_faults();
        sim.set_fault(fault.on(Target::Pack));
        table.case(name, exit, &mut scene.once(&url));
    }
    sim.clear_faults();
    sim.set_fault(Fault::Endless.on(Target::Pack));
    table.case(
        "MC never ends",
        REFUSED,
        scene.once(&url).args(["--max-pack-bytes", "100000"]),
    );
    for (name, exit, fault) in [
        ("MC has no attestation", REFUSED, Fault::MissingAttestation),
        (
            "the attestation is for other bytes",
            REFUSED,
            Fault::ForeignAttestation { bundle: None },
        ),
        (
            "the attestation is garbage",
            REFUSED,
            Fault::ForeignAttestation {
                bundle: Some("garbage".to_owned()),
            },
        ),
        ("the attestation is a login page", FAILED, Fault::Html),
        (
            "MC fails to give the attestation",
            FAILED,
            Fault::Status {
                code: 502,
                retry_after: None,
            },
        ),
    ] {
        sim.clear_faults();
        sim.set_fault(fault.on(Target::Attestation));
        table.case(name, exit, &mut scene.once(&url));
    }
    insta::assert_snapshot!(table.text());
}

#[test]
fn verify_says_what_mc_did_wrong() {
    let scene = Scene::new();
    let (desk, sim) = (&scene.desk, &scene.sim);
    let url = sim.pack_url(PACK_ID);
    let mut table = Table::new(desk.folder());
    let nobody = format!("{}/v1/policy/packs/{PACK_ID}", scene.nobody.url());
    table.case("MC is not there", FAILED, &mut scene.verify(&nobody));
    table.case(
        "MC wants another token",
        FAILED,
        scene.verify(&url).env("MC_TOKEN", "canary-opa-8a52"),
    );
    table.case(
        "MC does not know the pack",
        FAILED,
        &mut scene.verify(&sim.pack_url("another")),
    );
    table.case(
        "the scheme is no HTTP",
        USAGE,
        &mut scene.verify("ftp://mc.example.com/pack"),
    );
    table.case(
        "a bundle beside a URL",
        USAGE,
        scene.verify(&url).args(["--bundle", "pack.sigstore.json"]),
    );
    sim.set_fault(Fault::Html.on(Target::Pack));
    table.case("MC is a login page", FAILED, &mut scene.verify(&url));
    sim.clear_faults();
    sim.set_fault(Fault::WrongDigest);
    table.case("MC announces another digest", REFUSED, &mut scene.verify(&url));
    sim.clear_faults();
    sim.set_fault(Fault::MissingAttestation);
    table.case("MC has no attestation", REFUSED, &mut scene.verify(&url));
    insta::assert_snapshot!(table.text());
}

#[test]
fn without_a_digest_header_only_a_signature_vouches_for_the_bytes() {
    let scene = Scene::new();
    let url = scene.sim.pack_url(PACK_ID);
    let mut table = Table::new(scene.desk.folder());
    scene.sim.set_fault(Fault::NoDigestHeader);
    let by_key = program::run(&mut scene.verify(&url));
    assert_eq!(by_key.code, Some(GOOD), "{by_key:?}");
    assert_eq!(by_key.json()["digest_announced"], false, "the report says so");
    let mut by_digest = reloader(["verify", &url, "--trust", "insecure-digest-only"]);
    table.case("nothing vouches for the bytes", REFUSED, &mut by_digest);
    insta::assert_snapshot!(table.text());
}

#[test]
fn a_pack_that_is_signed_by_somebody_else_or_for_something_else_is_refused() {
    let scene = Scene::new();
    let (desk, sim) = (&scene.desk, &scene.sim);
    let url = sim.pack_url(PACK_ID);
    let mut table = Table::new(desk.folder());
    let stranger = Signer::generate(KeyKind::EcdsaP256).unwrap();
    sim.publish_signed(PACK_ID, samples::v1(2), &stranger).unwrap();
    table.case("a stranger's key", REFUSED, &mut scene.once(&url));

    let mut flipped = mc_sim::build_signed(samples::v1(3), &desk.signer).unwrap();
    let mut bytes = flipped.tar.to_vec();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    flipped.tar = bytes.into();
    sim.publish(PACK_ID, flipped);
    table.case("one bit is flipped", REFUSED, &mut scene.once(&url));

    let unsigned = mc_sim::build_unsigned(samples::v1(4)).unwrap();
    sim.publish(PACK_ID, unsigned);
    table.case("nobody signed it", REFUSED, &mut scene.once(&url));

    let page = b"<!doctype html><title>Sign in</title>".to_vec();
    let signature = desk.signer.sign(&page).unwrap();
    sim.publish(PACK_ID, Published::new(page).with_attestation(signature));
    table.case("a signed web page", REFUSED, &mut scene.once(&url));
    for (name, files) in [
        ("expired", samples::expired(5)),
        ("Rego that does not compile", samples::broken_rego(5)),
        ("a golden decision that does not hold", samples::wrong_golden(5)),
    ] {
        sim.publish_signed(PACK_ID, files, &desk.signer).unwrap();
        table.case(name, REFUSED, &mut scene.once(&url));
    }
    insta::assert_snapshot!(table.text());
}
