//! Connections that fail, and secrets that stay secret.

use std::error::Error;
use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

use opa_client::{HealthScope, OpaClient, OpaError};
use runtime::http::HttpOptions;
use runtime::secret::SecretSource;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use wiremock::{Mock, MockServer, ResponseTemplate};

use crate::support::{TOKEN, client_at, path};

/// Answers every connection with these bytes and closes it.
async fn raw_server(answer: &'static [u8]) -> SocketAddr {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            let mut request = [0; 4096];
            let _ = socket.read(&mut request).await;
            let _ = socket.write_all(answer).await;
            let _ = socket.shutdown().await;
        }
    });
    address
}

fn whole_chain(error: &OpaError) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(inner) = source {
        text = format!("{text}: {inner}");
        source = inner.source();
    }
    text
}

#[tokio::test]
async fn nobody_there_is_unreachable() {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let opa = client_at(
        &format!("http://user:hunter2@127.0.0.1:{port}/?key=hunter3"),
        Some(TOKEN),
    );
    let error = opa.health(HealthScope::Live).await.unwrap_err();
    assert_eq!((error.kind(), error.is_transient()), ("unreachable", true));
    let text = whole_chain(&error);
    assert!(text.contains(&format!("127.0.0.1:{port}")), "{text}");
    for secret in ["hunter2", "hunter3", TOKEN] {
        assert!(
            !text.contains(secret) && !format!("{error:?}").contains(secret),
            "{text}"
        );
    }
}

#[tokio::test]
async fn an_answer_shorter_than_announced_is_truncated() {
    let address = raw_server(
        b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 500\r\n\r\n{\"result\": {\"a\"",
    )
    .await;
    let error = client_at(&format!("http://{address}"), None)
        .get_data(&path("a"))
        .await
        .unwrap_err();
    assert_eq!((error.kind(), error.is_transient()), ("truncated", true), "{error:?}");
}

#[tokio::test]
async fn a_connection_closed_without_an_answer_is_unreachable() {
    let address = raw_server(b"").await;
    let error = client_at(&format!("http://{address}"), None)
        .get_data(&path("a"))
        .await
        .unwrap_err();
    assert_eq!(error.kind(), "unreachable", "{error:?}");
}

#[tokio::test]
async fn silence_is_a_timeout() {
    let server = MockServer::start().await;
    let slow = ResponseTemplate::new(200).set_delay(Duration::from_mins(1));
    Mock::given(wiremock::matchers::any())
        .respond_with(slow)
        .mount(&server)
        .await;
    let options = HttpOptions {
        request_timeout: Duration::from_millis(50),
        no_proxy: true,
        ..HttpOptions::default()
    };
    let opa = OpaClient::new(
        runtime::http::client(&options).unwrap(),
        server.uri().parse().unwrap(),
        None,
    );
    let error = opa.config().await.unwrap_err();
    assert_eq!((error.kind(), error.is_transient()), ("timeout", true), "{error:?}");
}

#[tokio::test]
async fn a_redirect_is_not_followed_and_its_query_is_not_told() {
    let server = MockServer::start().await;
    let away = ResponseTemplate::new(302).insert_header("location", "https://login.example.com/?ticket=hunter2");
    Mock::given(wiremock::matchers::any())
        .respond_with(away)
        .mount(&server)
        .await;
    let error = client_at(&server.uri(), None).config().await.unwrap_err();
    assert_eq!(error.kind(), "not_opa");
    assert!(
        error.to_string().contains("a redirect to https://login.example.com/"),
        "{error}"
    );
    assert!(!format!("{error:?}").contains("hunter2"), "{error:?}");
}

#[tokio::test]
async fn a_rotated_token_is_used_at_once_and_a_bad_one_is_not_sent() {
    let server = MockServer::start().await;
    let good = ResponseTemplate::new(200).set_body_raw("{}", "application/json");
    Mock::given(wiremock::matchers::any())
        .respond_with(good)
        .mount(&server)
        .await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("token");
    std::fs::write(&file, "first\n").unwrap();
    let token = SecretSource::from_args("opa-token", None::<String>, Some(file.clone())).unwrap();
    let http = runtime::http::client(&HttpOptions {
        no_proxy: true,
        ..HttpOptions::default()
    })
    .unwrap();
    let opa = OpaClient::new(http, server.uri().parse().unwrap(), token);

    opa.health(HealthScope::Live).await.unwrap();
    std::fs::write(&file, "second\n").unwrap();
    opa.health(HealthScope::Live).await.unwrap();
    std::fs::write(&file, "bad\ntoken").unwrap();
    let bad = opa.health(HealthScope::Live).await.unwrap_err();
    assert!(matches!(bad, OpaError::BadToken | OpaError::Secret(_)), "{bad:?}");
    std::fs::remove_file(&file).unwrap();
    let gone = opa.health(HealthScope::Live).await.unwrap_err();
    assert!(matches!(gone, OpaError::Secret(_)), "{gone:?}");

    let sent: Vec<String> = server
        .received_requests()
        .await
        .unwrap()
        .iter()
        .map(|request| request.headers["authorization"].to_str().unwrap().to_owned())
        .collect();
    assert_eq!(sent, ["Bearer first", "Bearer second"]);
    assert!(!format!("{opa:?}").contains("second"));
}
