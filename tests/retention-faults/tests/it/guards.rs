//! A term that jumps. (The clock's own guard: `clock`.)

use libtest_mimic::Trial;
use retention_faults::World;

use crate::plain;

pub(crate) fn trials() -> Vec<Trial> {
    vec![plain("guards::ninety_days_become_nine", jump)]
}

/// The tables of the built-in policy; one event a day and hour.
const TABLES: &str = "
CREATE TABLE pii_events (id int PRIMARY KEY, created_at timestamptz NOT NULL);
CREATE TABLE users (id bigint PRIMARY KEY, email text, phone text, rtbf_requested boolean NOT NULL DEFAULT false);
CREATE TABLE transactions (id bigint PRIMARY KEY, created_at timestamptz NOT NULL, card_last4 text, ip inet);
INSERT INTO pii_events SELECT n, now() - n * interval '1 hour' + interval '30 minutes' FROM generate_series(1, 24 * 120) AS n;
ANALYZE";

fn jump() {
    let world = World::new();
    world.sql(TABLES);
    let night = |args: &[&str], days: &str| {
        let mut command = world.job(args);
        command
            .env("RETENTION_DAYS", days)
            .env("RETENTION_SIGNING_KEY_FILE", world.signing_key());
        command
    };
    world.ends(&mut night(&["run"], "90"), 0);
    assert_eq!(world.number("SELECT count(*) FROM pii_events"), 24 * 90);
    let before = world.fingerprint("pii_events");
    let refused = world.ends(&mut night(&["run"], "9"), 1);
    assert!(
        refused.stderr.contains("rule pii-events") && refused.stderr.contains("the cutoff moves by 81 days"),
        "{refused:?}"
    );
    assert_eq!(refused.stdout, "");
    // A plan that a guard stands against ends as the run would.
    let digest = |days: &str, code: i32| {
        let plan = world.ends(&mut night(&["plan"], days), code).json();
        plan["digest"].as_str().unwrap().to_owned()
    };
    let stale = digest("9", 1);
    // Another plan: of other terms, with a flipped digit, of nothing at all.
    let last = stale.chars().last().unwrap();
    let flipped = format!("{}{}", &stale[..stale.len() - 1], if last == '0' { '1' } else { '0' });
    for (wrong, days, code) in [(&flipped, "9", 1), (&stale, "10", 1), (&digest("90", 0), "9", 1)] {
        world.ends(&mut night(&["apply", "--plan", wrong], days), code);
        assert_eq!(world.fingerprint("pii_events"), before);
    }
    // The table changes: the plan that somebody looked at is not what would be done.
    world
        .sql("INSERT INTO pii_events SELECT 100000 + n, now() - interval '50 days' FROM generate_series(1, 3000) AS n");
    let before = world.fingerprint("pii_events");
    let refused = world.ends(&mut night(&["apply", "--plan", &stale], "9"), 1);
    assert!(refused.stderr.contains("not what would be done now"), "{refused:?}");
    assert_eq!(world.fingerprint("pii_events"), before);
    // Nobody was fooled: still refused, and then approved.
    world.ends(&mut night(&["run"], "9"), 1);
    assert_eq!(world.fingerprint("pii_events"), before);
    let right = digest("9", 1);
    let ended = world.ends(&mut night(&["apply", "--plan", &right], "9"), 0);
    assert_eq!(ended.json()["rules"][0]["rows"], 24 * 81 + 3000, "{ended:?}");
    assert_eq!(world.number("SELECT count(*) FROM pii_events"), 24 * 9);
    // From now on nine days are usual.
    world.ends(&mut night(&["run"], "9"), 0);
    // An approved plan is good once: what it named is gone.
    let again = program::run(&mut night(&["apply", "--plan", &right], "9"));
    assert_eq!(again.code, Some(1), "{again:?}");
    world.verified("receipts");
}
