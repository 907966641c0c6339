//! Holds a policy against the catalog: every name becomes an OID and a quoted name, every value gets a type, every rule
//! becomes a task; or all that is wrong is told at once. Pure, but for [`check_values`].
//!
//! | module | owns |
//! |---|---|
//! | `scope` | checks of names, kinds and rights, and the list of what they found |
//! | `rule` | one rule to one task |
//! | `predicate` | age and conditions |
//! | `columns`, `transform` | what may be made anonymous, and the SQL of it |
//! | `children` | rows that others refer to, and what goes along |
//! | `order` | children before parents |
//! | `erasure` | the rows of a subject |
//! | `probe` | values that are tried on the server |

mod children;
mod columns;
mod erasure;
mod error;
mod keys;
mod order;
mod predicate;
mod probe;
mod rule;
mod scope;
#[cfg(test)]
mod tests;
mod transform;

pub(crate) use children::cascades_to;

pub use erasure::{ReachedTable, ResolvedErasure, erasure_task, erasure_tasks};
pub use error::{Problem, ResolveError};
pub use keys::{HmacKey, Keys};
pub use probe::{Probe, check_values};

use crate::catalog::Catalog;
use crate::model::Task;
use jiff::Timestamp;
use retention_policy::{Policy, Reach, TableName};
use scope::Scope;

/// A policy that this database can bear, as far as the catalog can tell; [`check_values`] tells the rest.
#[derive(Debug, Clone)]
pub struct Resolved {
    /// In the order in which they are done.
    pub tasks: Vec<Task>,
    /// The erasure of subjects.
    pub erasure: Option<ResolvedErasure>,
    /// Values to be tried on the server.
    pub probes: Vec<Probe>,
    /// Worth knowing, but no reason to stop.
    pub notes: Vec<String>,
}

/// Every table that a policy names: what [`crate::catalog::read`] must be asked for.
pub fn table_names(policy: &Policy) -> Vec<TableName> {
    let mut names: Vec<TableName> = policy.rules.iter().map(|rule| rule.table.clone()).collect();
    if let Some(erasure) = &policy.erasure {
        names.push(erasure.subject.table.clone());
        for part in &erasure.tables {
            names.push(part.table.clone());
            let mut next = &part.reach;
            while let Reach::Via { table, reach, .. } = next {
                names.push(table.clone());
                next = reach;
            }
        }
    }
    names.sort();
    names.dedup();
    names
}

/// Holds the policy against the catalog. Cutoffs count from `as_of`.
///
/// # Errors
/// Everything that is wrong, in the order of the document. Nothing may be done then.
pub fn resolve(
    policy: &Policy,
    catalog: &Catalog,
    as_of: Timestamp,
    keys: &Keys,
) -> Result<Resolved, Vec<ResolveError>> {
    let mut errors = Vec::new();
    let (mut found, mut probes, mut notes) = (Vec::new(), Vec::new(), Vec::new());
    for rule in &policy.rules {
        let mut scope = Scope::new(catalog, format!("rule \"{}\"", rule.name));
        if let Some((task, more)) = rule::task(&mut scope, policy, rule, as_of, keys) {
            found.push(task);
            probes.extend(more);
        }
        errors.append(&mut scope.errors);
    }
    let mut erasure = None;
    if let Some(wanted) = &policy.erasure {
        let mut scope = Scope::new(catalog, "erasure");
        if let Some((resolved, more, told)) = erasure::resolve(&mut scope, wanted, keys) {
            erasure = Some(resolved);
            probes.extend(more);
            notes.extend(told);
        }
        errors.append(&mut scope.errors);
    }
    if !errors.is_empty() {
        // A table that several rules read is wrong once for each, but not twice for one.
        let mut told = std::collections::HashSet::new();
        errors.retain(|error| told.insert(error.to_string()));
        return Err(errors);
    }
    let oids: Vec<u32> = found.iter().map(|task| task.table.oid).collect();
    let (order, circular) = order::children_first(catalog, &oids, &[]);
    for at in circular {
        let (rule, table) = (&found[at].rule, found[at].table.shown());
        notes.push(format!(
            "rule \"{rule}\": {table} refers to a table that refers to it; its place in the document decides"
        ));
    }
    let mut found: Vec<Option<Task>> = found.into_iter().map(Some).collect();
    Ok(Resolved {
        tasks: order.into_iter().filter_map(|at| found[at].take()).collect(),
        erasure,
        probes,
        notes,
    })
}
