//! Exactly the due rows are gone, nothing else is touched: random databases and policies against a naive model, with nobody
//! else there and with somebody who writes. `RETENTION_ORACLE_CASES` for more, `RETENTION_ORACLE_SEED` for one.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "this is test code: a broken expectation is a panic"
)]
#![allow(clippy::print_stderr, reason = "what was seen is part of what these tests say")]

use libtest_mimic::{Arguments, Failed, Trial};
use retention_oracle::check::{self, Seen};
use retention_oracle::server::Server;
use retention_oracle::writers;
use std::process::ExitCode;

/// Without `RETENTION_ORACLE_CASES`.
const CASES: u64 = 40;
/// The same.
const WRITERS: u64 = 12;

/// Told.
const SLOW: std::time::Duration = std::time::Duration::from_secs(5);

fn number(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(
        text.parse()
            .unwrap_or_else(|_| panic!("{name}: expected a number, found {text:?}")),
    )
}

/// The same seeds every time: what passes here passes there. `RETENTION_ORACLE_FROM` begins elsewhere.
fn seeds(cases: u64) -> Vec<u64> {
    if let Some(seed) = number("RETENTION_ORACLE_SEED") {
        return vec![seed];
    }
    let from = number("RETENTION_ORACLE_FROM").unwrap_or(1);
    (from..from + number("RETENTION_ORACLE_CASES").unwrap_or(cases)).collect()
}

fn all<T>(cases: u64, mut run: impl FnMut(&Server, u64) -> Result<T, String>) -> Result<Vec<T>, Failed> {
    let server = Server::start();
    let mut seen = Vec::new();
    let mut wrong = Vec::new();
    for seed in seeds(cases) {
        let begun = std::time::Instant::now();
        match run(&server, seed) {
            Ok(one) => seen.push(one),
            Err(what) => {
                eprintln!(
                    "WRONG: {}",
                    what.lines()
                        .next()
                        .unwrap_or_default()
                        .chars()
                        .take(1500)
                        .collect::<String>()
                );
                wrong.push(what);
            }
        }
        if begun.elapsed() > SLOW {
            eprintln!("seed {seed} took {:?}", begun.elapsed());
        }
    }
    match wrong.into_iter().min_by_key(String::len) {
        None => Ok(seen),
        Some(shortest) => Err(shortest.into()),
    }
}

fn alone() -> Result<(), Failed> {
    let seen = all(CASES, check::run)?;
    let sum = |of: fn(&Seen) -> u64| seen.iter().map(of).sum::<u64>();
    let strategies: std::collections::BTreeSet<&String> = seen.iter().flat_map(|seen| &seen.strategies).collect();
    let (rows, held, blocked) = (sum(|seen| seen.rows), sum(|seen| seen.held), sum(|seen| seen.blocked));
    let (completed, open) = (sum(|seen| seen.completed), sum(|seen| seen.open));
    let (hash, through) = (sum(|seen| seen.hash), sum(|seen| seen.through));
    eprintln!(
        "{} cases: {rows} rows, {held} held, {blocked} blocked, {completed} subjects completed, {open} open, {hash} tables by hash, {through} rules held through keys, by {strategies:?}",
        seen.len()
    );
    if seen.len() as u64 >= CASES {
        assert!(rows > 1000 && held > 0 && blocked > 0, "the cases are too tame");
        assert!(completed > 0 && open > 0, "the erasures are too tame");
        assert!(hash > 0 && through > 0, "the partitions and holds are too tame");
        for name in [
            "keyset",
            "tid-range",
            "hot-passes",
            "drop-partition",
            "detach-partition",
        ] {
            assert!(strategies.iter().any(|strategy| *strategy == name), "no case by {name}");
        }
    }
    Ok(())
}

fn together() -> Result<(), Failed> {
    let seen = all(WRITERS, writers::run)?;
    let (writes, rows) = (
        seen.iter().map(|seen| seen.writes).sum::<u64>(),
        seen.iter().map(|seen| seen.rows).sum::<u64>(),
    );
    eprintln!("{} cases with a writer: {writes} writes, {rows} rows done", seen.len());
    assert!(writes > 0 && rows > 0, "the cases are too tame");
    Ok(())
}

/// Of an order of a subject a line is held; another order of the same subject stays, because it is found by the same way. A
/// hold is lawful, and the next night would find the same: that is no "go on later".
fn a_held_line_keeps_its_subject_and_ends_with_0() {
    let server = Server::start();
    let session = server.database("held_line");
    session.sql(
        "CREATE TABLE users (id text PRIMARY KEY, asked bool, done timestamptz); INSERT INTO users VALUES ('s', true); \
         CREATE TABLE orders (id int PRIMARY KEY, who text); INSERT INTO orders VALUES (1, 's'), (2, 's'); \
         CREATE TABLE lines (id int PRIMARY KEY, o int REFERENCES orders); INSERT INTO lines VALUES (1, 1), (2, 2)",
    );
    let hold = [
        "--reason",
        "x",
        "--table",
        "public.lines",
        "--column",
        "id",
        "--value",
        "1",
    ];
    let placed = program::run(server.job("held_line", &["hold", "add"]).args(hold));
    assert_eq!(placed.code, Some(0), "{placed:?}");
    let policy = r#"{"rules": [], "erasure": {"max_fraction": 1.0, "subject": {"table": "public.users", "key": "id",
        "requested": [{"column": "asked", "op": "eq", "value": true}], "completed": "done"}, "tables": [
        {"table": "public.orders", "action": "delete", "reach": {"column": "who"}},
        {"table": "public.lines", "action": "delete", "reach":
            {"via": {"column": "o", "table": "public.orders", "key": "id", "reach": {"column": "who"}}}}]}}"#;
    let ended = program::run(&mut server.night("held_line", policy, None));
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert_eq!(session.number("SELECT count(*) FROM lines"), 1);
    assert_eq!(session.number("SELECT count(*) FROM users WHERE done IS NULL"), 1);
}

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    if !arguments.list {
        // Once, before the clocks of the tests run.
        retention_faults::binary::retention_job();
    }
    let trials = vec![
        Trial::test("a_held_line_keeps_its_subject_and_ends_with_0", || {
            a_held_line_keeps_its_subject_and_ends_with_0();
            Ok(())
        }),
        Trial::test("nobody_else_is_there", alone),
        Trial::test("somebody_writes_meanwhile", together),
    ];
    libtest_mimic::run(&arguments, trials).exit_code()
}
