//! Owns the questions to the server. Read-only; what may not be seen is left out and told by [`Facts::sees_all`].

use super::facts::{Facts, LayoutState, Prepared, Published, Slot, Snapshot, Standby};
use crate::catalog::Catalog;
use crate::holds::HoldRules;
use pg_session::{DbError, Session, Sql};
use retention_store::{Layout, hold, inspect};
use std::collections::BTreeMap;

/// What is asked of `pg_settings`. `pgaudit` and `auto_explain` write bound values too.
const SETTINGS: &[&str] = &[
    "autovacuum",
    "auto_explain.log_min_duration",
    "auto_explain.log_parameter_max_length",
    "log_min_duration_sample",
    "log_min_duration_statement",
    "log_min_error_statement",
    "log_parameter_max_length",
    "log_parameter_max_length_on_error",
    "log_statement",
    "log_transaction_sample_rate",
    "pgaudit.log_parameter",
    "track_counts",
    "wal_level",
];

/// Asks. `holds`: for the columns that holds on subjects are compared with.
///
/// # Errors
/// The database's.
pub async fn gather(session: &Session, catalog: &Catalog, holds: &HoldRules) -> Result<Facts, DbError> {
    let oids: Vec<String> = catalog.tables.keys().map(ToString::to_string).collect();
    let oids = oids.join(", ");
    let mut facts = Facts {
        settings: settings(session).await?,
        layout: layout(session).await,
        ..Facts::default()
    };
    if facts.layout == LayoutState::Ready {
        let active = hold::structure(session).await?;
        facts.misprinted = hold::misprinted(session, &active, &holds.subject_columns()).await?;
    }
    let row = session
        .one(&Sql::text(format!(
            "SELECT r.rolsuper OR pg_catalog.pg_has_role(current_user, 'pg_read_all_stats', 'USAGE'), \
             r.rolsuper OR {} FROM pg_catalog.pg_roles AS r WHERE r.rolname = current_user",
            if catalog.server.version_num >= 150_000 {
                "pg_catalog.has_parameter_privilege('log_parameter_max_length', 'SET')"
            } else {
                "false"
            }
        )))
        .await?;
    facts.sees_all = row.try_get(0)?;
    facts.may_silence = row.try_get(1)?;
    facts.slots = slots(session).await?;
    facts.standbys = standbys(session).await?;
    facts.snapshots = snapshots(session).await?;
    facts.prepared = prepared(session).await?;
    if oids.is_empty() {
        return Ok(facts);
    }
    for row in session
        .query(&Sql::text(format!(
            "SELECT p.relid, p.phase FROM pg_catalog.pg_stat_progress_vacuum AS p WHERE p.datname = \
             pg_catalog.current_database() AND p.relid IN ({oids})"
        )))
        .await?
    {
        facts.vacuums.insert(
            row.try_get(0)?,
            row.try_get::<_, Option<String>>(1)?.unwrap_or_default(),
        );
    }
    for row in session
        .query(&Sql::text(format!(
            "SELECT c.oid FROM pg_catalog.pg_class AS c, pg_catalog.pg_options_to_table(c.reloptions) AS o WHERE c.oid IN \
             ({oids}) AND o.option_name = 'autovacuum_enabled' AND NOT o.option_value::pg_catalog.bool"
        )))
        .await?
    {
        facts.no_autovacuum.insert(row.try_get(0)?);
    }
    facts.unidentified = unidentified(session, &oids).await?;
    Ok(facts)
}

async fn settings(session: &Session) -> Result<BTreeMap<String, String>, DbError> {
    let names: Vec<String> = SETTINGS.iter().map(|name| format!("('{name}')")).collect();
    let rows = session
        .query(&Sql::text(format!(
            "SELECT n.name, pg_catalog.current_setting(n.name, true) FROM (VALUES {}) AS n (name)",
            names.join(", ")
        )))
        .await?;
    let mut found = BTreeMap::new();
    for row in rows {
        if let Some(value) = row.try_get::<_, Option<String>>(1)? {
            found.insert(row.try_get(0)?, value);
        }
    }
    Ok(found)
}

async fn layout(session: &Session) -> LayoutState {
    match inspect(session).await {
        Ok(Layout::Ready) => LayoutState::Ready,
        Ok(Layout::Absent { may_create: true }) => LayoutState::Absent,
        Ok(Layout::Absent { may_create: false }) => LayoutState::Unusable(
            "there is no schema retention, and this role may not create one; let an administrator run `retention-job init` \
             (`retention-job init --help` says what it needs)"
                .to_owned(),
        ),
        Err(error) => LayoutState::Unusable(error.to_string()),
    }
}

async fn slots(session: &Session) -> Result<Vec<Slot>, DbError> {
    let rows = session
        .query(&Sql::text(
            "SELECT s.slot_name::pg_catalog.text, s.active, s.wal_status, pg_catalog.age(s.xmin)::pg_catalog.int8, \
             CASE WHEN pg_catalog.pg_is_in_recovery() THEN NULL ELSE \
             pg_catalog.pg_wal_lsn_diff(pg_catalog.pg_current_wal_lsn(), s.restart_lsn)::pg_catalog.int8 END \
             FROM pg_catalog.pg_replication_slots AS s ORDER BY 1",
        ))
        .await?;
    rows.iter()
        .map(|row| {
            Ok(Slot {
                name: row.try_get(0)?,
                active: row.try_get(1)?,
                wal_status: row.try_get(2)?,
                xmin_age: row.try_get(3)?,
                kept_bytes: row.try_get(4)?,
            })
        })
        .collect()
}

