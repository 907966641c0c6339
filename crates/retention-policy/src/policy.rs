//! Owns the policy's types: what a document says once it is read and checked. How it is written is `read`'s affair.

use std::collections::BTreeMap;

/// A whole policy.
#[derive(Debug, Clone, PartialEq)]
pub struct Policy {
    /// `revision` of the document, which OPA's rules read too.
    pub revision: Option<u64>,
    /// `grace_seconds`: added to every age. OPA's `retained` rule keeps a row readable for as long.
    pub grace_seconds: u64,
    /// `legal_hold_labels`: a row whose label column (see [`Rule::labels_column`]) has one of them is held.
    pub legal_hold_labels: Vec<String>,
    /// In the order of the document; the plan orders them by foreign keys.
    pub rules: Vec<Rule>,
    /// The right to be forgotten.
    pub erasure: Option<Erasure>,
    /// Limits that stop a run before it begins.
    pub guards: Guards,
}

/// Schema and name, exactly as in the catalog: no folding to lower case, no quotes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TableName {
    /// `public` where a document says only a name.
    pub schema: String,
    /// The name.
    pub name: String,
}

impl std::fmt::Display for TableName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}", self.schema, self.name)
    }
}

/// One rule: which rows of one table, and what becomes of them.
#[derive(Debug, Clone, PartialEq)]
pub struct Rule {
    /// Unique in the policy: lower-case letters, digits, `-`, `_`, `.`; at most 63.
    pub name: String,
    /// The table.
    pub table: TableName,
    /// What becomes of the rows.
    pub action: Action,
    /// From which age on; `None`: whatever their age (then `conditions` is not empty).
    pub age: Option<Age>,
    /// All must hold.
    pub conditions: Vec<Condition>,
    /// At most so many rows a run; the rest is kept for the next.
    pub max_rows: Option<u64>,
    /// A run in which more than this part of the table is due is refused: 0 < f <= 1.
    pub max_fraction: Option<f64>,
    /// What becomes of rows that refer to a deleted row by a foreign key.
    pub on_children: OnChildren,
    /// A column of text, text[] or jsonb (array of text) with labels, for `legal_hold_labels`.
    pub labels_column: Option<String>,
    /// The column that says whose row it is, for holds on a subject.
    pub subject_column: Option<String>,
    /// The table needs no primary key.
    pub allow_no_primary_key: bool,
    /// Foreign keys into the table without an index are allowed.
    pub allow_unindexed_foreign_keys: bool,
    /// Columns that are known and stay as they are; with it, every other column of the table must be named by the rule (drift gate).
    pub keep_columns: Option<Vec<String>>,
}

/// What becomes of a due row.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    /// It is deleted.
    Delete,
    /// Columns are made anonymous, the row stays. Never empty.
    Anonymise(BTreeMap<String, Transform>),
    /// The partition whose rows are all due is detached and left as a table of its own.
    DetachPartition,
}

/// What becomes of a column's value.
#[derive(Debug, Clone, PartialEq)]
pub enum Transform {
    /// NULL.
    Null,
    /// Always this value.
    Constant(Scalar),
    /// `hmac:` and 64 hex digits: HMAC-SHA-256 of the value with `RETENTION_HMAC_KEY`. NULL stays NULL.
    Hmac,
    /// The network's address: `inet`, `cidr`, or text that holds one. Bits that are kept.
    TruncateIp {
        /// 0 to 32.
        v4: u8,
        /// 0 to 128.
        v6: u8,
    },
    /// The beginning of the unit (UTC): date, timestamp, timestamptz.
    GeneraliseDate(Unit),
}

/// A unit of the calendar.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// The hour.
    Hour,
    /// The day.
    Day,
    /// The week (Monday).
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

/// How old a row must be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Age {
    /// date, timestamp (read as UTC) or timestamptz. A row is due when it is before the cutoff; NULL is never due.
    pub column: String,
    /// The term.
    pub term: Term,
}

/// A term; at least 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Term {
    /// Days of 24 hours.
    Days(u32),
    /// Calendar months in UTC; a day that the month does not have becomes its last.
    Months(u32),
}

/// `column op value`. A NULL fulfils none but `is_null`.
#[derive(Debug, Clone, PartialEq)]
pub struct Condition {
    /// The column.
    pub column: String,
    /// The operator.
    pub op: Op,
}

