//! SIGKILL at random points of a run that deletes, anonymises, drops and detaches partitions, and erases subjects with a
//! ledger. After every kill the audit's counts are exact and its chain holds; the next run goes on.
//!
//! `RETENTION_KILLS` sets how many (500), `RETENTION_KILLS_SEED` repeats a sequence as far as the machine's pace allows.

use std::time::{Duration, Instant};

use libtest_mimic::Trial;
use pg_cluster::Options;
use program::Running;
use retention_faults::{Session, World};

use crate::plain;

pub(crate) fn trials() -> Vec<Trial> {
    vec![plain("kills::counts_are_exact_after_each", exact_after_each)]
}

/// Kills are spread over no less.
const LEAST: Duration = Duration::from_millis(120);
/// And over no more.
const MOST: Duration = Duration::from_secs(2);
/// All of them together; a minute on two busy cores.
const PATIENCE: Duration = Duration::from_mins(8);

const POLICY: &str = "
rules:
  - {name: old-events, table: public.events, action: delete, age: {column: at, days: 90}}
  - {name: old-tx, table: public.tx, action: {anonymise: {card: \"null\", ip: \"null\"}}, age: {column: at, days: 365}}
  - {name: old-log, table: public.log, action: delete, age: {column: at, days: 90}}
  - {name: old-trace, table: public.trace, action: detach-partition, age: {column: at, days: 90}}
erasure:
  subject: {table: public.users, key: id, requested: [{column: rtbf, op: eq, value: true}], completed: done_at}
  tables:
    - {table: public.orders, action: delete, reach: {column: user_id}}
    - {table: public.users, action: {anonymise: {email: \"null\"}}, reach: {column: id}}
";

const TABLES: &str = "
CREATE SCHEMA meter;
CREATE TABLE meter.due (rule text PRIMARY KEY, rows bigint NOT NULL);
INSERT INTO meter.due VALUES ('old-events', 0), ('old-tx', 0), ('old-log', 0), ('old-trace', 0),
  ('erasure:public.orders', 0), ('erasure:public.users', 0), ('erasure', 0);
CREATE SEQUENCE meter.fills;
CREATE TABLE events (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, at timestamptz NOT NULL, body text);
CREATE INDEX ON events (at);
CREATE TABLE tx (id int PRIMARY KEY, at timestamptz NOT NULL, card text, ip inet, filler text);
INSERT INTO tx SELECT n, '2001-01-01', NULL, NULL, repeat('x', 150) FROM generate_series(1, 8000) AS n;
CREATE TABLE log (id int, at timestamptz NOT NULL, body text, PRIMARY KEY (id, at)) PARTITION BY RANGE (at);
CREATE TABLE log_now PARTITION OF log FOR VALUES FROM ('2020-01-01') TO ('2999-01-01');
CREATE TABLE trace (id int, at timestamptz NOT NULL, PRIMARY KEY (id, at)) PARTITION BY RANGE (at);
CREATE TABLE trace_now PARTITION OF trace FOR VALUES FROM ('2020-01-01') TO ('2999-01-01');
CREATE TABLE users (id bigint PRIMARY KEY, email text, rtbf boolean NOT NULL DEFAULT false, done_at timestamptz);
CREATE TABLE orders (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, user_id bigint NOT NULL, what text);
CREATE INDEX ON orders (user_id);
INSERT INTO events (at, body) SELECT now(), 'kept' FROM generate_series(1, 1000);
INSERT INTO tx SELECT n, now(), '4242', '192.0.2.1', 'kept' FROM generate_series(100001, 101000) AS n;
INSERT INTO log SELECT n, now(), 'kept' FROM generate_series(1, 1000) AS n;
INSERT INTO trace SELECT n, now() FROM generate_series(1, 1000) AS n;
INSERT INTO users SELECT -n, n || '@example.invalid' FROM generate_series(1, 1000) AS n;
INSERT INTO orders (user_id, what) SELECT -n, 'kept' FROM generate_series(1, 1000) AS n;

-- Rows of all tables whose name begins so; of the standing ones, or of those that are done with.
CREATE FUNCTION meter.rows(prefix text, detached boolean) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE t oid; n bigint; total bigint := 0;
BEGIN
  FOR t IN SELECT c.oid FROM pg_class c JOIN pg_namespace s ON s.oid = c.relnamespace
    WHERE s.nspname = 'public' AND c.relkind = 'r' AND c.relname LIKE prefix || '\\_p%'
    AND (NOT detached OR (NOT EXISTS (SELECT FROM pg_inherits i WHERE i.inhrelid = c.oid)
      AND NOT EXISTS (SELECT FROM retention.detaching d WHERE d.partition_oid = c.oid)))
  LOOP
    EXECUTE format('SELECT count(*) FROM ONLY %s', t::regclass) INTO n;
    total := total + n;
  END LOOP;
  RETURN total;
END $$;

-- What is not done yet. Of traces: what is not detached for good.
CREATE FUNCTION meter.left_of(rule text) RETURNS bigint LANGUAGE sql AS $$
  SELECT CASE rule
    WHEN 'old-events' THEN (SELECT count(*) FROM events WHERE at < '2020-01-01')
    WHEN 'old-tx' THEN (SELECT count(*) FROM tx WHERE at < '2020-01-01' AND (card IS NOT NULL OR ip IS NOT NULL))
    WHEN 'old-log' THEN meter.rows('log', false)
    WHEN 'old-trace' THEN (SELECT d.rows FROM meter.due d WHERE d.rule = 'old-trace') - meter.rows('trace', true)
    WHEN 'erasure:public.orders' THEN (SELECT count(*) FROM orders WHERE user_id > 0)
    WHEN 'erasure:public.users' THEN (SELECT count(*) FROM users WHERE rtbf AND email IS NOT NULL)
    WHEN 'erasure' THEN (SELECT count(*) FROM users WHERE rtbf AND done_at IS NULL)
  END $$;

CREATE FUNCTION meter.fill() RETURNS void LANGUAGE plpgsql AS $$
DECLARE k bigint := nextval('meter.fills'); day timestamptz := timestamptz '1990-01-01 UTC' + 2 * k * interval '1 day'; part int;
BEGIN
  INSERT INTO events (at, body) SELECT timestamptz '2001-01-01' + n * interval '1 minute', repeat('x', 80) FROM generate_series(1, 2500) AS n;
  UPDATE tx SET card = '4242', ip = '192.0.2.1' WHERE at < '2020-01-01' AND (card IS NULL OR ip IS NULL);
  FOR part IN 0..1 LOOP
    EXECUTE format('CREATE TABLE log_p%s PARTITION OF log FOR VALUES FROM (%L) TO (%L)', 2 * k + part, day + part * interval '1 day', day + (part + 1) * interval '1 day');
    EXECUTE format('CREATE TABLE trace_p%s PARTITION OF trace FOR VALUES FROM (%L) TO (%L)', 2 * k + part, day + part * interval '1 day', day + (part + 1) * interval '1 day');
  END LOOP;
  INSERT INTO log SELECT n, day + n * interval '2 minutes', 'x' FROM generate_series(0, 1199) AS n;
  INSERT INTO trace SELECT n, day + n * interval '4 minutes' FROM generate_series(0, 599) AS n;
  INSERT INTO users SELECT k * 1000 + n, n || '@example.invalid', true FROM generate_series(1, 10) AS n;
  INSERT INTO orders (user_id, what) SELECT k * 1000 + n % 10 + 1, 'x' FROM generate_series(1, 100) AS n;
  UPDATE meter.due SET rows = rows + CASE rule WHEN 'old-events' THEN 2500 WHEN 'old-tx' THEN 8000 WHEN 'old-log' THEN 1200
    WHEN 'old-trace' THEN 600 WHEN 'erasure:public.orders' THEN 100 ELSE 10 END;
END $$;
";

/// Rules whose audit rows are not what is really gone.
const WRONG: &str = "
SELECT string_agg(format('%s: %s gone, %s audited', rule, gone, audited), '; ') FROM (
  SELECT d.rule, d.rows - meter.left_of(d.rule) AS gone,
    (SELECT coalesce(sum(a.rows), 0) FROM retention.audit a WHERE a.rule = d.rule) AS audited FROM meter.due d
) AS counted WHERE gone <> audited";

/// What no rule names.
const KEPT: &str = "
SELECT ARRAY[(SELECT count(*) FROM events WHERE at > '2020-01-01'),
  (SELECT count(*) FROM tx WHERE at > '2020-01-01' AND card = '4242' AND ip = '192.0.2.1'),
  (SELECT count(*) FROM log WHERE at > '2020-01-01'), (SELECT count(*) FROM trace WHERE at > '2020-01-01'),
  (SELECT count(*) FROM users WHERE NOT rtbf AND email IS NOT NULL AND done_at IS NULL),
  (SELECT count(*) FROM orders WHERE user_id < 0)] = array_fill(1000::bigint, ARRAY[6])";

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().expect("a number"))
}

fn job(world: &World) -> std::process::Command {
    let mut command = world.night(POLICY);
    command
        .env("RETENTION_LEDGER", world.path("ledger.jsonl"))
        .env("RETENTION_LEDGER_KEY", "a key of the ledger that is long enough for it")
        // Small batches: more places to be killed at.
        .env("RETENTION_BATCH_TARGET", "2ms");
    command
}

#[track_caller]
fn exact(session: &Session) {
    assert_eq!(session.value(WRONG), None);
    assert_eq!(
        session.value(KEPT).as_deref(),
        Some("t"),
        "what no rule names was touched"
    );
}

fn exact_after_each() {
    let wanted = number("RETENTION_KILLS").unwrap_or(500);
    let seed = number("RETENTION_KILLS_SEED").unwrap_or_else(|| fastrand::u64(..));
    eprintln!("kills: RETENTION_KILLS={wanted} RETENTION_KILLS_SEED={seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    let options = Options::default()
        .set("max_wal_size", "64MB")
        .set("min_wal_size", "32MB")
        .set("wal_keep_size", "0");
    let world = World::with(&options);
    world.sql(TABLES);
    world.ends(&mut world.job(["init"]), 0);
    let session = world.open();
    session.sql("SELECT meter.fill()");
    session.sql("ANALYZE");
    // How long a whole run takes here. Kills are spread over the first part of it: what comes later comes sooner in the
    // runs that follow, which find the beginning done.
    let begun = Instant::now();
    world.ends(&mut job(&world), 0);
    let mut span = (begun.elapsed() * 3 / 5).max(LEAST);
    exact(&session);
    let all_begun = Instant::now();
    let (mut kills, mut interrupted, mut amid, mut ended_by_itself, mut checked) = (0, 0, 0, 0, String::new());
    session.sql("SELECT meter.fill()");
    while kills < wanted {
        assert!(all_begun.elapsed() < PATIENCE, "only {kills} kills so far");
        let mut running = Running::start(&mut job(&world));
        let run_begun = Instant::now();
        let end = run_begun + span.mul_f64(random.f64());
        while Instant::now() < end && !running.has_ended() {
            std::thread::sleep(Duration::from_millis(1));
        }
        let ended = running.kill_or_wait();
        session.until("SELECT NOT EXISTS (SELECT FROM pg_stat_activity WHERE application_name LIKE 'retention-job%')");
        exact(&session);
        if ended.code.is_some() {
            assert_eq!(ended.code, Some(0), "{ended:#?}");
            ended_by_itself += 1;
            // The machine was busier when that was measured, or less.
            span = ((span * 3 + run_begun.elapsed()) / 4).max(LEAST);
            // Nobody else does it, and the disk is not only ours.
            session.sql("VACUUM events, tx, users, orders");
            session.sql("SELECT meter.fill()");
            continue;
        }
        kills += 1;
        let newest = session.value("SELECT run_id || ' ' || state FROM retention.run ORDER BY number DESC LIMIT 1");
        let newest = newest.expect("the first run is there");
        if newest == checked {
            // Killed before it began; too many of these show nothing.
            span = span.mul_f64(1.02).min(MOST);
            continue;
        }
        let (run_id, state) = newest.split_once(' ').unwrap();
        if state == "running" {
            interrupted += 1;
            amid += u64::from(world.chain(run_id) > 0);
        }
        checked.clone_from(&newest);
    }
    eprintln!(
        "kills: {kills} in {:.0?} over {span:.0?} each at last; {interrupted} had begun, {amid} amid batches; {ended_by_itself} runs ended by themselves",
        all_begun.elapsed()
    );
    // A test that kills only before the work begins shows nothing.
    assert!(amid * 10 >= kills, "{amid} of {kills} kills came amid batches");
    let last = world.ends(&mut job(&world), 0);
    assert_eq!(last.json()["outcome"], "complete", "{last:?}");
    exact(&session);
    assert_eq!(session.number("SELECT sum(meter.left_of(rule)) FROM meter.due"), 0);
    assert_eq!(session.number("SELECT count(*) FROM retention.detaching"), 0);
    let ways = session.column("SELECT DISTINCT strategy FROM retention.audit ORDER BY 1");
    let ways: Vec<String> = ways.into_iter().flatten().collect();
    for way in ["hot-passes", "drop-partition", "detach-partition"] {
        assert!(ways.iter().any(|known| known == way), "{way} was not among {ways:?}");
    }
    let receipts = world.verified("receipts");
    let of_killed = receipts
        .iter()
        .filter(|receipt| receipt["outcome"] == "interrupted")
        .count();
    assert_eq!(of_killed as u64, interrupted, "receipts of runs that were killed");
    assert_eq!(
        i64::try_from(receipts.len()).unwrap(),
        session.number("SELECT count(*) FROM retention.run")
    );
}

/// [`Running`] that may have ended by itself, at the last moment too: then it has a code.
trait KillOrWait {
    fn kill_or_wait(self) -> program::Ended;
}

impl KillOrWait for Running {
    fn kill_or_wait(mut self) -> program::Ended {
        if self.has_ended() { self.wait() } else { self.kill() }
    }
}
