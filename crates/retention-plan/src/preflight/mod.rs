//! What stands against a run, or is worth knowing before it: looked at without changing anything.
//!
//! | module | owns |
//! |---|---|
//! | [`facts`] | what the server says, beyond the catalog's picture |
//! | `gather` | the questions to it |
//! | `server`, `tables`, `rules` | what follows from it; pure |
//!
//! What the policy itself cannot have (missing tables, rights, row security, foreign keys without an index) has been
//! refused by [`crate::resolve`] before.

pub mod facts;
mod gather;
mod rules;
mod server;
mod tables;
#[cfg(test)]
mod tests;

pub use facts::Facts;
pub use gather::gather;

use crate::catalog::Catalog;
use crate::holds::HoldRules;
use crate::model::Task;
use retention_policy::Policy;
use retention_store::hold::Structure;
use serde::Serialize;

/// How much it matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// No row may be touched.
    Refused,
    /// The run goes on, but may be slow, leave rows behind, or trouble others.
    Warning,
    /// Worth knowing.
    Note,
}

/// Something that was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// How much it matters.
    pub severity: Severity,
    /// Stable, for programs: `old-snapshot`.
    pub code: &'static str,
    /// The rule that it concerns; `None`: all.
    pub rule: Option<String>,
    /// The table, column, slot or setting.
    pub object: String,
    /// What it is, what it means, what to do.
    pub message: String,
}

impl std::fmt::Display for Finding {
    /// `rule "pii-events": public.pii_events: message`, as far as there is a rule and an object.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if let Some(rule) = &self.rule {
            write!(f, "rule \"{rule}\": ")?;
        }
        if !self.object.is_empty() {
            write!(f, "{}: ", self.object)?;
        }
        f.write_str(&self.message)
    }
}

impl Finding {
    fn new(severity: Severity, code: &'static str, object: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            severity,
            code,
            rule: None,
            object: object.into(),
            message: message.into(),
        }
    }

    fn of(mut self, rule: &str) -> Self {
        self.rule = Some(rule.to_owned());
        self
    }
}

/// What preflight looks at.
#[derive(Debug, Clone, Copy)]
pub struct Subject<'a> {
    /// The database.
    pub catalog: &'a Catalog,
    /// The policy.
    pub policy: &'a Policy,
    /// What it wants (erasures need not be among them).
    pub tasks: &'a [Task],
    /// For held rows.
    pub holds: &'a HoldRules,
    /// Which columns have holds now.
    pub active: &'a Structure,
    /// A column that the policy does not classify is refused, not only reported.
    pub strict: bool,
}

/// What was found.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct Preflight {
    /// The worst first.
    pub findings: Vec<Finding>,
    /// Somebody keeps row versions from being pruned; see [`crate::strategy::LeafFacts::old_snapshot`].
    pub old_snapshot: bool,
    /// The server would log bound values, and we may tell it not to: the session must run
    /// `SET log_parameter_max_length = 0` before it sends a key, of hmac or of a subject.
    pub silence_parameters: bool,
}

impl Preflight {
    /// What forbids the run.
    pub fn refused(&self) -> impl Iterator<Item = &Finding> {
        self.findings
            .iter()
            .filter(|finding| finding.severity == Severity::Refused)
    }
}

/// Judges; pure.
pub fn judge(subject: &Subject<'_>, facts: &Facts) -> Preflight {
    let mut findings = server::findings(subject, facts);
    findings.extend(tables::findings(subject, facts));
    findings.extend(rules::findings(subject, facts));
    let values = rules::values_in_log(subject, facts);
    findings.extend(values.findings);
    findings.sort_by_key(|finding| finding.severity);
    findings.dedup();
    Preflight {
        findings,
        old_snapshot: !server::horizon(facts).is_empty(),
        silence_parameters: values.silence,
    }
}
