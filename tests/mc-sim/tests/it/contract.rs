//! Each status and header of mc-contract.md.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use mc_sim::{Endpoint, PACK_ID, Published, SimConfig};
use pack_verify::Sha256Digest;
use reqwest::Method;

use crate::support::{SIGNER, ask, attestation, get, header, pack, sample, sim, with};

const PACK: &str = "/v1/policy/packs/policy-pack-v0";
const DATE: &str = "Sun, 06 Nov 1994 08:49:37 GMT";

fn date() -> SystemTime {
    UNIX_EPOCH + Duration::from_millis(784_111_777_900)
}

#[tokio::test]
async fn a_pack_comes_with_the_headers_of_the_contract() {
    let sim = sim();
    let published = sample(1).modified_at(date());
    let digest = sim.publish(PACK_ID, published.clone());
    for method in [Method::GET, Method::HEAD] {
        let response = ask(&sim, method.clone(), PACK, &[]).await;
        assert_eq!(response.status(), 200);
        let length = published.tar.len().to_string();
        for (name, expected) in [
            ("content-type", Some("application/vnd.intelgraph.policy+tar")),
            ("digest", Some(format!("sha-256={}", digest.hex()).as_str())),
            ("etag", Some(format!("W/\"sha-256:{}\"", digest.hex()).as_str())),
            ("last-modified", Some(DATE)),
            ("cache-control", Some("public, max-age=60, immutable")),
            ("content-length", Some(length.as_str())),
            ("x-cosign-bundle", None),
        ] {
            assert_eq!(header(&response, name), expected, "{method} {name}");
        }
        let body = response.bytes().await.unwrap();
        assert_eq!(
            body,
            if method == Method::GET {
                published.tar.clone()
            } else {
                bytes::Bytes::new()
            }
        );
    }
    assert_eq!(Sha256Digest::of(&published.tar), digest);
}

#[tokio::test]
async fn an_unchanged_pack_costs_one_304() {
    let sim = sim();
    sim.publish(PACK_ID, sample(1).modified_at(date()));
    let tag = header(&pack(&sim).await, "etag").unwrap().to_owned();
    sim.clear_requests();
    let response = ask(&sim, Method::GET, PACK, &[("if-none-match", &tag)]).await;
    assert_eq!(response.status(), 304);
    assert_eq!(header(&response, "etag"), Some(tag.as_str()));
    assert_eq!(header(&response, "last-modified"), Some(DATE));
    assert!(response.bytes().await.unwrap().is_empty());
    let requests = sim.requests();
    assert_eq!(requests.len(), 1);
    assert_eq!(requests.count(Endpoint::Pack, 304), 1);
    assert_eq!(requests[0].if_none_match.as_deref(), Some(tag.as_str()));
    assert_eq!((requests[0].method.as_str(), requests[0].path.as_str()), ("GET", PACK));
}

#[tokio::test]
async fn validators_decide_between_200_and_304() {
    let sim = sim();
    let digest = sim.publish(PACK_ID, sample(1).modified_at(date()));
    let tag = format!("W/\"sha-256:{}\"", digest.hex());
    let strong = format!("\"sha-256:{}\"", digest.hex());
    for (headers, status) in [
        (vec![("if-none-match", tag.as_str())], 304),
        (vec![("if-none-match", strong.as_str())], 304),
        (vec![("if-none-match", "*")], 304),
        (vec![("if-none-match", "W/\"sha-256:00\"")], 200),
        (vec![("if-modified-since", DATE)], 304),
        (vec![("if-modified-since", "Sun, 06 Nov 1994 08:49:38 GMT")], 304),
        (vec![("if-modified-since", "Sun, 06 Nov 1994 08:49:36 GMT")], 200),
        (
            vec![("if-none-match", "W/\"sha-256:00\""), ("if-modified-since", DATE)],
            200,
        ),
    ] {
        for method in [Method::GET, Method::HEAD] {
            assert_eq!(ask(&sim, method, PACK, &headers).await.status(), status, "{headers:?}");
        }
    }
    sim.publish(PACK_ID, sample(2));
    assert_eq!(
        ask(&sim, Method::GET, PACK, &[("if-none-match", &tag)]).await.status(),
        200
    );
}

