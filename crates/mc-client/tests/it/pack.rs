//! What a working MC gets asked, and what is made of its answers.

use mc_client::{PackReply, Validators};
use runtime::{Secret, SecretSource};
use wiremock::matchers::{header, header_exists, method, path};
use wiremock::{Mock, MockServer, Request, ResponseTemplate};

use crate::support::{PATH, TAR, for_mock, read, with_token};

fn whole() -> ResponseTemplate {
    ResponseTemplate::new(200)
        .set_body_raw("the tar", TAR)
        .insert_header("digest", "sha-256=00")
        .insert_header("content-digest", "sha-256=:AA==:")
        .insert_header("etag", "W/\"sha-256:00\"")
        .insert_header("last-modified", "Sun, 06 Nov 1994 08:49:37 GMT")
        .insert_header("x-cosign-bundle", "{\"mediaType\":\"m\"}")
}

#[tokio::test]
async fn a_pack_comes_with_its_headers_and_bytes() {
    let server = MockServer::start().await;
    Mock::given(method("GET"))
        .and(path(PATH))
        .respond_with(whole())
        .expect(1)
        .mount(&server)
        .await;
    let reply = for_mock(&server).pack(&Validators::none()).await.unwrap();
    let PackReply::Pack(mut body) = reply else {
        panic!("{reply:?}")
    };
    let headers = body.headers().clone();
    assert_eq!(headers.etag.as_deref(), Some("W/\"sha-256:00\""));
    assert_eq!(headers.content_type.as_deref(), Some(TAR));
    assert_eq!(headers.content_length, Some(7));
    assert_eq!(
        (headers.digest.as_slice(), headers.content_digest.as_slice()),
        (&["sha-256=00".into()][..], &["sha-256=:AA==:".into()][..])
    );
    assert!(headers.repr_digest.is_empty());
    assert_eq!(headers.inline_bundle.as_deref(), Some(&b"{\"mediaType\":\"m\"}"[..]));
    assert_eq!(
        headers.validators().last_modified.as_deref(),
        Some("Sun, 06 Nov 1994 08:49:37 GMT")
    );
    assert_eq!(body.chunk().await.unwrap().as_deref(), Some(&b"the tar"[..]));
    assert_eq!(body.chunk().await.unwrap(), None);
    assert_eq!(body.chunk().await.unwrap(), None, "the end stays the end");
}

#[tokio::test]
async fn a_known_pack_is_asked_for_by_its_tag_alone_and_not_sent_again() {
    let server = MockServer::start().await;
    let unchanged = ResponseTemplate::new(304).insert_header("etag", "W/\"a\"");
    Mock::given(header("if-none-match", "W/\"a\""))
        .respond_with(unchanged)
        .expect(1)
        .mount(&server)
        .await;
    let known = Validators {
        etag: Some("W/\"a\"".into()),
        last_modified: Some("Sun, 06 Nov 1994 08:49:37 GMT".into()),
    };
    let reply = for_mock(&server).pack(&known).await.unwrap();
    let PackReply::NotModified(headers) = reply else {
        panic!("{reply:?}")
    };
    assert_eq!(headers.etag.as_deref(), Some("W/\"a\""));
    let requests = server.received_requests().await.unwrap();
    assert!(
        !requests[0].headers.contains_key("if-modified-since"),
        "a date is too coarse beside a tag"
    );
}

#[tokio::test]
async fn without_a_tag_the_date_is_sent() {
    let server = MockServer::start().await;
    let date = "Sun, 06 Nov 1994 08:49:37 GMT";
    Mock::given(method("GET"))
        .respond_with(ResponseTemplate::new(304))
        .expect(1)
        .mount(&server)
        .await;
    let known = Validators {
        etag: None,
        last_modified: Some(date.into()),
    };
    assert!(matches!(
        for_mock(&server).pack(&known).await.unwrap(),
        PackReply::NotModified(_)
    ));
    let requests = server.received_requests().await.unwrap();
    assert_eq!(requests[0].headers["if-modified-since"], date);
}

#[tokio::test]
async fn nothing_is_retried() {
    let server = MockServer::start().await;
    Mock::given(method("GET"))
        .respond_with(ResponseTemplate::new(500))
        .expect(1)
        .mount(&server)
        .await;
    assert!(for_mock(&server).pack(&Validators::none()).await.is_err());
}

#[tokio::test]
async fn other_types_that_a_tar_is_served_as_are_accepted() {
    for content_type in ["application/x-tar", "application/gzip", "application/octet-stream"] {
        let server = MockServer::start().await;
        let response = ResponseTemplate::new(200).set_body_raw("the tar", content_type);
        Mock::given(method("GET")).respond_with(response).mount(&server).await;
        assert_eq!(read(&for_mock(&server)).await.unwrap(), b"the tar", "{content_type}");
    }
}

#[tokio::test]
async fn head_tells_without_the_bytes() {
    let server = MockServer::start().await;
    Mock::given(method("HEAD"))
        .and(path(PATH))
        .respond_with(whole())
        .expect(1)
        .mount(&server)
        .await;
    let headers = for_mock(&server).head().await.unwrap();
    assert_eq!(
        (headers.digest[0].as_str(), headers.etag.as_deref()),
        ("sha-256=00", Some("W/\"sha-256:00\""))
    );
}

#[tokio::test]
async fn the_token_is_read_again_for_each_request() {
    let server = MockServer::start().await;
    Mock::given(header_exists("authorization"))
        .respond_with(whole())
        .mount(&server)
        .await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("token");
    std::fs::write(&file, "first\n").unwrap();
    let source = SecretSource::from_args("MC_TOKEN", None::<Secret>, Some(file.clone())).unwrap();
    let client = with_token(&server.uri(), source);
    read(&client).await.unwrap();
    std::fs::write(&file, "other\n").unwrap();
    client.head().await.unwrap();
    std::fs::write(&file, "third\n").unwrap();
    client.attestation().await.unwrap();
    let sent = |request: &Request| request.headers["authorization"].to_str().unwrap().to_owned();
    let tokens: Vec<_> = server.received_requests().await.unwrap().iter().map(sent).collect();
    assert_eq!(tokens, ["Bearer first", "Bearer other", "Bearer third"]);
    std::fs::remove_file(&file).unwrap();
    let error = client.head().await.unwrap_err();
    assert_eq!((error.kind().as_str(), error.is_transient()), ("secret", false));
    assert_eq!(
        server.received_requests().await.unwrap().len(),
        3,
        "without its token nothing is asked"
    );
}
