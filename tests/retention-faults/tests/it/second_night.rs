//! The second night writes nearly nothing.

use libtest_mimic::Trial;
use retention_faults::World;

use crate::plain;

pub(crate) fn trials() -> Vec<Trial> {
    vec![plain("second_night::writes_nearly_nothing", nearly_nothing)]
}

const POLICY: &str = "
rules:
  - {name: old-events, table: public.events, action: delete, age: {column: at, days: 90}}
  - name: old-tx
    table: public.tx
    action: {anonymise: {card: \"null\", ip: {truncate_ip: {v4: 24, v6: 48}}, who: hmac, booked: {generalise_date: month}, note: {constant: gone}}}
    age: {column: at, days: 90}
erasure:
  subject: {table: public.users, key: id, requested: [{column: rtbf, op: eq, value: true}], completed: done_at}
  tables:
    - {table: public.users, action: {anonymise: {email: \"null\"}}, reach: {column: id}}
";

fn nearly_nothing() {
    // With whole pages in the WAL, as servers have it.
    let world = World::with(&pg_cluster::Options::default().set("full_page_writes", "on"));
    world.sql(
        "CREATE TABLE events (id int PRIMARY KEY, at timestamptz NOT NULL, body text); \
         INSERT INTO events SELECT n, '2001-01-01', repeat('x', 100) FROM generate_series(1, 60000) AS n; \
         INSERT INTO events SELECT n, now(), '' FROM generate_series(100001, 130000) AS n; \
         CREATE TABLE tx (id int PRIMARY KEY, at timestamptz NOT NULL, card text, ip inet, who text, booked timestamptz, note text, filler text); \
         INSERT INTO tx SELECT n, '2001-01-01', '4242', '192.0.2.77', 'w' || n, '2001-01-17', 'note', repeat('x', 100) FROM generate_series(1, 60000) AS n; \
         INSERT INTO tx SELECT n, now(), '4242', '192.0.2.77', 'w', now(), 'note' FROM generate_series(100001, 101000) AS n; \
         CREATE TABLE users (id int PRIMARY KEY, email text, rtbf boolean NOT NULL, done_at timestamptz); \
         INSERT INTO users SELECT n, n || '@example.invalid', n % 10 = 0 FROM generate_series(1, 5000) AS n; ANALYZE",
    );
    let night = || {
        let mut command = world.night(POLICY);
        command
            .env("RETENTION_HMAC_KEY", "a key that is long enough to be one")
            .env("RETENTION_LEDGER", world.path("ledger.jsonl"))
            .env("RETENTION_LEDGER_KEY", "a key of the ledger that is long enough for it");
        command
    };
    let first = world.ends(&mut night(), 0).json();
    assert_eq!(
        (&first["rules"][0]["rows"], &first["rules"][1]["rows"]),
        (&60_000.into(), &60_000.into()),
        "{first}"
    );
    assert_eq!(
        world.number(
            "SELECT count(*) FROM tx WHERE card IS NULL AND ip = '192.0.2.0/24' AND who ~ '^hmac:' AND booked = '2001-01-01' AND note = 'gone'"
        ),
        60_000
    );
    world.at_rest();
    let tables = ["events", "tx", "users"];
    let rows = || tables.map(|table| world.fingerprint(table));
    let audited = world.number("SELECT count(*) FROM retention.audit");
    // Hint bits and the like are not the second night's.
    world.sql("VACUUM");
    world.sql("CHECKPOINT");
    let before = rows();
    let ledger = std::fs::read(world.path("ledger.jsonl")).unwrap();
    let position = world.value("SELECT pg_current_wal_insert_lsn()").unwrap();
    let second = world.ends(&mut night(), 0).json();
    let wal = world.number(&format!(
        "SELECT pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '{position}')::bigint"
    ));
    eprintln!("second_night: {wal} bytes of WAL");
    assert!(wal < 1_000_000, "{wal} bytes of WAL");
    assert_eq!(rows(), before, "no row was written again");
    assert_eq!(world.number("SELECT count(*) FROM retention.audit"), audited);
    assert_eq!(std::fs::read(world.path("ledger.jsonl")).unwrap(), ledger);
    for rule in second["rules"].as_array().unwrap() {
        assert_eq!(
            (&rule["rows"], &rule["residue"], &rule["batches"]),
            (&0.into(), &0.into(), &0.into()),
            "{rule}"
        );
    }
    world.verified("receipts");
}
