//! Two clients: one that speaks HTTP/1.1 byte by byte, and hyper's for HTTP/2 and TLS.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use load_target::{Fault, Kind, Target, TargetConfig};
use rustls::pki_types::{CertificateDer, ServerName, pem::PemObject as _};

/// Longer than anything here takes, even on a machine with better things to do.
const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) fn start(config: TargetConfig) -> Target {
    Target::start(config).unwrap()
}

/// A target that does this to every request.
pub(crate) fn always(kind: Kind) -> TargetConfig {
    TargetConfig {
        faults: vec![Fault { kind, share: 1.0 }],
        ..TargetConfig::default()
    }
}

/// A response, or the part of it that came.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

pub(crate) struct Http1(pub(crate) TcpStream);

impl Http1 {
    pub(crate) fn to(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_nodelay(true).unwrap();
        Self(stream)
    }

    pub(crate) fn send(&mut self, body: &str) {
        self.send_bytes(&request(body));
    }

    pub(crate) fn send_bytes(&mut self, request: &str) {
        self.0.write_all(request.as_bytes()).unwrap();
    }

    /// Everything until the target ends the connection.
    pub(crate) fn read_to_end(&mut self) -> std::io::Result<String> {
        let mut all = Vec::new();
        self.0.read_to_end(&mut all)?;
        Ok(String::from_utf8_lossy(&all).into_owned())
    }

    /// One response with a length.
    pub(crate) fn read(&mut self) -> std::io::Result<Answer> {
        let mut all = Vec::new();
        let head = loop {
            if let Some(end) = all.windows(4).position(|four| four == b"\r\n\r\n") {
                break String::from_utf8(all.drain(..end + 4).collect()).unwrap();
            }
            self.more(&mut all)?;
        };
        let length = head
            .lines()
            .find_map(|line| line.strip_prefix("content-length: "))
            .map_or(0, |length| length.parse().unwrap());
        while all.len() < length {
            self.more(&mut all)?;
        }
        assert_eq!(all.len(), length, "nothing but the answer");
        Ok(Answer {
            status: head[9..12].parse().unwrap(),
            head,
            body: String::from_utf8(all).unwrap(),
        })
    }

    fn more(&mut self, all: &mut Vec<u8>) -> std::io::Result<()> {
        let mut chunk = [0; 4096];
        match self.0.read(&mut chunk)? {
            0 => Err(std::io::ErrorKind::UnexpectedEof.into()),
            count => {
                all.extend_from_slice(&chunk[..count]);
                Ok(())
            }
        }
    }

    pub(crate) fn ask(&mut self, body: &str) -> std::io::Result<Answer> {
        self.send(body);
        self.read()
    }
}

pub(crate) fn request(body: &str) -> String {
    format!(
        "POST /graphql HTTP/1.1\r\nhost: target\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

/// A status and a body, or how it went wrong.
type Exchanged = Result<(u16, String), hyper::Error>;

/// Asks over HTTP/2, through TLS when the target speaks it; also says what was agreed by ALPN.
pub(crate) fn ask_http2(target: &Target, requests: usize) -> (Vec<Exchanged>, Option<Vec<u8>>) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let tcp = tokio::net::TcpStream::connect(target.address()).await.unwrap();
        let Some(ca) = target.ca_pem() else {
            return (exchange(tcp, requests).await, None);
        };
        let mut roots = rustls::RootCertStore::empty();
        roots
            .add(CertificateDer::from_pem_slice(ca.as_bytes()).unwrap())
            .unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut config = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        let name = ServerName::from(target.address().ip());
        let stream = tokio_rustls::TlsConnector::from(Arc::new(config))
            .connect(name, tcp)
            .await
            .unwrap();
        let alpn = stream.get_ref().1.alpn_protocol().map(<[u8]>::to_vec);
        (exchange(stream, requests).await, alpn)
    })
}

async fn exchange<S>(stream: S, requests: usize) -> Vec<Exchanged>
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static,
{
    let (sender, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(stream))
        .await
        .unwrap();
    let connection = tokio::spawn(connection);
    let all = (0..requests).map(|number| {
        let mut sender = sender.clone();
        tokio::spawn(async move {
            let request = hyper::Request::post("http://target/graphql")
                .header("x-number", number)
                .body(Full::new(Bytes::from_static(b"{}")))
                .unwrap();
            let response = sender.send_request(request).await?;
            let status = response.status().as_u16();
            let body = response.into_body().collect().await?.to_bytes();
            Ok((status, String::from_utf8(body.to_vec()).unwrap()))
        })
    });
    let mut answers = Vec::new();
    for answer in all.collect::<Vec<_>>() {
        answers.push(answer.await.unwrap());
    }
    drop(sender);
    connection.abort();
    answers
}
