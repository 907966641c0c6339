//! Owns the last look at a verified pack before any engine sees it: does the Rego parse, does data collide with
//! a rule, do the pack's own golden decisions hold.
//!
//! A [`Deployable`] is the only thing that can be activated, and this is the only place that makes one.

mod calls;
mod collision;
mod golden;
mod rego;
mod shape;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use pack_verify::admit::VerifiedPack;
use serde::Serialize;

pub(crate) use golden::{decide, load_data};
pub use rego::{ModuleVersion, RegoChoice};
pub(crate) use rego::{add, engine};

/// What preflight may use and how strict it is.
#[derive(Debug, Clone)]
pub struct PreflightRules {
    /// Which Rego syntax to take the pack's modules for.
    pub rego: RegoChoice,
    /// Golden decisions load the pack's data into an interpreter, at about fifteen times its size in memory:
    /// a pack with golden decisions and more data than this (bytes) is refused rather than half checked.
    pub max_golden_data_bytes: usize,
}

impl Default for PreflightRules {
    fn default() -> Self {
        Self {
            rego: RegoChoice::Auto,
            max_golden_data_bytes: 16 << 20,
        }
    }
}

/// Why preflight refuses a pack.
#[derive(Debug, thiserror::Error)]
pub enum PreflightError {
    /// A module does not parse (or cannot be analysed) as Rego.
    #[error("{file} does not compile as Rego {tried}: {message}")]
    Rego {
        /// The module's path in the pack.
        file: String,
        /// `v1`, `v0`, or `v1 or v0`.
        tried: &'static str,
        /// The interpreter's message, with row and column.
        message: String,
    },
    /// A data document stands where a rule stands; OPA would refuse the pair.
    #[error("{data_file} gives a value to data.{path}, where {policy_file} defines a rule; rename one of them")]
    Collision {
        /// The data file.
        data_file: String,
        /// The module that defines the rule.
        policy_file: String,
        /// The path of the rule, dotted.
        path: String,
    },
    /// A golden decision came out differently.
    #[error("golden decision `{name}` gives {found}, the pack expects {expected}")]
    Golden {
        /// Name, or path when it has none.
        name: String,
        /// What the pack says.
        expected: String,
        /// What its own policy decides.
        found: String,
    },
    /// The golden decisions cannot be evaluated at all.
    #[error("the golden decisions cannot be checked: {why}")]
    GoldenUnchecked {
        /// What stands in the way, and what to do.
        why: String,
    },
}

/// A verified pack whose Rego parses, whose data and rules do not collide and whose golden decisions hold.
#[derive(Debug)]
pub struct Deployable {
    pack: VerifiedPack,
    versions: Vec<ModuleVersion>,
    roots: Vec<String>,
    golden_checked: usize,
}

/// What preflight looked at, for reports.
#[derive(Debug, Clone, Serialize)]
pub struct PreflightReport {
    /// Modules with the syntax they were taken for.
    pub modules: Vec<ModuleVersion>,
    /// Golden decisions that were evaluated and held.
    pub golden_checked: usize,
    /// Roots that the pack owns in OPA's data tree.
    pub roots: Vec<String>,
}

impl Deployable {
    /// The pack underneath.
    pub fn pack(&self) -> &VerifiedPack {
        &self.pack
    }

    /// The syntax of each module, in the order of the pack's policies.
    pub fn versions(&self) -> &[ModuleVersion] {
        &self.versions
    }

    /// Top-level names under `data` that the pack owns, sorted.
    pub fn roots(&self) -> &[String] {
        &self.roots
    }

    /// What was looked at.
    pub fn report(&self) -> PreflightReport {
        PreflightReport {
            modules: self.versions.clone(),
            golden_checked: self.golden_checked,
            roots: self.roots.clone(),
        }
    }
}

/// Looks at `pack` as the module documentation says.
pub fn preflight(pack: VerifiedPack, rules: &PreflightRules) -> Result<Deployable, PreflightError> {
    let parsed = rego::parse(&pack, rules.rego)?;
    collision::check(&pack, &parsed.rules)?;
    let golden_checked = golden::check(&pack, &parsed.engine, rules)?;
    let roots: BTreeSet<String> = parsed
        .rules
        .iter()
        .filter_map(|rule| rule.path.first().cloned())
        .chain(parsed.packages.iter().filter_map(|path| path.first().cloned()))
        .chain(pack.data().iter().filter_map(|file| file.document.first().cloned()))
        .collect();
    Ok(Deployable {
        versions: parsed.versions,
        roots: roots.into_iter().collect(),
        golden_checked,
        pack,
    })
}
