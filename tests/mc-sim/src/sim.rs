//! Owns the running server: a thread with a runtime of its own, so that stopping it ends every connection at once, and so
//! that a test's own runtime has no part in its timing.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use axum::Router;
use axum::routing::{any, get};
use pack_verify::Sha256Digest;
use pack_verify::sign::Signer;
use tokio::net::TcpSocket;
use tokio::sync::oneshot;

use crate::fault::FaultSpec;
use crate::folder::{Files, Packs};
use crate::graphql::answer::graphql;
use crate::graphql::evidence::{Evidence, EvidenceBundle};
use crate::net::{Connection, SimListener};
use crate::requests::Requests;
use crate::state::{Shared, build};
use crate::store::Published;
use crate::{answer, control};

/// After `stop`, the port can be held for a moment by what the system has not cleared away yet.
const REBIND: Duration = Duration::from_secs(5);

/// How a simulator is started. The default listens on a free port of the loopback address, has nothing published, asks
/// for no token and sends no bundle along with the pack.
#[derive(Default)]
pub struct SimConfig {
    /// Where to listen; none: `127.0.0.1:0`.
    pub listen: Option<SocketAddr>,
    /// The token that every request to MC's endpoints must carry.
    pub bearer: Option<String>,
    /// Whether the attestation is sent along in `X-Cosign-Bundle`.
    pub inline_bundle: bool,
    /// Signs the packs of the folder, and those that the control endpoint publishes.
    pub signer: Option<Signer>,
    /// Published at start, and again on `POST /control/reload`.
    pub packs: Option<Packs>,
}

/// A running MC. Dropping it stops it.
pub struct Sim {
    shared: Arc<Shared>,
    addr: SocketAddr,
    running: Mutex<Option<Running>>,
    /// Bound, but not listening: while the server is stopped, connections are refused and the system gives the port to
    /// nobody who asks for any free one.
    _reserved: Option<TcpSocket>,
}

struct Running {
    stop: oneshot::Sender<()>,
    thread: JoinHandle<()>,
}

impl Sim {
    /// Publishes the folder, if one is given, and listens. Needs no runtime around it.
    pub fn start(config: SimConfig) -> Result<Self> {
        let listen = config
            .listen
            .unwrap_or_else(|| SocketAddr::from((Ipv4Addr::LOCALHOST, 0)));
        let shared = Arc::new(Shared::new(
            config.bearer,
            config.inline_bundle,
            config.signer,
            config.packs,
        ));
        shared.load_folder()?;
        let socket = bind(listen).with_context(|| format!("listening on {listen}"))?;
        let addr = socket.local_addr().context("reading the address that was bound")?;
        let reserved = bind(addr).ok();
        let running = Running::start(socket, Arc::clone(&shared)).with_context(|| format!("listening on {addr}"))?;
        Ok(Self {
            shared,
            addr,
            running: Mutex::new(Some(running)),
            _reserved: reserved,
        })
    }

    /// The address, the same after a restart.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// The base URL, without a slash at the end.
    pub fn url(&self) -> String {
        format!("http://{}", self.addr)
    }

    /// The URL of a pack.
    pub fn pack_url(&self, id: &str) -> String {
        format!("http://{}/v1/policy/packs/{id}", self.addr)
    }

    /// The URL of the GraphQL endpoint.
    pub fn graphql_url(&self) -> String {
        format!("http://{}/graphql", self.addr)
    }

    /// Publishes evidence, as `publishEvidence` does.
    pub fn publish_evidence(&self, evidence: Evidence) -> EvidenceBundle {
        self.shared.lock().evidence.publish(evidence, jiff::Timestamp::now())
    }

    /// All evidence that was published, oldest first.
    pub fn evidence(&self) -> Vec<EvidenceBundle> {
        self.shared.lock().evidence.list()
    }

    /// Forgets all evidence.
    pub fn clear_evidence(&self) {
        self.shared.lock().evidence.clear();
    }

    /// Publishes these bytes, and returns their digest.
    pub fn publish(&self, id: &str, published: Published) -> Sha256Digest {
        self.shared.publish(id, published)
    }

    /// Builds the tar as MC does, signs it, and publishes both.
    pub fn publish_signed(&self, id: &str, files: Files, signer: &Signer) -> Result<Sha256Digest> {
        Ok(self.publish(id, build(files, Some(signer))?))
    }

    /// Sets the pack that [`crate::Fault::EtagRace`] puts in the place of the current one.
    pub fn stage(&self, id: &str, published: Published) -> Sha256Digest {
        self.shared.stage(id, published)
    }

    /// Makes the id known without a pack: 503 `pack not built yet`.
    pub fn announce(&self, id: &str) {
        self.shared.lock().store.announce(id);
    }

