//! Guards: a run that is much larger than the last one, or than anybody meant, waits for a person.

use crate::world::World;

fn policy(days: u32, more: &str) -> String {
    format!(
        "rules: [{{name: the-rule, table: pii_events, action: delete, {more} age: {{column: created_at, days: {days}}}}}]"
    )
}

fn events(world: &World) -> String {
    world.value("SELECT count(*) FROM pii_events")
}

/// Refused with exit code 1; the digest of the plan lets it through.
#[track_caller]
fn refused_until_approved(world: &World, policy: &str, left: &str) -> String {
    let before = events(world);
    let refused = program::run(&mut world.with_policy(policy));
    assert_eq!(refused.code, Some(1), "{refused:?}");
    assert_eq!(refused.stdout, "", "{refused:?}");
    assert_eq!(events(world), before);
    let file = world.file("policy.yaml", policy);
    let planned = program::run(world.job(["plan"]).env("RETENTION_POLICY", &file));
    let digest = planned.json()["digest"].as_str().expect("a digest").to_owned();
    assert_eq!(events(world), before);
    let other = digest.replace(&digest[digest.len() - 4..], "0000");
    let mut apply = world.job(["apply", "--plan", &other]);
    let not_this = program::run(apply.env("RETENTION_POLICY", &file));
    assert_eq!(not_this.code, Some(1), "{not_this:?}");
    assert_eq!(events(world), before);
    let applied = program::run(world.job(["apply", "--plan", &digest]).env("RETENTION_POLICY", &file));
    assert_eq!(applied.code, Some(0), "{applied:?}");
    assert_eq!(events(world), left);
    world.said(&refused)
}

#[test]
fn a_cutoff_that_jumps() {
    let world = World::new();
    let first = program::run(&mut world.with_policy(&policy(170, "")));
    assert_eq!(first.code, Some(0), "{first:?}");
    // Somebody changes 170 to 17.
    let said = refused_until_approved(&world, &policy(17, ""), "1");
    assert!(said.contains("the-rule") && said.contains("cutoff moves by"), "{said}");
    // Going back is no danger.
    let again = program::run(&mut world.with_policy(&policy(170, "")));
    assert_eq!(again.code, Some(0), "{again:?}");
}

#[test]
fn a_fraction_that_is_too_large() {
    let world = World::new();
    let said = refused_until_approved(&world, &policy(90, "max_fraction: 0.4,"), "3");
    insta::assert_snapshot!(said);
}

#[test]
fn every_row_is_due() {
    let world = World::new();
    world.own(
        "DELETE FROM pii_events; INSERT INTO pii_events (created_at) SELECT '2001-01-01' FROM generate_series(1, 100)",
    );
    let said = refused_until_approved(&world, &policy(90, ""), "0");
    insta::assert_snapshot!(said);
}

/// Six subjects in `users`, and their events.
const ERASURE: &str = "
rules: [{name: the-rule, table: pii_events, action: delete, age: {column: created_at, days: 90}}]
erasure:
  subject: {table: users, key: id, requested: [{column: rtbf_requested, op: eq, value: true}], completed: rtbf_completed_at}
  tables:
  - {table: users, action: {anonymise: {email: 'null', phone: 'null'}}, reach: {column: id}}
  - {table: pii_events, action: delete, reach: {column: user_id}}
";

fn plan(world: &World, policy: &str) -> serde_json::Value {
    let file = world.file("policy.yaml", policy);
    program::run(world.job(["plan"]).env("RETENTION_POLICY", file)).json()
}

