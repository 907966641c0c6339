//! A backup from before an erasure is restored: the ledger brings the erasure back. A ledger that is cut, damaged or
//! another one is refused.

use std::path::Path;
use std::process::Command;

use libtest_mimic::Trial;
use pg_cluster::{Cluster, Options};
use retention_faults::World;

use crate::plain;

pub(crate) fn trials() -> Vec<Trial> {
    vec![plain("restore::subjects_are_erased_again", again)]
}

const POLICY: &str = "
rules: []
erasure:
  subject: {table: public.users, key: id, requested: [{column: rtbf, op: eq, value: true}], completed: done_at}
  tables:
    - {table: public.orders, action: delete, reach: {column: user_id}}
    - {table: public.users, action: {anonymise: {email: \"null\"}}, reach: {column: id}}
";
const KEY: &str = "a key of the ledger that is long enough for it";

fn fill(world: &World) {
    world.sql(
        "CREATE TABLE users (id int PRIMARY KEY, email text, rtbf boolean NOT NULL DEFAULT false, done_at timestamptz); \
         CREATE TABLE orders (id int PRIMARY KEY, user_id int NOT NULL REFERENCES users, what text); CREATE INDEX ON orders (user_id); \
         INSERT INTO users SELECT n, n || '@example.invalid' FROM generate_series(1, 3000) AS n; \
         INSERT INTO orders SELECT n, n % 3000 + 1, 'x' FROM generate_series(1, 9000) AS n; ANALYZE",
    );
}

fn night(world: &World, ledger: &Path) -> Command {
    let mut command = world.night(POLICY);
    command.env("RETENTION_LEDGER", ledger).env("RETENTION_LEDGER_KEY", KEY);
    command
}

/// Subjects of whom something is there, of those numbers.
fn there(world: &World, numbers: &str) -> i64 {
    world.number(&format!(
        "SELECT count(*) FROM users u WHERE (u.id {numbers}) AND (email IS NOT NULL OR EXISTS (SELECT FROM orders o WHERE o.user_id = u.id))"
    ))
}

fn again() {
    let mut world = World::new();
    fill(&world);
    let ledger = world.path("ledger.jsonl");
    // One before the backup: the restored database has a position in the ledger.
    let first = world.ends(night(&world, &ledger).args(["--max-duration", "1h"]), 0);
    assert_eq!(first.json()["erasures"]["subjects"], 0, "{first:?}");
    world.sql("UPDATE users SET rtbf = true WHERE id <= 5");
    world.ends(&mut night(&world, &ledger), 0);
    assert_eq!(there(&world, "<= 5"), 0);
    let backup = world.cluster.snapshot().unwrap();
    // After it: marks, and a request by hand.
    world.sql("UPDATE users SET rtbf = true WHERE id BETWEEN 101 AND 140");
    world.ends(&mut night(&world, &ledger), 0);
    let mut erase = world.job(["erase", "--subject", "500"]);
    world.equip(&mut erase, POLICY);
    world.ends(
        erase.env("RETENTION_LEDGER", &ledger).env("RETENTION_LEDGER_KEY", KEY),
        0,
    );
    assert_eq!(there(&world, "BETWEEN 101 AND 140 OR u.id = 500"), 0);
    let whole = std::fs::read_to_string(&ledger).unwrap();
    assert_eq!(whole.lines().count(), 46, "{whole}");
    assert!(!whole.contains("@example"), "{whole}");

    let restored = World::on(Cluster::from_snapshot(&backup, &Options::default()).unwrap());
    restored.signs_like(&world);
    assert_eq!(
        there(&restored, "BETWEEN 101 AND 140 OR u.id = 500"),
        41,
        "they are back"
    );
    let before = restored.fingerprint("users") + &restored.fingerprint("orders");
    let lines: Vec<&str> = whole.lines().collect();
    let other = restored.path("other.jsonl");
    {
        // Another database's ledger, with the same key.
        let elsewhere = World::new();
        fill(&elsewhere);
        elsewhere.sql("UPDATE users SET rtbf = true WHERE id BETWEEN 700 AND 760");
        elsewhere.ends(&mut night(&elsewhere, &other), 0);
    }
    let foreign = std::fs::read_to_string(&other).unwrap();
    let swapped = [&lines[..10], &[lines[11], lines[10]], &lines[12..]]
        .concat()
        .join("\n")
        + "\n";
    let dropped = [&lines[..10], &lines[11..]].concat().join("\n") + "\n";
    let flipped = whole.replacen("\"subject\":\"", "\"subject\":\"0", 1);
    for (what, text) in [
        ("cut behind the database's position", lines[..3].join("\n") + "\n"),
        ("empty", String::new()),
        ("of another database", foreign),
        ("two entries swapped", swapped),
        ("an entry dropped", dropped),
        ("an entry changed", flipped),
    ] {
        let path = restored.file("bad.jsonl", text);
        let ended = program::run(&mut night(&restored, &path));
        assert_eq!(ended.code, Some(1), "{what}: {ended:?}");
        assert!(ended.stderr.contains("ledger"), "{what}: {ended:?}");
        assert_eq!(
            restored.fingerprint("users") + &restored.fingerprint("orders"),
            before,
            "{what}"
        );
    }
    let wrong_key = program::run(
        night(&restored, &ledger).env("RETENTION_LEDGER_KEY", "another key that is also long enough for it"),
    );
    assert_eq!(wrong_key.code, Some(1), "{wrong_key:?}");
    assert_eq!(restored.fingerprint("users") + &restored.fingerprint("orders"), before);

    let ended = restored.ends(&mut night(&restored, &ledger), 0);
    let told = ended.json();
    assert_eq!(told["erasures"]["from_ledger"], 41, "{told}");
    assert_eq!(told["erasures"]["open"], 0, "{told}");
    assert_eq!(there(&restored, "BETWEEN 101 AND 140 OR u.id = 500"), 0);
    assert_eq!(there(&restored, "> 0"), 3000 - 46, "nobody else");
    // The second time there is nothing to bring back.
    let ended = restored.ends(&mut night(&restored, &ledger), 0);
    assert_eq!(ended.json()["erasures"]["from_ledger"], 0, "{ended:?}");
    restored.verified("receipts");
}
