//! Owns what survives a restart: the last good pack with its signature, and the revision that must not go back.
//!
//! Layout of the state folder: `packs/<hex>.tar`, `packs/<hex>.bundle.json`, `state.json` (points to one of them),
//! `receipts.jsonl` (one line for each pack that came to decide). A pack's files are complete and synced before
//! `state.json` is replaced by rename, so a kill between any two lines leaves the old state or the new one. What is
//! read back is verified again like anything from the network.

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io::{self, Write as _},
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::Context as _;
use bytes::Bytes;
use jiff::Timestamp;
use pack_verify::{PackBytes, Sha256Digest, admit::Accepted};
use serde::{Deserialize, Serialize};

/// Receipts are for people who ask what decided when; a file of this size holds a few thousand.
const RECEIPTS_LIMIT: u64 = 1 << 20;

/// The folder.
#[derive(Debug, Clone)]
pub struct Store {
    folder: PathBuf,
    /// Held as long as the process lives: two reloaders in one folder would tidy each other's packs away.
    _lock: Arc<File>,
}

/// `state.json`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct State {
    /// Format of this file.
    pub version: u32,
    /// The last good pack.
    pub digest: Sha256Digest,
    /// Its revision.
    pub revision: Option<u64>,
    /// Its id.
    pub id: Option<String>,
    /// When it came to decide.
    pub activated_at: Timestamp,
}

/// One line of `receipts.jsonl`.
#[derive(Debug, Clone, Serialize)]
pub struct Receipt<'a> {
    /// When the pack came to decide.
    pub time: Timestamp,
    /// The pack.
    pub digest: Sha256Digest,
    /// Its revision.
    pub revision: Option<u64>,
    /// What decided before.
    pub previous: Option<Sha256Digest>,
    /// Who signed it.
    pub signer: &'a str,
    /// The trust mode that accepted it.
    pub trust: &'a str,
    /// How it was activated.
    pub activation: &'a str,
}

impl State {
    /// For the rules about revisions.
    pub fn accepted(&self) -> Accepted {
        Accepted {
            digest: self.digest,
            revision: self.revision,
            id: self.id.clone(),
        }
    }
}

impl Store {
    /// Opens the folder, making it if it is not there, and proves that it can be written.
    pub fn open(folder: &Path) -> anyhow::Result<Self> {
        let cannot = || {
            format!(
                "cannot write to the state folder {} (--state-dir); it must exist and belong to this user",
                folder.display()
            )
        };
        fs::create_dir_all(folder.join("packs"))
            .and_then(|()| replace(&folder.join("writable"), b""))
            .and_then(|()| fs::remove_file(folder.join("writable")))
            .with_context(cannot)?;
        let lock = File::create(folder.join("lock")).with_context(cannot)?;
        match lock.try_lock() {
            Ok(()) => Ok(Self {
                folder: folder.to_owned(),
                _lock: Arc::new(lock),
            }),
            Err(TryLockError::WouldBlock) => anyhow::bail!(
                "the state folder {} (--state-dir) is in use by another policy-reloader; give each its own",
                folder.display()
            ),
            Err(TryLockError::Error(error)) => Err(error).with_context(cannot),
        }
    }

    fn packs(&self) -> PathBuf {
        self.folder.join("packs")
    }

    fn pack_path(&self, digest: Sha256Digest) -> PathBuf {
        self.packs().join(format!("{}.tar", digest.hex()))
    }

    fn bundle_path(&self, digest: Sha256Digest) -> PathBuf {
        self.packs().join(format!("{}.bundle.json", digest.hex()))
    }

    /// Writes a pack that is about to be activated. It counts only once [`Store::commit`] points to it.
    pub fn stage(&self, pack: &PackBytes, bundle: Option<&[u8]>) -> io::Result<()> {
        replace(&self.pack_path(pack.digest()), pack.bytes())?;
        match bundle {
            Some(bundle) => replace(&self.bundle_path(pack.digest()), bundle),
            None => remove(&self.bundle_path(pack.digest())),
        }
    }

    /// Makes a staged pack the last good one, writes its receipt and removes the files of all others.
    pub fn commit(&self, state: &State, receipt: &Receipt<'_>) -> anyhow::Result<()> {
        anyhow::ensure!(
            self.pack_path(state.digest).exists(),
            "the pack itself was not saved, so the state before it is kept"
        );
        let text = serde_json::to_vec_pretty(state).context("writing state.json")?;
        replace(&self.folder.join("state.json"), &text).context("writing state.json")?;
        self.append(receipt).context("writing receipts.jsonl")?;
        let keep = state.digest.hex();
        for entry in fs::read_dir(self.packs()).context("tidying the state folder")? {
            let path = entry.context("tidying the state folder")?.path();
            let name = path.file_name().map(|name| name.to_string_lossy().into_owned());
            if name.is_some_and(|name| !name.starts_with(&keep)) {
                remove(&path).context("tidying the state folder")?;
            }
        }
        Ok(())
    }

    fn append(&self, receipt: &Receipt<'_>) -> anyhow::Result<()> {
        let path = self.folder.join("receipts.jsonl");
        if fs::metadata(&path).is_ok_and(|metadata| metadata.len() > RECEIPTS_LIMIT) {
            fs::rename(&path, self.folder.join("receipts.1.jsonl"))?;
        }
        let mut line = serde_json::to_vec(receipt)?;
        line.push(b'\n');
        let mut file = OpenOptions::new().create(true).append(true).open(path)?;
        file.write_all(&line)?;
        file.sync_data()?;
        Ok(())
    }

