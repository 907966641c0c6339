//! Owns the pack endpoints: the contract's answers, and the faults on top of them. `graphql` uses the same exchange.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::body::Body;
use axum::extract::{ConnectInfo, Path, Request, State};
use axum::response::Response;
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use pack_verify::Sha256Digest;
use pack_verify::sign::{KeyKind, Signer};

use crate::body::Delivery;
use crate::conditional::not_modified;
use crate::fault::{Endpoint, Fault, Stage};
use crate::net::Connection;
use crate::reply::{error, faulty_status, moved, no_attestation, page, set, unauthorized, unchanged};
use crate::requests::RequestRecord;
use crate::state::Shared;
use crate::store::{Entry, Served, tag_of};

const PACK_TYPE: &str = "application/vnd.intelgraph.policy+tar";
const BUNDLE_TYPE: &str = "application/vnd.sigstore.bundle+json";
const DIGEST: HeaderName = HeaderName::from_static("digest");
const COSIGN_BUNDLE: HeaderName = HeaderName::from_static("x-cosign-bundle");

/// One request, with what is needed to answer it and to record the answer.
pub(crate) struct Exchange {
    pub(crate) shared: Arc<Shared>,
    connection: Connection,
    endpoint: Endpoint,
    method: Method,
    headers: HeaderMap,
    path: String,
    pub(crate) seq: u64,
}

pub(crate) async fn pack(
    State(shared): State<Arc<Shared>>,
    ConnectInfo(connection): ConnectInfo<Connection>,
    Path(id): Path<String>,
    request: Request,
) -> Response {
    Exchange::begin(shared, connection, Endpoint::Pack, &request)
        .answer(&id)
        .await
}

pub(crate) async fn attestation(
    State(shared): State<Arc<Shared>>,
    ConnectInfo(connection): ConnectInfo<Connection>,
    Path(id): Path<String>,
    request: Request,
) -> Response {
    Exchange::begin(shared, connection, Endpoint::Attestation, &request)
        .answer(&id)
        .await
}

pub(crate) async fn other(
    State(shared): State<Arc<Shared>>,
    ConnectInfo(connection): ConnectInfo<Connection>,
    request: Request,
) -> Response {
    let exchange = Exchange::begin(shared, connection, Endpoint::Other, &request);
    exchange.send(error(StatusCode::NOT_FOUND, "not found"))
}

impl Exchange {
    pub(crate) fn begin(shared: Arc<Shared>, connection: Connection, endpoint: Endpoint, request: &Request) -> Self {
        let headers = request.headers().clone();
        let text = |name| {
            headers
                .get(name)
                .and_then(|value: &HeaderValue| value.to_str().ok())
                .map(str::to_owned)
        };
        let path = request.uri().path().to_owned();
        let seq = shared.record(|requests| {
            requests.arrived(RequestRecord {
                seq: 0,
                at: Instant::now(),
                method: request.method().to_string(),
                path: path.clone(),
                endpoint,
                if_none_match: text(header::IF_NONE_MATCH),
                if_modified_since: text(header::IF_MODIFIED_SINCE),
                with_token: headers.contains_key(header::AUTHORIZATION),
                operations: Vec::new(),
                status: None,
                faults: Vec::new(),
            })
        });
        Self {
            shared,
            connection,
            endpoint,
            method: request.method().clone(),
            headers,
            path,
            seq,
        }
    }

    async fn answer(&self, id: &str) -> Response {
        if !self.token_is_right() {
            return self.send(unauthorized());
        }
        if let Some(response) = self.arrival_faults().await {
            return response;
        }
        let entry = self.shared.lock().store.get(id);
        let Some(Entry { current, .. }) = entry else {
            return self.send(error(StatusCode::NOT_FOUND, "unknown pack"));
        };
        let Some(current) = current else {
            return self.send(error(StatusCode::SERVICE_UNAVAILABLE, "pack not built yet"));
        };
        let response = match self.endpoint {
            Endpoint::Attestation => self.attestation(&current),
            _ => self.pack(id, &current),
        };
        self.send(response)
    }

    pub(crate) fn token_is_right(&self) -> bool {
        let Some(expected) = self.shared.lock().bearer.clone() else {
            return true;
        };
        let sent = self
            .headers
            .get(header::AUTHORIZATION)
            .and_then(|value| value.to_str().ok());
        sent.and_then(|value| value.strip_prefix("Bearer ")) == Some(expected.as_str())
    }

    /// Takes the faults of this stage and records them.
    pub(crate) fn take(&self, stage: Stage) -> Vec<Fault> {
        let met = self.shared.lock().faults.take(self.endpoint, stage);
        if !met.is_empty() {
            self.shared
                .record(|requests| requests.met(self.seq, met.iter().map(Fault::name)));
        }
        met
    }

    /// Latencies add up; the first fault that has an answer of its own gives it.
    pub(crate) async fn arrival_faults(&self) -> Option<Response> {
        let mut answer = None;
        for fault in self.take(Stage::Arrival) {
            let faulty = match fault {
                Fault::Latency { ms } => {
                    tokio::time::sleep(Duration::from_millis(ms)).await;
                    continue;
                }
                Fault::Reset { .. } => {
                    self.connection.reset_now();
                    // Not sent, and so not recorded as an answer: the connection refuses to write it.
                    answer.get_or_insert(Response::new(Body::empty()));
                    continue;
                }
                Fault::Status { code, retry_after } => faulty_status(code, retry_after),
                Fault::MissingAttestation => no_attestation(),
                Fault::RedirectLoop => moved(&self.path),
                Fault::Html => page(),
                _ => unauthorized(),
            };
            if answer.is_none() {
                answer = Some(self.send(faulty));
            }
        }
        answer
    }

