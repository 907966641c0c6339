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
    /// What to do with Rego that our interpreter cannot read.
    pub unreadable: UnreadableRego,
    /// Golden decisions load the pack's data into an interpreter, at about fifteen times its size in memory:
    /// a pack with golden decisions and more data than this (bytes) is refused rather than half checked.
    pub max_golden_data_bytes: usize,
}

impl Default for PreflightRules {
    fn default() -> Self {
        Self {
            rego: RegoChoice::Auto,
            unreadable: UnreadableRego::Refuse,
            max_golden_data_bytes: 16 << 20,
        }
    }
}

/// What to do with Rego that our interpreter cannot read: OPA's compiler may be newer than it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum UnreadableRego {
    /// Refuse the pack.
    #[default]
    Refuse,
    /// Warn, and leave the judgement to OPA's compiler: rules, collisions and golden decisions are not looked at.
    Warn,
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
    warning: Option<String>,
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
    /// Why the modules were not looked at, where they were not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub warning: Option<String>,
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
            warning: self.warning.clone(),
        }
    }

    /// Why the modules were not looked at, where they were not.
    pub fn warning(&self) -> Option<&str> {
        self.warning.as_deref()
    }
}

/// Looks at `pack` as the module documentation says.
pub fn preflight(pack: VerifiedPack, rules: &PreflightRules) -> Result<Deployable, PreflightError> {
    let (versions, golden_checked, warning) = match look(&pack, rules) {
        Ok((versions, golden_checked)) => (versions, golden_checked, None),
        Err(error @ PreflightError::Rego { .. }) if rules.unreadable == UnreadableRego::Warn => {
            (rego::assumed(&pack, rules.rego), 0, Some(error.to_string()))
        }
        Err(error) => return Err(error),
    };
    let packages = pack.policies().iter().filter_map(|file| file.package.first());
    let documents = pack.data().iter().filter_map(|file| file.document.first());
    let roots: BTreeSet<String> = packages.chain(documents).cloned().collect();
    Ok(Deployable {
        versions,
        roots: roots.into_iter().collect(),
        golden_checked,
        warning,
        pack,
    })
}

fn look(pack: &VerifiedPack, rules: &PreflightRules) -> Result<(Vec<ModuleVersion>, usize), PreflightError> {
    let parsed = rego::parse(pack, rules.rego)?;
    collision::check(pack, &parsed.rules)?;
    let golden_checked = golden::check(pack, &parsed.engine, rules)?;
    Ok((parsed.versions, golden_checked))
}
