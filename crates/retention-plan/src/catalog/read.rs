//! Owns the questions to the catalog and how their answers become a [`Catalog`]. Two steps: which tables are meant and
//! tied to them, then everything about these, all questions at once.

use super::bounds;
use super::model::{Catalog, ForeignKey, Index, OnDelete, Partition, Privileges, RelationKind, Server, Table, Trigger};
use super::queries;
use crate::model::{Column, Relation};
use jiff::Timestamp;
use pg_session::{DbError, Kind, Session};
use retention_policy::TableName;
use std::collections::{BTreeMap, BTreeSet};
use tokio_postgres::Row;

/// The oldest major version that is supported.
const OLDEST: i32 = 140_000;

/// Why there is no picture.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// Too old.
    #[error("the server is PostgreSQL {version}; expected 14 or newer")]
    TooOld {
        /// `server_version`.
        version: String,
    },
    /// The database did not answer.
    #[error("cannot read the catalog")]
    Db(#[from] DbError),
}

/// Reads the server's facts, the named tables, their partitions and children, and everything that foreign keys tie to
/// them. Names that do not exist are not in the picture; then [`Catalog::known_names`] is filled. `our_now`: our clock.
/// Outside a transaction, or in one of its own.
pub async fn read(session: &Session, names: &[TableName], our_now: Timestamp) -> Result<Catalog, ReadError> {
    let row = session.one(&queries::server()).await?;
    let (mut server, may_see_identifier) = server_of(&row, our_now)?;
    if server.version_num < OLDEST {
        return Err(ReadError::TooOld {
            version: server.version,
        });
    }
    let mut oids = Vec::new();
    let mut governed = Vec::new();
    for row in session.query(&queries::tied(names)).await? {
        let oid: u32 = row.try_get(0).map_err(DbError::from)?;
        oids.push(oid);
        if row.try_get(1).map_err(DbError::from)? {
            governed.push(oid);
        }
    }
    let version = server.version_num;
    let (relations, columns, types, indexes, keys, places, triggers, identifier) = (
        queries::relations(&oids),
        queries::columns(&oids),
        queries::types(&oids),
        queries::indexes(&oids, version),
        queries::foreign_keys(&oids, version),
        queries::inheritance(&oids),
        queries::triggers(&oids),
        queries::identifier(),
    );
    let identifier = async {
        if may_see_identifier {
            session.one(&identifier).await.map(Some)
        } else {
            Ok(None)
        }
    };
    let answers = tokio::try_join!(
        session.query(&relations),
        session.query(&columns),
        session.query(&types),
        session.query(&indexes),
        session.query(&keys),
        session.query(&places),
        session.query(&triggers),
        sizes(session, &governed),
        identifier,
    )?;
    let (relations, columns, types, indexes, keys, places, triggers, sizes, identifier) = answers;
    if let Some(row) = identifier {
        server.system_identifier = Some(get(&row, 0)?);
    }
    let mut tables = tables_of(&relations)?;
    add_columns(&mut tables, &columns, &types_of(&types)?)?;
    let fit_for_keys = add_indexes(&mut tables, &indexes)?;
    add_places(&mut tables, &places)?;
    add_triggers(&mut tables, &triggers)?;
    for row in sizes {
        if let Some(table) = tables.get_mut(&get::<u32>(&row, 0)?) {
            table.blocks = u32::try_from(get::<i64>(&row, 1)?).unwrap_or(u32::MAX);
        }
    }
    let mut catalog = Catalog {
        server,
        tables,
        known_names: Vec::new(),
    };
    add_foreign_keys(&mut catalog, &keys, &fit_for_keys)?;
    if names
        .iter()
        .any(|name| catalog.find(&name.schema, &name.name).is_none())
    {
        for row in session.query(&queries::known_names()).await? {
            catalog.known_names.push(get(&row, 0)?);
        }
    }
    Ok(catalog)
}

/// Sizes need a short lock on each table. Where somebody keeps one locked, the catalog's own numbers do.
async fn sizes(session: &Session, oids: &[u32]) -> Result<Vec<Row>, DbError> {
    match session.query(&queries::sizes(oids)).await {
        Err(error) if error.kind == Kind::Locked => Ok(Vec::new()),
        other => other,
    }
}

fn get<'a, T: tokio_postgres::types::FromSql<'a>>(row: &'a Row, at: usize) -> Result<T, DbError> {
    Ok(row.try_get(at)?)
}

fn server_of(row: &Row, our_now: Timestamp) -> Result<(Server, bool), DbError> {
    let server = Server {
        version_num: get(row, 0)?,
        version: get(row, 1)?,
        system_identifier: None,
        database: get(row, 2)?,
        database_oid: get(row, 3)?,
        user: get(row, 4)?,
        in_recovery: get(row, 5)?,
        read_only: get(row, 6)?,
        now: get(row, 7)?,
        our_now,
    };
    Ok((server, get(row, 8)?))
}

