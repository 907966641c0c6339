//! Connections that break: the answer to a COMMIT is lost, the COMMIT itself, or anything at any byte.

use std::collections::BTreeMap;

use libtest_mimic::Trial;
use retention_faults::World;
use retention_faults::proxy::{Cut, Proxy};

use crate::plain;

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        plain("cut::the_answer_to_a_commit", || {
            cut(Cut::AnswerToCommit { every: 3 }, 12);
        }),
        plain("cut::the_commit", || cut(Cut::Commit { every: 3 }, 12)),
        plain("cut::anywhere", anywhere),
    ]
}

const POLICY: &str = "
rules:
  - {name: old-events, table: public.events, action: delete, age: {column: at, days: 90}}
  - {name: old-tx, table: public.tx, action: {anonymise: {card: \"null\"}}, age: {column: at, days: 90}}
  - {name: old-log, table: public.log, action: delete, age: {column: at, days: 90}}
";
const DUE: i64 = 3000;

fn filled() -> World {
    let world = World::new();
    world.sql(&format!(
        "CREATE TABLE events (id int PRIMARY KEY, at timestamptz NOT NULL, body text); \
         CREATE INDEX ON events (at); \
         INSERT INTO events SELECT n, timestamptz '2001-01-01' + n * interval '1 minute', repeat('x', 100) FROM generate_series(1, {DUE}) AS n; \
         CREATE TABLE tx (id int PRIMARY KEY, at timestamptz NOT NULL, card text, filler text); \
         INSERT INTO tx SELECT n, '2001-01-01', '4242', repeat('x', 500) FROM generate_series(1, {DUE}) AS n; \
         CREATE TABLE log (at timestamptz NOT NULL, body text, id int, PRIMARY KEY (at, id)) PARTITION BY RANGE (at); \
         CREATE TABLE log_a PARTITION OF log FOR VALUES FROM ('2001-01-01') TO ('2001-01-02'); \
         CREATE TABLE log_b PARTITION OF log FOR VALUES FROM ('2001-01-02') TO ('2001-01-03'); \
         CREATE TABLE log_now PARTITION OF log FOR VALUES FROM ('2001-01-03') TO ('2999-01-01'); \
         INSERT INTO log SELECT timestamptz '2001-01-01' + n * interval '50 seconds', 'x', n FROM generate_series(1, {DUE}) AS n; \
         INSERT INTO events SELECT n, now() FROM generate_series(100001, 100300) AS n; \
         INSERT INTO tx SELECT n, now(), '4242' FROM generate_series(100001, 100300) AS n; \
         INSERT INTO log SELECT now(), 'x', n FROM generate_series(100001, 100300) AS n; ANALYZE"
    ));
    world
}

/// What is gone and what the audit says, rule by rule.
#[track_caller]
fn exact(world: &World) {
    world.at_rest();
    let session = world.open();
    let rest = "SELECT count(*) FROM";
    // A partition on its way out is a table of its own until it is in the audit.
    let standing =
        session.column("SELECT oid::regclass::text FROM pg_class WHERE relname LIKE 'log\\_%' AND relkind = 'r'");
    let log: i64 = standing
        .into_iter()
        .map(|table| session.number(&format!("{rest} {} WHERE at < '2020-01-01'", table.unwrap())))
        .sum();
    for (rule, left) in [
        (
            "old-events",
            session.number(&format!("{rest} events WHERE at < '2020-01-01'")),
        ),
        (
            "old-tx",
            session.number(&format!("{rest} tx WHERE at < '2020-01-01' AND card IS NOT NULL")),
        ),
        ("old-log", log),
    ] {
        let audited = session.number(&format!(
            "SELECT coalesce(sum(rows), 0) FROM retention.audit WHERE rule = '{rule}'"
        ));
        assert_eq!(DUE - left, audited, "{rule}: gone, audited");
    }
    for (table, whole) in [("events", "true"), ("tx", "card = '4242'"), ("log", "true")] {
        let kept = session.number(&format!("{rest} {table} WHERE at > '2020-01-01' AND {whole}"));
        assert_eq!(kept, 300, "{table}");
    }
}

fn through(world: &World, proxy: &Proxy) -> std::process::Command {
    let own = format!(":{}/", world.cluster.port());
    let mut command = world.night(POLICY);
    command
        .env(
            "DATABASE_URL",
            world.url().replace(&own, &format!(":{}/", proxy.port())),
        )
        // Many small batches: many commits.
        .env("RETENTION_BATCH_TARGET", "1ms");
    command
}

/// Everything is gone, every run has its receipt, and the counts of the receipts are those of the audit.
#[track_caller]
fn sound(world: &World) {
    world.at_rest();
    world.ends(&mut world.night(POLICY), 0);
    exact(world);
    assert_eq!(world.number("SELECT sum(rows) FROM retention.audit"), 3 * DUE);
    let told: i64 = world
        .verified("receipts")
        .iter()
        .flat_map(|receipt| receipt["rules"].as_array().unwrap())
        .map(|rule| rule["rows"].as_i64().unwrap())
        .sum();
    assert_eq!(told, 3 * DUE);
}

fn cut(cut: Cut, most: u32) {
    let world = filled();
    // So that the first COMMIT that is cut is one of a run.
    world.ends(&mut world.job(["init"]), 0);
    let proxy = Proxy::start(world.cluster.port(), cut, most);
    let mut runs = 0;
    loop {
        let ended = program::run(&mut through(&world, &proxy));
        assert!(matches!(ended.code, Some(0 | 4)), "{ended:?}");
        exact(&world);
        runs += 1;
        if ended.code == Some(0) {
            break;
        }
        assert!(runs < 30, "no run ends: {ended:?}");
    }
    assert!(proxy.cuts() >= 3, "{cut:?}: {} cuts", proxy.cuts());
    sound(&world);
}

/// Also while the run is being prepared or closed: 4 is right there, and the next one goes on.
fn anywhere() {
    let world = filled();
    world.ends(&mut world.job(["init"]), 0);
    let mut codes = BTreeMap::new();
    let mut cuts = 0;
    let mut runs = 0;
    // Where a connection is cut is drawn, so is how often: runs go on until there were enough.
    for most in [5_000, 60_000, 200_000].into_iter().cycle() {
        if cuts >= 15 && runs >= 24 {
            break;
        }
        runs += 1;
        assert!(runs <= 200, "{cuts} cuts in {runs} runs");
        let proxy = Proxy::start(world.cluster.port(), Cut::After { most }, 5);
        let ended = program::run(through(&world, &proxy).args(["--max-rows", "600"]));
        assert!(matches!(ended.code, Some(0 | 4 | 5)), "{ended:?}");
        exact(&world);
        cuts += proxy.cuts();
        *codes.entry(ended.code).or_insert(0) += 1;
    }
    eprintln!("cut::anywhere: {cuts} cuts, runs by exit code {codes:?}");
    assert!(
        codes.len() > 1,
        "runs that end early and runs that get through: {codes:?}"
    );
    sound(&world);
}
