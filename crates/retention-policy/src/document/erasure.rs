//! Owns the right to be forgotten as it is written.

use super::{
    rule::{ConditionDocument, OnChildrenDocument, TransformDocument},
    shapes::{self, TableDocument},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The right to be forgotten: who asked for it, and what becomes of their rows, in every table that has any.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ErasureDocument {
    /// The table with one row a subject.
    pub subject: SubjectDocument,
    /// The tables with rows of subjects; each once.
    #[schemars(length(min = 1))]
    pub tables: Vec<ErasureTableDocument>,
    /// When more than this part of the subjects ask to be forgotten at once, the run is refused until the digest of its plan is given: more than 0, at most 1. When not given, 0.1 from 100 subjects on.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(max = 1), extend("exclusiveMinimum" = 0))]
    pub max_fraction: Option<f64>,
}

/// The table with one row a subject.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SubjectDocument {
    /// The table.
    pub table: TableDocument,
    /// The column that names a subject, such as `id`. It stays: by it the ledger finds the subject again.
    #[schemars(length(min = 1, max = 63))]
    pub key: String,
    /// Which subjects asked for it: all conditions must hold. When not given, only `erase` and the ledger ask.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub requested: Option<Vec<ConditionDocument>>,
    /// A timestamptz column, set when no row of the subject is left to erase.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 63))]
    pub completed: Option<String>,
}

/// One table of an erasure.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ErasureTableDocument {
    /// The table.
    pub table: TableDocument,
    /// What becomes of a subject's rows.
    pub action: ErasureActionDocument,
    /// How a subject's rows are found.
    pub reach: ReachDocument,
    /// What becomes of rows that refer to a deleted row by a foreign key; `keep` when not given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub on_children: Option<OnChildrenDocument>,
    /// Work on the table although it has no primary key; false when not given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allow_no_primary_key: Option<bool>,
}

/// What becomes of a subject's row.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum ErasureActionDocument {
    /// The row is deleted.
    Delete,
    /// The row stays, and these columns become anonymous: how, by column.
    #[schemars(schema_with = "shapes::columns")]
    Anonymise(BTreeMap<String, TransformDocument>),
}

/// From a row to its subject.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ReachDocument {
    /// The row's own column that holds the subject's key.
    Column(#[schemars(length(min = 1, max = 63))] String),
    /// Over another table; at most 8 of them.
    Via(Box<ViaDocument>),
}

/// The row's `column` holds `key` of a row of `table`, from which `reach` goes on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ViaDocument {
    /// Of this table.
    #[schemars(length(min = 1, max = 63))]
    pub column: String,
    /// The next table.
    pub table: TableDocument,
    /// Of the next table.
    #[schemars(length(min = 1, max = 63))]
    pub key: String,
    /// How it goes on from the next table.
    pub reach: ReachDocument,
}
