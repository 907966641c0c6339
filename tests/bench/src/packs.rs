//! Owns the packs that are published, their signatures, and the simulated MC that serves them.

use std::{
    fmt::Write as _,
    path::{Path, PathBuf},
};

use anyhow::Context as _;
use mc_sim::{Files, PACK_ID, Published, Sim, SimConfig, samples};
use pack_verify::sign::{KeyKind, Signer};
use serde_json::json;

/// Rules of each further module in the large pack.
const RULES: u32 = 30;

/// MC with a key pair of its own.
pub(crate) struct Mc {
    pub(crate) sim: Sim,
    pub(crate) key: PathBuf,
    signer: Signer,
}

impl Mc {
    /// Serves nothing yet; the public key lies in `folder`.
    pub(crate) fn start(folder: &Path) -> anyhow::Result<Self> {
        let signer = Signer::generate(KeyKind::EcdsaP256).context("making a key pair")?;
        let key = folder.join("mc.pub");
        std::fs::write(&key, signer.public_key_pem()).context("writing the public key")?;
        let sim = Sim::start(SimConfig::default())?;
        Ok(Self { sim, key, signer })
    }

    pub(crate) fn url(&self) -> String {
        self.sim.pack_url(PACK_ID)
    }

    /// Builds and signs, so that publishing is one short call.
    pub(crate) fn build(&self, files: Files) -> anyhow::Result<Published> {
        mc_sim::build_signed(files, &self.signer)
    }

    pub(crate) fn publish(&self, pack: Published) {
        self.sim.publish(PACK_ID, pack);
    }
}

/// The sample pack.
pub(crate) fn small(revision: u64) -> Files {
    samples::v1(revision)
}

/// The sample and ten modules more, each with thirty rules over input and data, all of which change with the revision.
pub(crate) fn large(revision: u64) -> Files {
    let mut files = samples::v1(revision);
    for module in 1..=10 {
        let mut text = format!("package cos.extra{module:02}\n\nmodule_revision := {revision}\n");
        for rule in 1..=RULES {
            // Writing to a String cannot fail.
            let _ = write!(
                text,
                "\nrule{rule:02} if {{\n\tinput.subject.tenant == \"tenant-{rule}\"\n\tsome role in input.subject.roles\n\t\
                 role in data.cos.purpose_tags.purposes[input.subject.purpose]\n\t\
                 count([label | some label in input.resource.labels; label != \"l{rule}\"]) > {module}\n}}\n"
            );
        }
        files.insert(format!("opa/cos.extra{module:02}.rego"), text.into_bytes());
    }
    files
}

/// A pack of about 30 MiB with `entries` data entries. Without golden decisions, which are refused for so much data.
pub(crate) fn with_entries(revision: u64, entries: usize) -> Files {
    samples::with_manifest(samples::big(revision, entries), "golden", json!([]))
}

#[cfg(test)]
mod tests {
    use super::{RULES, large, small};

    #[test]
    fn the_large_pack_has_eleven_modules_that_change_with_the_revision() {
        let (one, two) = (large(1), large(2));
        let modules: Vec<_> = one.keys().filter(|path| path.starts_with("opa/")).collect();
        assert_eq!(modules.len(), 11);
        assert!(modules.iter().all(|path| one[*path] != two[*path]));
        let text = String::from_utf8(one["opa/cos.extra01.rego"].clone()).unwrap();
        assert_eq!(text.matches(" if {").count(), RULES as usize);
        assert_eq!(small(1).keys().filter(|path| path.starts_with("opa/")).count(), 1);
    }
}