/// An application's slip marks everybody.
#[test]
fn everybody_asks_to_be_forgotten() {
    let world = World::new();
    world.own("INSERT INTO users SELECT n, n || '@example.invalid', '1', false FROM generate_series(7, 1000) AS n");
    let one_by_one = plan(&world, ERASURE);
    assert_eq!(one_by_one["erasure"]["open"], 3, "{one_by_one}");
    assert_eq!(one_by_one["guards"], serde_json::json!([]), "{one_by_one}");
    world.own("UPDATE users SET rtbf_requested = true");
    let file = world.file("policy.yaml", ERASURE);
    let said = world.refused(world.job(["run"]).env("RETENTION_POLICY", &file), 1);
    insta::assert_snapshot!(said);
    let planned = program::run(world.job(["plan"]).env("RETENTION_POLICY", &file));
    assert_eq!(planned.code, Some(1), "{planned:?}");
    let planned = planned.json();
    assert_eq!(planned["erasure"]["open"], 1000, "{planned}");
    assert_eq!(planned["erasure"]["total"], 1000, "{planned}");
    let digest = planned["digest"].as_str().unwrap();
    let applied = program::run(world.job(["apply", "--plan", digest]).env("RETENTION_POLICY", &file));
    assert_eq!(applied.code, Some(0), "{applied:?}");
    assert_eq!(world.value("SELECT count(*) FROM users WHERE email IS NOT NULL"), "0");
    assert_eq!(
        world.value("SELECT count(*) FROM users WHERE rtbf_completed_at IS NULL"),
        "0"
    );
    assert_eq!(events(&world), "1", "that of nobody");
    // Who is done does not ask any more.
    let again = plan(&world, ERASURE);
    assert_eq!(again["erasure"]["open"], 0, "{again}");
    let again = program::run(&mut world.with_policy(ERASURE));
    assert_eq!(again.code, Some(0), "{again:?}");
}

/// A plan that somebody has looked at is not that of more requests, and held subjects do not ask.
#[test]
fn requests_are_in_the_digest() {
    let world = World::new();
    world.own("INSERT INTO users SELECT n, n || '@example.invalid', '1', false FROM generate_series(7, 1000) AS n");
    let first = plan(&world, ERASURE);
    let moment = first["as_of"].as_str().unwrap().to_owned();
    let same_moment = || {
        let file = world.file("policy.yaml", ERASURE);
        program::run(world.job(["plan", "--as-of", &moment]).env("RETENTION_POLICY", file)).json()
    };
    assert_eq!(same_moment()["digest"], first["digest"]);
    world.own("UPDATE users SET rtbf_requested = true WHERE id IN (11, 13)");
    let more = same_moment();
    assert_eq!(more["erasure"]["open"], 5, "{more}");
    assert_ne!(more["digest"], first["digest"]);
    let file = world.file("policy.yaml", ERASURE);
    let digest = first["digest"].as_str().unwrap();
    let said = world.refused(world.job(["apply", "--plan", digest]).env("RETENTION_POLICY", &file), 1);
    assert!(said.contains("is not what would be done now"), "{said}");
    world.hold_user(11, &file);
    assert_eq!(plan(&world, ERASURE)["erasure"]["open"], 4);
}

/// Where no column says who is done, those ask of whom rows are left.
#[test]
fn who_is_done_is_seen_by_what_is_left() {
    let world = World::new();
    let policy = ERASURE.replace(", completed: rtbf_completed_at", "");
    assert_eq!(plan(&world, &policy)["erasure"]["open"], 3);
    let ended = program::run(&mut world.with_policy(&policy));
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert_eq!(plan(&world, &policy)["erasure"]["open"], 0);
    // A late row.
    world.own("INSERT INTO pii_events (user_id, created_at) VALUES (4, now())");
    assert_eq!(plan(&world, &policy)["erasure"]["open"], 1);
    // The policy's own limit holds for a small table too.
    let strict = policy.replace("erasure:", "erasure:\n  max_fraction: 0.1");
    let said = world.refused(&mut world.with_policy(&strict), 1);
    assert!(said.contains("more than erasure.max_fraction 0.1"), "{said}");
}

/// The flag is set while the rules run: what was counted before holds no longer.
#[test]
fn everybody_asks_after_the_run_has_begun() {
    let world = World::new();
    world.own(
        "INSERT INTO users SELECT n, n || '@example.invalid', '1', false FROM generate_series(7, 1000) AS n; \
         CREATE FUNCTION slip() RETURNS trigger LANGUAGE plpgsql AS \
         'BEGIN UPDATE public.users SET rtbf_requested = true; RETURN NULL; END'; \
         CREATE TRIGGER slip AFTER DELETE ON pii_events FOR EACH STATEMENT EXECUTE FUNCTION slip()",
    );
    let ended = program::run(&mut world.with_policy(ERASURE));
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(ended.stderr.contains("no subject is erased in this run"), "{ended:?}");
    assert_eq!(events(&world), "3", "the rule was carried out");
    assert_eq!(world.value("SELECT count(*) FROM users WHERE email IS NULL"), "0");
}
