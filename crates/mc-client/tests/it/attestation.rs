//! The attestation, and what belongs to which pack.

use mc_client::{McErrorKind, PackClient, Pairing, pairing};
use wiremock::matchers::{method, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

use crate::support::{PATH, Then, client, for_mock, http, raw};

const BUNDLE: &str = "application/vnd.sigstore.bundle+json";

async fn serving(response: ResponseTemplate) -> MockServer {
    let server = MockServer::start().await;
    Mock::given(method("GET"))
        .and(path(format!("{PATH}/attestation")))
        .respond_with(response)
        .mount(&server)
        .await;
    server
}

#[tokio::test]
async fn it_comes_with_its_tag_and_pairs_by_it() {
    let response = ResponseTemplate::new(200)
        .set_body_raw("{}", BUNDLE)
        .insert_header("etag", "W/\"a\"");
    let server = serving(response).await;
    let pack = ResponseTemplate::new(200).insert_header("etag", "W/\"b\"");
    Mock::given(method("HEAD")).respond_with(pack).mount(&server).await;
    let client = for_mock(&server);
    let attestation = client.attestation().await.unwrap();
    assert_eq!(
        (attestation.etag.as_deref(), &attestation.body[..]),
        (Some("W/\"a\""), &b"{}"[..])
    );
    assert_eq!(pairing(&client.head().await.unwrap(), &attestation), Pairing::Raced);
}

#[tokio::test]
async fn json_is_a_bundle_too() {
    let server = serving(ResponseTemplate::new(200).set_body_raw("{}", "application/json")).await;
    assert_eq!(for_mock(&server).attestation().await.unwrap().body, "{}");
}

#[tokio::test]
async fn the_url_lies_below_the_pack_and_keeps_the_query() {
    for (pack, attestation) in [
        ("http://mc/p/x", "http://mc/p/x/attestation"),
        ("http://mc/p/x/", "http://mc/p/x/attestation"),
        ("http://mc/p/x?channel=next", "http://mc/p/x/attestation?channel=next"),
    ] {
        let client = PackClient::new(http(), pack.parse().unwrap(), None);
        assert_eq!(client.attestation_url().as_str(), attestation);
        assert_eq!(client.pack_url().as_str(), pack);
    }
}

#[tokio::test]
async fn one_that_is_too_large_is_refused_by_its_length_or_while_it_comes() {
    let announced = serving(ResponseTemplate::new(200).set_body_raw(vec![b' '; (1 << 20) + 1], BUNDLE)).await;
    let error = for_mock(&announced).attestation().await.unwrap_err();
    assert_eq!(error.kind(), McErrorKind::TooLarge);
    let head = "HTTP/1.1 200 OK\r\ncontent-type: application/vnd.sigstore.bundle+json\r\n\r\n";
    let endless = raw(head, Then::Repeat(&[b' '; 8192], std::time::Duration::ZERO)).await;
    let error = client(&endless).attestation().await.unwrap_err();
    assert_eq!(error.kind(), McErrorKind::TooLarge);
}

#[tokio::test]
async fn one_of_exactly_the_limit_is_taken() {
    let server = serving(ResponseTemplate::new(200).set_body_raw(vec![b' '; 1 << 20], BUNDLE)).await;
    assert_eq!(for_mock(&server).attestation().await.unwrap().body.len(), 1 << 20);
}
