//! Starts policy-reloader, with secrets that no output may show, and makes its packs and keys.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;

use pack_verify::sign::{KeyKind, Signer};

/// Secrets that every test passes in, and that no output may ever show.
pub(crate) const CANARIES: [(&str, &str); 4] = [
    ("MC_TOKEN", "canary-mc-4f1d"),
    ("OPA_TOKEN", "canary-opa-8a52"),
    ("BUNDLE_TOKEN", "canary-bundle-c07e"),
    ("ADMIN_TOKEN", "canary-admin-b613"),
];

/// The program with these arguments, an empty environment except for the canaries, and no terminal.
pub(crate) fn reloader<A: AsRef<OsStr>>(args: impl IntoIterator<Item = A>) -> Command {
    let mut command = program::command(env!("CARGO_BIN_EXE_policy-reloader"), args);
    command.envs(CANARIES);
    command
}

/// A folder with a key pair (`signer.key`, `signer.pub`) and whatever a test puts into it.
pub(crate) struct Desk {
    folder: tempfile::TempDir,
    pub(crate) signer: Signer,
}

impl Desk {
    pub(crate) fn new() -> Self {
        let desk = Self {
            folder: tempfile::tempdir().unwrap(),
            signer: Signer::generate(KeyKind::EcdsaP256).unwrap(),
        };
        desk.put("signer.key", desk.signer.private_key_pem().unwrap().as_bytes());
        desk.put("signer.pub", desk.signer.public_key_pem());
        desk
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The path as an argument.
    pub(crate) fn arg(&self, name: &str) -> String {
        self.path(name)
            .to_str()
            .expect("temporary folders have plain names")
            .to_owned()
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Writes a file and gives its path as an argument.
    pub(crate) fn put(&self, name: &str, content: impl AsRef<[u8]>) -> String {
        std::fs::write(self.path(name), content).unwrap();
        self.arg(name)
    }

    /// Builds a pack as MC does, and puts it and its signature on the desk.
    pub(crate) fn put_pack(&self, name: &str, files: mc_sim::Files) -> String {
        let built = mc_sim::build_signed(files, &self.signer).unwrap();
        self.put(
            &format!("{name}.sigstore.json"),
            built.attestation.expect("it was signed"),
        );
        self.put(name, built.tar)
    }

    /// `--trust key` with the key of this desk, and no log.
    pub(crate) fn trust(&self) -> [String; 5] {
        let key = self.arg("signer.pub");
        ["--trust", "key", "--insecure-ignore-tlog", "--key", &key].map(str::to_owned)
    }
}
