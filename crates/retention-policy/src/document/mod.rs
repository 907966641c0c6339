//! Owns the document as it is written: every key known, its JSON Schema derived from these types.
//!
//! | module | owns |
//! |---|---|
//! | `rule`, `erasure` | the parts of it |
//! | `shapes` | values with more than one way to write them |
//! | `convert` | from the document to the policy, with the mistakes that only the document can have |
//! | `write` | from a policy to its document, and the canonical form |
//! | `schema` | the published JSON Schema |

mod convert;
mod erasure;
mod rule;
mod schema;
mod shapes;
mod write;

pub(crate) use convert::policy;
pub use schema::schema;
pub use write::canonical;

use erasure::ErasureDocument;
use rule::RuleDocument;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What `retention-job` deletes, anonymises and detaches, and when. JSON or YAML 1.2; unknown and double keys are refused, and so is a key
/// without a value. Names of tables and columns are written as the catalog has them: no quotes, no folding to lower case.
///
/// Values in YAML: `true` and `false` alone are truth values (`yes`, `no`, `on`, `off` are texts), `90` and `0x5a` are numbers, and
/// everything else is text: `0123` keeps its zero, `2024-01-31` is no date of YAML's. In quotes all is text. A number loses how it was
/// written (`1.10` becomes `1.1`), and keeps 15 digits unless it is a whole number of 64 bits: for more, or for a column of text, use quotes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(
    deny_unknown_fields,
    expecting = "names with values, such as `rules: [...]` (see `retention-job schema`)"
)]
pub(crate) struct PolicyDocument {
    /// For editors: where this schema is.
    #[serde(rename = "$schema", skip_serializing_if = "Option::is_none")]
    pub schema: Option<String>,
    /// Version of this format: 1, also when not given.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1))]
    pub version: Option<i64>,
    /// Number of this policy, which OPA's rules read too.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub revision: Option<u64>,
    /// Added to every age, in seconds; 0 when not given. OPA's `retained` rule keeps a row readable for as long.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 3_153_600_000_i64))]
    pub grace_seconds: Option<i64>,
    /// A row with one of these labels in its rule's `labels_column` is held: nothing happens to it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub legal_hold_labels: Option<Vec<String>>,
    /// What becomes of which rows. The built-in rules (pii-events, rtbf-users, transactions) when not given; an empty list only beside `erasure`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rules: Option<Vec<RuleDocument>>,
    /// The right to be forgotten (GDPR, article 17).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub erasure: Option<ErasureDocument>,
    /// Limits that stop a run before it begins, until the digest of its plan is given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub guards: Option<GuardsDocument>,
}

/// Limits that stop a run before it begins, until the digest of its plan is given (`apply --plan`).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct GuardsDocument {
    /// A rule's cutoff may move by so many times the time that passed since it was last applied (at least a day); 3 when not given.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub max_cutoff_factor: Option<f64>,
    /// A table of which all rows are due is refused, from so many rows on; 100 when not given.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub all_due_from_rows: Option<i64>,
    /// Largest difference between the database's clock and ours, in seconds; 300 when not given.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub max_clock_skew_seconds: Option<i64>,
}
