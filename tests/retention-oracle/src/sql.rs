//! Owns a case as SQL.

use crate::case::{Case, Column, Kind, Moment, OnDelete, Table, Val, at};
use crate::time;
use std::fmt::Write as _;

/// A name.
pub(crate) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// A text.
pub(crate) fn literal(text: &str) -> String {
    format!("E'{}'", text.replace('\\', "\\\\").replace('\'', "''"))
}

/// A value as PostgreSQL prints it in UTC.
pub(crate) fn shown(value: &Val, kind: Kind) -> Option<String> {
    match value {
        Val::Null => None,
        Val::Int(number) => Some(number.to_string()),
        Val::Text(text) => Some(text.clone()),
        Val::Time(moment) => Some(time::text(*moment, kind)),
    }
}

/// Schema and name.
pub(crate) fn of(table: &Table) -> String {
    format!("{}.{}", quoted(&table.schema), quoted(&table.name))
}

/// Columns of a foreign key, of an index.
pub(crate) fn list(table: &Table, places: &[usize]) -> String {
    let names: Vec<String> = places.iter().map(|place| quoted(&table.columns[*place].name)).collect();
    names.join(", ")
}

fn type_of(column: &Column) -> &'static str {
    match (column.kind, column.domain) {
        (Kind::Int, _) => "int",
        (Kind::Text, false) => "text",
        (Kind::Text, true) => "\"dom ain text\"",
        (Kind::Varchar, _) => "varchar(80)",
        (Kind::Inet, _) => "inet",
        (Kind::Date, false) => "date",
        (Kind::Date, true) => "\"dom ain date\"",
        (Kind::Stamp, false) => "timestamp",
        (Kind::Stamp, true) => "\"dom ain stamp\"",
        (Kind::StampTz, false) => "timestamptz",
        (Kind::StampTz, true) => "\"dom ain tz\"",
    }
}

/// Everything that the database holds.
pub(crate) fn script(case: &Case) -> String {
    let mut sql = String::from(
        "SET timezone = 'UTC'; CREATE SCHEMA \"Odd \"\"schema\"\".x\"; CREATE DOMAIN \"dom ain text\" AS text; \
         CREATE DOMAIN \"dom ain date\" AS date; CREATE DOMAIN \"dom ain stamp\" AS timestamp; \
         CREATE DOMAIN \"dom ain tz\" AS timestamptz; CREATE TABLE x (id int); INSERT INTO x VALUES (1);\n",
    );
    for table in &case.tables {
        create(&mut sql, table);
    }
    for table in &case.tables {
        keys(&mut sql, case, table);
    }
    for table in case.tables.iter().filter(|table| table.analyse) {
        let _ = writeln!(sql, "ANALYZE {};", of(table));
    }
    let _ = writeln!(
        sql,
        "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET timezone = %L', current_database(), '{}'); END $$;",
        case.zone
    );
    sql
}

fn create(sql: &mut String, table: &Table) {
    let name = of(table);
    let mut items: Vec<String> = table
        .physical
        .iter()
        .map(|place| {
            let column = &table.columns[*place];
            let mut item = format!("{} {}", quoted(&column.name), type_of(column));
            if *place == at::GENERATED {
                let _ = write!(
                    item,
                    " GENERATED ALWAYS AS ({} * 2 + 1) STORED",
                    quoted(&table.columns[at::AMOUNT].name)
                );
            }
            if column.not_null {
                item.push_str(" NOT NULL");
            }
            item
        })
        .collect();
    if table.primary_key {
        let key: &[usize] = if table.parts.is_some() {
            &[at::ID, at::AGE]
        } else {
            &[at::ID]
        };
        items.push(format!("PRIMARY KEY ({})", list(table, key)));
    }
    if table.parts.is_none() {
        if !table.primary_key {
            items.push(format!("UNIQUE ({})", list(table, &[at::ID])));
        }
        items.push(format!("UNIQUE ({})", list(table, &[at::ID, at::KEY2])));
    }
    let by = if let Some(parts) = &table.parts {
        let (how, place) = if parts.hash {
            ("HASH", at::ID)
        } else {
            ("RANGE", at::AGE)
        };
        format!(" PARTITION BY {how} ({})", list(table, &[place]))
    } else if let Some(fillfactor) = table.fillfactor {
        format!(" WITH (fillfactor = {fillfactor})")
    } else {
        String::new()
    };
    let _ = writeln!(sql, "CREATE TABLE {name} ({}){by};", items.join(", "));
    for leaf in table.parts.iter().flat_map(|parts| &parts.leaves) {
        let _ = writeln!(sql, "{};", leaf.sql);
    }
    if table.age_index {
        let _ = writeln!(sql, "CREATE INDEX ON {name} ({});", list(table, &[at::AGE]));
    }
    if let Some(place) = table.other_index {
        let _ = writeln!(sql, "CREATE INDEX ON {name} ({});", list(table, &[place]));
    }
    let stored: Vec<usize> = (0..table.columns.len())
        .filter(|place| *place != at::GENERATED)
        .collect();
    for rows in table.rows.chunks(500) {
        let values: Vec<String> = rows
            .iter()
            .map(|row| {
                let values: Vec<String> = stored
                    .iter()
                    .map(|place| {
                        shown(&row[*place], table.columns[*place].kind).map_or("NULL".to_owned(), |text| literal(&text))
                    })
                    .collect();
                format!("({})", values.join(", "))
            })
            .collect();
        let _ = writeln!(
            sql,
            "INSERT INTO {name} ({}) VALUES {};",
            list(table, &stored),
            values.join(",\n")
        );
    }
}

fn keys(sql: &mut String, case: &Case, table: &Table) {
    for key in &table.keys {
        let parent = &case.tables[key.parent];
        let action = match key.on_delete {
            OnDelete::NoAction => "NO ACTION",
            OnDelete::Restrict => "RESTRICT",
            OnDelete::Cascade => "CASCADE",
            OnDelete::SetNull => "SET NULL",
            OnDelete::SetDefault => "SET DEFAULT",
        };
        let ours = list(table, &key.ours);
        let _ = writeln!(
            sql,
            "ALTER TABLE {} ADD FOREIGN KEY ({ours}) REFERENCES {} ({}) ON DELETE {action};",
            of(table),
            of(parent),
            list(parent, &key.theirs)
        );
        if key.indexed {
            let _ = writeln!(sql, "CREATE INDEX ON {} ({ours});", of(table));
        }
    }
}

/// The moment that ages count from, as an option.
pub(crate) fn as_of(case: &Case) -> String {
    format!("{}Z", time::text(Moment::At(case.as_of), Kind::Stamp).replace(' ', "T"))
}
