//! Owns a rule as it is written.

use super::shapes::{self, TableDocument};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;

/// Which rows of one table, and what becomes of them. It has an `age`, a `where`, or both: then a row must satisfy both.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RuleDocument {
    /// Its name in plans, receipts and metrics, unique in the policy.
    #[schemars(regex(pattern = r"^[a-z0-9][a-z0-9._-]{0,62}$"))]
    pub name: String,
    /// The table.
    pub table: TableDocument,
    /// What becomes of a due row.
    pub action: ActionDocument,
    /// From which age on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub age: Option<AgeDocument>,
    /// Conditions that must all hold.
    #[serde(rename = "where", skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1))]
    pub conditions: Option<Vec<ConditionDocument>>,
    /// At most so many rows in one run; the next run goes on.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub max_rows: Option<i64>,
    /// When more than this part of the table is due, the run is refused until the digest of its plan is given: more than 0, at most 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(max = 1), extend("exclusiveMinimum" = 0))]
    pub max_fraction: Option<f64>,
    /// What becomes of rows that refer to a deleted row by a foreign key; `keep` when not given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub on_children: Option<OnChildrenDocument>,
    /// A column of text, text[] or jsonb with the labels that `legal_hold_labels` names.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 63))]
    pub labels_column: Option<String>,
    /// The column that says whose row it is, for holds on a subject.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 63))]
    pub subject_column: Option<String>,
    /// Work on the table although it has no primary key; false when not given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allow_no_primary_key: Option<bool>,
    /// Delete although a foreign key into the table has no index, which makes every deleted row read the other table; false when not given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allow_unindexed_foreign_keys: Option<bool>,
    /// Columns that are known and stay as they are. With it, a column of the table that the rule does not name is reported, or refused with `--strict`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub keep_columns: Option<Vec<String>>,
}

/// What becomes of a due row.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum ActionDocument {
    /// The row is deleted.
    Delete,
    /// A partition whose rows are all due is detached and left as a table of its own. Needs an `age` and no `where`.
    DetachPartition,
    /// The row stays, and these columns become anonymous: how, by column.
    #[schemars(schema_with = "shapes::columns")]
    Anonymise(BTreeMap<String, TransformDocument>),
}

/// What becomes of a column's value. A NULL stays NULL but for `constant`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(transform = shapes::or_null)]
pub(crate) enum TransformDocument {
    /// NULL; `null` without quotes says the same.
    Null,
    /// `hmac:` and 64 hex digits: HMAC-SHA-256 of the value with the key in `RETENTION_HMAC_KEY`. The column is text of at least 69 letters.
    Hmac,
    /// Always this value.
    #[schemars(schema_with = "shapes::scalar")]
    Constant(Value),
    /// The network of an IP address: inet, cidr, or text that holds one.
    TruncateIp(TruncateDocument),
    /// The beginning of this unit (UTC): date, timestamp, timestamptz.
    GeneraliseDate(UnitDocument),
}

/// How many bits of an address are kept.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct TruncateDocument {
    /// Of an IPv4 address; 24 when not given.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 32))]
    pub v4: Option<i64>,
    /// Of an IPv6 address; 48 when not given.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 128))]
    pub v6: Option<i64>,
}

/// A unit of the calendar.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum UnitDocument {
    /// The hour.
    Hour,
    /// The day.
    Day,
    /// The week, from Monday.
    Week,
    /// The month.
    Month,
    /// The quarter.
    Quarter,
    /// The year.
    Year,
    /// The decade.
    Decade,
}

/// How old a row must be: `days` or `months`, one of them. NULL and infinity are never due.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(transform = shapes::days_or_months)]
pub(crate) struct AgeDocument {
    /// date, timestamp (read as UTC) or timestamptz.
    #[schemars(length(min = 1, max = 63))]
    pub column: String,
    /// Days of 24 hours.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 36_500))]
    pub days: Option<i64>,
    /// Calendar months in UTC; a day that a month does not have becomes its last.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1200))]
    pub months: Option<i64>,
}

/// `column op value`. A NULL satisfies none but `is_null`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ConditionDocument {
    /// The column.
    #[schemars(length(min = 1, max = 63))]
    pub column: String,
    /// How it is compared.
    pub op: OpDocument,
    /// With what: one value, for `in` and `not_in` a list, for `is_null` and `not_null` nothing. It is read as the column's type reads it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "shapes::scalar_or_list")]
    pub value: Option<Value>,
}

/// How a column is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum OpDocument {
    /// Equal.
    Eq,
    /// Not equal.
    Ne,
    /// Less.
    Lt,
    /// Less or equal.
    Le,
    /// Greater.
    Gt,
    /// Greater or equal.
    Ge,
    /// One of the values.
    In,
    /// None of the values.
    NotIn,
    /// NULL.
    IsNull,
    /// Anything but NULL.
    NotNull,
}

/// What becomes of rows that refer to a deleted row by a foreign key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum OnChildrenDocument {
    /// A row that others refer to stays and is counted as blocked. Nothing that no rule names is ever touched.
    Keep,
    /// What the foreign key says (`ON DELETE CASCADE`, `SET NULL`, `SET DEFAULT`) happens and is counted. `RESTRICT` still keeps the row.
    Cascade,
}