    /// What an earlier life left, or `None` when there is nothing. A damaged file is an error: the revision that it
    /// held must not be forgotten in silence.
    pub fn load_state(&self) -> anyhow::Result<Option<State>> {
        let path = self.folder.join("state.json");
        let text = match fs::read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error).with_context(|| format!("reading {}", path.display())),
        };
        serde_json::from_slice(&text).map(Some).with_context(|| {
            format!(
                "{} is damaged; remove it to start without the memory of the last revision",
                path.display()
            )
        })
    }

    /// The pack that `state` points to and its signature bundle. They are as trustworthy as the disk: verify them.
    pub fn load_pack(&self, state: &State) -> anyhow::Result<(PackBytes, Option<Bytes>)> {
        let path = self.pack_path(state.digest);
        let pack = fs::read(&path).with_context(|| format!("reading {}", path.display()))?;
        let pack = PackBytes::new(Bytes::from(pack));
        anyhow::ensure!(
            pack.digest() == state.digest,
            "the saved pack {} is damaged: its digest is {}",
            path.display(),
            pack.digest()
        );
        let bundle = match fs::read(self.bundle_path(state.digest)) {
            Ok(bundle) => Some(Bytes::from(bundle)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(error).context("reading the saved signature bundle"),
        };
        Ok((pack, bundle))
    }
}

/// Writes a file so that it is there whole or not at all, also after a power cut.
fn replace(path: &Path, content: &[u8]) -> io::Result<()> {
    let temporary = path.with_extension("tmp");
    let mut file = File::create(&temporary)?;
    file.write_all(content)?;
    file.sync_all()?;
    drop(file);
    fs::rename(&temporary, path)?;
    match path.parent() {
        Some(parent) => File::open(parent)?.sync_all(),
        None => Ok(()),
    }
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(digest: Sha256Digest, revision: u64) -> State {
        State {
            version: 1,
            digest,
            revision: Some(revision),
            id: None,
            activated_at: Timestamp::UNIX_EPOCH,
        }
    }

    fn receipt(digest: Sha256Digest) -> Receipt<'static> {
        Receipt {
            time: Timestamp::UNIX_EPOCH,
            digest,
            revision: None,
            previous: None,
            signer: "a key",
            trust: "key",
            activation: "bundle",
        }
    }

    fn pack(text: &'static str) -> PackBytes {
        PackBytes::new(Bytes::from_static(text.as_bytes()))
    }

    #[test]
    fn a_committed_pack_comes_back_and_replaces_the_one_before() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        assert!(store.load_state().unwrap().is_none());
        for (text, revision) in [("one", 1), ("two", 2)] {
            let pack = pack(text);
            store.stage(&pack, Some(b"bundle")).unwrap();
            store
                .commit(&state(pack.digest(), revision), &receipt(pack.digest()))
                .unwrap();
        }
        let state = store.load_state().unwrap().unwrap();
        assert_eq!(state.accepted().revision, Some(2));
        let (pack, bundle) = store.load_pack(&state).unwrap();
        assert_eq!(pack.bytes().as_ref(), b"two");
        assert_eq!(bundle.as_deref(), Some(b"bundle".as_slice()));
        assert_eq!(
            fs::read_dir(store.packs()).unwrap().count(),
            2,
            "only the newest pack and its bundle are kept"
        );
        let receipts = fs::read_to_string(folder.path().join("receipts.jsonl")).unwrap();
        assert_eq!(receipts.lines().count(), 2);
    }

    #[test]
    fn a_folder_in_use_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        assert!(format!("{:#}", Store::open(folder.path()).unwrap_err()).contains("in use"));
        drop(store);
        Store::open(folder.path()).unwrap();
    }

    #[test]
    fn a_pack_that_could_not_be_staged_leaves_the_old_state() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        let first = pack("first");
        store.stage(&first, None).unwrap();
        store
            .commit(&state(first.digest(), 1), &receipt(first.digest()))
            .unwrap();
        let lost = pack("lost").digest();
        assert!(store.commit(&state(lost, 2), &receipt(lost)).is_err());
        let state = store.load_state().unwrap().unwrap();
        assert_eq!(state.accepted().revision, Some(1));
        store.load_pack(&state).unwrap();
    }

    #[test]
    fn a_staged_pack_alone_changes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        let first = pack("first");
        store.stage(&first, None).unwrap();
        store
            .commit(&state(first.digest(), 1), &receipt(first.digest()))
            .unwrap();
        store.stage(&pack("second"), None).unwrap();
        assert_eq!(store.load_state().unwrap().unwrap().digest, first.digest());
    }

    #[test]
    fn damage_is_an_error_that_names_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        let first = pack("first");
        store.stage(&first, None).unwrap();
        store
            .commit(&state(first.digest(), 1), &receipt(first.digest()))
            .unwrap();
        fs::write(store.pack_path(first.digest()), b"fir").unwrap();
        let state = store.load_state().unwrap().unwrap();
        assert!(format!("{:#}", store.load_pack(&state).unwrap_err()).contains("is damaged"));
        fs::write(folder.path().join("state.json"), b"{").unwrap();
        assert!(format!("{:#}", store.load_state().unwrap_err()).contains("state.json is damaged"));
    }
}