    fn pack(&self, id: &str, current: &Served) -> Response {
        let tag = current.tag();
        if let Some(response) = self.stale(current) {
            return response;
        }
        if not_modified(&self.headers, &[&tag, &current.opaque_tag()], current.last_modified) {
            return unchanged(&tag, current);
        }
        let faults = self.take(Stage::Content);
        if faults.contains(&Fault::EtagRace) && self.method == Method::GET {
            self.shared.lock().store.swap(id);
        }
        let mut response = Response::new(Body::empty());
        let headers = response.headers_mut();
        set(headers, header::CONTENT_TYPE, PACK_TYPE);
        set(headers, header::CACHE_CONTROL, "public, max-age=60, immutable");
        set(
            headers,
            header::LAST_MODIFIED,
            &httpdate::fmt_http_date(current.last_modified),
        );
        let identity = Identity::new(current, &faults);
        set(headers, header::ETAG, &identity.tag);
        if let Some(digest) = identity.digest {
            set(headers, DIGEST, &format!("sha-256={}", digest.hex()));
        }
        if inline_bundle(self.shared.inline_bundle, &faults)
            && let Some(bundle) = current.attestation.as_deref().and_then(one_line)
        {
            headers.insert(COSIGN_BUNDLE, bundle);
        }
        self.deliver(response, current.tar.clone(), &faults)
    }

    fn attestation(&self, current: &Served) -> Response {
        let Some(attestation) = current.attestation.clone() else {
            return no_attestation();
        };
        let faults = self.take(Stage::Content);
        let foreign = faults.iter().find_map(|fault| match fault {
            Fault::ForeignAttestation { bundle } => Some(bundle.clone()),
            _ => None,
        });
        let body = match foreign {
            None => attestation,
            Some(Some(bundle)) => Bytes::from(bundle),
            Some(None) => match foreign_bundle() {
                Ok(bundle) => bundle,
                Err(cause) => return error(StatusCode::INTERNAL_SERVER_ERROR, &cause.to_string()),
            },
        };
        let mut response = Response::new(Body::empty());
        let headers = response.headers_mut();
        set(headers, header::CONTENT_TYPE, BUNDLE_TYPE);
        set(headers, header::CACHE_CONTROL, "public, max-age=300");
        set(headers, header::ETAG, &Identity::new(current, &faults).tag);
        self.deliver(response, body, &faults)
    }

    /// The fault `stale_304`: whatever tag the client sent is said to be the current one.
    fn stale(&self, current: &Served) -> Option<Response> {
        let tag = self.headers.get(header::IF_NONE_MATCH)?.to_str().ok()?.to_owned();
        let stale = !self.take(Stage::Conditional).is_empty();
        stale.then(|| unchanged(&tag, current))
    }

    pub(crate) fn deliver(&self, mut response: Response, content: Bytes, faults: &[Fault]) -> Response {
        let delivery = Delivery::from_faults(faults);
        if delivery.announces_length() {
            response
                .headers_mut()
                .insert(header::CONTENT_LENGTH, HeaderValue::from(content.len()));
        }
        if self.method != Method::HEAD {
            *response.body_mut() = delivery.body(content, self.connection.clone());
        }
        response
    }

    pub(crate) fn send(&self, response: Response) -> Response {
        self.shared
            .record(|requests| requests.answering(self.seq, response.status().as_u16()));
        response
    }
}

/// What the headers say that the bytes are.
struct Identity {
    tag: String,
    digest: Option<Sha256Digest>,
}

impl Identity {
    fn new(current: &Served, faults: &[Fault]) -> Self {
        let wrong = Sha256Digest::of(current.digest.as_bytes());
        if faults.contains(&Fault::NoDigestHeader) {
            Self {
                tag: current.opaque_tag(),
                digest: None,
            }
        } else if faults.contains(&Fault::WrongDigest) {
            Self {
                tag: tag_of(&wrong),
                digest: Some(wrong),
            }
        } else if faults.contains(&Fault::DigestConflict) {
            Self {
                tag: current.tag(),
                digest: Some(wrong),
            }
        } else {
            Self {
                tag: current.tag(),
                digest: Some(current.digest),
            }
        }
    }
}

fn inline_bundle(configured: bool, faults: &[Fault]) -> bool {
    let on_demand = faults.iter().rev().find_map(|fault| match fault {
        Fault::InlineBundle { on } => Some(*on),
        _ => None,
    });
    on_demand.unwrap_or(configured)
}

/// A header holds one line: JSON on several lines is written again on one. What is not JSON is not sent.
fn one_line(bundle: &[u8]) -> Option<HeaderValue> {
    let value: serde_json::Value = serde_json::from_slice(bundle).ok()?;
    HeaderValue::from_str(&value.to_string()).ok()
}

/// A well-formed bundle for other bytes, by a key that is thrown away.
fn foreign_bundle() -> anyhow::Result<Bytes> {
    Ok(Bytes::from(
        Signer::generate(KeyKind::EcdsaP256)?.sign(b"another pack")?,
    ))
}
