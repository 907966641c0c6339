//! Erasures: what is told of them at the end of a run.

use crate::world::World;
use pg_cluster::{Unavailable, or_skip};
use std::io::{Read as _, Write as _};
use std::net::TcpListener;

const POLICY: &str = "
rules: []
erasure:
  max_fraction: 1
  subject: {table: users, key: id, requested: [{column: rtbf_requested, op: eq, value: true}], completed: rtbf_completed_at}
  tables:
  - {table: users, action: {anonymise: {email: 'null', phone: 'null'}}, reach: {column: id}}
";

/// Takes one push, and gives its text.
fn gateway() -> (String, std::thread::JoinHandle<String>) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let taken = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut text = String::new();
        let mut buffer = [0; 4096];
        loop {
            let read = stream.read(&mut buffer).unwrap();
            text.push_str(std::str::from_utf8(&buffer[..read]).unwrap());
            let length = text
                .to_ascii_lowercase()
                .split_once("content-length: ")
                .map(|(_, rest)| {
                    let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
                    digits.parse::<usize>().unwrap()
                });
            let body = text.split_once("\r\n\r\n").map(|(_, body)| body.len());
            if read == 0 || body.is_some() && body >= length {
                break;
            }
        }
        stream
            .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
            .unwrap();
        text
    });
    (url, taken)
}

#[track_caller]
fn open_erasures(world: &World, more: &[&str], code: i32) -> (u64, String) {
    let (url, pushed) = gateway();
    let mut command = world.with_policy(POLICY);
    let ended = program::run(command.args(more).env("PUSHGATEWAY_URL", url));
    assert_eq!(ended.code, Some(code), "{ended:?}");
    let text = pushed.join().unwrap();
    let metric = text.lines().find(|line| line.starts_with("retention_open_erasures{} "));
    (
        ended.json()["erasures"]["unfinished"].as_u64().unwrap(),
        metric.unwrap_or_else(|| panic!("{text}")).to_owned(),
    )
}

#[test]
fn open_erasures_are_those_of_the_end() {
    let world = World::new();
    // More than a page, of which a run that stops looks at the first only.
    world.own("INSERT INTO users SELECT n, n || '@example.invalid', '1', n > 10 FROM generate_series(7, 2510) AS n");
    let stopped = open_erasures(&world, &["--max-rows", "10"], 5);
    assert_eq!(stopped, (2503, "retention_open_erasures{} 2503.0".to_owned()));
    let file = world.file("policy.yaml", POLICY);
    world.hold_user(4, &file);
    // A request of `erase` for a held subject waits, once.
    let asked = program::run(world.job(["erase", "--subject", "4"]).env("RETENTION_POLICY", &file));
    assert_eq!(asked.code, Some(1), "{asked:?}");
    let rest = open_erasures(&world, &[], 0);
    assert_eq!(rest, (1, "retention_open_erasures{} 1.0".to_owned()));
}

/// A key is what its column calls equal: `7.5` is the subject `7.50`, and `ANN@x` is `ann@X`.
#[test]
fn a_subject_is_found_however_its_key_is_written() {
    for (kind, stored, asked) in [("numeric(9, 2)", "7.50", "7.5"), ("public.citext", "ann@X", "ANN@x")] {
        let world = World::new();
        if kind == "public.citext" {
            let there = !world
                .column("SELECT name FROM pg_available_extensions WHERE name = 'citext'")
                .is_empty();
            let contrib = "install the package with PostgreSQL's contrib";
            if or_skip(Unavailable::unless(there, "extension citext", contrib)).is_none() {
                return;
            }
            world.sql("CREATE EXTENSION citext SCHEMA public");
        }
        world.sql(&format!(
            "CREATE TABLE people (key {kind} PRIMARY KEY, email text, done timestamptz);
             CREATE TABLE letters (id int PRIMARY KEY, who {kind}, body text); CREATE INDEX ON letters (who);
             ALTER TABLE people OWNER TO CURRENT_ROLE; GRANT ALL ON people, letters TO PUBLIC;
             INSERT INTO people VALUES ('{stored}', 'mail'), ('1', 'other'); INSERT INTO letters VALUES (1, '{stored}', 'dear'), (2, '1', 'dear')"
        ));
        let policy = "
rules: []
erasure:
  subject: {table: people, key: key, completed: done}
  tables:
  - {table: letters, action: delete, reach: {column: who}}
  - {table: people, action: {anonymise: {email: 'null'}}, reach: {column: key}}
";
        let file = world.file("policy.yaml", policy);
        let ended = program::run(world.job(["erase", "--subject", asked]).env("RETENTION_POLICY", &file));
        assert_eq!(ended.code, Some(0), "{ended:?}");
        assert_eq!(
            world.value("SELECT string_agg(id::text, ',') FROM letters"),
            "2",
            "{kind}"
        );
        assert_eq!(
            world.value("SELECT count(*) FROM people WHERE email IS NULL AND done IS NOT NULL"),
            "1"
        );
    }
}

