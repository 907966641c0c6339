//! A plan, a night, and an idle night; and a night that a mistake would have made a disaster.

use anyhow::{Result, ensure};

use super::database::Database;
use crate::job;
use crate::ledger::Promise;
use crate::stage::{Kept, Stage};

const PLAN: Promise = Promise {
    id: "retention_plan",
    text: "A plan says what would happen, and touches nothing",
};
const RUN: Promise = Promise {
    id: "retention_run",
    text: "A run removes what is due, and nothing else",
};
const IDLE: Promise = Promise {
    id: "retention_idle",
    text: "A second run finds nothing to do, and writes next to nothing",
};
const GUARD: Promise = Promise {
    id: "retention_guard",
    text: "A term that shrank from 90 days to 9 is refused",
};

pub(super) const PROMISES: &[Promise] = &[PLAN, RUN, IDLE, GUARD];

/// Due by the built-in rules, by a statement that anybody can check.
const DUE_EVENTS: &str = "SELECT count(*) FROM pii_events WHERE created_at < now() - interval '90 days'";
const NOT_DUE: &str = "SELECT count(*) FROM pii_events WHERE created_at >= now() - interval '90 days'";
/// More than this a second night may not write, in bytes.
const IDLE_WAL: u64 = 1 << 20;

pub(super) async fn play(stage: &mut Stage, database: &Database) -> Result<()> {
    stage.act(
        "Three rules, two nights",
        "The built-in rules: events are deleted after 90 days, cards and addresses of transactions go after 365 days, e-mail and \
         phone go when a user asked for it. Each batch is one transaction with its audit row.",
        PROMISES,
    );
    let url = database.url.clone();
    let hidden = ["--database-url", &url, "--output", "json", "--log-format", "human"];
    stage.tell.step(&format!(
        "A temporary PostgreSQL {} with 9,600 events, 1,095 transactions and 100 users",
        database.major()
    ));

    let before = database.fingerprint().await?;
    let due = database.count(DUE_EVENTS).await?;
    let plan = job::run(stage, &["plan"], &hidden).await?;
    plan.expect(0)?;
    ensure!(
        database.fingerprint().await? == before,
        "expected an untouched database after plan"
    );
    let planned = plan.said["tasks"]
        .as_array()
        .and_then(|tasks| tasks.iter().find(|task| task["rule"] == "pii-events"))
        .and_then(|task| task["due"].as_u64());
    ensure!(
        planned == Some(due),
        "expected {due} due events in the plan, found {planned:?}"
    );
    stage.kept(PLAN, Kept::after(plan.took, format!("{due} events are due")));
    stage.tell.gap();

    stage.tell.step("The night");
    let keep = database.count(NOT_DUE).await?;
    let key = database.key.display().to_string();
    let keygen = job::run(stage, &["receipts", "keygen", "--out", &key], &[]).await?;
    keygen.expect(0)?;
    let receipts = database.receipts.display().to_string();
    let run = job::run(
        stage,
        &["run", "--signing-key-file", &key, "--receipt-dir", &receipts],
        &hidden,
    )
    .await?;
    run.expect(0)?;
    let (gone, residue) = (run.of_rule("pii-events", "rows"), run.of_rule("pii-events", "residue"));
    let left = database.count("SELECT count(*) FROM pii_events").await?;
    ensure!(
        gone == Some(due) && residue == Some(0) && left == keep,
        "expected {due} events gone, residue 0 and {keep} left, found {gone:?}, {residue:?} and {left}"
    );
    let cards = "SELECT count(*) FROM transactions WHERE card_last4 IS NULL AND ip IS NULL";
    let (anonymous, said) = (database.count(cards).await?, run.of_rule("transactions", "rows"));
    let old = "SELECT count(*) FROM transactions WHERE created_at < now() - interval '365 days'";
    let old = database.count(old).await?;
    ensure!(
        anonymous == old && said == Some(old),
        "expected {old} anonymous transactions, found {anonymous}, and {said:?} in the result"
    );
    stage.tell.facts(&[
        ("deleted", format!("{due} events")),
        ("anonymised", format!("{old} transactions")),
        ("residue", "0, counted after the last batch".to_owned()),
    ]);
    stage.kept(RUN, Kept::after(run.took, format!("{} rows", due + old)));
    stage.tell.gap();

    stage.tell.step("The same again");
    let (wal, content) = (database.wal().await?, database.fingerprint().await?);
    let idle = job::run(
        stage,
        &["run", "--signing-key-file", &key, "--receipt-dir", &receipts],
        &hidden,
    )
    .await?;
    idle.expect(0)?;
    let written = database.wal().await? - wal;
    ensure!(
        idle.of_rule("transactions", "rows") == Some(0)
            && database.fingerprint().await? == content
            && written < IDLE_WAL,
        "expected no changed row and less than {IDLE_WAL} bytes of WAL, found {written} bytes"
    );
    stage.kept(IDLE, Kept::after(idle.took, format!("{} KiB of WAL", written / 1024)));
    stage.tell.gap();

    stage.tell.step("Somebody types 9 instead of 90");
    let refused = job::run(stage, &["run", "--retention-days", "9"], &hidden).await?;
    let said = refused.error.clone().unwrap_or_default();
    stage.tell.aside(&said);
    refused.expect(1)?;
    ensure!(
        database.fingerprint().await? == content,
        "expected an untouched database after a refused run"
    );
    stage.kept(GUARD, Kept::after(refused.took, "exit code 1, nothing touched"));
    Ok(())
}