fn tables_of(rows: &[Row]) -> Result<BTreeMap<u32, Table>, DbError> {
    let mut tables = BTreeMap::new();
    for row in rows {
        let oid = get(row, 0)?;
        let strategy: Option<String> = get(row, 13)?;
        let key: Option<Vec<i16>> = get(row, 14)?;
        let table = Table {
            relation: Relation {
                oid,
                schema: get(row, 1)?,
                name: get(row, 2)?,
            },
            kind: match get::<String>(row, 3)?.as_str() {
                "r" => RelationKind::Table,
                "p" => RelationKind::Partitioned,
                "v" => RelationKind::View,
                "m" => RelationKind::MaterialisedView,
                "f" => RelationKind::ForeignTable,
                _ => RelationKind::Other,
            },
            persistence: first(&get::<String>(row, 4)?),
            columns: Vec::new(),
            primary_key: Vec::new(),
            indexes: Vec::new(),
            foreign_keys: Vec::new(),
            referenced_by: Vec::new(),
            triggers: Vec::new(),
            row_security: get(row, 5)?,
            privileges: Privileges {
                usage: get(row, 6)?,
                select: get(row, 7)?,
                delete: get(row, 8)?,
                update: get(row, 9)?,
                owner: get(row, 10)?,
            },
            update_columns: Vec::new(),
            partition: None,
            children: Vec::new(),
            partitioned_by: strategy.map(|strategy| (first(&strategy), key.unwrap_or_default())),
            blocks: u32::try_from(get::<i32>(row, 11)?).unwrap_or(0),
            estimated_rows: get(row, 12)?,
            fillfactor: get::<Option<i32>>(row, 15)?.map_or(100, |percent| u8::try_from(percent).unwrap_or(100)),
        };
        tables.insert(oid, table);
    }
    Ok(tables)
}

fn first(text: &str) -> char {
    text.chars().next().unwrap_or(' ')
}

/// What lies below a type.
struct Base {
    name: String,
    modifier: i32,
    is_domain: bool,
    not_null: bool,
    operators: Option<String>,
}

fn types_of(rows: &[Row]) -> Result<BTreeMap<u32, Base>, DbError> {
    rows.iter()
        .map(|row| {
            let base = Base {
                name: get(row, 1)?,
                modifier: get(row, 2)?,
                is_domain: get(row, 3)?,
                not_null: get(row, 4)?,
                operators: get(row, 5)?,
            };
            Ok((get(row, 0)?, base))
        })
        .collect()
}

fn add_columns(tables: &mut BTreeMap<u32, Table>, rows: &[Row], types: &BTreeMap<u32, Base>) -> Result<(), DbError> {
    for row in rows {
        let Some(table) = tables.get_mut(&get::<u32>(row, 0)?) else {
            continue;
        };
        // A type that was made between the questions: the table is being changed under our eyes.
        let Some(base) = types.get(&get::<u32>(row, 6)?) else {
            let what = format!("{} was changed while the catalog was read", table.relation.shown());
            return Err(DbError::new(Kind::Conflict, what));
        };
        let modifier = if base.is_domain { base.modifier } else { get(row, 7)? };
        let number = get(row, 1)?;
        let limited = matches!(base.name.as_str(), "character varying" | "bpchar" | "character");
        table.columns.push(Column {
            name: get(row, 2)?,
            number,
            type_name: get(row, 3)?,
            base_type: base.name.clone(),
            // The length is kept with the four bytes of its header.
            max_chars: modifier
                .checked_sub(4)
                .filter(|_| limited)
                .and_then(|length| u32::try_from(length).ok()),
            not_null: get::<bool>(row, 4)? || base.not_null,
            generated: get(row, 5)?,
            operators: base.operators.clone(),
        });
        if get(row, 8)? {
            table.update_columns.push(number);
        }
    }
    Ok(())
}

/// By table: the key columns of the indexes that find the rows of a foreign key.
type FitForKeys = BTreeMap<u32, Vec<Vec<i16>>>;

fn add_indexes(tables: &mut BTreeMap<u32, Table>, rows: &[Row]) -> Result<FitForKeys, DbError> {
    let mut fit: FitForKeys = BTreeMap::new();
    for row in rows {
        let oid = get(row, 0)?;
        let Some(table) = tables.get_mut(&oid) else {
            continue;
        };
        let all: Vec<i16> = get(row, 2)?;
        let keys = usize::from(get::<i16>(row, 3)?.unsigned_abs());
        let key_columns: Vec<i16> = all.iter().copied().take(keys).collect();
        let dependencies: Option<Vec<i16>> = get(row, 10)?;
        let mut speaks_of: BTreeSet<i16> = all.iter().copied().filter(|number| *number > 0).collect();
        speaks_of.extend(dependencies.iter().flatten());
        if speaks_of.remove(&0) {
            // The whole row is meant.
            speaks_of.extend(table.columns.iter().map(|column| column.number));
        }
        let index = Index {
            name: get(row, 1)?,
            key_columns,
            all_columns: speaks_of.into_iter().collect(),
            usable: get(row, 4)?,
            partial: get(row, 5)?,
            unique: get(row, 6)?,
            one_null: get(row, 7)?,
            method: get(row, 8)?,
        };
        if get(row, 9)? {
            table.primary_key.clone_from(&index.key_columns);
        }
        let predicate: Option<String> = get(row, 11)?;
        if index.usable && is_fit(table, &index, predicate.as_deref()) {
            fit.entry(oid).or_default().push(index.key_columns.clone());
        }
        table.indexes.push(index);
    }
    Ok(fit)
}

