//! Owns what the server, the control endpoint and the test's handle share.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Instant, SystemTime};

use pack_verify::Sha256Digest;
use pack_verify::sign::Signer;
use tokio::sync::watch;

use crate::fault::Faults;
use crate::folder::Packs;
use crate::graphql::evidence::EvidenceStore;
use crate::requests::Requests;
use crate::store::{Published, Served, Store};

pub(crate) struct Shared {
    state: Mutex<State>,
    /// Counts up with every change to the record of requests.
    pub(crate) changed: watch::Sender<u64>,
    pub(crate) inline_bundle: bool,
    pub(crate) signer: Option<Signer>,
    pub(crate) packs: Option<Packs>,
    pub(crate) started: Instant,
}

#[derive(Default)]
pub(crate) struct State {
    pub(crate) store: Store,
    pub(crate) evidence: EvidenceStore,
    pub(crate) faults: Faults,
    pub(crate) requests: Requests,
    pub(crate) bearer: Option<String>,
}

impl Shared {
    pub(crate) fn new(
        bearer: Option<String>,
        inline_bundle: bool,
        signer: Option<Signer>,
        packs: Option<Packs>,
    ) -> Self {
        Self {
            state: Mutex::new(State {
                bearer,
                ..State::default()
            }),
            changed: watch::Sender::new(0),
            inline_bundle,
            signer,
            packs,
            started: Instant::now(),
        }
    }

    /// No lock is held across an await or a call that can fail, so a poisoned one still holds whole values.
    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the record of requests and wakes who waits for it.
    pub(crate) fn record<T>(&self, change: impl FnOnce(&mut Requests) -> T) -> T {
        let result = change(&mut self.lock().requests);
        self.changed.send_modify(|version| *version = version.wrapping_add(1));
        result
    }

    pub(crate) fn publish(&self, id: &str, published: Published) -> Sha256Digest {
        let served = Served::new(published, now());
        let digest = served.digest;
        self.lock().store.publish(id, served);
        digest
    }

    pub(crate) fn stage(&self, id: &str, published: Published) -> Sha256Digest {
        let served = Served::new(published, now());
        let digest = served.digest;
        self.lock().store.stage(id, served);
        digest
    }

    /// Reads the folder again and publishes all of it; returns the ids.
    pub(crate) fn load_folder(&self) -> anyhow::Result<Vec<String>> {
        let Some(packs) = &self.packs else {
            return Ok(Vec::new());
        };
        let found = packs.read()?;
        let mut ids = Vec::new();
        for (id, files) in found {
            self.publish(&id, build(files, self.signer.as_ref())?);
            ids.push(id);
        }
        Ok(ids)
    }
}

/// Builds the tar as MC does and signs it, if there is a signer.
pub(crate) fn build(
    files: impl IntoIterator<Item = (String, Vec<u8>)>,
    signer: Option<&Signer>,
) -> anyhow::Result<Published> {
    sign(pack_verify::build::build_tar(files)?, signer)
}

/// Signs the bytes, if there is a signer.
pub(crate) fn sign(tar: Vec<u8>, signer: Option<&Signer>) -> anyhow::Result<Published> {
    let bundle = signer.map(|signer| signer.sign(&tar)).transpose()?;
    let published = Published::new(tar);
    Ok(match bundle {
        Some(bundle) => published.with_attestation(bundle),
        None => published,
    })
}

/// The simulator is a server of its own: `Last-Modified` is its own time, unless a test states one.
fn now() -> SystemTime {
    jiff::Timestamp::now().into()
}
