//! Answers that are no pack: each its own error, with MC's words where they are harmless.

use std::time::Duration;

use mc_client::{McError, McErrorKind, PackClient, Validators};
use runtime::{Secret, SecretSource};
use wiremock::matchers::method;
use wiremock::{Mock, MockServer, ResponseTemplate};

use crate::support::{LIMITS, TAR, for_mock, with_token};

async fn error(response: ResponseTemplate) -> McError {
    let server = MockServer::start().await;
    Mock::given(method("GET")).respond_with(response).mount(&server).await;
    for_mock(&server).pack(&Validators::none()).await.unwrap_err()
}

fn json(status: u16, body: &str) -> ResponseTemplate {
    ResponseTemplate::new(status).set_body_raw(body, "application/json")
}

#[tokio::test]
async fn statuses_are_told_apart_by_what_can_be_done_about_them() {
    let page = "<html>Bad gateway</html>";
    for (response, kind, transient) in [
        (
            json(401, r#"{"error":"unauthorized"}"#),
            McErrorKind::Unauthorized,
            false,
        ),
        (json(403, "{}"), McErrorKind::Unauthorized, false),
        (
            json(404, r#"{"error":"unknown pack"}"#),
            McErrorKind::UnknownPack,
            false,
        ),
        (
            json(503, r#"{"error":"pack not built yet"}"#),
            McErrorKind::NotBuilt,
            true,
        ),
        (
            json(503, r#"{"error":"attestation not available"}"#),
            McErrorKind::AttestationNotAvailable,
            true,
        ),
        (
            ResponseTemplate::new(503).set_body_raw(page, "text/html"),
            McErrorKind::Status,
            true,
        ),
        (ResponseTemplate::new(502), McErrorKind::Status, true),
        (ResponseTemplate::new(500), McErrorKind::Status, true),
        (ResponseTemplate::new(429), McErrorKind::Status, true),
        (ResponseTemplate::new(408), McErrorKind::Status, true),
        (ResponseTemplate::new(400), McErrorKind::Status, false),
        (ResponseTemplate::new(204), McErrorKind::Status, false),
        (
            ResponseTemplate::new(206).set_body_raw("part", TAR),
            McErrorKind::Status,
            false,
        ),
        (ResponseTemplate::new(304), McErrorKind::Malformed, false),
        (
            ResponseTemplate::new(200).set_body_raw(page, "text/html"),
            McErrorKind::NotAPack,
            false,
        ),
        (json(200, "{}"), McErrorKind::NotAPack, false),
        (
            ResponseTemplate::new(200)
                .set_body_raw("x", TAR)
                .insert_header("content-encoding", "gzip"),
            McErrorKind::Malformed,
            false,
        ),
        (
            ResponseTemplate::new(302).insert_header("location", "/login"),
            McErrorKind::Redirect,
            false,
        ),
        (ResponseTemplate::new(300), McErrorKind::Redirect, false),
    ] {
        let error = error(response).await;
        assert_eq!((error.kind(), error.is_transient()), (kind, transient), "{error}");
    }
}

#[tokio::test]
async fn retry_after_is_passed_on_up_to_ten_minutes() {
    let busy = |value: &str| json(503, r#"{"error":"pack not built yet"}"#).insert_header("retry-after", value);
    assert_eq!(error(busy("7")).await.retry_after(), Some(Duration::from_secs(7)));
    assert_eq!(error(busy("999999")).await.retry_after(), Some(Duration::from_mins(10)));
    assert_eq!(error(busy("soon")).await.retry_after(), None);
    assert_eq!(error(ResponseTemplate::new(404)).await.retry_after(), None);
}

#[tokio::test]
async fn a_date_in_retry_after_is_compared_with_the_callers_clock() {
    let server = MockServer::start().await;
    let response = ResponseTemplate::new(429).insert_header("retry-after", "Sun, 06 Nov 1994 08:49:37 GMT");
    Mock::given(method("GET")).respond_with(response).mount(&server).await;
    let client = for_mock(&server).with_clock(|| "1994-11-06T08:49:07Z".parse().unwrap());
    let error = client.pack(&Validators::none()).await.unwrap_err();
    assert_eq!(error.retry_after(), Some(Duration::from_secs(30)));
}

#[tokio::test]
async fn a_redirect_is_not_followed_and_takes_no_token_along() {
    let elsewhere = MockServer::start().await;
    let server = MockServer::start().await;
    let location = format!(
        "{}/stolen?ticket=hidden",
        elsewhere.uri().replace("http://", "http://user:secret@")
    );
    let response = ResponseTemplate::new(307).insert_header("location", location.as_str());
    Mock::given(method("GET")).respond_with(response).mount(&server).await;
    let token = SecretSource::from_args("MC_TOKEN", Some("s3cret"), None).unwrap();
    let error = with_token(&server.uri(), token)
        .pack(&Validators::none())
        .await
        .unwrap_err();
    assert!(elsewhere.received_requests().await.unwrap().is_empty());
    let McError::Redirect { location, .. } = &error else {
        panic!("{error}")
    };
    assert_eq!(
        *location,
        format!("{}/stolen", elsewhere.uri().trim_start_matches("http://"))
    );
}

#[tokio::test]
async fn even_a_client_that_follows_redirects_is_not_believed() {
    let elsewhere = MockServer::start().await;
    let tar = ResponseTemplate::new(200).set_body_raw("tar", TAR);
    Mock::given(method("GET")).respond_with(tar).mount(&elsewhere).await;
    let server = MockServer::start().await;
    let moved = ResponseTemplate::new(302).insert_header("location", format!("{}/x", elsewhere.uri()).as_str());
    Mock::given(method("GET")).respond_with(moved).mount(&server).await;
    let options = runtime::HttpOptions {
        no_proxy: true,
        follow_redirects: true,
        ..runtime::HttpOptions::default()
    };
    let http = runtime::http::client(&options).unwrap();
    let client = PackClient::new(http, server.uri().parse().unwrap(), None).with_timeouts(LIMITS);
    let error = client.pack(&Validators::none()).await.unwrap_err();
    assert_eq!(error.kind(), McErrorKind::Redirect);
}

#[tokio::test]
async fn neither_token_nor_query_nor_user_is_in_any_error() {
    let server = MockServer::start().await;
    Mock::given(method("GET"))
        .respond_with(ResponseTemplate::new(401))
        .mount(&server)
        .await;
    let address = server.uri().replace("http://", "http://user:pass-word@");
    let closed = format!("http://user:pass-word@{}", closed_port().await);
    for base in [address, closed] {
        let url = format!("{base}/pack?ticket=hidden").parse().unwrap();
        let token = SecretSource::Value(Secret::new("s3cret-token"));
        let client = PackClient::new(crate::support::http(), url, Some(token)).with_timeouts(LIMITS);
        let error = client.pack(&Validators::none()).await.unwrap_err();
        let mut text = format!("{error:?} {error}");
        let mut next = std::error::Error::source(&error);
        while let Some(source) = next {
            text.push_str(&source.to_string());
            next = source.source();
        }
        for secret in ["pass-word", "hidden", "s3cret-token"] {
            assert!(!text.contains(secret), "{secret} in {text}");
        }
    }
}

async fn closed_port() -> std::net::SocketAddr {
    tokio::net::TcpListener::bind("127.0.0.1:0")
        .await
        .unwrap()
        .local_addr()
        .unwrap()
}
