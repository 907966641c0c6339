//! Owns how audit rows are written and read back.

use std::io::Write;

use jiff::Timestamp;
use pg_session::{DbError, Session, Sql};
use retention_proof::{AuditLine, AuditRow, AuditSummary, ChainHash};
use tokio_postgres::Row;

/// Rows that are read at once: a run of any length is read in constant memory.
const PAGE: u32 = 1000;

/// Adds a row inside the batch's transaction; `link` is the chain's hash after the row.
pub async fn append(session: &Session, row: &AuditRow, link: ChainHash) -> Result<(), DbError> {
    session.execute(&insertion(row, link)).await?;
    Ok(())
}

/// The statement of [`append`], for who sends it together with others.
pub fn insertion(row: &AuditRow, link: ChainHash) -> Sql {
    Sql::text(
        "INSERT INTO retention.audit (run_id, seq, rule, table_name, action, rows, cascaded, cutoff, started_at, \
         finished_at, policy_digest, strategy, position, link) VALUES (",
    )
    .param(row.run_id.as_str(), "text")
    .raw(", ")
    .param(row.seq.to_string(), "bigint")
    .raw(", ")
    .param(row.rule.as_str(), "text")
    .raw(", ")
    .param(row.table_name.as_str(), "text")
    .raw(", ")
    .param(row.action.as_str(), "text")
    .raw(", ")
    .param(row.rows.to_string(), "bigint")
    .raw(", ")
    .param(row.cascaded.to_string(), "bigint")
    .raw(", ")
    .maybe(row.cutoff.map(sql_time), "timestamptz")
    .raw(", ")
    .param(sql_time(row.started_at), "timestamptz")
    .raw(", ")
    .param(sql_time(row.finished_at), "timestamptz")
    .raw(", ")
    .param(row.policy_digest.as_str(), "text")
    .raw(", ")
    .param(row.strategy.as_str(), "text")
    .raw(", ")
    .maybe(row.position.clone(), "text")
    .raw(", pg_catalog.decode(")
    .param(link.to_hex(), "text")
    .raw(", 'hex'))")
}

/// At most `limit` rows of a run with a number above `after`, in order.
///
/// # Errors
/// The database cannot be asked.
pub async fn page(session: &Session, run_id: &str, after: u64, limit: u32) -> Result<Vec<AuditLine>, DbError> {
    session
        .query(
            &Sql::text(
                "SELECT a.run_id, a.seq, a.rule, a.table_name, a.action, a.rows, a.cascaded, a.cutoff, a.started_at, \
                 a.finished_at, a.policy_digest, a.strategy, a.position, a.link FROM retention.audit AS a \
                 WHERE a.run_id = ",
            )
            .param(run_id, "text")
            .raw(" AND a.seq > ")
            .param(after.to_string(), "bigint")
            .raw(format!(" ORDER BY a.seq LIMIT {limit}")),
        )
        .await?
        .iter()
        .map(read)
        .collect()
}

/// Calls `each` with every row of a run, in order; stops at its first error.
///
/// # Errors
/// What `each` gives, or the database (by `From`).
pub async fn for_each<E: From<DbError>>(
    session: &Session,
    run_id: &str,
    mut each: impl FnMut(AuditLine) -> Result<(), E>,
) -> Result<(), E> {
    let mut after = 0;
    loop {
        let page = page(session, run_id, after, PAGE).await?;
        let Some(last) = page.last() else { return Ok(()) };
        after = last.row.seq;
        for line in page {
            each(line)?;
        }
    }
}

