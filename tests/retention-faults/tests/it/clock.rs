//! This machine's clock is wrong, or is set while a run is at work.

use std::path::{Path, PathBuf};
use std::process::Command;

use libtest_mimic::Trial;
use program::Running;
use retention_faults::World;

use crate::plain;

pub(crate) fn trials() -> Vec<Trial> {
    if cfg!(not(target_os = "linux")) {
        return Vec::new();
    }
    vec![
        plain("clock::a_wrong_one_is_refused", wrong),
        plain("clock::one_that_is_set_meanwhile_harms_nothing", set),
    ]
}

const DAY: i32 = 86_400;

const POLICY: &str = "
rules:
  - {name: old, table: public.events, action: delete, age: {column: at, days: 90}}
";

/// So many rows that are due, and as many that are not.
fn fill(world: &World, rows: u32) {
    world.sql(&format!(
        "DROP TABLE IF EXISTS events; CREATE TABLE events (id int PRIMARY KEY, at timestamptz NOT NULL); \
         INSERT INTO events SELECT n, now() - interval '100 days' FROM generate_series(1, {rows}) AS n; \
         INSERT INTO events SELECT {rows} + n, now() - interval '80 days' FROM generate_series(1, {rows}) AS n; ANALYZE"
    ));
}

/// Built here: the compiler that the project needs anyway.
fn library(world: &World) -> PathBuf {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/clock.c");
    let library = world.path("clock.so");
    let mut compiler = Command::new("cc");
    compiler
        .args(["-shared", "-fPIC", "-O1", "-Wall", "-Werror", "-o"])
        .arg(&library)
        .arg(source)
        .arg("-ldl");
    let built = compiler.output().expect("a C compiler");
    assert!(built.status.success(), "{built:?}");
    library
}

/// A night whose clock is wrong from the moment on at which the file `set` is there.
fn night(world: &World, library: &Path, shift: i32) -> Command {
    let mut command = world.night(POLICY);
    command
        .env("LD_PRELOAD", library)
        .env("CLOCK_SHIFT", shift.to_string())
        .env("CLOCK_SHIFT_WHEN", world.path("set"));
    command
}

fn wrong() {
    let world = World::new();
    fill(&world, 100);
    let library = library(&world);
    world.file("set", "");
    let before = world.fingerprint("events");
    for (shift, how) in [(3600, "behind"), (-3600, "ahead of"), (-400 * DAY, "ahead of")] {
        let refused = world.ends(&mut night(&world, &library, shift), 1);
        assert!(
            refused.stderr.contains("the database's clock") && refused.stderr.contains(how),
            "{shift}: {refused:?}"
        );
        assert_eq!(world.fingerprint("events"), before, "{shift}");
    }
    // Within what the guard allows; and ages are counted by the database's clock, whatever ours says.
    let ended = world.ends(&mut night(&world, &library, 200), 0);
    assert_eq!(ended.json()["rules"][0]["rows"], 100);
    assert_eq!(world.number("SELECT count(*) FROM events"), 100);
}

fn set() {
    const ROWS: u32 = 150_000;
    let world = World::new();
    let library = library(&world);
    let batches = "SELECT count(*) FROM retention.audit";
    // Far back, so that a deadline by this clock would never come; and far ahead, so that it would have come.
    for (night_number, shift) in [-400 * DAY, 400 * DAY, -2 * DAY].into_iter().enumerate() {
        let _ = std::fs::remove_file(world.path("set"));
        fill(&world, ROWS);
        let known = match night_number {
            0 => 0,
            _ => world.number(batches),
        };
        let mut command = night(&world, &library, shift);
        command
            .args(["--max-duration", "5m"])
            .env("RETENTION_BATCH_TARGET", "1ms");
        let running = Running::start(&mut command);
        world.batches(u32::try_from(known).unwrap() + 3);
        world.file("set", "");
        let then = world.number(batches);
        let ended = running.wait();
        assert_eq!(ended.code, Some(0), "{shift}: {ended:?}");
        assert!(
            world.number(batches) > then,
            "the clock was set when everything was done"
        );
        assert_eq!(ended.json()["rules"][0]["rows"], ROWS, "{ended:?}");
        assert!(ended.json()["duration_ms"].as_u64().unwrap() < 300_000, "{ended:?}");
        assert_eq!(
            world.number("SELECT count(*) FROM events"),
            i64::from(ROWS),
            "the young ones"
        );
    }
    let audited = world.number("SELECT sum(rows)::bigint FROM retention.audit");
    assert_eq!(audited, 3 * i64::from(ROWS));
    world.verified("receipts");
}
