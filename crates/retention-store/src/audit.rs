//! Owns how audit rows are written and read back.

use pg_session::{DbError, Session, Sql};
use retention_proof::{AuditRow, ChainHash};

/// Adds a row inside the batch's transaction; `link` is the chain's hash after the row.
pub async fn append(session: &Session, row: &AuditRow, link: ChainHash) -> Result<(), DbError> {
    let sql = Sql::text(
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
    .maybe(row.cutoff.map(|at| at.to_string()), "timestamptz")
    .raw(", ")
    .param(row.started_at.to_string(), "timestamptz")
    .raw(", ")
    .param(row.finished_at.to_string(), "timestamptz")
    .raw(", ")
    .param(row.policy_digest.as_str(), "text")
    .raw(", ")
    .param(row.strategy.as_str(), "text")
    .raw(", ")
    .maybe(row.position.clone(), "text")
    .raw(", decode(")
    .param(link.to_hex(), "text")
    .raw(", 'hex'))");
    session.execute(&sql).await?;
    Ok(())
}
