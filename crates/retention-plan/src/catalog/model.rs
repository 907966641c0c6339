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
}

impl Catalog {
    /// By exact names.
    pub fn find(&self, schema: &str, name: &str) -> Option<&Table> {
        self.tables
            .values()
            .find(|table| table.relation.schema == schema && table.relation.name == name)
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
    /// From this table to others.
    pub foreign_keys: Vec<ForeignKey>,
    /// From others (and itself) to this table.
    pub referenced_by: Vec<ForeignKey>,
    /// User triggers that fire on DELETE or UPDATE.
    pub triggers: Vec<Trigger>,
    /// Row security applies to us.
    pub row_security: bool,
    /// What we may do.
    pub privileges: Privileges,
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
    /// (MAXVALUE, list, hash, several columns, inheritance).
    pub upper: Option<Timestamp>,
    /// DETACH CONCURRENTLY was begun and not finished.
    pub detach_pending: bool,
    /// A real partition; false: old-style inheritance.
    pub declarative: bool,
}

/// An index.
#[derive(Debug, Clone, PartialEq)]
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
    /// A usable index of the child begins with the columns.
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
    /// A row trigger before the event: it can keep the event from happening.
    pub before_row: bool,
}

/// What we may do with a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Privileges {
    /// SELECT.
    pub select: bool,
    /// DELETE.
    pub delete: bool,
    /// UPDATE on the table (column grants are asked for where needed).
    pub update: bool,
    /// We own it: detach and drop need that.
    pub owner: bool,
}