/// Why an export failed.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The database.
    #[error("the audit rows cannot be read")]
    Db(#[from] DbError),
    /// Where it should go.
    #[error("the audit rows cannot be written")]
    Write(#[from] std::io::Error),
}

/// Writes the rows of a run as JSON lines, as `receipts verify` reads them; gives how many. The caller flushes.
///
/// # Errors
/// The database, or `out`.
pub async fn export(session: &Session, run_id: &str, out: &mut impl Write) -> Result<u64, ExportError> {
    let mut count = 0;
    for_each(session, run_id, |line| {
        count += 1;
        out.write_all(line.to_line().as_bytes())?;
        Ok::<(), ExportError>(())
    })
    .await?;
    Ok(count)
}

/// The last row's number and link; `None`: there is no row yet. After a commit whose end is not known, this tells whether
/// it happened.
///
/// # Errors
/// The database cannot be asked.
pub async fn tail(session: &Session, run_id: &str) -> Result<Option<(u64, ChainHash)>, DbError> {
    session
        .maybe(
            &Sql::text("SELECT a.seq, a.link FROM retention.audit AS a WHERE a.run_id = ")
                .param(run_id, "text")
                .raw(" ORDER BY a.seq DESC LIMIT 1"),
        )
        .await?
        .map(|row| Ok((crate::unsigned(row.try_get(0)?)?, link(&row, 1)?)))
        .transpose()
}

/// Rows by the audit rows of a run up to number `until`: of all rules, and of this one behind number `after`.
///
/// # Errors
/// The database cannot be asked.
pub async fn rows_until(
    session: &Session,
    run_id: &str,
    rule: &str,
    after: u64,
    until: u64,
) -> Result<(u64, u64), DbError> {
    let row = session
        .one(
            &Sql::text(
                "SELECT coalesce(pg_catalog.sum(a.rows), 0)::pg_catalog.int8, \
                 coalesce(pg_catalog.sum(a.rows) FILTER (WHERE a.rule = ",
            )
            .param(rule, "text")
            .raw(" AND a.seq > ")
            .param(after.to_string(), "bigint")
            .raw("), 0)::pg_catalog.int8 FROM retention.audit AS a WHERE a.run_id = ")
            .param(run_id, "text")
            .raw(" AND a.seq <= ")
            .param(until.to_string(), "bigint"),
        )
        .await?;
    Ok((crate::unsigned(row.try_get(0)?)?, crate::unsigned(row.try_get(1)?)?))
}

/// What a receipt says of a run's audit rows.
///
/// # Errors
/// The database cannot be asked.
pub async fn summary(session: &Session, run_id: &str) -> Result<AuditSummary, DbError> {
    let row = session
        .one(
            &Sql::text(
                "SELECT pg_catalog.count(*), pg_catalog.min(a.seq), pg_catalog.max(a.seq) FROM retention.audit AS a \
                 WHERE a.run_id = ",
            )
            .param(run_id, "text"),
        )
        .await?;
    let number = |at: usize| {
        let number: Option<i64> = row.try_get(at)?;
        number.map(crate::unsigned).transpose()
    };
    let head = tail(session, run_id)
        .await?
        .map_or_else(|| ChainHash::start(run_id), |(_, link)| link);
    Ok(AuditSummary {
        rows: number(0)?.unwrap_or(0),
        first_seq: number(1)?,
        last_seq: number(2)?,
        head,
    })
}

/// What the batches of one rule came to: for the receipt of a run that was interrupted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Totals {
    /// The rule.
    pub rule: String,
    /// What was done.
    pub action: String,
    /// The tables (leaves).
    pub tables: Vec<String>,
    /// How.
    pub strategies: Vec<String>,
    /// The cutoff.
    pub cutoff: Option<Timestamp>,
    /// Rows.
    pub rows: u64,
    /// Rows of other tables.
    pub cascaded: u64,
    /// Transactions.
    pub batches: u64,
    /// When the first began.
    pub started_at: Timestamp,
    /// When the last ended.
    pub finished_at: Timestamp,
}

/// The sums of a run's audit rows, per rule, action and cutoff, in the order in which they began.
///
/// # Errors
/// The database cannot be asked.
pub async fn totals(session: &Session, run_id: &str) -> Result<Vec<Totals>, DbError> {
    session
        .query(
            &Sql::text(
                "SELECT a.rule, a.action, pg_catalog.array_agg(DISTINCT a.table_name), \
                 pg_catalog.array_agg(DISTINCT a.strategy), a.cutoff, pg_catalog.sum(a.rows)::pg_catalog.int8, \
                 pg_catalog.sum(a.cascaded)::pg_catalog.int8, pg_catalog.count(*), pg_catalog.min(a.started_at), \
                 pg_catalog.max(a.finished_at) FROM retention.audit AS a WHERE a.run_id = ",
            )
            .param(run_id, "text")
            .raw(" GROUP BY a.rule, a.action, a.cutoff ORDER BY pg_catalog.min(a.seq)"),
        )
        .await?
        .iter()
        .map(|row| {
            Ok(Totals {
                rule: row.try_get(0)?,
                action: row.try_get(1)?,
                tables: row.try_get(2)?,
                strategies: row.try_get(3)?,
                cutoff: row.try_get(4)?,
                rows: crate::unsigned(row.try_get(5)?)?,
                cascaded: crate::unsigned(row.try_get(6)?)?,
                batches: crate::unsigned(row.try_get(7)?)?,
                started_at: row.try_get(8)?,
                finished_at: row.try_get(9)?,
            })
        })
        .collect()
}

/// A time as PostgreSQL reads it. Cut to microseconds, as the chain's hash has it: PostgreSQL itself would round.
pub(crate) fn sql_time(at: Timestamp) -> String {
    retention_proof::to_microseconds(at).to_string()
}

fn read(row: &Row) -> Result<AuditLine, DbError> {
    Ok(AuditLine {
        row: AuditRow {
            run_id: row.try_get(0)?,
            seq: crate::unsigned(row.try_get(1)?)?,
            rule: row.try_get(2)?,
            table_name: row.try_get(3)?,
            action: row.try_get(4)?,
            rows: crate::unsigned(row.try_get(5)?)?,
            cascaded: crate::unsigned(row.try_get(6)?)?,
            cutoff: row.try_get(7)?,
            started_at: row.try_get(8)?,
            finished_at: row.try_get(9)?,
            policy_digest: row.try_get(10)?,
            strategy: row.try_get(11)?,
            position: row.try_get(12)?,
        },
        link: link(row, 13)?,
    })
}

fn link(row: &Row, at: usize) -> Result<ChainHash, DbError> {
    let bytes: &[u8] = row.try_get(at)?;
    bytes.try_into().map(ChainHash).map_err(|_| {
        crate::odd(format!(
            "a link of retention.audit has {} bytes instead of 32",
            bytes.len()
        ))
    })
}
