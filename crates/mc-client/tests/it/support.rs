//! A client with short limits, and servers that speak raw bytes.

use std::net::SocketAddr;
use std::time::Duration;

use mc_client::{McError, PackClient, PackReply, Timeouts, Validators};
use runtime::{HttpOptions, SecretSource};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use wiremock::MockServer;

pub(crate) const PATH: &str = "/v1/policy/packs/policy-pack-v0";
pub(crate) const TAR: &str = "application/vnd.intelgraph.policy+tar";

/// Far longer than anything here takes when it works.
pub(crate) const LONG: Duration = Duration::from_secs(30);
pub(crate) const LIMITS: Timeouts = Timeouts {
    response: LONG,
    idle: LONG,
    total: LONG,
};

pub(crate) fn http() -> reqwest::Client {
    let options = HttpOptions {
        no_proxy: true,
        ..HttpOptions::default()
    };
    runtime::http::client(&options).unwrap()
}

pub(crate) fn client(base: &str) -> PackClient {
    with_token(base, None)
}

pub(crate) fn with_token(base: &str, token: Option<SecretSource>) -> PackClient {
    PackClient::new(http(), format!("{base}{PATH}").parse().unwrap(), token).with_timeouts(LIMITS)
}

pub(crate) fn for_mock(server: &MockServer) -> PackClient {
    client(&server.uri())
}

/// Reads the pack to its end.
pub(crate) async fn read(client: &PackClient) -> Result<Vec<u8>, McError> {
    let mut body = match client.pack(&Validators::none()).await? {
        PackReply::Pack(body) => body,
        PackReply::NotModified(headers) => panic!("not modified: {headers:?}"),
    };
    let mut bytes = Vec::new();
    while let Some(chunk) = body.chunk().await? {
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes)
}

/// How a raw server goes on after its first bytes.
pub(crate) enum Then {
    /// Closes the connection in order.
    Close,
    /// Ends it with RST.
    Reset,
    /// Keeps it open, and silent.
    Silence,
    /// Sends these bytes again and again, with a pause.
    Repeat(&'static [u8], Duration),
}

/// Serves every connection: reads a request, sends `bytes`, and goes on as told.
pub(crate) async fn raw(bytes: impl Into<Vec<u8>>, then: Then) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr: SocketAddr = listener.local_addr().unwrap();
    let bytes = bytes.into();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            serve(stream, &bytes, &then).await;
        }
    });
    format!("http://{addr}")
}

async fn serve(mut stream: TcpStream, bytes: &[u8], then: &Then) {
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        if stream.read(&mut byte).await.unwrap_or(0) == 0 {
            return;
        }
        request.push(byte[0]);
    }
    // The client may be gone already: that is what some tests are about.
    let _ = stream.write_all(bytes).await;
    match then {
        Then::Close => {}
        Then::Reset => stream.set_zero_linger().unwrap(),
        Then::Silence => {
            // What else the client sends (the body of a POST) is not an end of the silence.
            while stream.read(&mut [0; 1024]).await.unwrap_or(0) > 0 {}
        }
        Then::Repeat(piece, pause) => {
            while stream.write_all(piece).await.is_ok() {
                tokio::time::sleep(*pause).await;
            }
        }
    }
}