    /// Makes the id unknown: 404.
    pub fn withdraw(&self, id: &str) {
        self.shared.lock().store.withdraw(id);
    }

    /// Asks for this token from now on; none: for no token.
    pub fn set_bearer(&self, token: Option<&str>) {
        self.shared.lock().bearer = token.map(str::to_owned);
    }

    /// Adds a fault to those that are on.
    pub fn set_fault(&self, fault: impl Into<FaultSpec>) {
        self.shared.lock().faults.add(fault.into());
    }

    /// Switches all faults off. Answers that have begun go on as they began.
    pub fn clear_faults(&self) {
        self.shared.lock().faults.clear();
    }

    /// The faults that are on; limited ones with what is left of them.
    pub fn faults(&self) -> Vec<FaultSpec> {
        self.shared.lock().faults.list()
    }

    /// All requests so far.
    pub fn requests(&self) -> Requests {
        self.shared.lock().requests.clone()
    }

    /// Forgets all requests so far.
    pub fn clear_requests(&self) {
        self.shared.record(Requests::clear);
    }

    /// Waits until the record of requests fulfils the condition; false when the time is over first.
    pub async fn wait_until(&self, limit: Duration, mut condition: impl FnMut(&Requests) -> bool) -> bool {
        let mut changed = self.shared.changed.subscribe();
        let waiting = async {
            // The sender lives as long as `self`, so the channel cannot close; the loop ends by the condition.
            while !condition(&self.shared.lock().requests) {
                if changed.changed().await.is_err() {
                    return false;
                }
            }
            true
        };
        tokio::time::timeout(limit, waiting).await.unwrap_or(false)
    }

    /// Stops at once: connections end, new ones are refused. What is published and recorded stays.
    pub fn stop(&self) {
        let running = self.running.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(Running { stop, thread }) = running {
            // Both fail only if the thread is gone already, which is what is wanted.
            let _ = stop.send(());
            let _ = thread.join();
        }
    }

    /// Listens on the same port again, after [`Sim::stop`] or instead of it.
    pub fn restart(&self) -> Result<()> {
        self.stop();
        let until = Instant::now() + REBIND;
        let running = loop {
            let started = bind(self.addr).and_then(|socket| Running::start(socket, Arc::clone(&self.shared)));
            match started {
                Ok(running) => break running,
                Err(error) if error.kind() == io::ErrorKind::AddrInUse && Instant::now() < until => {
                    std::thread::sleep(Duration::from_millis(10));
                }
                Err(error) => return Err(error).with_context(|| format!("listening on {} again", self.addr)),
            }
        };
        *self.running.lock().unwrap_or_else(PoisonError::into_inner) = Some(running);
        Ok(())
    }
}

impl Drop for Sim {
    fn drop(&mut self) {
        self.stop();
    }
}

impl Running {
    fn start(socket: TcpSocket, shared: Arc<Shared>) -> io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (stop, stopped) = oneshot::channel::<()>();
        let (ready, listening) = mpsc::channel();
        let thread = std::thread::Builder::new().name("mc-sim".into()).spawn(move || {
            runtime.block_on(async move {
                let listener = socket.listen(1024);
                let serving = match listener {
                    Ok(listener) => axum::serve(
                        SimListener(listener),
                        router(shared).into_make_service_with_connect_info::<Connection>(),
                    ),
                    Err(error) => {
                        let _ = ready.send(Err(error));
                        return;
                    }
                };
                // The starter waits for this; it cannot be gone.
                let _ = ready.send(Ok(()));
                tokio::select! {
                    result = serving => if let Err(error) = result { tracing::error!(%error, "mc-sim ended") },
                    _ = stopped => {}
                }
            });
            // Dropping the runtime here drops the tasks of all connections, and so their sockets.
        })?;
        listening
            .recv()
            .map_err(|_| io::Error::other("the server's thread ended at once"))??;
        Ok(Self { stop, thread })
    }
}

fn bind(addr: SocketAddr) -> io::Result<TcpSocket> {
    let socket = if addr.is_ipv4() {
        TcpSocket::new_v4()
    } else {
        TcpSocket::new_v6()
    }?;
    socket.set_reuseaddr(true)?;
    socket.bind(addr)?;
    Ok(socket)
}

fn router(shared: Arc<Shared>) -> Router {
    Router::new()
        .route("/v1/policy/packs/{id}", get(answer::pack))
        .route("/v1/policy/packs/{id}/attestation", get(answer::attestation))
        .route("/graphql", any(graphql))
        .fallback(answer::other)
        .merge(control::router())
        .with_state(shared)
}
