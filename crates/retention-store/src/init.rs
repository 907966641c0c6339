//! Owns how the layout comes to be, and whether what is there is ours.

use pg_session::{DbError, Session, Sql, quote_ident};

use crate::gate::{INIT, commit, undo};
use crate::{LAYOUT, LAYOUT_SQL};

/// Our tables, and what the job must be allowed to do with each. No UPDATE or DELETE on audit rows and receipts: where
/// another role owns the schema, the job itself cannot rewrite its past.
pub const TABLES: [(&str, &[&str]); 10] = [
    ("meta", &["SELECT"]),
    ("gate", &["SELECT", "UPDATE"]),
    ("run", &["SELECT", "INSERT", "UPDATE"]),
    ("cutoff", &["SELECT", "INSERT", "UPDATE"]),
    ("audit", &["SELECT", "INSERT"]),
    ("hold", &["SELECT", "INSERT", "UPDATE"]),
    ("erasure", &["SELECT", "INSERT", "UPDATE"]),
    ("receipt", &["SELECT", "INSERT"]),
    ("ledger", &["SELECT", "INSERT", "UPDATE"]),
    ("detaching", &["SELECT", "INSERT", "DELETE"]),
];

/// Our indexes, apart from those of keys.
const INDEXES: [&str; 2] = ["hold_active", "erasure_pending"];

/// A run would go on without a hold that is placed meanwhile.
const DEAF: &str = "the trigger hold_changed of retention.hold is missing or disabled, so that a run would not hear of new \
                    holds; if it is there: ALTER TABLE retention.hold ENABLE ALWAYS TRIGGER hold_changed; else restore \
                    the schema from a backup, whole";

/// What is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Layout {
    /// Everything, and we may use it.
    Ready,
    /// Nothing yet: no runs, no holds, no receipts.
    Absent {
        /// Whether this role may create it.
        may_create: bool,
    },
}

/// What [`ensure`] did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ensured {
    /// It was there.
    Existed,
    /// It is there now.
    Created,
}

/// Why the layout cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum InitError {
    /// Rights are missing.
    #[error(
        "{role} may not {what}; let an administrator of the database run: {}",
        statements.join("; ")
    )]
    Missing {
        /// This session's role.
        role: String,
        /// What it lacks, in words.
        what: String,
        /// The statements that give it, names quoted.
        statements: Vec<String>,
    },
    /// A newer program was here.
    #[error(
        "the schema retention has layout {found}, and this program knows layout {known}: use a newer retention-job"
    )]
    Newer {
        /// In the database.
        found: i32,
        /// Ours.
        known: i32,
    },
    /// A schema of that name is somebody else's, or damaged.
    #[error("the schema retention is not as retention-job made it: {what}")]
    Foreign {
        /// What is wrong.
        what: String,
    },
    /// The database cannot be asked.
    #[error("the schema retention cannot be read or made")]
    Db(#[from] DbError),
}

/// Looks, and changes nothing.
///
/// # Errors
/// The layout is there and cannot be used.
pub async fn inspect(session: &Session) -> Result<Layout, InitError> {
    let row = session
        .one(&Sql::text(
            "SELECT current_user::pg_catalog.text, pg_catalog.current_database()::pg_catalog.text, n.oid IS NOT NULL, \
             CASE WHEN n.oid IS NULL \
               THEN pg_catalog.has_database_privilege(pg_catalog.current_database(), 'CREATE') \
               ELSE pg_catalog.has_schema_privilege(n.oid, 'CREATE') AND pg_catalog.has_schema_privilege(n.oid, 'USAGE') \
             END, coalesce(pg_catalog.has_schema_privilege(n.oid, 'USAGE'), false), \
             ARRAY(SELECT c.relname::pg_catalog.text FROM pg_catalog.pg_class AS c WHERE c.relnamespace = n.oid \
               AND c.relkind = 'r' ORDER BY 1), ARRAY(SELECT c.relname::pg_catalog.text FROM pg_catalog.pg_class AS c \
               WHERE c.relnamespace = n.oid AND c.relkind <> 'r' ORDER BY 1) \
             FROM (SELECT 1) AS one LEFT JOIN pg_catalog.pg_namespace AS n ON n.nspname = 'retention'",
        ))
        .await?;
    let seen = Seen {
        role: row.try_get(0).map_err(DbError::from)?,
        database: row.try_get(1).map_err(DbError::from)?,
        schema: row.try_get(2).map_err(DbError::from)?,
        may_create: row.try_get(3).map_err(DbError::from)?,
        may_use: row.try_get(4).map_err(DbError::from)?,
        tables: row.try_get(5).map_err(DbError::from)?,
        others: row.try_get(6).map_err(DbError::from)?,
    };
    if !seen.schema_is_ours()? {
        return Ok(Layout::Absent {
            may_create: seen.may_create,
        });
    }
    if !seen.may_use {
        return Err(seen.lacks("use the schema retention", grants(&seen.role, &["USAGE"], &TABLES)));
    }
    may_touch(session, &seen).await?;
    let row = session
        .maybe(&Sql::text(
            "SELECT m.layout, EXISTS (SELECT FROM pg_catalog.pg_trigger AS g JOIN pg_catalog.pg_class AS c \
             ON c.oid = g.tgrelid JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace \
             WHERE n.nspname = 'retention' AND c.relname = 'hold' AND g.tgname = 'hold_changed' \
             AND g.tgenabled IN ('O', 'A')) FROM retention.meta AS m WHERE m.id = 1",
        ))
        .await?
        .ok_or_else(|| foreign("retention.meta has no row"))?;
    match row.try_get(0).map_err(DbError::from)? {
        LAYOUT if row.try_get(1).map_err(DbError::from)? => Ok(Layout::Ready),
        LAYOUT => Err(foreign(DEAF)),
        found if found > LAYOUT => Err(InitError::Newer { found, known: LAYOUT }),
        found => Err(foreign(&format!("layout {found} was never made by any release"))),
    }
}