/// With `POST` the gateway keeps what an earlier run said: a job that is refused every night would hide what waits.
#[test]
fn a_refused_run_tells_how_many_erasures_wait() {
    let world = World::new();
    let policy = POLICY.replace("  max_fraction: 1\n", "  max_fraction: 0.1\n");
    world.own("INSERT INTO users SELECT n, n || '@example.invalid', '1', true FROM generate_series(7, 500) AS n");
    let asking = "SELECT count(*) FROM users WHERE rtbf_requested AND rtbf_completed_at IS NULL";
    let asking: u64 = world.value(asking).parse().unwrap();
    let told = |expected: u64| {
        let (url, pushed) = gateway();
        let ended = program::run(world.with_policy(&policy).env("PUSHGATEWAY_URL", url));
        assert_eq!(ended.code, Some(1), "{ended:?}");
        let text = pushed.join().unwrap();
        for metric in [
            format!("retention_open_erasures{{}} {expected}.0"),
            "retention_exit_code{} 1.0".to_owned(),
        ] {
            assert!(text.lines().any(|line| line == metric), "{metric}: {text}");
        }
    };
    // Our own schema is not there yet; then it is, and a request waits in it.
    told(asking);
    assert_eq!(program::run(&mut world.job(["init"])).code, Some(0));
    world.sql("INSERT INTO retention.erasure (subject, source) VALUES ('100000', 'request')");
    told(asking + 1);
}

/// A ledger beside the database that it protects goes back with it.
#[test]
fn a_ledger_in_the_same_cluster_is_warned_of() {
    let world = World::new();
    let other = World::new();
    for world in [&world, &other] {
        world.sql_in("postgres", "CREATE DATABASE ledger OWNER job");
    }
    // One server has two spellings.
    let same = world.url().replace("/app", "/ledger");
    let spelled = same.replace("127.0.0.1", "localhost");
    let far = other.url().replace("/app", "/ledger");
    let file = world.file("policy.yaml", POLICY);
    let warned = |command: &str, ledger: &str| {
        let ended = program::run(
            world
                .job([command])
                .env("RETENTION_POLICY", &file)
                .env("RETENTION_LEDGER", ledger)
                .env("RETENTION_LEDGER_KEY", "k".repeat(64)),
        );
        assert_eq!(ended.code, Some(0), "{ended:?}");
        if command == "plan" {
            ended.json()["preflight"]["findings"].to_string()
        } else {
            ended.stderr
        }
    };
    let says = "would take the ledger back too";
    for command in ["plan", "run"] {
        for (ledger, expected) in [(&same, true), (&spelled, true), (&far, false)] {
            // Another ledger than that which was carried out is refused, and not the question here.
            world.sql("DO $$ BEGIN IF to_regclass('retention.ledger') IS NOT NULL THEN DELETE FROM retention.ledger; END IF; END $$");
            let text = warned(command, ledger);
            assert_eq!(text.contains(says), expected, "{command} {expected}: {text}");
        }
    }
    // Who may not ask for the cluster's identifier sees it all the same.
    world.sql("REVOKE EXECUTE ON FUNCTION pg_control_system() FROM PUBLIC");
    world.sql_in("ledger", "REVOKE EXECUTE ON FUNCTION pg_control_system() FROM PUBLIC");
    assert!(warned("plan", &same).contains(says));
}
