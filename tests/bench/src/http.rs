//! Owns one kept-alive HTTP connection of one thread: what a client of OPA has, without pools and retries.

use std::{
    future::poll_fn,
    net::SocketAddr,
    pin::Pin,
    time::{Duration, Instant},
};

use anyhow::{Context as _, anyhow, bail};
use hyper::{Request, body::Body as _, client::conn::http1::SendRequest};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::{net::TcpStream, runtime::Runtime};

/// Nothing measured here takes this long unless it is broken.
const PATIENCE: Duration = Duration::from_mins(1);
/// Between two requests nobody looks at the connection, so that its end would go unnoticed: after this time a new one
/// is made. Servers keep idle ones longer.
const KEEP: Duration = Duration::from_secs(3);

pub(crate) struct Connection {
    runtime: Runtime,
    address: SocketAddr,
    kept: Option<(SendRequest<String>, Instant)>,
}

/// An answer, read to its end.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn json(&self) -> anyhow::Result<Value> {
        serde_json::from_slice(&self.body)
            .with_context(|| format!("not JSON ({}): {}", self.status, String::from_utf8_lossy(&self.body)))
    }

    pub(crate) fn ok(self) -> anyhow::Result<Self> {
        if (200..300).contains(&self.status) {
            return Ok(self);
        }
        bail!("answered {}: {}", self.status, String::from_utf8_lossy(&self.body))
    }
}

impl Connection {
    /// Connects with the first request.
    pub(crate) fn new(address: SocketAddr) -> anyhow::Result<Self> {
        Ok(Self {
            runtime: tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .context("starting a runtime")?,
            address,
            kept: None,
        })
    }

    pub(crate) fn get(&mut self, path: &str) -> anyhow::Result<Answer> {
        self.send("GET", path, &[], String::new())
    }

    pub(crate) fn send(
        &mut self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: String,
    ) -> anyhow::Result<Answer> {
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header("host", self.address.to_string());
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(body).context("building a request")?;
        let address = self.address;
        let kept = self.kept.take().filter(|(_, used)| used.elapsed() < KEEP);
        let exchange = async {
            let mut sender = match kept {
                Some((sender, _)) if !sender.is_closed() => sender,
                _ => connect(address).await?,
            };
            sender.ready().await?;
            let response = sender.send_request(request).await?;
            let status = response.status().as_u16();
            let mut incoming = response.into_body();
            let mut body = Vec::new();
            while let Some(frame) = poll_fn(|context| Pin::new(&mut incoming).poll_frame(context)).await {
                if let Ok(data) = frame?.into_data() {
                    body.extend_from_slice(&data);
                }
            }
            anyhow::Ok((sender, Answer { status, body }))
        };
        let (sender, answer) = self
            .runtime
            .block_on(async { tokio::time::timeout(PATIENCE, exchange).await })
            .map_err(|_| anyhow!("no answer within {} s", PATIENCE.as_secs()))
            .and_then(|result| result)
            .with_context(|| format!("{method} http://{address}{path}"))?;
        self.kept = Some((sender, Instant::now()));
        Ok(answer)
    }
}

async fn connect(address: SocketAddr) -> anyhow::Result<SendRequest<String>> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let (sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(async move {
        // An error here also ends the request that waits for it, which reports it.
        let _ = connection.await;
    });
    Ok(sender)
}
