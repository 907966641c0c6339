//! Owns the three ways to swap a pack that are compared: bundle, push, and the users' draft.

use std::{net::SocketAddr, path::Path, time::Duration};

use anyhow::Context as _;
use mc_sim::{Files, Published};

use crate::{
    args::Setup,
    http::Connection,
    opa::{Opa, wait_for_decision},
    packs::Mc,
    process::free_addresses,
    reloader::{Options, Reloader, Timings},
};

/// Far longer than a run: polls come from refreshes alone.
pub(crate) const NEVER_MS: u64 = 86_400_000;
/// The reloader's default.
pub(crate) const WATCH_MS: u64 = 1_000;

/// Who swaps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// The reloader; OPA polls it.
    Bundle,
    /// The reloader; it writes to OPA.
    Push,
    /// The draft: one REST write for each file, one after the other.
    Draft,
}

impl Way {
    pub(crate) const ALL: [Self; 3] = [Self::Bundle, Self::Push, Self::Draft];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Bundle => "bundle",
            Self::Push => "push",
            Self::Draft => "draft",
        }
    }
}

/// An OPA, an MC, and what swaps packs between them.
pub(crate) struct Rig {
    pub(crate) way: Way,
    pub(crate) opa: Opa,
    pub(crate) mc: Mc,
    pub(crate) reloader: Option<Reloader>,
    /// The revision that decides.
    pub(crate) revision: u64,
    make: fn(u64) -> Files,
    to_opa: Connection,
}

/// A pack that is built and signed but not published yet.
pub(crate) enum Next {
    Pack(Published),
    Writes(Vec<(String, String)>),
}

impl Rig {
    /// Starts everything; revision 1 decides when this returns. `poll_ms`: how often the reloader polls; none: only
    /// when it is told to.
    pub(crate) fn start(
        setup: &Setup,
        folder: &Path,
        way: Way,
        poll_ms: Option<u64>,
        make: fn(u64) -> Files,
    ) -> anyhow::Result<Self> {
        let folder = folder.join(way.name());
        std::fs::create_dir_all(&folder).context("creating a folder")?;
        let mc = Mc::start(&folder)?;
        mc.publish(mc.build(make(1))?);
        let [bundles] = free_addresses()?;
        let opa = Opa::start(setup, &folder, (way == Way::Bundle).then_some(bundles))?;
        let mut rig = Self {
            way,
            to_opa: Connection::new(opa.address)?,
            reloader: None,
            opa,
            mc,
            revision: 1,
            make,
        };
        if way == Way::Draft {
            let Next::Writes(writes) = rig.writes(1)? else {
                anyhow::bail!("the draft writes");
            };
            // Data below data.cos needs its parent, which the draft's OPA has from its start.
            rig.put("/v1/data/cos", "{}".to_owned(), "application/json")?;
            rig.write_all(writes)?;
        } else {
            let options = rig.options(bundles, poll_ms.unwrap_or(NEVER_MS));
            let mut reloader = Reloader::start(setup, &folder, &rig.mc.key, &options)?;
            reloader.wait_ready(Duration::from_millis(5))?;
            rig.reloader = Some(reloader);
        }
        wait_for_decision(&mut rig.to_opa, 1)?;
        Ok(rig)
    }

    fn options(&self, bundles: SocketAddr, poll_ms: u64) -> Options {
        Options {
            activation: self.way.name(),
            pack_url: self.mc.url(),
            poll_ms,
            watch_ms: WATCH_MS,
            opa: self.opa.address,
            bundles,
        }
    }

    /// Makes the pack after the one that decides. Takes time that no figure counts.
    pub(crate) fn next(&mut self) -> anyhow::Result<Next> {
        self.revision += 1;
        match self.way {
            Way::Draft => self.writes(self.revision),
            Way::Bundle | Way::Push => Ok(Next::Pack(self.mc.build((self.make)(self.revision))?)),
        }
    }

    /// Swaps, and returns when it is done: the reloader has seen the pack decide, or the draft's last write is answered.
    pub(crate) fn swap(&mut self, next: Next) -> anyhow::Result<()> {
        match (next, &mut self.reloader) {
            (Next::Pack(pack), Some(reloader)) => {
                self.mc.publish(pack);
                reloader.refresh()
            }
            (Next::Writes(writes), _) => self.write_all(writes),
            (Next::Pack(_), None) => anyhow::bail!("a pack needs a reloader"),
        }
    }

    /// How long the stages of the last swap took, as the reloader says; none for the draft.
    pub(crate) fn timings(&mut self) -> anyhow::Result<Option<Timings>> {
        let revision = self.revision;
        self.reloader
            .as_mut()
            .map(|reloader| reloader.timings(revision))
            .transpose()
    }

    pub(crate) fn decides(&mut self) -> anyhow::Result<std::time::Instant> {
        wait_for_decision(&mut self.to_opa, self.revision)
    }

    fn writes(&self, revision: u64) -> anyhow::Result<Next> {
        let mut policies = Vec::new();
        let mut data = Vec::new();
        for (path, bytes) in (self.make)(revision) {
            let text = String::from_utf8(bytes).context("a pack's text")?;
            if let Some(name) = path.strip_prefix("opa/") {
                policies.push((format!("/v1/policies/{}", name.trim_end_matches(".rego")), text));
            } else if let Some(name) = path.strip_prefix("data/") {
                let document = name.trim_end_matches(".json").replace('-', "_");
                data.push((format!("/v1/data/cos/{document}"), text));
            }
        }
        // The draft's order: policy, retention, purpose tags.
        data.sort_by(|one, other| other.0.cmp(&one.0));
        policies.extend(data);
        Ok(Next::Writes(policies))
    }

    fn write_all(&mut self, writes: Vec<(String, String)>) -> anyhow::Result<()> {
        for (path, text) in writes {
            let kind = if path.starts_with("/v1/policies/") {
                "text/plain"
            } else {
                "application/json"
            };
            self.put(&path, text, kind)?;
        }
        Ok(())
    }

    fn put(&mut self, path: &str, text: String, kind: &str) -> anyhow::Result<()> {
        self.to_opa
            .send("PUT", path, &[("content-type", kind)], text)?
            .ok()
            .map(drop)
            .with_context(|| format!("PUT {path}"))
    }
}
