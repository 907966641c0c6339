//! Owns the types of the catalog's picture. Pure: `read` fills them, tests make them by hand.

use crate::model::{Column, Relation};
use jiff::Timestamp;
use std::collections::BTreeMap;

/// The server and the tables.
#[derive(Debug, Clone)]
pub struct Catalog {
    /// The server.
    pub server: Server,
    /// By OID: every table that the policy names, its partitions, and all tables tied to them by foreign keys (both ways,
    /// as far as they go).
    pub tables: BTreeMap<u32, Table>,
    /// `schema.name` of every table of the database, for "did you mean"; read only when a name was not found.
    pub known_names: Vec<String>,
}

impl Catalog {
    /// By exact names.
    pub fn find(&self, schema: &str, name: &str) -> Option<&Table> {
        self.tables
            .values()
            .find(|table| table.relation.schema == schema && table.relation.name == name)
    }

    /// The table and the partitioned tables above it, nearest first. Old-style inheritance parents are not among them:
    /// keys and bounds of theirs do not hold for their children.
    pub fn lineage(&self, oid: u32) -> impl Iterator<Item = &Table> {
        std::iter::successors(self.tables.get(&oid), |table| {
            let place = table.partition.as_ref().filter(|place| place.declarative)?;
            self.tables.get(&place.parent)
        })
    }

    /// The topmost partitioned table above it, or itself.
    pub fn root(&self, oid: u32) -> u32 {
        self.lineage(oid).last().map_or(oid, |table| table.relation.oid)
    }

    /// The tables that store the rows that `SELECT ... FROM table` shows: leaf partitions, old-style children, itself
    /// unless it is partitioned. In the order of names.
    pub fn leaves(&self, oid: u32) -> Vec<&Table> {
        let mut found = BTreeMap::new();
        let mut seen = std::collections::BTreeSet::new();
        let mut left = vec![oid];
        while let Some(next) = left.pop() {
            let Some(table) = self.tables.get(&next).filter(|_| seen.insert(next)) else {
                continue;
            };
            left.extend(&table.children);
            if table.kind != RelationKind::Partitioned {
                found.insert((&table.relation.schema, &table.relation.name), table);
            }
        }
        found.into_values().collect()
    }

    /// Foreign keys that refer to rows of this leaf: its own, and those that refer to a partitioned table above it. Columns
    /// are numbered as in [`ForeignKey::parent`], whose numbers may differ from the leaf's: go by name.
    pub fn referring_to(&self, leaf: u32) -> impl Iterator<Item = &ForeignKey> {
        self.lineage(leaf).flat_map(|table| &table.referenced_by)
    }

    /// Foreign keys by which rows of this leaf refer to others: its own, and those of the partitioned tables above it.
    pub fn referring_from(&self, leaf: u32) -> impl Iterator<Item = &ForeignKey> {
        self.lineage(leaf).flat_map(|table| &table.foreign_keys)
    }

    /// The bound that no row of this leaf reaches in `column`: the tightest of its own and of the partitions above it.
    pub fn upper_bound(&self, leaf: u32, column: &str) -> Option<Timestamp> {
        self.lineage(leaf)
            .filter_map(|table| table.partition.as_ref())
            .filter(|place| place.column.as_deref() == Some(column))
            .filter_map(|place| place.upper)
            .min()
    }

    /// Names of columns by their numbers in a table.
    pub fn column_names(&self, table: u32, numbers: &[i16]) -> Vec<&str> {
        let columns = self.tables.get(&table).map_or(&[][..], |table| &table.columns);
        numbers
            .iter()
            .filter_map(|number| columns.iter().find(|column| column.number == *number))
            .map(|column| column.name.as_str())
            .collect()
    }
}

/// The server.
#[derive(Debug, Clone, PartialEq)]
pub struct Server {
    /// `server_version_num`: 150018.
    pub version_num: i32,
    /// `server_version`.
    pub version: String,
    /// `pg_control_system().system_identifier`, where we may read it.
    pub system_identifier: Option<String>,
    /// The database.
    pub database: String,
    /// Its OID.
    pub database_oid: u32,
    /// We are.
    pub user: String,
    /// A standby.
    pub in_recovery: bool,
    /// `default_transaction_read_only` or the like.
    pub read_only: bool,
    /// The database's clock when the catalog was read.
    pub now: Timestamp,
    /// Our clock at that moment.
    pub our_now: Timestamp,
}

/// What kind of thing a name is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RelationKind {
    /// `r`
    Table,
    /// `p`
    Partitioned,
    /// `v`
    View,
    /// `m`
    MaterialisedView,
    /// `f`
    ForeignTable,
    /// Sequences, indexes, types.
    Other,
}

