//! Connections that break, stall or never end.

use std::time::{Duration, Instant};

use mc_client::{McError, McErrorKind, PackReply, TimeoutPhase, Timeouts, Validators};
use tokio::io::AsyncReadExt;
use tokio::net::TcpListener;

use crate::support::{LIMITS, LONG, Then, client, raw, read};

const SHORT: Duration = Duration::from_millis(200);
const HEAD: &str = "HTTP/1.1 200 OK\r\ncontent-type: application/vnd.intelgraph.policy+tar\r\n";

fn head(length: usize, body: &str) -> String {
    format!("{HEAD}content-length: {length}\r\n\r\n{body}")
}

#[tokio::test]
async fn a_body_that_is_shorter_than_announced_is_truncated() {
    for then in [Then::Close, Then::Reset] {
        let server = raw(head(10, "half"), then).await;
        let error = read(&client(&server)).await.unwrap_err();
        let McError::Truncated { received, expected, .. } = &error else {
            panic!("{error:?}")
        };
        assert_eq!((*received, *expected), (4, Some(10)), "{error}");
        assert!(error.is_transient());
    }
}

#[tokio::test]
async fn a_chunked_body_that_breaks_off_is_truncated_and_stays_so() {
    let server = raw(
        format!("{HEAD}transfer-encoding: chunked\r\n\r\n4\r\nhalf\r\n"),
        Then::Close,
    )
    .await;
    let reply = client(&server).pack(&Validators::none()).await.unwrap();
    let PackReply::Pack(mut body) = reply else {
        panic!("{reply:?}")
    };
    assert_eq!(body.chunk().await.unwrap().as_deref(), Some(&b"half"[..]));
    for _ in 0..3 {
        let error = body.chunk().await.unwrap_err();
        assert_eq!(
            error.kind(),
            McErrorKind::Truncated,
            "an error must never be followed by an end: {error}"
        );
    }
}

#[tokio::test]
async fn a_body_that_is_longer_than_announced_ends_where_it_was_announced() {
    let server = raw(head(4, "halfmore"), Then::Close).await;
    assert_eq!(read(&client(&server)).await.unwrap(), b"half");
}

#[tokio::test]
async fn a_connection_that_breaks_before_the_answer_is_unreachable() {
    for then in [Then::Close, Then::Reset] {
        let server = raw("", then).await;
        let error = read(&client(&server)).await.unwrap_err();
        assert_eq!(
            (error.kind(), error.is_transient()),
            (McErrorKind::Unreachable, true),
            "{error:?}"
        );
    }
    let free = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let error = read(&client(&format!("http://{free}"))).await.unwrap_err();
    assert_eq!(error.kind(), McErrorKind::Unreachable, "{error:?}");
}

#[tokio::test]
async fn what_is_no_http_is_unreachable_and_what_is_no_tls_says_so() {
    let server = raw("SSH-2.0-OpenSSH\r\n", Then::Close).await;
    assert_eq!(
        read(&client(&server)).await.unwrap_err().kind(),
        McErrorKind::Unreachable
    );
    let plain = plain_text_server().await;
    let error = read(&client(&plain.replace("http://", "https://"))).await.unwrap_err();
    assert_eq!(
        (error.kind(), error.is_transient()),
        (McErrorKind::Tls, false),
        "{error:?}"
    );
}

/// Answers whatever comes in plain text, as a port does that was meant for http.
async fn plain_text_server() -> String {
    use tokio::io::AsyncWriteExt;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let _ = stream.read(&mut [0; 64]).await;
            let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
        }
    });
    format!("http://{addr}")
}

async fn timeout(server: &str, limits: Timeouts) -> (TimeoutPhase, Duration) {
    let start = Instant::now();
    let error = read(&client(server).with_timeouts(limits)).await.unwrap_err();
    let McError::Timeout { phase, after, .. } = error else {
        panic!("{error:?}")
    };
    assert!(
        start.elapsed() >= SHORT && start.elapsed() < LONG / 2,
        "{:?}",
        start.elapsed()
    );
    assert_eq!(after, SHORT);
    (phase, after)
}