#[tokio::test]
async fn the_attestation_comes_with_the_tag_of_its_pack() {
    let sim = sim();
    let response = attestation(&sim).await;
    assert_eq!(response.status(), 200);
    assert_eq!(
        header(&response, "content-type"),
        Some("application/vnd.sigstore.bundle+json")
    );
    assert_eq!(header(&response, "cache-control"), Some("public, max-age=300"));
    let tag = header(&response, "etag").unwrap().to_owned();
    assert_eq!(Some(tag.as_str()), header(&pack(&sim).await, "etag"));
    let bundle: serde_json::Value = serde_json::from_slice(&response.bytes().await.unwrap()).unwrap();
    assert!(
        bundle["mediaType"]
            .as_str()
            .unwrap()
            .starts_with("application/vnd.dev.sigstore.bundle")
    );
}

#[tokio::test]
async fn what_is_not_there_is_said_in_the_words_of_the_contract() {
    let sim = sim();
    sim.announce("announced");
    sim.publish("unsigned", Published::new("tar"));
    for (path, status, error) in [
        ("/v1/policy/packs/nobody", 404, "unknown pack"),
        ("/v1/policy/packs/nobody/attestation", 404, "unknown pack"),
        ("/v1/policy/packs/announced", 503, "pack not built yet"),
        (
            "/v1/policy/packs/unsigned/attestation",
            503,
            "attestation not available",
        ),
        ("/somewhere", 404, "not found"),
    ] {
        let response = get(&sim, path).await;
        assert_eq!(response.status(), status, "{path}");
        let body: serde_json::Value = serde_json::from_slice(&response.bytes().await.unwrap()).unwrap();
        assert_eq!(body, serde_json::json!({ "error": error }), "{path}");
    }
    sim.withdraw(PACK_ID);
    assert_eq!(pack(&sim).await.status(), 404);
}

#[tokio::test]
async fn the_bundle_can_be_sent_along_on_one_line() {
    let sim = with(SimConfig {
        inline_bundle: true,
        ..SimConfig::default()
    });
    let pretty = serde_json::to_string_pretty(&serde_json::json!({ "mediaType": "a", "n": [1, 2] })).unwrap();
    sim.publish(PACK_ID, Published::new("tar").with_attestation(pretty));
    assert_eq!(
        header(&pack(&sim).await, "x-cosign-bundle"),
        Some(r#"{"mediaType":"a","n":[1,2]}"#)
    );
    sim.publish(PACK_ID, Published::new("tar"));
    assert_eq!(header(&pack(&sim).await, "x-cosign-bundle"), None);
}

#[tokio::test]
async fn a_token_can_be_asked_for_and_changed() {
    let sim = with(SimConfig {
        bearer: Some("first".into()),
        ..SimConfig::default()
    });
    for path in [PACK.to_owned(), format!("{PACK}/attestation")] {
        for (token, status) in [
            (None, 401),
            (Some("Bearer wrong"), 401),
            (Some("first"), 401),
            (Some("Bearer first"), 200),
        ] {
            let headers: Vec<_> = token.map(|token| ("authorization", token)).into_iter().collect();
            let response = ask(&sim, Method::GET, &path, &headers).await;
            assert_eq!(response.status(), status, "{path} {token:?}");
        }
    }
    sim.set_bearer(Some("second"));
    assert_eq!(
        ask(&sim, Method::GET, PACK, &[("authorization", "Bearer first")])
            .await
            .status(),
        401
    );
    let refused = ask(&sim, Method::GET, PACK, &[]).await;
    assert_eq!(header(&refused, "www-authenticate"), Some("Bearer"));
    assert_eq!(refused.text().await.unwrap(), r#"{"error":"unauthorized"}"#);
    sim.set_bearer(None);
    assert_eq!(pack(&sim).await.status(), 200);
    let requests = sim.requests();
    assert_eq!(requests.iter().filter(|request| request.with_token).count(), 7);
}

#[tokio::test]
async fn the_tar_is_built_as_mc_builds_it_and_always_the_same() {
    let (one, two) = (sample(1), sample(1));
    assert_eq!(one.tar, two.tar);
    assert_eq!(&one.tar[..2], b"./");
    let bundle = one.attestation.unwrap();
    let key = pack_verify::trust::KeyLog::NotRequired;
    let verifier = pack_verify::trust::Verifier::key(&SIGNER.public_key_pem(), key).unwrap();
    assert!(
        verifier
            .verify(pack_verify::PackBytes::new(two.tar), Some(&bundle))
            .is_ok()
    );
}
