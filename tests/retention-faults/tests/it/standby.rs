//! A standby as the target, and an old snapshot on the primary.

use libtest_mimic::Trial;
use pg_cluster::Options;
use retention_faults::World;
use serde_json::Value;

use crate::plain;

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        plain("standby::nothing_is_touched_and_plan_works", standby),
        plain("snapshot::an_old_one_is_named_and_passes_are_not_taken", snapshot),
    ]
}

const POLICY: &str =
    "rules: [{name: old-tx, table: public.tx, action: {anonymise: {card: \"null\"}}, age: {column: at, days: 90}}]";

fn fill(world: &World) {
    world.sql(
        "CREATE TABLE tx (id int PRIMARY KEY, at timestamptz NOT NULL, card text, filler text); \
         INSERT INTO tx SELECT n, '2001-01-01', '4242', repeat('x', 150) FROM generate_series(1, 9000) AS n; \
         INSERT INTO tx SELECT n, now(), '4242', '' FROM generate_series(100001, 101000) AS n; ANALYZE tx",
    );
}

fn strategies(plan: &Value) -> Vec<&str> {
    let leaves = plan["tasks"][0]["leaves"].as_array().unwrap();
    leaves.iter().map(|leaf| leaf["strategy"].as_str().unwrap()).collect()
}

fn standby() {
    let world = World::new();
    fill(&world);
    let standby = world.handle().block_on(async {
        let standby = world.cluster.standby(&Options::default()).await.unwrap();
        world.cluster.wait_for_standby(&standby).await.unwrap();
        standby
    });
    let before = world.fingerprint("tx");
    for args in [
        &["run"][..],
        &["init"],
        &["hold", "add", "--subject", "1", "--reason", "x"],
    ] {
        let mut command = world.job(args);
        if args == ["run"] {
            world.equip(&mut command, POLICY);
        }
        let ended = world.ends(command.env("DATABASE_URL", standby.url("app")), 2);
        assert!(
            ended.stderr.contains("standby") || ended.stderr.contains("read-only"),
            "{ended:?}"
        );
        assert_eq!(ended.stdout, "");
    }
    let mut plan = world.job(["plan"]);
    plan.env("RETENTION_POLICY", world.file("policy.yaml", POLICY));
    let there = world.ends(plan.env("DATABASE_URL", standby.url("app")), 0).json();
    assert_eq!(there["tasks"][0]["due"], 9000, "{there}");
    assert_eq!(world.fingerprint("tx"), before);
    assert_eq!(world.value("SELECT to_regnamespace('retention')::text"), None);
}

/// The role of the job may not see when others began: it goes by how many transactions ago that was.
fn snapshot() {
    let world = World::new();
    fill(&world);
    world.sql(
        "CREATE ROLE job LOGIN; ALTER TABLE tx OWNER TO job; ALTER DATABASE app OWNER TO job; \
         CREATE PROCEDURE pass() LANGUAGE plpgsql AS $$ BEGIN FOR n IN 1..11000 LOOP \
         PERFORM pg_current_xact_id(); COMMIT; END LOOP; END $$",
    );
    let url = world.url().replace("postgres@", "job@");
    let plan = || {
        let mut plan = world.job(["plan"]);
        plan.env("RETENTION_POLICY", world.file("policy.yaml", POLICY))
            .env("DATABASE_URL", &url);
        world.ends(&mut plan, 0).json()
    };
    assert_eq!(strategies(&plan()), ["hot-passes"]);
    let old = world.open();
    old.sql("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM tx");
    let pid = old.number("SELECT pg_backend_pid()");
    world.sql("CALL pass()");
    let planned = plan();
    assert_ne!(strategies(&planned), ["hot-passes"], "{planned}");
    let findings = planned["preflight"]["findings"].as_array().unwrap();
    let finding = findings.iter().find(|finding| finding["code"] == "old-snapshot");
    let finding = finding.unwrap_or_else(|| panic!("not named: {planned}")).to_string();
    assert!(finding.contains(&format!("server process {pid} ")), "{finding}");
    let ended = world.ends(world.night(POLICY).env("DATABASE_URL", &url), 0);
    let told = ended.json();
    assert_eq!(told["rules"][0]["rows"], 9000, "{told}");
    let used = told["rules"][0]["strategies"].as_array().unwrap();
    assert!(!used.is_empty() && !used.contains(&"hot-passes".into()), "{told}");
    // The old one still sees what there was.
    assert_eq!(old.number("SELECT count(card) FROM tx"), 10_000);
    assert_eq!(world.number("SELECT count(card) FROM tx"), 1000);
    world.verified("receipts");
}