#[tokio::test]
async fn a_server_that_never_answers_times_out() {
    let server = raw("", Then::Silence).await;
    let limits = Timeouts {
        response: SHORT,
        ..LIMITS
    };
    assert_eq!(timeout(&server, limits).await.0, TimeoutPhase::Response);
    let limits = Timeouts { total: SHORT, ..LIMITS };
    assert_eq!(timeout(&server, limits).await.0, TimeoutPhase::Total);
}

#[tokio::test]
async fn a_body_that_stalls_times_out() {
    let server = raw(head(10, "half"), Then::Silence).await;
    let limits = Timeouts { idle: SHORT, ..LIMITS };
    assert_eq!(timeout(&server, limits).await.0, TimeoutPhase::Idle);
}

#[tokio::test]
async fn a_slow_drip_ends_with_the_total_deadline() {
    let server = raw(head(1_000_000, ""), Then::Repeat(b"x", Duration::from_millis(10))).await;
    let limits = Timeouts { total: SHORT, ..LIMITS };
    assert_eq!(timeout(&server, limits).await.0, TimeoutPhase::Total);
}

#[tokio::test]
async fn an_endless_body_ends_with_the_total_deadline() {
    static ZEROS: [u8; 65536] = [0; 65536];
    let server = raw(format!("{HEAD}\r\n"), Then::Repeat(&ZEROS, Duration::ZERO)).await;
    let client = client(&server).with_timeouts(Timeouts { total: SHORT, ..LIMITS });
    let reply = client.pack(&Validators::none()).await.unwrap();
    let PackReply::Pack(mut body) = reply else {
        panic!("{reply:?}")
    };
    let error = loop {
        match body.chunk().await {
            Ok(Some(_)) => {}
            Ok(None) => panic!("it has no end"),
            Err(error) => break error,
        }
    };
    assert!(
        matches!(
            error,
            McError::Timeout {
                phase: TimeoutPhase::Total,
                ..
            }
        ),
        "{error:?}"
    );
}

#[tokio::test]
async fn dropping_the_body_ends_the_transfer() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let server = tokio::spawn(async move {
        use tokio::io::AsyncWriteExt;
        let (mut stream, _) = listener.accept().await.unwrap();
        let _ = stream.read(&mut [0; 4096]).await;
        stream.write_all(format!("{HEAD}\r\n").as_bytes()).await.unwrap();
        let mut sent = 0_u64;
        while stream.write_all(&[0; 8192]).await.is_ok() {
            sent += 8192;
        }
        sent
    });
    let reply = client(&url).pack(&Validators::none()).await.unwrap();
    let PackReply::Pack(mut body) = reply else {
        panic!("{reply:?}")
    };
    assert!(body.chunk().await.unwrap().is_some());
    drop(body);
    let sent = tokio::time::timeout(LONG, server)
        .await
        .expect("the server must notice")
        .unwrap();
    assert!(sent < 64 << 20, "{sent} bytes were sent to nobody");
}

#[tokio::test]
async fn the_words_of_an_error_are_waited_for_only_briefly() {
    let head = "HTTP/1.1 404 Not Found\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{\"err";
    let server = raw(head, Then::Silence).await;
    let start = Instant::now();
    let error = client(&server).pack(&Validators::none()).await.unwrap_err();
    assert!(matches!(error, McError::UnknownPack { detail: None, .. }), "{error:?}");
    assert!(start.elapsed() < LONG / 2);
}

#[tokio::test]
async fn an_error_page_without_end_is_cut() {
    let head = "HTTP/1.1 500 Oops\r\ncontent-type: application/json\r\n\r\n";
    let server = raw(head, Then::Repeat(&[b' '; 1024], Duration::ZERO)).await;
    let error = client(&server).pack(&Validators::none()).await.unwrap_err();
    assert!(matches!(error, McError::Status { detail: None, .. }), "{error:?}");
}
