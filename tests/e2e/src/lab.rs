//! Owns the set-up of one test: MC, its key, a folder, and how OPA and the reloader find each other.

use std::path::PathBuf;

use mc_sim::{Files, PACK_ID, Published, Sim, SimConfig};
use opa_client::{ConfigOptions, config_yaml};
use pack_verify::{
    Sha256Digest,
    sign::{KeyKind, Signer},
};
use tempfile::TempDir;

use crate::{
    opa::{Opa, OpaOptions},
    ports,
    reloader::{Options, Reloader},
};

/// How packs reach OPA. The reloader is never told: it has to find out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// OPA polls the reloader.
    Bundle,
    /// The reloader writes to OPA.
    Push,
}

impl Mode {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Bundle, Self::Push];

    /// As in the reloader's `/status`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Bundle => "bundle",
            Self::Push => "push",
        }
    }
}

/// One test's world.
pub struct Lab {
    /// How packs reach OPA.
    pub mode: Mode,
    /// MC.
    pub sim: Sim,
    /// Signs what MC publishes.
    pub signer: Signer,
    folder: TempDir,
    bundle_port: u16,
}

impl Lab {
    /// An MC with nothing published.
    pub fn new(mode: Mode) -> Self {
        let lab = Self {
            mode,
            sim: Sim::start(SimConfig::default()).unwrap(),
            signer: Signer::generate(KeyKind::EcdsaP256).unwrap(),
            folder: tempfile::tempdir().unwrap(),
            bundle_port: ports::free(),
        };
        std::fs::write(lab.path("mc.pub"), lab.signer.public_key_pem()).unwrap();
        lab
    }

    /// A file or folder of this test.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The bundle server's address.
    pub fn bundle_url(&self) -> url::Url {
        format!("http://127.0.0.1:{}", self.bundle_port).parse().unwrap()
    }

    /// Publishes a pack that is built and signed as MC does.
    pub fn publish(&self, files: Files) -> Sha256Digest {
        self.sim.publish_signed(PACK_ID, files, &self.signer).unwrap()
    }

    /// Publishes any bytes with a good signature.
    pub fn publish_bytes(&self, bytes: Vec<u8>) -> Sha256Digest {
        let bundle = self.signer.sign(&bytes).unwrap();
        self.sim
            .publish(PACK_ID, Published::new(bytes).with_attestation(bundle))
    }

    /// How an OPA is started in this mode: as `policy-reloader opa-config` says, or without any configuration.
    pub fn opa_options(&self) -> OpaOptions {
        match self.mode {
            Mode::Push => OpaOptions::default(),
            Mode::Bundle => self.bundle_config(&ConfigOptions::new(self.bundle_url(), "policy")),
        }
    }

    /// An OPA with this configuration.
    pub fn bundle_config(&self, options: &ConfigOptions) -> OpaOptions {
        let config = self.path("opa.yaml");
        std::fs::write(&config, config_yaml(options)).unwrap();
        OpaOptions {
            config: Some(config),
            ..OpaOptions::default()
        }
    }

    /// An OPA of this mode.
    pub async fn opa(&self) -> Opa {
        Opa::start(self.opa_options()).await
    }

    /// Options of the reloader for these OPAs, without any trust.
    pub fn untrusting_options(&self, opas: &[&Opa]) -> Options {
        let urls: Vec<String> = opas.iter().map(|opa| opa.url()).collect();
        Options::default()
            .args(&["--pack-url", &self.sim.pack_url(PACK_ID)])
            .args(&["--opa-url", &urls.join(",")])
            .args(&["--bundle-listen", &format!("127.0.0.1:{}", self.bundle_port)])
            .args(&["--activation", "auto"])
    }

    /// Options of the reloader for these OPAs, which trusts MC's key.
    pub fn options(&self, opas: &[&Opa]) -> Options {
        self.untrusting_options(opas)
            .args(&["--trust", "key", "--insecure-ignore-tlog"])
            .args(&["--key", self.path("mc.pub").to_str().unwrap()])
    }

    /// A reloader that follows MC for this OPA; it has found out the mode, and OPA decides by `files`.
    pub async fn running(&self, files: Files, revision: u64) -> (Opa, Reloader) {
        let opa = self.opa().await;
        let reloader = self.running_with(&self.options(&[&opa]), &opa, files, revision).await;
        (opa, reloader)
    }

    /// As [`Lab::running`], with options of its own.
    pub async fn running_with(&self, options: &Options, opa: &Opa, files: Files, revision: u64) -> Reloader {
        self.publish(files);
        let reloader = Reloader::start(options).await;
        opa.decides_by(revision).await;
        reloader.ready().await;
        assert_eq!(reloader.status().await["activation"], self.mode.name());
        reloader
    }
}
