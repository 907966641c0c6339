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
