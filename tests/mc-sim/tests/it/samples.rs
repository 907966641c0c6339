//! The samples are packs that verify, and decide what their documentation says: in both syntaxes alike.

use jiff::Timestamp;
use mc_sim::{Files, PACK_ID, build_unsigned, samples};
use pack_verify::admit::{Admission, VerifiedPack};
use pack_verify::limits::Limits;
use pack_verify::trust::Verifier;
use pack_verify::{PackBytes, Reason, Refusal};
use regorus::Engine;
use serde_json::{Value, json};

fn admit(files: Files) -> Result<VerifiedPack, Refusal> {
    let tar = build_unsigned(files).unwrap().tar;
    let signed = Verifier::insecure_digest_only().verify(PackBytes::new(tar), None)?;
    let now: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
    let admission = Admission {
        expected_id: Some(PACK_ID),
        ..Admission::at(now)
    };
    signed.unpack(&Limits::default())?.admit(&admission)
}

/// Loads the pack as OPA would; the error is the compiler's.
fn load(files: Files, v0: bool) -> Result<(Engine, VerifiedPack), String> {
    let pack = admit(files).map_err(|refusal| refusal.to_string())?;
    let mut engine = Engine::new();
    engine.set_rego_v0(v0);
    for policy in pack.policies() {
        engine
            .add_policy(policy.path.clone(), policy.text().to_owned())
            .map_err(|error| error.to_string())?;
    }
    for data in pack.data() {
        let document: Value = serde_json::from_slice(&data.json).unwrap();
        let rooted = data
            .document
            .iter()
            .rev()
            .fold(document, |inner, name| json!({ name: inner }));
        engine.add_data_json(&rooted.to_string()).unwrap();
    }
    Ok((engine, pack))
}

fn ask(engine: &mut Engine, path: &str, input: &str) -> Value {
    engine.set_input_json(input).unwrap();
    let query = format!("data.{}", path.replace('/', "."));
    let results = engine.eval_query(query, false).unwrap();
    serde_json::from_str(&results.result[0].expressions[0].value.to_json_str().unwrap()).unwrap()
}

fn changed(pointer: &str, value: Value) -> String {
    let mut input: Value = serde_json::from_str(samples::INPUT_ALLOWED).unwrap();
    *input.pointer_mut(pointer).unwrap() = value;
    input.to_string()
}

fn production(action: &str) -> String {
    let mut input: Value = serde_json::from_str(samples::INPUT_ALLOWED).unwrap();
    input["subject"]["environment"] = json!("production");
    input["resource"]["environment"] = json!("production");
    input["input_action"] = json!(action);
    input.to_string()
}

#[test]
fn both_syntaxes_decide_alike() {
    let cases = [
        (samples::INPUT_ALLOWED.to_owned(), json!([])),
        (samples::INPUT_DENIED.to_owned(), json!(["tenant_mismatch"])),
        (
            changed("/subject/environment", json!("production")),
            json!(["environment_not_permitted"]),
        ),
        (
            changed("/subject/purpose", json!("curiosity")),
            json!(["purpose_not_permitted"]),
        ),
        (
            changed("/resource/labels", json!(["invoice"])),
            json!(["purpose_not_permitted"]),
        ),
        (changed("/resource/labels", json!([])), json!([])),
        (
            changed("/resource/retention_until", json!("2020-01-01T00:00:00Z")),
            json!(["retention_expired"]),
        ),
        (production("read"), json!([])),
        (production("delete"), json!(["production_is_read_only"])),
        (
            "{}".to_owned(),
            json!([
                "environment_not_permitted",
                "production_is_read_only",
                "purpose_not_permitted",
                "retention_expired",
                "tenant_mismatch"
            ]),
        ),
    ];
    for (name, files, v0) in [("v0", samples::v0(7), true), ("v1", samples::v1(7), false)] {
        let (mut engine, pack) = load(files, v0).unwrap();
        assert!(
            pack.revision_label().starts_with("7@sha256:"),
            "{}",
            pack.revision_label()
        );
        for (input, reasons) in &cases {
            let allow = reasons.as_array().unwrap().is_empty();
            assert_eq!(ask(&mut engine, samples::ALLOW, input), json!(allow), "{name} {input}");
            assert_eq!(
                ask(&mut engine, samples::DECISION, input),
                json!({"allow": allow, "reasons": reasons, "revisions": {"policy": 7, "data": 7, "purpose_tags": 7}}),
                "{name} {input}"
            );
        }
    }
}

#[test]
fn the_golden_decisions_of_the_samples_hold() {
    for (files, v0) in [
        (samples::v0(1), true),
        (samples::v1(1), false),
        (samples::deny_by_policy(1), false),
        (samples::deny_by_data(1), false),
    ] {
        let (mut engine, pack) = load(files, v0).unwrap();
        let manifest = pack.manifest().unwrap();
        assert_eq!(manifest.golden.len(), 3);
        assert!(manifest.unknown_fields.is_empty(), "{:?}", manifest.unknown_fields);
        for golden in &manifest.golden {
            assert_eq!(
                ask(&mut engine, &golden.path, &golden.input.to_string()),
                golden.expect,
                "{:?}",
                golden.name
            );
        }
    }
}

#[test]
fn the_variants_do_what_they_say() {
    for (files, reason) in [
        (samples::deny_by_policy(2), "environment_not_permitted"),
        (samples::deny_by_data(2), "purpose_not_permitted"),
    ] {
        let (mut engine, _) = load(files, false).unwrap();
        let decision = ask(&mut engine, samples::DECISION, samples::INPUT_ALLOWED);
        assert_eq!(
            (&decision["allow"], &decision["reasons"]),
            (&json!(false), &json!([reason]))
        );
    }
    let (mut engine, pack) = load(samples::wrong_golden(2), false).unwrap();
    let golden = &pack.manifest().unwrap().golden[0];
    assert_ne!(ask(&mut engine, &golden.path, &golden.input.to_string()), golden.expect);
    let (mut broken, _) = load(samples::broken_rego(2), false).unwrap();
    assert!(broken.eval_query("data.cos.abac.allow".into(), false).is_err());
    assert_eq!(admit(samples::expired(2)).unwrap_err().reason(), Reason::Expired);
    assert!(admit(samples::without_manifest(2)).unwrap().manifest().is_none());
    let foreign = samples::with_manifest(samples::v1(2), "id", json!("another-pack"));
    assert_eq!(admit(foreign).unwrap_err().reason(), Reason::WrongId);
    let big = admit(samples::big(2, 5_000)).unwrap();
    assert!(
        big.data()
            .iter()
            .any(|data| data.document == ["cos", "entries"] && data.json.len() > 140_000)
    );
}