/// One table.
#[derive(Debug, Clone)]
pub struct Table {
    /// Names and OID.
    pub relation: Relation,
    /// What it is.
    pub kind: RelationKind,
    /// Temporary (`t`), unlogged (`u`) or permanent (`p`).
    pub persistence: char,
    /// Without dropped ones, by number.
    pub columns: Vec<Column>,
    /// Of the primary key; empty: none.
    pub primary_key: Vec<i16>,
    /// All.
    pub indexes: Vec<Index>,
    /// From this table to others. Those that a partition has only because its parent has them are left out here and below:
    /// see [`Catalog::referring_from`] and [`Catalog::referring_to`].
    pub foreign_keys: Vec<ForeignKey>,
    /// From others (and itself) to this table.
    pub referenced_by: Vec<ForeignKey>,
    /// User triggers that fire on DELETE or UPDATE, and rewrite rules on them.
    pub triggers: Vec<Trigger>,
    /// Row security applies to us.
    pub row_security: bool,
    /// What we may do.
    pub privileges: Privileges,
    /// Columns that we may UPDATE by a grant on the column.
    pub update_columns: Vec<i16>,
    /// For partitions and inheritance children.
    pub partition: Option<Partition>,
    /// Direct partitions or inheritance children.
    pub children: Vec<u32>,
    /// For partitioned tables: `r`ange, `l`ist, `h`ash, and the key's columns (0: an expression).
    pub partitioned_by: Option<(char, Vec<i16>)>,
    /// `pg_relation_size / block_size`.
    pub blocks: u32,
    /// `reltuples`.
    pub estimated_rows: f64,
    /// `reloptions` `fillfactor`, default 100.
    pub fillfactor: u8,
}

impl Table {
    /// By exact name.
    pub fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|column| column.name == name)
    }
}

/// A partition's place.
#[derive(Debug, Clone, PartialEq)]
pub struct Partition {
    /// The parent.
    pub parent: u32,
    /// It takes what no other takes.
    pub is_default: bool,
    /// For RANGE partitions by one date or time column: the bound that no row reaches, read as UTC. `None`: no such bound
    /// (MAXVALUE, list, hash, several columns, inheritance). See [`Catalog::upper_bound`] for that of partitions in partitions.
    pub upper: Option<Timestamp>,
    /// The column that `upper` speaks of.
    pub column: Option<String>,
    /// DETACH CONCURRENTLY was begun and not finished.
    pub detach_pending: bool,
    /// A real partition; false: old-style inheritance.
    pub declarative: bool,
}

/// An index.
#[derive(Debug, Clone, PartialEq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "they are the catalog's own columns, each a fact of its own"
)]
pub struct Index {
    /// Its name.
    pub name: String,
    /// Key columns; 0 stands for an expression.
    pub key_columns: Vec<i16>,
    /// Every column that it speaks of: keys, INCLUDE, expressions and predicate. Changing one of them rules HOT out.
    pub all_columns: Vec<i16>,
    /// Valid and ready.
    pub usable: bool,
    /// With a WHERE.
    pub partial: bool,
    /// Unique.
    pub unique: bool,
    /// `NULLS NOT DISTINCT`: only one NULL.
    pub one_null: bool,
    /// `btree`, `brin`, ... Summarising ones (BRIN) do not rule HOT out from PostgreSQL 16 on.
    pub method: String,
}

/// What a foreign key does when the row that it refers to is deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnDelete {
    /// `a`
    NoAction,
    /// `r`
    Restrict,
    /// `c`
    Cascade,
    /// `n`
    SetNull,
    /// `d`
    SetDefault,
}

/// A foreign key.
#[derive(Debug, Clone, PartialEq)]
pub struct ForeignKey {
    /// Its name.
    pub name: String,
    /// The table that refers.
    pub child: u32,
    /// Its columns.
    pub child_columns: Vec<i16>,
    /// The table that is referred to.
    pub parent: u32,
    /// Its columns.
    pub parent_columns: Vec<i16>,
    /// On delete.
    pub on_delete: OnDelete,
    /// Per column, the operator between parent (left) and child (right), as SQL: `OPERATOR(pg_catalog.=)`; for the last
    /// column of a PERIOD key "overlaps".
    pub operators: Vec<String>,
    /// A usable index of the child (of all its partitions) begins with the columns.
    pub indexed: bool,
}

/// A user trigger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trigger {
    /// Its name.
    pub name: String,
    /// It fires on DELETE.
    pub on_delete: bool,
    /// It fires on UPDATE.
    pub on_update: bool,
    /// A row trigger before the event, or a rule INSTEAD of it: it can keep the event from happening.
    pub before_row: bool,
}

/// What we may do with a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each right is granted by itself")]
pub struct Privileges {
    /// USAGE of the schema.
    pub usage: bool,
    /// SELECT.
    pub select: bool,
    /// DELETE.
    pub delete: bool,
    /// UPDATE on the table (column grants are asked for where needed).
    pub update: bool,
    /// We own it: detach and drop need that.
    pub owner: bool,
}

impl Privileges {
    /// Everything.
    pub fn all() -> Self {
        Self {
            usage: true,
            select: true,
            delete: true,
            update: true,
            owner: true,
        }
    }
}
