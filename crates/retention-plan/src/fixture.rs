//! Owns catalogs made by hand, for tests.

use crate::catalog::{Catalog, ForeignKey, Index, OnDelete, Partition, Privileges, RelationKind, Server, Table};
use crate::model::{Column, Relation};
use std::collections::BTreeMap;

/// A PostgreSQL 15 with these tables; foreign keys are entered on both sides, and children with their parents.
pub(crate) fn catalog(tables: Vec<Table>) -> Catalog {
    let now = "2026-06-01T00:00:00Z".parse().unwrap();
    let mut tables: BTreeMap<u32, Table> = tables.into_iter().map(|table| (table.relation.oid, table)).collect();
    let keys: Vec<ForeignKey> = tables.values().flat_map(|table| table.foreign_keys.clone()).collect();
    for key in keys {
        tables.get_mut(&key.parent).unwrap().referenced_by.push(key);
    }
    let places: Vec<(u32, u32)> = tables
        .values()
        .filter_map(|table| Some((table.partition.as_ref()?.parent, table.relation.oid)))
        .collect();
    for (parent, child) in places {
        tables.get_mut(&parent).unwrap().children.push(child);
    }
    Catalog {
        server: Server {
            version_num: 150_018,
            version: "15.18".to_owned(),
            system_identifier: Some("7000000000000000001".to_owned()),
            database: "app".to_owned(),
            database_oid: 16_384,
            user: "retention".to_owned(),
            in_recovery: false,
            read_only: false,
            now,
            our_now: now,
        },
        tables,
        known_names: Vec::new(),
    }
}

/// `public.name` with columns `(name, type)`, numbered from 1.
pub(crate) fn table(oid: u32, name: &str, columns: &[(&str, &str)]) -> Table {
    Table {
        relation: Relation {
            oid,
            schema: "public".to_owned(),
            name: name.to_owned(),
        },
        kind: RelationKind::Table,
        persistence: 'p',
        columns: (1..)
            .zip(columns)
            .map(|(number, (name, type_name))| Column::new(number, *name, *type_name))
            .collect(),
        primary_key: vec![1],
        indexes: Vec::new(),
        foreign_keys: Vec::new(),
        referenced_by: Vec::new(),
        triggers: Vec::new(),
        row_security: false,
        privileges: Privileges::all(),
        update_columns: Vec::new(),
        partition: None,
        children: Vec::new(),
        partitioned_by: None,
        blocks: 50_000,
        estimated_rows: 3_000_000.0,
        fillfactor: 100,
    }
}

/// A foreign key from `child.column` to `parent`'s first column.
pub(crate) fn refer(child: &mut Table, column: &str, parent: u32, on_delete: OnDelete) {
    let number = child.column(column).unwrap().number;
    child.foreign_keys.push(ForeignKey {
        name: format!("{}_{column}_fkey", child.relation.name),
        child: child.relation.oid,
        child_columns: vec![number],
        parent,
        parent_columns: vec![1],
        on_delete,
        operators: vec!["OPERATOR(pg_catalog.=)".to_owned()],
        indexed: true,
    });
}

/// A btree on the columns.
pub(crate) fn index(name: &str, columns: &[i16]) -> Index {
    Index {
        name: name.to_owned(),
        key_columns: columns.to_vec(),
        all_columns: columns.to_vec(),
        usable: true,
        partial: false,
        unique: false,
        one_null: false,
        method: "btree".to_owned(),
    }
}

/// A range partition by `column` that ends at `upper`.
pub(crate) fn place(parent: u32, column: &str, upper: Option<&str>) -> Partition {
    Partition {
        parent,
        is_default: false,
        upper: upper.map(|upper| upper.parse().unwrap()),
        column: Some(column.to_owned()),
        detach_pending: false,
        declarative: true,
    }
}

/// A policy without rules.
pub(crate) fn policy() -> retention_policy::Policy {
    retention_policy::Policy {
        revision: None,
        grace_seconds: 0,
        legal_hold_labels: Vec::new(),
        rules: Vec::new(),
        erasure: None,
        guards: retention_policy::Guards::default(),
    }
}

/// A rule that deletes what is older than 90 days by column `at`.
pub(crate) fn rule(name: &str, table: &str) -> retention_policy::Rule {
    retention_policy::Rule {
        name: name.to_owned(),
        table: retention_policy::TableName {
            schema: "public".to_owned(),
            name: table.to_owned(),
        },
        action: retention_policy::Action::Delete,
        age: Some(retention_policy::Age {
            column: "at".to_owned(),
            term: retention_policy::Term::Days(90),
        }),
        conditions: Vec::new(),
        max_rows: None,
        max_fraction: None,
        on_children: retention_policy::OnChildren::Keep,
        labels_column: None,
        subject_column: None,
        allow_no_primary_key: false,
        allow_unindexed_foreign_keys: false,
        keep_columns: None,
    }
}
