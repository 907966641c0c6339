//! The control endpoint.

use mc_sim::{Fault, PACK_ID, Packs, Sim, SimConfig, build_unsigned, samples};
use pack_verify::sign::{KeyKind, Signer};
use serde_json::{Value, json};

use crate::support::{attestation, client, pack, sample, sim};

async fn control(sim: &Sim, method: reqwest::Method, path: &str, body: impl Into<reqwest::Body>) -> (u16, Value) {
    let url = format!("{}/control/{path}", sim.url());
    let response = client().request(method, url).body(body).send().await.unwrap();
    let status = response.status().as_u16();
    (
        status,
        serde_json::from_slice(&response.bytes().await.unwrap()).unwrap(),
    )
}

#[tokio::test]
async fn packs_are_published_signed_if_there_is_a_key() {
    let signer = Signer::generate(KeyKind::Ed25519).unwrap();
    let sim = Sim::start(SimConfig {
        signer: Some(signer),
        ..SimConfig::default()
    })
    .unwrap();
    let tar = build_unsigned(samples::v0(1)).unwrap().tar;
    for (query, signed) in [("", 200), ("?sign=false", 503), ("?sign=true", 200)] {
        let (status, reply) = control(
            &sim,
            reqwest::Method::POST,
            &format!("packs/{PACK_ID}{query}"),
            tar.clone(),
        )
        .await;
        assert_eq!(status, 200, "{reply}");
        assert_eq!(pack(&sim).await.bytes().await.unwrap(), tar);
        assert_eq!(attestation(&sim).await.status(), signed, "{query}");
    }
    let (_, list) = control(&sim, reqwest::Method::GET, "packs", "").await;
    assert_eq!(list["packs"][0]["id"], PACK_ID);
    assert_eq!(
        control(&sim, reqwest::Method::DELETE, &format!("packs/{PACK_ID}"), "")
            .await
            .0,
        200
    );
    assert_eq!(
        control(&sim, reqwest::Method::DELETE, &format!("packs/{PACK_ID}"), "")
            .await
            .0,
        404
    );
    assert_eq!(control(&sim, reqwest::Method::PUT, "packs/p/announce", "").await.0, 200);
}

#[tokio::test]
async fn a_signature_without_a_key_is_refused() {
    let sim = sim();
    let (status, reply) = control(&sim, reqwest::Method::POST, "packs/p?sign=true", "tar").await;
    assert_eq!(status, 409, "{reply}");
    assert!(reply["error"].as_str().unwrap().contains("--sign-key"));
}

#[tokio::test]
async fn faults_go_on_and_off() {
    let sim = sim();
    let (status, _) = control(
        &sim,
        reqwest::Method::POST,
        "faults",
        r#"{"fault":"status","code":500}"#,
    )
    .await;
    assert_eq!(status, 200);
    assert_eq!(
        sim.faults(),
        [Fault::Status {
            code: 500,
            retry_after: None
        }
        .into()]
    );
    assert_eq!(pack(&sim).await.status(), 500);
    assert_eq!(
        control(&sim, reqwest::Method::DELETE, "faults", "").await,
        (200, json!({ "faults": [] }))
    );
    assert_eq!(pack(&sim).await.status(), 200);
    let (status, reply) = control(&sim, reqwest::Method::POST, "faults", "{}").await;
    assert_eq!(status, 400);
    assert!(
        reply["error"].as_str().unwrap().contains("expected for example"),
        "{reply}"
    );
}

#[tokio::test]
async fn requests_are_told_without_the_control_requests() {
    let sim = sim();
    pack(&sim).await;
    let (_, reply) = control(&sim, reqwest::Method::GET, "requests", "").await;
    assert_eq!(
        reply["counts"],
        json!([{ "endpoint": "pack", "status": 200, "count": 1 }])
    );
    assert_eq!(reply["requests"].as_array().unwrap().len(), 1);
    control(&sim, reqwest::Method::DELETE, "requests", "").await;
    assert!(sim.requests().is_empty());
}

#[tokio::test]
async fn a_staged_pack_waits_and_a_folder_is_read_again() {
    let folder = tempfile::tempdir().unwrap();
    let write = |revision| {
        for (name, bytes) in samples::v1(revision) {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, bytes).unwrap();
        }
    };
    write(1);
    let sim = Sim::start(SimConfig {
        packs: Some(Packs::new(folder.path())),
        ..SimConfig::default()
    })
    .unwrap();
    let staged = control(
        &sim,
        reqwest::Method::POST,
        &format!("packs/{PACK_ID}/staged"),
        sample(5).tar,
    )
    .await;
    assert_eq!(staged.0, 200);
    assert_eq!(pack(&sim).await.bytes().await.unwrap(), sample(1).tar);
    write(2);
    let (status, reply) = control(&sim, reqwest::Method::POST, "reload", "").await;
    assert_eq!((status, reply), (200, json!({ "published": [PACK_ID] })));
    assert_eq!(pack(&sim).await.bytes().await.unwrap(), sample(2).tar);
}
