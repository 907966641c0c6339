//! Owns activation without OPA: an interpreter of our own, swapped as one pointer.

use std::sync::{Arc, PoisonError, RwLock};

use anyhow::{Context as _, anyhow};
use pack_verify::Sha256Digest;
use serde_json::Value;

use crate::{
    machine::Observation,
    preflight::{self, Deployable},
};

/// A pack, loaded and ready to answer.
pub struct Decider {
    digest: Sha256Digest,
    revision: String,
    engine: regorus::Engine,
}

impl std::fmt::Debug for Decider {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Decider")
            .field("revision", &self.revision)
            .finish_non_exhaustive()
    }
}

impl Decider {
    /// Loads modules and data into an interpreter.
    pub fn load(deployable: &Deployable) -> anyhow::Result<Self> {
        let pack = deployable.pack();
        let mut engine = preflight::engine();
        for (file, version) in pack.policies().iter().zip(deployable.versions()) {
            preflight::add(&mut engine, &file.path, file.text(), version.rego_version)
                .map_err(|why| anyhow!(why))
                .with_context(|| format!("loading {}", file.path))?;
        }
        preflight::load_data(&mut engine, pack).map_err(|why| anyhow!(why))?;
        // Analysis happens with the first query; do it here, so that clones are ready to answer.
        preflight::decide(&mut engine, &["policy_reloader".to_owned()])
            .map_err(|why| anyhow!(why))
            .context("preparing the interpreter")?;
        Ok(Self {
            digest: pack.digest(),
            revision: pack.revision_label(),
            engine,
        })
    }

    /// The pack's bundle revision.
    pub fn revision(&self) -> &str {
        &self.revision
    }

    /// Answers `data.<path>` for `input`; `None` when undefined. Computes on the calling thread.
    pub fn decide(&self, path: &[String], input: Option<&Value>) -> Result<Option<Value>, String> {
        // A clone shares modules and data; only the evaluation state is its own.
        let mut engine = self.engine.clone();
        if let Some(input) = input {
            let input = regorus::Value::from_json_str(&input.to_string()).map_err(|error| format!("{error:#}"))?;
            engine.set_input(input);
        }
        preflight::decide(&mut engine, path)
    }
}

/// Activation in this process.
#[derive(Debug, Clone, Default)]
pub struct EmbeddedMode {
    current: Arc<RwLock<Option<Arc<Decider>>>>,
}

impl EmbeddedMode {
    /// What decides now. A request holds on to it until it is answered, so no answer mixes two packs.
    pub fn current(&self) -> Option<Arc<Decider>> {
        self.current.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn activate(&self, decider: &Arc<Decider>, targets: &[usize]) -> Vec<(usize, Observation)> {
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(decider));
        targets.iter().map(|&target| (target, self.watch())).collect()
    }

    pub(super) fn watch(&self) -> Observation {
        self.current()
            .map_or(Observation::Undecided, |decider| Observation::Deciding {
                digest: decider.digest,
            })
    }
}