/// Whether `WHERE key = value` can be answered by it. `WHERE (key IS NOT NULL)` holds for every value.
fn is_fit(table: &Table, index: &Index, predicate: Option<&str>) -> bool {
    let equality = index.method == "btree" || (index.method == "hash" && index.key_columns.len() == 1);
    equality
        && predicate.is_none_or(|predicate| {
            index.key_columns.first().is_some_and(|number| {
                table
                    .columns
                    .iter()
                    .filter(|column| column.number == *number)
                    .any(|column| {
                        predicate == format!("({} IS NOT NULL)", column.name)
                            || predicate == format!("({} IS NOT NULL)", pg_session::quote_ident(&column.name))
                    })
            })
        })
}

fn add_places(tables: &mut BTreeMap<u32, Table>, rows: &[Row]) -> Result<(), DbError> {
    for row in rows {
        let (child, parent): (u32, u32) = (get(row, 0)?, get(row, 1)?);
        let declarative = get(row, 3)?;
        let bound: Option<String> = get(row, 4)?;
        let key = tables.get(&parent).and_then(|table| match &table.partitioned_by {
            Some(('r', key)) if key.len() == 1 => {
                table.columns.iter().find(|column| Some(&column.number) == key.first())
            }
            _ => None,
        });
        let upper = key
            .zip(bound.as_deref())
            .and_then(|(column, bound)| bounds::upper(bound, &column.base_type));
        let place = Partition {
            parent,
            is_default: bound.as_deref() == Some("DEFAULT"),
            upper,
            column: upper.and(key.map(|column| column.name.clone())),
            detach_pending: get(row, 2)?,
            declarative,
        };
        if let Some(table) = tables.get_mut(&parent) {
            table.children.push(child);
        }
        if let Some(table) = tables.get_mut(&child) {
            table.partition.get_or_insert(place);
        }
    }
    Ok(())
}

fn add_triggers(tables: &mut BTreeMap<u32, Table>, rows: &[Row]) -> Result<(), DbError> {
    for row in rows {
        if let Some(table) = tables.get_mut(&get::<u32>(row, 0)?) {
            table.triggers.push(Trigger {
                name: get(row, 1)?,
                on_delete: get(row, 2)?,
                on_update: get(row, 3)?,
                before_row: get(row, 4)?,
            });
        }
    }
    Ok(())
}

fn add_foreign_keys(catalog: &mut Catalog, rows: &[Row], fit: &FitForKeys) -> Result<(), DbError> {
    for row in rows {
        let mut key = ForeignKey {
            name: get(row, 0)?,
            child: get(row, 1)?,
            child_columns: get(row, 2)?,
            parent: get(row, 3)?,
            parent_columns: get(row, 4)?,
            on_delete: match get::<String>(row, 5)?.as_str() {
                "r" => OnDelete::Restrict,
                "c" => OnDelete::Cascade,
                "n" => OnDelete::SetNull,
                "d" => OnDelete::SetDefault,
                _ => OnDelete::NoAction,
            },
            operators: get(row, 6)?,
            indexed: false,
        };
        key.indexed = is_indexed(catalog, &key, fit);
        // A row that was made between the questions: without its other end it means nothing.
        if !catalog.tables.contains_key(&key.child) || !catalog.tables.contains_key(&key.parent) {
            return Err(DbError::new(
                Kind::Conflict,
                format!("the foreign key {} was made while the catalog was read", key.name),
            ));
        }
        if let Some(table) = catalog.tables.get_mut(&key.parent) {
            table.referenced_by.push(key.clone());
        }
        if let Some(table) = catalog.tables.get_mut(&key.child) {
            table.foreign_keys.push(key);
        }
    }
    Ok(())
}

/// Whether every table that stores rows of the child has an index that begins with the columns, in whatever order.
fn is_indexed(catalog: &Catalog, key: &ForeignKey, fit: &FitForKeys) -> bool {
    let Some(child) = catalog.tables.get(&key.child) else {
        return false;
    };
    let names = catalog.column_names(key.child, &key.child_columns);
    let has = |table: &Table| {
        let wanted: BTreeSet<i16> = names
            .iter()
            .filter_map(|name| table.column(name))
            .map(|column| column.number)
            .collect();
        fit.get(&table.relation.oid).into_iter().flatten().any(|columns| {
            let begin: BTreeSet<i16> = columns.iter().copied().take(wanted.len()).collect();
            begin == wanted
        })
    };
    // A foreign key of an old-style parent does not hold for its children.
    match child.kind {
        RelationKind::Partitioned => catalog.leaves(key.child).into_iter().all(has),
        _ => has(child),
    }
}
