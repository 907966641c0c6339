//! Owns the types of a resolved policy: every name is an OID and a quoted name here, every value has a type.
//!
//! **Aliases.** Every fragment of SQL in here speaks of the row as `t`: statements are
//! `DELETE FROM ONLY "s"."leaf" AS t WHERE ...` and `UPDATE ONLY "s"."leaf" AS t SET ... WHERE ...`.

use jiff::Timestamp;
use pg_session::Sql;
use serde::Serialize;

/// A table as the catalog knows it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
pub struct Relation {
    /// Its OID; survives a rename.
    pub oid: u32,
    /// Schema, unquoted.
    pub schema: String,
    /// Name, unquoted.
    pub name: String,
}

impl Relation {
    /// `"schema"."name"`.
    pub fn quoted(&self) -> String {
        format!(
            "{}.{}",
            pg_session::quote_ident(&self.schema),
            pg_session::quote_ident(&self.name)
        )
    }

    /// `schema.name`, for people.
    pub fn shown(&self) -> String {
        format!("{}.{}", self.schema, self.name)
    }
}

/// A column as the catalog knows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Column {
    /// Unquoted.
    pub name: String,
    /// `attnum`.
    pub number: i16,
    /// As `format_type` writes it, schema-qualified where `search_path` is empty.
    pub type_name: String,
    /// The base type below domains, as `format_type` writes it without a length or precision: `character varying`.
    pub base_type: String,
    /// `varchar(n)`, `char(n)`: n.
    pub max_chars: Option<u32>,
    /// `NOT NULL`, of the column or of a domain.
    pub not_null: bool,
    /// Computed, or `GENERATED ALWAYS AS IDENTITY`: cannot be written.
    pub generated: bool,
    /// The schema of the type's comparison operators where it is not `pg_catalog`: `public` for `citext`, for instance.
    pub operators: Option<String>,
}

impl Column {
    /// A plain column of a built-in type that may be NULL.
    pub fn new(number: i16, name: impl Into<String>, type_name: impl Into<String>) -> Self {
        let type_name = type_name.into();
        Self {
            name: name.into(),
            number,
            base_type: type_name.clone(),
            type_name,
            max_chars: None,
            not_null: false,
            generated: false,
            operators: None,
        }
    }

    /// Whether it is of the extension's type that compares without regard to case, or of a domain over it.
    pub fn is_citext(&self) -> bool {
        self.operators.is_some() && (self.base_type == "citext" || self.base_type.ends_with(".citext"))
    }

    /// The operator as it must be written where `search_path` is empty: `=`, or `OPERATOR("public".=)`.
    pub fn operator(&self, symbol: &str) -> String {
        match &self.operators {
            None => symbol.to_owned(),
            Some(schema) => format!("OPERATOR({}.{symbol})", pg_session::quote_ident(schema)),
        }
    }
}

/// How the rows of one leaf are found and taken in batches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Strategy {
    /// The whole partition is due: it is detached, and dropped if rows are to be deleted.
    Partition,
    /// By an index whose first column is the age column, oldest first.
    Keyset,
    /// Block by block.
    TidRange,
    /// Block by block, in several commits a block range, so that pruning makes room on the page in between (HOT).
    HotPasses,
    /// `ctid = ANY (ARRAY (SELECT ... LIMIT n))`: whatever index the planner finds for the predicate.
    Limited,
}

/// What is done to a row. Serialisable parts only: fragments are shown, keys are not.
#[derive(Debug, Clone)]
pub enum Work {
    /// It is deleted.
    Delete,
    /// Columns are set.
    Anonymise {
        /// `"email" = NULL, "ip" = ...`
        set: Sql,
        /// At least one column is not anonymous yet: `t."email" IS NOT NULL OR ...`. Makes a second night free.
        guard: Sql,
        /// The columns.
        columns: Vec<String>,
    },
    /// Whole partitions are detached and stay as tables.
    Detach,
}

impl Work {
    /// Whether rows leave their table: what refers to them, or goes along with them, matters.
    pub fn removes(&self) -> bool {
        !matches!(self, Self::Anonymise { .. })
    }
}

/// Where a task comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum TaskKind {
    /// A rule of the policy.
    Rule,
    /// One table of an erasure.
    Erasure,
}

/// A table that stores rows: the table itself, or one partition of it. Never a partitioned parent (ctid through a parent
/// deletes the wrong rows).
#[derive(Debug, Clone)]
pub struct Leaf {
    /// The table.
    pub relation: Relation,
    /// Blocks, when the plan was made.
    pub blocks: u32,
    /// Rows, by the catalog's estimate; negative: never analysed.
    pub estimated_rows: f64,
    /// How.
    pub strategy: Strategy,
    /// For `Partition`: all rows are before this (the partition's upper bound).
    pub upper_bound: Option<Timestamp>,
    /// For `Partition`: DETACH CONCURRENTLY is possible (no default partition, and not inside another partition tree).
    pub detach_concurrently: bool,
    /// For `Keyset`: the age column's name and type.
    pub keyset: Option<Column>,
    /// For `TidRange`, where rows lie in the order of their age: how many are free to be taken. A sweep that has taken so many
    /// most likely has them all, and need not look at the rest of the table.
    pub together: Option<u64>,
    /// For `TidRange` that anonymises: columns that are set to what they are, so that new versions of rows get their entries
    /// in indexes without a search for old ones.
    pub as_is: Vec<String>,
}

/// One rule on one table, ready to be applied: the engine needs nothing else.
#[derive(Debug, Clone)]
pub struct Task {
    /// Rule or erasure.
    pub kind: TaskKind,
    /// The rule's name; `erasure:schema.table` for erasures.
    pub rule: String,
    /// The table that the rule names.
    pub table: Relation,
    /// The tables that store its rows.
    pub leaves: Vec<Leaf>,
    /// What is done.
    pub work: Work,
    /// Which rows are due, without guard, holds and blocks: age and conditions, over `t`. Never empty.
    pub due: Sql,
    /// Rows that others refer to and that therefore stay: over `t`; `None` where nothing refers to the table.
    pub blocked: Option<Sql>,
    /// The tables (leaves) that foreign keys delete from or change when rows of this table go; the table's own leaves are
    /// among them where it refers to itself so.
    pub cascades_to: Vec<Relation>,
    /// `on_children: keep`: nothing may happen in `cascades_to`. `blocked` sees to that for what the statement sees; a row
    /// that is added meanwhile by somebody whose lock the DELETE waits for is not seen, so a batch in which something did
    /// happen there must be rolled back and tried again.
    pub children_stay: bool,
    /// The cutoff.
    pub cutoff: Option<Timestamp>,
    /// `t."at" IS NULL`: rows without an age.
    pub undated: Option<Sql>,
    /// At most so many rows a run.
    pub max_rows: Option<u64>,
}

impl Task {
    /// What still has to be done: due, and for anonymising not anonymous yet.
    pub fn todo(&self) -> Sql {
        match &self.work {
            Work::Anonymise { guard, .. } => Sql::text("(").append(&self.due).raw(")").and(guard),
            Work::Delete | Work::Detach => Sql::text("(").append(&self.due).raw(")"),
        }
    }

    /// `delete`, `anonymise`, `detach-partition`.
    pub fn action(&self) -> &'static str {
        match self.work {
            Work::Delete => "delete",
            Work::Anonymise { .. } => "anonymise",
            Work::Detach => "detach-partition",
        }
    }
}