async fn standbys(session: &Session) -> Result<Vec<Standby>, DbError> {
    let rows = session
        .query(&Sql::text(
            "SELECT COALESCE(NULLIF(s.application_name, ''), 'pid ' || s.pid), CASE WHEN pg_catalog.pg_is_in_recovery() THEN \
             NULL ELSE pg_catalog.pg_wal_lsn_diff(pg_catalog.pg_current_wal_lsn(), s.replay_lsn)::pg_catalog.int8 END, \
             EXTRACT(epoch FROM s.replay_lag)::pg_catalog.float8 FROM pg_catalog.pg_stat_replication AS s ORDER BY 1",
        ))
        .await?;
    rows.iter()
        .map(|row| {
            Ok(Standby {
                name: row.try_get(0)?,
                lag_bytes: row.try_get(1)?,
                lag_seconds: row.try_get(2)?,
            })
        })
        .collect()
}

/// Sessions of other databases do not keep our rows, but walsenders (hot_standby_feedback) of any do.
async fn snapshots(session: &Session) -> Result<Vec<Snapshot>, DbError> {
    // Who may not see others' sessions sees NULL as their type, but their snapshot all the same.
    let rows = session
        .query(&Sql::text(
            "SELECT a.pid, COALESCE(a.application_name, ''), COALESCE(a.usename::pg_catalog.text, ''), a.state, \
             EXTRACT(epoch FROM pg_catalog.clock_timestamp() - a.xact_start)::pg_catalog.float8, \
             pg_catalog.age(a.backend_xmin)::pg_catalog.int8 FROM pg_catalog.pg_stat_activity AS a WHERE a.backend_xmin IS \
             NOT NULL AND a.pid <> pg_catalog.pg_backend_pid() AND (a.datname = pg_catalog.current_database() OR \
             a.backend_type = 'walsender') AND a.backend_type IS DISTINCT FROM 'autovacuum worker' ORDER BY 6 DESC LIMIT 20",
        ))
        .await?;
    rows.iter()
        .map(|row| {
            Ok(Snapshot {
                pid: row.try_get(0)?,
                application: row.try_get(1)?,
                user: row.try_get(2)?,
                state: row.try_get(3)?,
                seconds: row.try_get(4)?,
                xmin_age: row.try_get(5)?,
            })
        })
        .collect()
}

async fn prepared(session: &Session) -> Result<Vec<Prepared>, DbError> {
    let rows = session
        .query(&Sql::text(
            "SELECT p.gid, EXTRACT(epoch FROM pg_catalog.clock_timestamp() - p.prepared)::pg_catalog.float8 FROM \
             pg_catalog.pg_prepared_xacts AS p WHERE p.database = pg_catalog.current_database() ORDER BY p.prepared LIMIT 20",
        ))
        .await?;
    rows.iter()
        .map(|row| {
            Ok(Prepared {
                gid: row.try_get(0)?,
                seconds: row.try_get(1)?,
            })
        })
        .collect()
}

/// PostgreSQL fails a DELETE or UPDATE of a published table whose replica identity is `nothing`, or the primary key where
/// there is none. A publication of a partitioned table, of its schema, or of all tables counts for its partitions.
async fn unidentified(session: &Session, oids: &str) -> Result<BTreeMap<u32, Published>, DbError> {
    let rows = session
        .query(&Sql::text(format!(
            "WITH RECURSIVE up AS (SELECT c.oid AS leaf, c.oid AS at FROM pg_catalog.pg_class AS c WHERE c.oid IN ({oids}) AND \
             c.relkind = 'r' AND (c.relreplident = 'n' OR c.relreplident = 'd' AND NOT EXISTS (SELECT FROM \
             pg_catalog.pg_index AS i WHERE i.indrelid = c.oid AND i.indisprimary AND i.indisvalid)) UNION ALL SELECT up.leaf, \
             h.inhparent FROM up JOIN pg_catalog.pg_class AS c ON c.oid = up.at AND c.relispartition JOIN \
             pg_catalog.pg_inherits AS h ON h.inhrelid = up.at) SELECT up.leaf, max(p.pubname::pg_catalog.text) FILTER (WHERE \
             p.pubdelete), max(p.pubname::pg_catalog.text) FILTER (WHERE p.pubupdate) FROM up JOIN pg_catalog.pg_class AS c ON \
             c.oid = up.at JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace JOIN pg_catalog.pg_publication AS p ON \
             p.puballtables OR EXISTS (SELECT FROM pg_catalog.pg_publication_tables AS s WHERE s.pubname = p.pubname AND \
             s.schemaname = n.nspname AND s.tablename = c.relname) GROUP BY up.leaf"
        )))
        .await?;
    let mut found = BTreeMap::new();
    for row in rows {
        found.insert(
            row.try_get(0)?,
            Published {
                deletes: row.try_get(1)?,
                updates: row.try_get(2)?,
            },
        );
    }
    Ok(found)
}
