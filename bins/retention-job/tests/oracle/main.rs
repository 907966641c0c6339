//! Random schemas, rows, policies and holds: the whole database afterwards is compared with a twin of it, in which plain SQL
//! did what the policy says. The twin shares no code with the tool: its statements are written here, by the manual.
//!
//! `RETENTION_ORACLE_CASES` (default 12) says how many cases, `RETENTION_ORACLE_SEED` where they begin; a failure names its
//! seed, and prints the tables, the policy and the model.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    missing_docs,
    reason = "a test"
)]

mod case;
mod writers;

use case::Case;
use pg_cluster::{Cluster, Major, Options};
use tokio_postgres::Client;

/// Ages count from here: half an hour after a change to summer time in Berlin, which UTC does not have.
const AS_OF: &str = "2026-03-29T01:30:00Z";

fn cases() -> std::ops::Range<u64> {
    let number = |name: &str, or: u64| {
        std::env::var(name)
            .ok()
            .and_then(|text| text.parse().ok())
            .unwrap_or(or)
    };
    let first = number("RETENTION_ORACLE_SEED", 1);
    first..first + number("RETENTION_ORACLE_CASES", 12)
}

/// Everything in a database's tables of ours, by table.
async fn content(client: &Client, tables: &[String]) -> Vec<(String, i64, Option<String>)> {
    let mut found = Vec::new();
    for table in tables {
        let row = client
            .query_one(
                &format!("SELECT count(*), md5(string_agg(t::text, '|' ORDER BY t::text)) FROM {table} AS t"),
                &[],
            )
            .await
            .unwrap();
        found.push((table.clone(), row.get(0), row.get(1)));
    }
    found
}

fn job(url: &str, folder: &std::path::Path, args: &[&str]) -> program::Ended {
    let mut command = program::command(env!("CARGO_BIN_EXE_retention-job"), args);
    command
        .env("DATABASE_URL", url)
        .env("RETENTION_POLICY", folder.join("policy.json"))
        .env("RETENTION_AS_OF", AS_OF)
        .env("RETENTION_BATCH_TARGET", "1ms")
        .env("LOG_FORMAT", "human")
        .env("OUTPUT_FORMAT", "json");
    program::run(&mut command)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_whole_database_is_what_plain_sql_makes_of_it() {
    let cluster = Cluster::start(Major::any(), &Options::default()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    for seed in cases() {
        let case = Case::new(seed);
        one(&cluster, folder.path(), seed, &case).await;
    }
}

async fn one(cluster: &Cluster, folder: &std::path::Path, seed: u64, case: &Case) {
    let (name, twin) = (format!("case_{seed}"), format!("twin_{seed}"));
    let story = format!(
        "seed {seed}\n-- schema\n{}\n-- policy\n{}\n-- model\n{}",
        case.schema, case.policy, case.model
    );
    cluster.create_database(&name).await.unwrap();
    cluster
        .execute(&name, &case.schema)
        .await
        .unwrap_or_else(|error| panic!("{error:?}\n{story}"));
    cluster
        .execute("postgres", &format!("CREATE DATABASE {twin} TEMPLATE {name}"))
        .await
        .unwrap();
    let client = cluster.connect(&name).await.unwrap();
    let model = cluster.connect(&twin).await.unwrap();
    std::fs::write(folder.join("policy.json"), &case.policy).unwrap();
    let url = cluster.url(&name);
    for hold in &case.holds {
        let args: Vec<&str> = hold.iter().map(String::as_str).collect();
        let ended = job(&url, folder, &args);
        assert_eq!(ended.code, Some(0), "{hold:?}: {}\n{story}", ended.stderr);
    }
    let before = content(&client, &case.tables).await;

    // Plain SQL, again and again until nothing changes: what blocks a row may go itself.
    model.batch_execute("SET TimeZone = 'UTC'").await.unwrap();
    loop {
        let at = content(&model, &case.tables).await;
        model
            .batch_execute(&case.model)
            .await
            .unwrap_or_else(|error| panic!("{error:?}\n{story}"));
        if content(&model, &case.tables).await == at {
            break;
        }
    }
    let expected = content(&model, &case.tables).await;

    let ended = job(&url, folder, &["plan"]);
    assert!(matches!(ended.code, Some(0 | 1)), "plan: {}\n{story}", ended.stderr);
    assert_eq!(
        content(&client, &case.tables).await,
        before,
        "plan touched something\n{story}"
    );
    let ended = job(&url, folder, &["run"]);
    judge(&client, case, &story, &before, &expected, &ended).await;
    let idle = job(&url, folder, &["run"]);
    let said = idle.json();
    for rule in said["rules"].as_array().unwrap() {
        assert_eq!(rule["rows"], 0, "a second run changed rows: {rule}\n{story}");
    }
    assert_eq!(
        content(&client, &case.tables).await,
        expected,
        "a second run changed something\n{story}"
    );
}

async fn judge(
    client: &Client,
    case: &Case,
    story: &str,
    before: &[(String, i64, Option<String>)],
    expected: &[(String, i64, Option<String>)],
    ended: &program::Ended,
) {
    assert!(
        matches!(ended.code, Some(0 | 1)),
        "exit code {:?}: {}\n{story}",
        ended.code,
        ended.stderr
    );
    let found = content(client, &case.tables).await;
    assert_eq!(found, expected, "not what plain SQL does: {}\n{story}", ended.stdout);
    let said = ended.json();
    let rules = said["rules"].as_array().unwrap();
    let blocked = rules.iter().any(|rule| rule["blocked"] != 0);
    assert_eq!(
        ended.code == Some(1),
        blocked,
        "exit code and blocked rows: {said}\n{story}"
    );
    for rule in rules {
        assert_eq!(rule["residue"], 0, "residue: {rule}\n{story}");
    }
    // What the audit says went is what is gone, where nothing else takes rows along.
    for (table, rule) in &case.deleting {
        let rows = |of: &[(String, i64, Option<String>)]| of.iter().find(|(name, ..)| name == table).unwrap().1;
        let gone = rows(before) - rows(&found);
        let audited: i64 = client
            .query_one(
                "SELECT coalesce(sum(rows), 0)::bigint FROM retention.audit WHERE rule = $1",
                &[rule],
            )
            .await
            .unwrap()
            .get(0);
        assert_eq!(audited, gone, "audit rows of {rule}\n{story}");
    }
}
