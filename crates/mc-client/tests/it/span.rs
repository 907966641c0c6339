//! The span of a request tells what was asked, and no secret.

use std::io::Write;
use std::sync::{Arc, Mutex};

use mc_client::PackClient;
use runtime::{Secret, SecretSource};
use tracing_subscriber::fmt::format::FmtSpan;
use wiremock::matchers::method;
use wiremock::{Mock, MockServer, ResponseTemplate};

use crate::support::{LIMITS, http};

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn one_span_a_request_with_method_template_status_and_attempt() {
    let server = MockServer::start().await;
    let response = ResponseTemplate::new(200).set_body_raw("body-of-bundle", "application/json");
    Mock::given(method("GET")).respond_with(response).mount(&server).await;
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::DEBUG)
        .with_ansi(false)
        .with_span_events(FmtSpan::CLOSE)
        .with_writer(move || writer.clone())
        .finish();
    let url = format!("{}/some/pack-name?ticket=hidden", server.uri())
        .parse()
        .unwrap();
    let token = SecretSource::Value(Secret::new("s3cret-token"));
    let client = PackClient::new(http(), url, Some(token)).with_timeouts(LIMITS);
    let guard = tracing::subscriber::set_default(subscriber);
    client.attestation().await.unwrap();
    drop(guard);
    let text = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    let ours: Vec<_> = text
        .lines()
        .filter(|line| line.contains("mc_request") && line.contains("close"))
        .collect();
    assert_eq!(ours.len(), 1, "{text}");
    for part in [
        "method=GET",
        "path=\"/v1/policy/packs/{packId}/attestation\"",
        "attempt=1",
        "status=200",
    ] {
        assert!(ours[0].contains(part), "{part} in {}", ours[0]);
    }
    for line in text.lines().filter(|line| line.contains("mc_request")) {
        for secret in ["s3cret-token", "hidden", "body-of-bundle"] {
            assert!(!line.contains(secret), "{secret} in {line}");
        }
    }
}
