//! The client against real sockets, with the environment given instead of set.

use super::*;
use wiremock::matchers::any;
use wiremock::{Mock, MockServer, ResponseTemplate};

async fn server(status: u16, header: Option<(&str, &str)>) -> MockServer {
    let server = MockServer::start().await;
    let mut answer = ResponseTemplate::new(status);
    if let Some((name, value)) = header {
        answer = answer.insert_header(name, value);
    }
    Mock::given(any()).respond_with(answer).mount(&server).await;
    server
}

fn options() -> HttpOptions {
    HttpOptions::new("tool/1.2.3")
}

async fn hosts(proxy: &MockServer) -> Vec<String> {
    let requests = proxy.received_requests().await.unwrap_or_default();
    requests
        .iter()
        .map(|r| r.url.host_str().unwrap_or_default().to_owned())
        .collect()
}

#[tokio::test]
async fn the_proxy_is_used_for_everything_but_loopback_and_no_proxy() {
    let proxy = server(200, None).await;
    let target = server(204, None).await;
    let uri = proxy.uri();
    let client = client_with(&options(), |name| match name {
        "http_proxy" => Some(uri.clone()),
        "NO_PROXY" => Some("127.1.2.3, internal.invalid".to_owned()),
        _ => None,
    })
    .expect("client");
    let port = target.address().port();
    for host in ["127.0.0.1", "localhost", "[::ffff:127.0.0.1]", "0.0.0.0"] {
        let status = client
            .get(format!("http://{host}:{port}/"))
            .send()
            .await
            .expect(host)
            .status();
        assert_eq!(status, 204, "{host}");
    }
    assert!(
        client.get("http://mc.internal.invalid/").send().await.is_err(),
        "NO_PROXY means direct, and there is no such host"
    );
    assert_eq!(
        client
            .get("http://mc.example.invalid/")
            .send()
            .await
            .expect("by proxy")
            .status(),
        200
    );
    assert_eq!(hosts(&proxy).await, ["mc.example.invalid"]);

    let direct = client_with(
        &HttpOptions {
            no_proxy: true,
            ..options()
        },
        |_| Some(uri.clone()),
    )
    .expect("client");
    assert!(direct.get("http://mc.example.invalid/").send().await.is_err());
    assert_eq!(hosts(&proxy).await.len(), 1);
}

#[tokio::test]
async fn the_user_agent_is_sent() {
    let target = server(200, None).await;
    client_with(&options(), |_| None)
        .expect("client")
        .get(target.uri())
        .send()
        .await
        .expect("answer");
    let requests = target.received_requests().await.expect("recorded");
    assert_eq!(requests[0].headers["user-agent"], "tool/1.2.3");
    assert!(
        requests[0].headers.get("accept-encoding").is_none(),
        "limits must see the bytes as sent"
    );
    let bad = client_with(&HttpOptions::new("line\nbreak"), |_| None).expect_err("refused");
    assert!(matches!(bad, HttpConfigError::Build(_)));
}

#[tokio::test]
async fn redirects_are_followed_only_on_request() {
    let end = server(200, None).await;
    let start = server(302, Some(("location", &end.uri()))).await;
    let client = client_with(&options(), |_| None).expect("client");
    assert_eq!(client.get(start.uri()).send().await.expect("answer").status(), 302);

    let follow = HttpOptions {
        follow_redirects: true,
        ..options()
    };
    let client = client_with(&follow, |_| None).expect("client");
    assert_eq!(client.get(start.uri()).send().await.expect("answer").status(), 200);

    let circle = MockServer::start().await;
    let back = ResponseTemplate::new(302).insert_header("location", circle.uri().as_str());
    Mock::given(any()).respond_with(back).mount(&circle).await;
    assert!(
        client
            .get(circle.uri())
            .send()
            .await
            .expect_err("a circle")
            .is_redirect()
    );
}

#[tokio::test]
async fn a_silent_server_is_a_timeout() {
    // Accepted by the system, never answered.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").expect("port");
    let url = format!("http://{}/", silent.local_addr().expect("address"));
    let quick = HttpOptions {
        request_timeout: Duration::from_millis(100),
        ..options()
    };
    let client = client_with(&quick, |_| None).expect("client");
    assert!(client.get(&url).send().await.expect_err("timeout").is_timeout());
    // Also when one request is given more time in total.
    let error = client
        .get(&url)
        .timeout(Duration::from_mins(1))
        .send()
        .await
        .expect_err("timeout");
    assert!(error.is_timeout());
}

#[test]
fn a_wrong_ca_file_is_named() {
    let dir = tempfile::tempdir().expect("dir");
    let path = dir.path().join("ca.pem");
    let error = |content: Option<&[u8]>| {
        if let Some(content) = content {
            std::fs::write(&path, content).expect("write");
        }
        let options = HttpOptions {
            ca_file: Some(path.clone()),
            ..options()
        };
        client_with(&options, |_| None).expect_err("refused")
    };
    assert!(matches!(error(None), HttpConfigError::MissingCaFile { .. }));
    let key = rcgen::KeyPair::generate().expect("key").serialize_pem();
    for (content, found) in [
        (&b""[..], "an empty file"),
        (key.as_bytes(), "a private key"),
        (&[0x30, 0x82, 1], "DER"),
    ] {
        let error = error(Some(content));
        assert!(matches!(error, HttpConfigError::CaFileWithoutCertificate { .. }));
        assert!(error.to_string().contains(found), "{error}");
    }
    let damaged = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    assert!(matches!(
        error(Some(damaged.as_bytes())),
        HttpConfigError::BadCaFile { number: 1, .. }
    ));
    let folder = HttpOptions {
        ca_file: Some(dir.path().to_owned()),
        ..options()
    };
    assert!(matches!(
        client_with(&folder, |_| None),
        Err(HttpConfigError::Unreadable { .. })
    ));
}

#[test]
fn roots_of_a_file_stand_alone() {
    let dir = tempfile::tempdir().expect("dir");
    let path = dir.path().join("ca.pem");
    let pair = rcgen::generate_simple_self_signed(vec!["db.invalid".to_owned()]).expect("certificate");
    std::fs::write(&path, pair.cert.pem()).expect("write");
    assert_eq!(trusted_roots(Some(&path)).expect("roots").len(), 1);
    assert_eq!(ca_certificates(&path).expect("certificates"), [pair.cert.der().clone()]);
    assert!(trusted_roots(None).expect("the machine's, or built-in ones").len() > 1);
    let missing = dir.path().join("missing.pem");
    assert!(matches!(
        trusted_roots(Some(&missing)),
        Err(HttpConfigError::MissingCaFile { .. })
    ));
}
