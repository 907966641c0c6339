//! The bundle port, with the clock paused: what OPA gets, and how long it is made to wait.

use bytes::Bytes;
use opa_client::bundle::{BundleBuilder, RegoVersion};
use pack_verify::Sha256Digest;
use runtime::shutdown::{Shutdown, ShutdownTrigger};
use std::sync::Arc;
use tokio::time::Instant;

use super::*;
use crate::feed::Served;

fn headers(fields: &[(&'static str, &str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in fields {
        headers.insert(*name, HeaderValue::from_str(value).unwrap());
    }
    headers
}

fn served(revision: &str) -> Arc<Served> {
    let builder = BundleBuilder::new(revision, ["cos"], RegoVersion::V1)
        .policy("opa/cos.rego", Bytes::from_static(b"package cos\n"));
    Arc::new(Served {
        digest: Sha256Digest::of(revision.as_bytes()),
        revision: revision.to_owned(),
        body: builder.write().unwrap(),
    })
}

fn port() -> (Shared, ShutdownTrigger) {
    let (shutdown, trigger) = Shutdown::manual();
    let shared = Shared {
        feed: Feed::default(),
        name: "policy".to_owned(),
        draining: shutdown,
    };
    (shared, trigger)
}

async fn ask(shared: &Shared, name: &str, fields: &[(&'static str, &str)]) -> Response {
    bundle(State(shared.clone()), Path(name.to_owned()), headers(fields)).await
}

const LONG: (&str, &str) = ("prefer", "modes=snapshot,delta;wait=10");

#[tokio::test(start_paused = true)]
async fn a_first_poll_gets_the_bundle_with_what_keeps_opa_polling_long() {
    let (shared, _trigger) = port();
    let one = served("1");
    shared.feed.offer(&one);
    let response = ask(&shared, "policy", &[LONG]).await;
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(response.headers()["content-type"], BUNDLE_TYPE);
    assert_eq!(response.headers()["etag"], one.etag().as_str());
    assert_eq!(
        response.headers()["content-length"],
        one.body.chunks().len().to_string().as_str()
    );
}

#[tokio::test(start_paused = true)]
async fn a_known_bundle_is_never_sent_again_and_304_waits() {
    let (shared, _trigger) = port();
    let one = served("1");
    shared.feed.offer(&one);
    let begun = Instant::now();
    let response = ask(&shared, "policy", &[LONG, ("if-none-match", &one.etag())]).await;
    assert_eq!(response.status(), StatusCode::NOT_MODIFIED);
    assert_eq!(
        begun.elapsed().as_secs(),
        10,
        "an early 304 would make OPA poll in a hot loop"
    );
}

#[tokio::test(start_paused = true)]
async fn a_held_poll_gets_the_new_bundle_at_once() {
    let (shared, _trigger) = port();
    let one = served("1");
    shared.feed.offer(&one);
    let begun = Instant::now();
    let held = tokio::spawn({
        let (shared, etag) = (shared.clone(), one.etag());
        async move { ask(&shared, "policy", &[LONG, ("if-none-match", &etag)]).await }
    });
    tokio::time::sleep(Duration::from_secs(3)).await;
    shared.feed.offer(&served("2"));
    let response = held.await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(begun.elapsed().as_secs(), 3);
}

#[tokio::test(start_paused = true)]
async fn before_the_first_pack_a_long_poll_waits_and_a_short_one_is_told() {
    let (shared, _trigger) = port();
    let begun = Instant::now();
    assert_eq!(ask(&shared, "policy", &[LONG]).await.status(), StatusCode::NOT_MODIFIED);
    assert_eq!(begun.elapsed().as_secs(), 10);
    assert_eq!(ask(&shared, "policy", &[]).await.status(), StatusCode::NOT_FOUND);
    assert_eq!(begun.elapsed().as_secs(), 10);
}

#[tokio::test(start_paused = true)]
async fn another_name_is_told_the_right_one() {
    let (shared, _trigger) = port();
    assert_eq!(ask(&shared, "authz", &[LONG]).await.status(), StatusCode::NOT_FOUND);
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_lets_held_polls_go() {
    let (shared, trigger) = port();
    let held = tokio::spawn({
        let shared = shared.clone();
        async move { ask(&shared, "policy", &[LONG]).await }
    });
    tokio::time::sleep(Duration::from_secs(1)).await;
    let begun = Instant::now();
    trigger.trigger();
    assert_eq!(held.await.unwrap().status(), StatusCode::NOT_MODIFIED);
    assert_eq!(begun.elapsed().as_secs(), 0);
}

#[test]
fn the_wait_is_read_from_prefer() {
    let wait = |value| asked_wait(&headers(&[("prefer", value)]));
    assert_eq!(wait("modes=snapshot,delta;wait=5"), Some(Duration::from_secs(5)));
    assert_eq!(wait("wait=100000"), Some(LONGEST_WAIT));
    assert_eq!(wait("modes=snapshot,delta"), None);
    assert_eq!(wait("wait=soon"), None);
}

#[test]
fn the_first_validator_counts() {
    let first = |value| first_validator(&headers(&[("if-none-match", value)]));
    assert_eq!(first("\"a\""), Some("\"a\"".to_owned()));
    assert_eq!(first("W/\"a\", \"b\""), Some("\"a\"".to_owned()));
    assert_eq!(first(""), None);
}
