//! A subject asks to be forgotten, another is under a legal hold; and the receipts prove it.

use std::fs;

use anyhow::{Context as _, Result, ensure};

use super::database::Database;
use crate::job;
use crate::ledger::Promise;
use crate::stage::{Kept, Stage};

const ERASED: Promise = Promise {
    id: "retention_erased",
    text: "A subject who asks for it is erased everywhere",
};
const HELD: Promise = Promise {
    id: "retention_held",
    text: "A legal hold beats an erasure",
};
const PROVED: Promise = Promise {
    id: "retention_proved",
    text: "The receipts verify without the database",
};
const FORGED: Promise = Promise {
    id: "retention_forged",
    text: "One flipped byte in a receipt is found",
};

pub(super) const PROMISES: &[Promise] = &[ERASED, HELD, PROVED, FORGED];

/// Where subjects are, and what becomes of their rows.
const POLICY: &str = "\
rules: []
erasure:
  subject: {table: public.users, key: id, requested: [{column: rtbf_requested, op: eq, value: true}], completed: rtbf_completed_at}
  tables:
    - {table: public.pii_events, action: delete, reach: {column: user_id}}
    - {table: public.transactions, action: {anonymise: {card_last4: \"null\", ip: \"null\"}}, reach: {column: user_id}}
    - {table: public.users, action: {anonymise: {email: \"null\", phone: \"null\"}}, reach: {column: id}}
";

/// What a subject still has.
fn left_of(subject: u32) -> String {
    format!(
        "SELECT (SELECT count(*) FROM pii_events WHERE user_id = {subject}) + (SELECT count(*) FROM transactions WHERE user_id = \
         {subject} AND (card_last4 IS NOT NULL OR ip IS NOT NULL)) + (SELECT count(*) FROM users WHERE id = {subject} AND (email \
         IS NOT NULL OR phone IS NOT NULL))"
    )
}

pub(super) async fn play(stage: &mut Stage, database: &Database) -> Result<()> {
    stage.act(
        "Forgotten, held, proved",
        "User 42 asks to be forgotten (GDPR, article 17). So does user 43, whose data a court wants to see.",
        PROMISES,
    );
    let policy = stage.folder().join("retention.yaml");
    fs::write(&policy, POLICY).context("writing the policy")?;
    let (policy, key) = (policy.display().to_string(), database.key.display().to_string());
    let (receipts, url) = (database.receipts.display().to_string(), database.url.clone());
    let common = ["--database-url", &url, "--output", "json", "--log-format", "human"];
    let hidden = [&common[..], &["--signing-key-file", &key, "--receipt-dir", &receipts]].concat();

    stage.tell.step("The request of user 42");
    let had = database.count(&left_of(42)).await?;
    let erased = job::run(stage, &["erase", "--policy", &policy, "--subject", "42"], &hidden).await?;
    erased.expect(0)?;
    let left = database.count(&left_of(42)).await?;
    let done = "SELECT count(*) FROM users WHERE id = 42 AND rtbf_completed_at IS NOT NULL";
    ensure!(
        had > 0 && left == 0 && database.count(done).await? == 1,
        "expected nothing left of {had} rows and a completed request, found {left}"
    );
    stage.kept(ERASED, Kept::after(erased.took, format!("{had} rows in 3 tables")));
    stage.tell.gap();

    stage.tell.step("User 43 is under a hold, and has asked in the table");
    let reason = ["hold", "add", "--subject", "43", "--reason", "case 7/26"];
    job::run(stage, &reason, &common).await?.expect(0)?;
    database
        .execute("UPDATE users SET rtbf_requested = true WHERE id = 43")
        .await?;
    let had = database.count(&left_of(43)).await?;
    let held = job::run(stage, &["run", "--policy", &policy], &hidden).await?;
    held.expect(0)?;
    let left = database.count(&left_of(43)).await?;
    ensure!(
        had > 0 && left == had && held.said["erasures"]["open"] == 1,
        "expected all {had} rows and one open erasure, found {left} and {}",
        held.said["erasures"]
    );
    stage.kept(HELD, Kept::after(held.took, "the request stays open"));
    stage.tell.gap();

    stage.tell.step("The receipts, and nothing else");
    job::run(stage, &["receipts", "export", &receipts], &common)
        .await?
        .expect(0)?;
    let public = format!("{key}.pub");
    let newest = held.said["receipt"]["sha256"].as_str().unwrap_or_default().to_owned();
    let verify = [
        "receipts",
        "verify",
        receipts.as_str(),
        "--key",
        &public,
        "--expect-head",
        &newest,
        "--output",
        "json",
    ];
    let sound = job::run(stage, &verify, &[]).await?;
    sound.expect(0)?;
    for proved in sound.said["proved"].as_array().into_iter().flatten() {
        stage.tell.aside(proved.as_str().unwrap_or_default());
    }
    stage.kept(
        PROVED,
        Kept::after(
            sound.took,
            format!(
                "{} receipts, {} audit rows",
                sound.said["receipts"], sound.said["audit_rows"]
            ),
        ),
    );
    stage.tell.gap();

    stage.tell.step("Somebody changes one byte of the first receipt");
    flip(database).context("changing a receipt")?;
    let forged = job::run(stage, &verify, &[]).await?;
    forged.expect(1)?;
    let finding = &forged.said["findings"][0]["at"];
    stage.kept(
        FORGED,
        Kept::after(forged.took, finding.as_str().unwrap_or_default().to_owned()),
    );
    Ok(())
}

/// A byte in the middle of the first receipt.
fn flip(database: &Database) -> Result<()> {
    let first = fs::read_dir(&database.receipts)?
        .flatten()
        .map(|entry| entry.path())
        .find(|path| {
            path.file_name()
                .is_some_and(|name| name.to_string_lossy().starts_with("1-"))
        })
        .context("expected a first receipt")?;
    let mut bytes = fs::read(&first)?;
    let middle = bytes.len() / 2;
    bytes[middle] = if bytes[middle] == b'A' { b'B' } else { b'A' };
    Ok(fs::write(&first, bytes)?)
}
