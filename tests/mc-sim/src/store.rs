//! Owns what is published: packs by id, each with its attestation, and the pack that is staged to take its place.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::SystemTime;

use bytes::Bytes;
use pack_verify::Sha256Digest;

use crate::conditional::whole_seconds;

/// The id that is in use.
pub const PACK_ID: &str = "policy-pack-v0";

/// A pack as it is published: any bytes, with any attestation, so that tests can publish what no honest MC would.
#[derive(Debug, Clone)]
pub struct Published {
    /// The body of the pack.
    pub tar: Bytes,
    /// The body of the attestation; without one it is 503 `attestation not available`.
    pub attestation: Option<Bytes>,
    /// `Last-Modified`; none: the time of publishing.
    pub last_modified: Option<SystemTime>,
}

impl Published {
    /// A pack without attestation.
    pub fn new(tar: impl Into<Bytes>) -> Self {
        Self {
            tar: tar.into(),
            attestation: None,
            last_modified: None,
        }
    }

    /// Adds the attestation.
    #[must_use]
    pub fn with_attestation(mut self, attestation: impl Into<Bytes>) -> Self {
        self.attestation = Some(attestation.into());
        self
    }

    /// Sets `Last-Modified` (served to the second).
    #[must_use]
    pub fn modified_at(mut self, time: SystemTime) -> Self {
        self.last_modified = Some(time);
        self
    }
}

/// A published pack with what its headers say.
#[derive(Debug)]
pub(crate) struct Served {
    pub(crate) tar: Bytes,
    pub(crate) attestation: Option<Bytes>,
    pub(crate) digest: Sha256Digest,
    pub(crate) last_modified: SystemTime,
}

impl Served {
    pub(crate) fn new(published: Published, now: SystemTime) -> Self {
        let digest = Sha256Digest::of(&published.tar);
        let last_modified = whole_seconds(published.last_modified.unwrap_or(now));
        Self {
            tar: published.tar,
            attestation: published.attestation,
            digest,
            last_modified,
        }
    }

    /// The tag of the contract.
    pub(crate) fn tag(&self) -> String {
        tag_of(&self.digest)
    }

    /// A tag that says nothing about the bytes, for the fault `no_digest_header`.
    pub(crate) fn opaque_tag(&self) -> String {
        format!("W/\"pack-{}\"", self.digest.short())
    }
}

pub(crate) fn tag_of(digest: &Sha256Digest) -> String {
    format!("W/\"sha-256:{}\"", digest.hex())
}

/// What is known under an id.
#[derive(Debug, Clone, Default)]
pub(crate) struct Entry {
    /// None: known, but not built yet.
    pub(crate) current: Option<Arc<Served>>,
    pub(crate) staged: Option<Arc<Served>>,
}

#[derive(Debug, Default)]
pub(crate) struct Store(BTreeMap<String, Entry>);

impl Store {
    pub(crate) fn get(&self, id: &str) -> Option<Entry> {
        self.0.get(id).cloned()
    }

    pub(crate) fn publish(&mut self, id: &str, served: Served) {
        self.0.entry(id.to_owned()).or_default().current = Some(Arc::new(served));
    }

    pub(crate) fn stage(&mut self, id: &str, served: Served) {
        self.0.entry(id.to_owned()).or_default().staged = Some(Arc::new(served));
    }

    pub(crate) fn announce(&mut self, id: &str) {
        self.0.insert(id.to_owned(), Entry::default());
    }

    pub(crate) fn withdraw(&mut self, id: &str) -> bool {
        self.0.remove(id).is_some()
    }

    /// The staged pack and the current one change places, if there is a staged one.
    pub(crate) fn swap(&mut self, id: &str) {
        if let Some(entry) = self.0.get_mut(id)
            && entry.staged.is_some()
        {
            std::mem::swap(&mut entry.current, &mut entry.staged);
        }
    }

    pub(crate) fn ids(&self) -> Vec<String> {
        self.0.keys().cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::{Duration, UNIX_EPOCH};

    fn served(tar: &'static [u8]) -> Served {
        Served::new(Published::new(tar), UNIX_EPOCH + Duration::from_millis(1900))
    }

    #[test]
    fn tag_and_date_are_those_of_the_contract() {
        let served = served(b"");
        assert_eq!(
            served.tag(),
            "W/\"sha-256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\""
        );
        assert_eq!(served.last_modified, UNIX_EPOCH + Duration::from_secs(1));
        assert!(!served.opaque_tag().contains("sha"));
    }

    #[test]
    fn swapping_needs_a_staged_pack_and_swaps_back() {
        let mut store = Store::default();
        store.publish("p", served(b"one"));
        store.swap("p");
        let current = |store: &Store| store.get("p").unwrap().current.unwrap().tar.clone();
        assert_eq!(current(&store), "one");
        store.stage("p", served(b"two"));
        store.swap("p");
        assert_eq!(current(&store), "two");
        store.swap("p");
        assert_eq!(current(&store), "one");
    }

    #[test]
    fn an_announced_pack_is_known_but_not_built() {
        let mut store = Store::default();
        store.announce("p");
        assert!(store.get("p").unwrap().current.is_none());
        assert!(store.withdraw("p") && store.get("p").is_none() && !store.withdraw("p"));
    }
}
