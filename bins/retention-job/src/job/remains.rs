//! Owns what is measured of old values that are still somewhere, for the receipt. What this role may not see is left
//! unknown, never guessed.

use super::prepare::Prepared;
use pg_session::{DbError, Session, Sql};
use retention_plan::Work;
use retention_proof::RuleResult;
use retention_proof::remains::{self, Facts, SlotFacts, TableFacts};

/// The sentences, with figures where they could be had.
pub(crate) async fn sentences(session: &Session, rules: &[RuleResult], prepared: &Prepared) -> Vec<String> {
    let mut facts = Facts {
        pseudonymised: prepared
            .tasks
            .iter()
            .any(|task| matches!(&task.work, Work::Anonymise { set, .. } if set.shown().contains("hmac:"))),
        ..Facts::default()
    };
    for rule in rules.iter().filter(|rule| rule.rows > 0) {
        let dead_rows = known(dead_rows(session, &rule.table).await);
        facts.tables.push(TableFacts {
            table: rule.table.clone(),
            dead_rows,
        });
    }
    facts.oldest_xmin_age = known(oldest_xmin(session).await);
    facts.wal_bytes = known(
        number(
            session,
            "SELECT pg_catalog.sum(size)::pg_catalog.int8 FROM pg_catalog.pg_ls_waldir()",
        )
        .await,
    );
    facts.wal_keep_mb = known(
        number(
            session,
            "SELECT setting::pg_catalog.int8 FROM pg_catalog.pg_settings WHERE name = 'wal_keep_size'",
        )
        .await,
    );
    facts.archives = known(
        number(
            session,
            "SELECT (setting <> 'off')::pg_catalog.int4::pg_catalog.int8 FROM pg_catalog.pg_settings WHERE name = 'archive_mode'",
        )
        .await,
    )
    .map(|archives| archives != 0);
    facts.standbys = known(
        number(
            session,
            "SELECT pg_catalog.count(*) FROM pg_catalog.pg_stat_replication",
        )
        .await,
    );
    facts.slots = slots(session).await.ok();
    remains::sentences(&facts)
}

fn known(found: Result<Option<u64>, DbError>) -> Option<u64> {
    found.ok().flatten()
}

async fn number(session: &Session, text: &str) -> Result<Option<u64>, DbError> {
    let row = session.one(&Sql::text(text)).await?;
    let number: Option<i64> = row.try_get(0)?;
    Ok(number.and_then(|number| u64::try_from(number).ok()))
}

async fn dead_rows(session: &Session, table: &str) -> Result<Option<u64>, DbError> {
    let Some((schema, name)) = table.split_once('.') else {
        return Ok(None);
    };
    let sql = Sql::text("SELECT n_dead_tup FROM pg_catalog.pg_stat_user_tables WHERE schemaname = ")
        .param(schema, "pg_catalog.text")
        .raw(" AND relname = ")
        .param(name, "pg_catalog.text");
    let Some(row) = session.maybe(&sql).await? else {
        return Ok(None);
    };
    let dead: i64 = row.try_get(0)?;
    Ok(u64::try_from(dead).ok())
}

async fn oldest_xmin(session: &Session) -> Result<Option<u64>, DbError> {
    number(
        session,
        "SELECT pg_catalog.max(x.age)::pg_catalog.int8 FROM (SELECT pg_catalog.age(backend_xmin) AS age FROM \
         pg_catalog.pg_stat_activity WHERE backend_xmin IS NOT NULL AND pid <> pg_catalog.pg_backend_pid() UNION ALL SELECT \
         pg_catalog.age(transaction) FROM pg_catalog.pg_prepared_xacts UNION ALL SELECT pg_catalog.age(xmin) FROM \
         pg_catalog.pg_replication_slots WHERE xmin IS NOT NULL) AS x",
    )
    .await
}

async fn slots(session: &Session) -> Result<Vec<SlotFacts>, DbError> {
    session
        .query(&Sql::text(
            "SELECT slot_name::pg_catalog.text, active, wal_status, \
             pg_catalog.pg_wal_lsn_diff(pg_catalog.pg_current_wal_lsn(), restart_lsn)::pg_catalog.int8 \
             FROM pg_catalog.pg_replication_slots ORDER BY 1",
        ))
        .await?
        .iter()
        .map(|row| {
            let keeps: Option<i64> = row.try_get(3)?;
            Ok(SlotFacts {
                name: row.try_get(0)?,
                active: row.try_get(1)?,
                wal_status: row.try_get(2)?,
                keeps_bytes: keeps.and_then(|bytes| u64::try_from(bytes).ok()),
            })
        })
        .collect()
}
