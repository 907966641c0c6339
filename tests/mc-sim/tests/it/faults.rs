//! Each fault, as a plain client meets it.

use std::error::Error as _;
use std::io::ErrorKind;
use std::time::{Duration, Instant};

use bytes::Bytes;
use mc_sim::{Endpoint, Fault, PACK_ID, Sim, Target};
use pack_verify::{Announced, DigestHeaders, Sha256Digest};
use reqwest::{Method, Response};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::{PATIENCE, SIGNER, ask, attestation, client, header, pack, sample, sim};

fn announced(response: &Response) -> Result<Option<Announced>, pack_verify::DigestError> {
    pack_verify::digest::announced(&DigestHeaders {
        digest: header(response, "digest").into_iter().collect(),
        content_digest: Vec::new(),
        repr_digest: Vec::new(),
        etag: header(response, "etag"),
    })
}

/// Whether a connection reset lies at the bottom of the error.
fn is_reset(error: &reqwest::Error) -> bool {
    let mut next = error.source();
    while let Some(error) = next {
        if error
            .downcast_ref::<std::io::Error>()
            .is_some_and(|error| error.kind() == ErrorKind::ConnectionReset)
        {
            return true;
        }
        next = error.source();
    }
    false
}

#[tokio::test]
async fn latency_and_status() {
    let sim = sim();
    sim.set_fault(Fault::Latency { ms: 150 });
    sim.set_fault(
        Fault::Status {
            code: 500,
            retry_after: Some(7),
        }
        .on(Target::Pack)
        .times(1),
    );
    let start = Instant::now();
    let response = pack(&sim).await;
    assert_eq!(
        (response.status().as_u16(), header(&response, "retry-after")),
        (500, Some("7"))
    );
    assert_eq!(response.text().await.unwrap(), r#"{"error":"fault on demand"}"#);
    assert!(start.elapsed() >= Duration::from_millis(150));
    assert_eq!(
        sim.faults(),
        [Fault::Latency { ms: 150 }.into()],
        "the limited fault is used up"
    );
    sim.clear_faults();
    assert_eq!(pack(&sim).await.status(), 200);
    assert_eq!(sim.requests()[0].faults, ["latency", "status"]);
}

#[tokio::test]
async fn unauthorized_html_and_a_redirect_without_end() {
    let sim = sim();
    sim.set_fault(Fault::Unauthorized.times(1));
    assert_eq!(pack(&sim).await.status(), 401);
    sim.set_fault(Fault::Html.times(1));
    let page = pack(&sim).await;
    assert_eq!(
        (page.status().as_u16(), header(&page, "content-type")),
        (200, Some("text/html; charset=utf-8"))
    );
    sim.set_fault(Fault::RedirectLoop);
    let moved = pack(&sim).await;
    assert_eq!(moved.status(), 302);
    assert_eq!(header(&moved, "location"), Some("/v1/policy/packs/policy-pack-v0"));
}

#[tokio::test]
async fn a_reset_before_the_answer_is_a_real_one() {
    let sim = sim();
    sim.set_fault(Fault::Reset { at: None }.times(1));
    let error = client().get(sim.pack_url(PACK_ID)).send().await.unwrap_err();
    assert!(is_reset(&error), "{error:?}");
    assert_eq!(sim.requests()[0].status, None, "no answer was sent");
    assert_eq!(pack(&sim).await.status(), 200);
}

#[tokio::test]
async fn a_reset_inside_the_body_is_a_real_one_after_the_headers() {
    let sim = sim();
    sim.set_fault(Fault::Reset { at: Some(100) });
    let mut stream = TcpStream::connect(sim.addr()).await.unwrap();
    let request = "GET /v1/policy/packs/policy-pack-v0 HTTP/1.1\r\nhost: mc\r\n\r\n";
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut received = Vec::new();
    let error = stream.read_to_end(&mut received).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    let text = String::from_utf8_lossy(&received);
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 200 OK"), "{head}");
    assert_eq!(body.len(), 100);
}

#[tokio::test]
async fn a_truncated_body_ends_early_but_in_order() {
    let sim = sim();
    sim.set_fault(Fault::Truncate { at: 1000 });
    let mut response = pack(&sim).await;
    assert_eq!(
        header(&response, "content-length"),
        Some(sample(1).tar.len().to_string().as_str())
    );
    let mut received = Vec::new();
    let error = loop {
        match response.chunk().await {
            Ok(Some(chunk)) => received.extend_from_slice(&chunk),
            Ok(None) => panic!("the end must be an error"),
            Err(error) => break error,
        }
    };
    assert!(!is_reset(&error), "{error:?}");
    assert_eq!(received, sample(1).tar[..1000]);
}

#[tokio::test]
async fn an_endless_body_has_no_length_and_ends_with_its_client() {
    let sim = sim();
    sim.set_fault(Fault::Endless.on(Target::Pack));
    let mut response = pack(&sim).await;
    assert_eq!(header(&response, "content-length"), None);
    let mut received = 0;
    while received < 8 << 20 {
        received += response.chunk().await.unwrap().unwrap().len();
    }
    drop(response);
    // The one thread of the simulator must be free for others while somebody reads without end, and after it.
    assert_eq!(attestation(&sim).await.status(), 200);
}

#[tokio::test]
async fn a_slow_drip_is_slow_and_right() {
    let sim = sim();
    let content: Bytes = (0..=99).collect::<Vec<u8>>().into();
    sim.publish(PACK_ID, mc_sim::Published::new(content.clone()));
    sim.set_fault(Fault::SlowDrip { bytes_per_sec: 250 });
    let start = Instant::now();
    assert_eq!(pack(&sim).await.bytes().await.unwrap(), content);
    assert!(
        start.elapsed() >= Duration::from_millis(400),
        "100 bytes at 250 a second: {:?}",
        start.elapsed()
    );
    sim.clear_faults();
    sim.set_fault(Fault::SlowDrip { bytes_per_sec: 0 });
    let mut silent = pack(&sim).await;
    assert_eq!(silent.status(), 200);
    assert!(
        tokio::time::timeout(Duration::from_millis(200), silent.chunk())
            .await
            .is_err()
    );
}

#[tokio::test]
async fn digests_can_be_wrong_contradictory_or_absent() {
    let sim = sim();
    let right = Sha256Digest::of(&sample(1).tar);
    assert_eq!(announced(&pack(&sim).await).unwrap().unwrap().sha256, right);
    sim.set_fault(Fault::WrongDigest.times(1));
    let wrong = pack(&sim).await;
    assert_ne!(
        announced(&wrong).unwrap().unwrap().sha256,
        right,
        "Digest and ETag agree on a wrong digest"
    );
    assert_eq!(Sha256Digest::of(&wrong.bytes().await.unwrap()), right);
    sim.set_fault(Fault::DigestConflict.times(1));
    assert!(announced(&pack(&sim).await).is_err());
    sim.set_fault(Fault::NoDigestHeader);
    let silent = pack(&sim).await;
    assert!(announced(&silent).unwrap().is_none());
    let tag = header(&silent, "etag").unwrap();
    assert_eq!(
        header(&attestation(&sim).await, "etag"),
        Some(tag),
        "the pair still has one tag"
    );
    sim.clear_faults();
    let again = ask(
        &sim,
        Method::GET,
        "/v1/policy/packs/policy-pack-v0",
        &[("if-none-match", tag)],
    )
    .await;
    assert_eq!(
        again.status(),
        304,
        "a tag that was served once stays valid for its bytes"
    );
}

#[tokio::test]
async fn a_stale_304_hides_what_was_published_only_from_those_who_ask() {
    let sim = sim();
    sim.set_fault(Fault::Stale304.times(1));
    assert_eq!(
        pack(&sim).await.status(),
        200,
        "without If-None-Match there is nothing to be stale"
    );
    let stale = [("if-none-match", "W/\"sha-256:old\"")];
    let response = ask(&sim, Method::GET, "/v1/policy/packs/policy-pack-v0", &stale).await;
    assert_eq!(
        (response.status().as_u16(), header(&response, "etag")),
        (304, Some("W/\"sha-256:old\""))
    );
    assert_eq!(
        ask(&sim, Method::GET, "/v1/policy/packs/policy-pack-v0", &stale)
            .await
            .status(),
        200
    );
}

#[tokio::test]
async fn attestations_can_be_missing_or_foreign() {
    let sim = sim();
    sim.set_fault(Fault::MissingAttestation.times(1));
    assert_eq!(pack(&sim).await.status(), 200);
    let missing = attestation(&sim).await;
    assert_eq!(missing.status(), 503);
    assert_eq!(
        missing.text().await.unwrap(),
        r#"{"error":"attestation not available"}"#
    );
    sim.set_fault(Fault::ForeignAttestation { bundle: None }.times(1));
    let foreign = attestation(&sim).await;
    assert_eq!(
        header(&foreign, "etag"),
        header(&pack(&sim).await, "etag"),
        "its tag does not give it away"
    );
    let bundle = foreign.bytes().await.unwrap();
    let log = pack_verify::trust::KeyLog::NotRequired;
    let verifier = pack_verify::trust::Verifier::key(&SIGNER.public_key_pem(), log).unwrap();
    assert!(
        verifier
            .verify(pack_verify::PackBytes::new(sample(1).tar), Some(&bundle))
            .is_err()
    );
    sim.set_fault(Fault::ForeignAttestation {
        bundle: Some("{}".into()),
    });
    assert_eq!(attestation(&sim).await.text().await.unwrap(), "{}");
}

async fn tags(sim: &Sim) -> (String, String) {
    let first = pack(sim).await;
    let second = attestation(sim).await;
    (
        header(&first, "etag").unwrap().to_owned(),
        header(&second, "etag").unwrap().to_owned(),
    )
}

#[tokio::test]
async fn a_race_publishes_between_the_two_requests_once_or_always() {
    let sim = sim();
    sim.stage(PACK_ID, sample(2));
    sim.set_fault(Fault::EtagRace.times(1));
    let (pack, attestation) = tags(&sim).await;
    assert_ne!(pack, attestation);
    let (again, pair) = tags(&sim).await;
    assert_eq!(
        (&again, &pair),
        (&attestation, &attestation),
        "the staged pack is the current one now"
    );
    sim.set_fault(Fault::EtagRace);
    for _ in 0..3 {
        let (pack, attestation) = tags(&sim).await;
        assert_ne!(pack, attestation);
    }
}

#[tokio::test]
async fn the_inline_bundle_can_be_switched() {
    let sim = sim();
    sim.set_fault(Fault::InlineBundle { on: true }.times(1));
    let bundle = header(&pack(&sim).await, "x-cosign-bundle").unwrap().to_owned();
    let served: serde_json::Value = serde_json::from_str(&attestation(&sim).await.text().await.unwrap()).unwrap();
    assert_eq!(serde_json::from_str::<serde_json::Value>(&bundle).unwrap(), served);
    assert_eq!(header(&pack(&sim).await, "x-cosign-bundle"), None);
}

#[tokio::test]
async fn tests_can_wait_for_a_request() {
    let sim = sim();
    let url = sim.pack_url(PACK_ID);
    let asking = tokio::spawn(async move { client().get(url).send().await.unwrap().status() });
    assert!(
        sim.wait_until(PATIENCE, |requests| requests.count(Endpoint::Pack, 200) == 1)
            .await
    );
    assert_eq!(asking.await.unwrap(), 200);
    assert!(
        !sim.wait_until(Duration::from_millis(50), |requests| requests.len() == 2)
            .await
    );
}