/// An operator with its value.
#[derive(Debug, Clone, PartialEq)]
pub enum Op {
    /// `=`
    Eq(Scalar),
    /// `<>`
    Ne(Scalar),
    /// `<`
    Lt(Scalar),
    /// `<=`
    Le(Scalar),
    /// `>`
    Gt(Scalar),
    /// `>=`
    Ge(Scalar),
    /// One of them; never empty.
    In(Vec<Scalar>),
    /// None of them; never empty.
    NotIn(Vec<Scalar>),
    /// `IS NULL`
    IsNull,
    /// `IS NOT NULL`
    NotNull,
}

/// A value of a condition or constant. Numbers keep their digits.
#[derive(Debug, Clone, PartialEq)]
pub enum Scalar {
    /// true, false
    Bool(bool),
    /// As it was written.
    Number(serde_json::Number),
    /// Text.
    Text(String),
}

impl Scalar {
    /// As PostgreSQL's input functions read it.
    pub fn as_text(&self) -> String {
        match self {
            Self::Bool(value) => value.to_string(),
            Self::Number(value) => value.to_string(),
            Self::Text(value) => value.clone(),
        }
    }
}

/// What becomes of rows that refer to a due row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnChildren {
    /// A row that others refer to stays, and is counted as blocked. Nothing that no rule names is ever touched.
    #[default]
    Keep,
    /// The foreign key's `ON DELETE CASCADE / SET NULL / SET DEFAULT` is let happen, and counted. RESTRICT still keeps the row.
    Cascade,
}

/// Limits that stop a run before it begins, until the plan's digest is given.
#[derive(Debug, Clone, PartialEq)]
pub struct Guards {
    /// A cutoff may move by this much more than the time that passed since the last run (at least a day). Default 3.
    pub max_cutoff_factor: f64,
    /// All rows of a table due is refused, from so many rows on. Default 100.
    pub all_due_from_rows: u64,
    /// Seconds between the database's clock and ours. Default 300.
    pub max_clock_skew_seconds: u64,
}

impl Default for Guards {
    fn default() -> Self {
        Self {
            max_cutoff_factor: 3.0,
            all_due_from_rows: 100,
            max_clock_skew_seconds: 300,
        }
    }
}

/// The right to be forgotten.
#[derive(Debug, Clone, PartialEq)]
pub struct Erasure {
    /// Where subjects are.
    pub subject: SubjectTable,
    /// What becomes of their rows, in every table that holds any. Never empty.
    pub tables: Vec<ErasureTable>,
    /// A run in which more than this part of the subjects ask to be forgotten is refused: 0 < f <= 1. `None`:
    /// [`Erasure::DEFAULT_MAX_FRACTION`], from [`Erasure::DEFAULT_FROM_SUBJECTS`] subjects on.
    pub max_fraction: Option<f64>,
}

impl Erasure {
    /// People ask one by one; a tenth of all of them in one night is a flag that somebody set by mistake.
    pub const DEFAULT_MAX_FRACTION: f64 = 0.1;
    /// In a smaller table a tenth is a handful.
    pub const DEFAULT_FROM_SUBJECTS: u64 = 100;
}

/// The table with one row a subject.
#[derive(Debug, Clone, PartialEq)]
pub struct SubjectTable {
    /// The table.
    pub table: TableName,
    /// The column that names a subject (`id`).
    pub key: String,
    /// Which subjects asked for it. Empty: only `erase` and the ledger ask.
    pub requested: Vec<Condition>,
    /// timestamptz, set when no row of the subject is left to erase.
    pub completed: Option<String>,
}

/// One table of an erasure.
#[derive(Debug, Clone, PartialEq)]
pub struct ErasureTable {
    /// The table.
    pub table: TableName,
    /// Delete or Anonymise.
    pub action: ErasureAction,
    /// How its rows are found.
    pub reach: Reach,
    /// See [`Rule::on_children`].
    pub on_children: OnChildren,
    /// The table needs no primary key.
    pub allow_no_primary_key: bool,
}

/// What an erasure does to a row.
#[derive(Debug, Clone, PartialEq)]
pub enum ErasureAction {
    /// The row goes.
    Delete,
    /// Columns are made anonymous. Never empty.
    Anonymise(BTreeMap<String, Transform>),
}

/// From a row to its subject.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reach {
    /// The row's own column holds the subject's key.
    Column(String),
    /// `column` holds `key` of a row of `table`, from which `reach` goes on.
    Via {
        /// Of this table.
        column: String,
        /// The next table.
        table: TableName,
        /// Of the next table.
        key: String,
        /// From there.
        reach: Box<Reach>,
    },
}