/// Makes the layout if it is not there, in one transaction. Two processes may do so at once.
///
/// # Errors
/// It is not there and may not be made, or it is there and cannot be used.
pub async fn ensure(session: &Session) -> Result<Ensured, InitError> {
    match inspect(session).await? {
        Layout::Ready => return Ok(Ensured::Existed),
        Layout::Absent { may_create: true } => {}
        Layout::Absent { may_create: false } => return Err(cannot_create(session).await?),
    }
    session
        .batch(
            "BEGIN ISOLATION LEVEL READ COMMITTED; SET LOCAL synchronous_commit = on; SET LOCAL lock_timeout = '60s'",
        )
        .await?;
    match create(session).await {
        Ok(ensured) => {
            commit(session).await?;
            Ok(ensured)
        }
        Err(error) => Err(undo(session, error).await),
    }
}

async fn create(session: &Session) -> Result<Ensured, InitError> {
    session
        .batch(&format!("SELECT pg_catalog.pg_advisory_xact_lock({INIT})"))
        .await?;
    // Another process may have made it while we waited.
    if inspect(session).await? == Layout::Ready {
        return Ok(Ensured::Existed);
    }
    session.batch(LAYOUT_SQL).await?;
    Ok(Ensured::Created)
}

struct Seen {
    role: String,
    database: String,
    schema: bool,
    may_create: bool,
    may_use: bool,
    /// Tables in the schema.
    tables: Vec<String>,
    /// Views, indexes, sequences, composite types: they share the tables' names.
    others: Vec<String>,
}

impl Seen {
    /// All of our tables, or none of them: everything was made in one transaction.
    fn schema_is_ours(&self) -> Result<bool, InitError> {
        if !self.schema {
            return Ok(false);
        }
        let has = |name: &&str| self.tables.iter().any(|table| table == name);
        let (there, absent): (Vec<&str>, Vec<&str>) = TABLES.iter().map(|(table, _)| *table).partition(has);
        if absent.is_empty() {
            return Ok(true);
        }
        if there.contains(&"meta") {
            return Err(foreign(&format!("the tables {} are missing", absent.join(", "))));
        }
        // IF NOT EXISTS would pass over whatever has the name.
        let taken: Vec<&str> = there
            .into_iter()
            .chain(
                absent
                    .into_iter()
                    .chain(INDEXES)
                    .filter(|name| self.others.iter().any(|other| other == name)),
            )
            .collect();
        if taken.is_empty() {
            return Ok(false);
        }
        Err(foreign(&format!(
            "it has relations named {} but no table retention.meta; they belong to something else",
            taken.join(", ")
        )))
    }

    fn lacks(&self, what: &str, statements: Vec<String>) -> InitError {
        InitError::Missing {
            role: self.role.clone(),
            what: what.to_owned(),
            statements,
        }
    }
}

async fn cannot_create(session: &Session) -> Result<InitError, DbError> {
    let row = session
        .one(&Sql::text(
            "SELECT current_user::pg_catalog.text, pg_catalog.current_database()::pg_catalog.text, \
             EXISTS (SELECT FROM pg_catalog.pg_namespace WHERE nspname = 'retention')",
        ))
        .await?;
    let seen = Seen {
        role: row.try_get(0)?,
        database: row.try_get(1)?,
        schema: row.try_get(2)?,
        may_create: false,
        may_use: false,
        tables: Vec::new(),
        others: Vec::new(),
    };
    let (what, statement) = if seen.schema {
        (
            "create tables in the schema retention",
            format!(
                "GRANT USAGE, CREATE ON SCHEMA \"retention\" TO {}",
                quote_ident(&seen.role)
            ),
        )
    } else {
        (
            "create the schema retention",
            format!("CREATE SCHEMA \"retention\" AUTHORIZATION {}", quote_ident(&seen.role)),
        )
    };
    let what = format!("{what} in the database {}", quote_ident(&seen.database));
    Ok(seen.lacks(&what, vec![statement]))
}

async fn may_touch(session: &Session, seen: &Seen) -> Result<(), InitError> {
    let mut sql = Sql::text("SELECT w.what FROM (VALUES ");
    let pairs = TABLES
        .iter()
        .flat_map(|(table, rights)| rights.iter().map(move |right| (table, right)));
    for (index, (table, right)) in pairs.enumerate() {
        let comma = if index == 0 { "" } else { ", " };
        // Both are our own words from TABLES.
        sql = sql.raw(format!("{comma}('{table}', '{right}', '{table} {right}')"));
    }
    sql = sql.raw(
        ") AS w (relation, privilege, what) WHERE NOT pg_catalog.has_table_privilege((SELECT c.oid \
         FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace \
         WHERE n.nspname = 'retention' AND c.relname = w.relation), w.privilege)",
    );
    let lacking: Vec<String> = session
        .query(&sql)
        .await?
        .iter()
        .map(|row| row.try_get::<_, String>(0))
        .collect::<Result<_, _>>()
        .map_err(DbError::from)?;
    if lacking.is_empty() {
        return Ok(());
    }
    let tables: Vec<(&str, &[&str])> = TABLES
        .iter()
        .copied()
        .filter(|(table, _)| {
            lacking
                .iter()
                .any(|what| what.split(' ').next().is_some_and(|name| name == *table))
        })
        .collect();
    Err(seen.lacks(
        &format!("use tables of the schema retention ({})", lacking.join(", ")),
        grants(&seen.role, &[], &tables),
    ))
}

/// The statements that let `role` use what another role made.
fn grants(role: &str, schema: &[&str], tables: &[(&str, &[&str])]) -> Vec<String> {
    let role = quote_ident(role);
    let on_schema =
        (!schema.is_empty()).then(|| format!("GRANT {} ON SCHEMA \"retention\" TO {role}", schema.join(", ")));
    on_schema
        .into_iter()
        .chain(tables.iter().map(|(table, rights)| {
            format!(
                "GRANT {} ON \"retention\".{} TO {role}",
                rights.join(", "),
                quote_ident(table)
            )
        }))
        .collect()
}

/// What a role needs that uses a layout which another role owns: for the manual, and for `init` by an administrator.
pub fn grants_for(role: &str) -> Vec<String> {
    grants(role, &["USAGE"], &TABLES)
}

fn foreign(what: &str) -> InitError {
    InitError::Foreign { what: what.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_table_of_the_layout_has_its_rights_here() {
        let made: Vec<&str> = LAYOUT_SQL
            .lines()
            .filter_map(|line| {
                line.strip_prefix("CREATE TABLE IF NOT EXISTS retention.")?
                    .split(' ')
                    .next()
            })
            .collect();
        let mut known: Vec<&str> = TABLES.iter().map(|(table, _)| *table).collect();
        known.sort_unstable();
        let mut sorted = made.clone();
        sorted.sort_unstable();
        assert_eq!(sorted, known);
        for index in INDEXES {
            assert!(
                LAYOUT_SQL.contains(&format!("INDEX IF NOT EXISTS {index} ON")),
                "{index}"
            );
        }
        assert_eq!(LAYOUT_SQL.matches("INDEX IF NOT EXISTS").count(), INDEXES.len());
    }

    #[test]
    fn the_trigger_of_holds_takes_the_lock_that_batches_take() {
        assert!(LAYOUT_SQL.contains(&format!("pg_advisory_xact_lock({})", crate::gate::GATE)));
    }

    #[test]
    fn a_schema_of_somebody_else_is_not_ours() {
        let seen = |relations: &[&str]| Seen {
            role: "job".to_owned(),
            database: "app".to_owned(),
            schema: true,
            may_create: true,
            may_use: true,
            tables: relations.iter().map(|&name| name.to_owned()).collect(),
            others: vec!["audit_view".to_owned()],
        };
        assert!(matches!(seen(&["unrelated"]).schema_is_ours(), Ok(false)));
        assert!(matches!(
            seen(&["audit", "jobs"]).schema_is_ours(),
            Err(InitError::Foreign { .. })
        ));
        assert!(matches!(
            seen(&["meta"]).schema_is_ours(),
            Err(InitError::Foreign { .. })
        ));
        let all: Vec<&str> = TABLES.iter().map(|(table, _)| *table).collect();
        assert!(matches!(seen(&all).schema_is_ours(), Ok(true)));
        for name in ["run", "hold_active"] {
            let taken = Seen {
                others: vec![name.to_owned()],
                ..seen(&["unrelated"])
            };
            assert!(
                matches!(taken.schema_is_ours(), Err(InitError::Foreign { .. })),
                "{name}"
            );
        }
    }

    #[test]
    fn grants_quote_the_role() {
        assert_eq!(
            grants_for("we\"ird")[..2],
            [
                "GRANT USAGE ON SCHEMA \"retention\" TO \"we\"\"ird\"",
                "GRANT SELECT ON \"retention\".\"meta\" TO \"we\"\"ird\""
            ]
        );
    }
}
