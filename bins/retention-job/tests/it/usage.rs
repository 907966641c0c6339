//! Options that cannot be meant.

use crate::world::{Refusals, World, retention_job};

#[test]
fn terms_that_are_none() {
    let world = World::new();
    let mut refusals = Refusals::of(&world);
    for days in [
        "0",
        "-1",
        "-90",
        "abc",
        "",
        "1.5",
        "99999999999999999999",
        "36501",
        "0x10",
        "NaN",
    ] {
        refusals.add(
            &format!("RETENTION_DAYS={days:?}"),
            2,
            world.job(["run"]).env("RETENTION_DAYS", days),
        );
    }
    for days in ["0", "-1"] {
        refusals.add(
            &format!("--retention-days {days}"),
            2,
            &mut world.job(["run", "--retention-days", days]),
        );
    }
    insta::assert_snapshot!(refusals.text());
}

#[test]
fn a_cutoff_in_the_future() {
    let world = World::new();
    // The database's clock is in the message.
    for as_of in ["2999-01-01T00:00:00Z", "9999-12-30T22:00:00Z"] {
        let said = world.refused(world.job(["run"]).env("RETENTION_AS_OF", as_of), 2);
        assert!(said.contains("--as-of"), "{said}");
        assert!(said.contains(as_of), "{said}");
        assert!(
            said.contains("future") || said.contains("ahead") || said.contains("after"),
            "{said}"
        );
    }
    let mut refusals = Refusals::of(&world);
    for as_of in ["yesterday", "2020-01-01", "2020-13-01T00:00:00Z", ""] {
        refusals.add(
            &format!("RETENTION_AS_OF={as_of:?}"),
            2,
            world.job(["run"]).env("RETENTION_AS_OF", as_of),
        );
    }
    insta::assert_snapshot!(refusals.text());
}

#[test]
fn command_lines_that_cannot_be_meant() {
    let world = World::new();
    let mut refusals = Refusals::of(&world);
    for args in [
        vec!["shoot"],
        vec!["run", "--now"],
        vec!["apply"],
        vec!["apply", "--plan", "whatever"],
        vec!["erase"],
        vec!["erase", "--subject", ""],
        vec!["hold", "add", "--reason", "x"],
        vec!["hold", "add", "--table", "public.users", "--reason", "x"],
        vec![
            "hold",
            "add",
            "--subject",
            "1",
            "--table",
            "public.users",
            "--column",
            "id",
            "--value",
            "1",
            "--reason",
            "x",
        ],
        vec!["hold", "release", "first", "--reason", "x"],
        vec!["run", "--max-rows", "0"],
        vec!["run", "--max-duration", "soon"],
        vec!["receipts", "verify"],
    ] {
        refusals.add(&args.join(" "), 2, &mut world.job(&args));
    }
    insta::assert_snapshot!(refusals.text());
}

#[test]
fn a_plan_of_the_future() {
    let world = World::new();
    let mut apply = world.job(["apply", "--plan", "99999999999-00000000000000000000000000000000"]);
    let said = world.refused(&mut apply, 2);
    assert!(said.contains("5138-11-16T09:46:39Z is in the future"), "{said}");
}

#[test]
fn an_erasure_that_the_policy_does_not_describe() {
    let world = World::new();
    let policy = world.file(
        "policy.yaml",
        "rules: [{name: a, table: pii_events, action: delete, age: {column: created_at, days: 90}}]",
    );
    let mut erase = world.job(["erase", "--subject", "4711"]);
    let said = world.refused(erase.env("RETENTION_POLICY", policy), 2);
    insta::assert_snapshot!(said);
}

#[test]
fn keys_that_are_none() {
    let world = World::new();
    let mut refusals = Refusals::of(&world);
    let hmac = "rules: [{name: a, table: users, action: {anonymise: {email: hmac}}, where: [{column: rtbf_requested, op: eq, value: true}]}]";
    refusals.policy("hmac without a key", hmac);
    refusals.add(
        "a short key",
        2,
        world.with_policy(hmac).env("RETENTION_HMAC_KEY", "canary"),
    );
    refusals.add(
        "a signing key that is not there",
        2,
        world.job(["run"]).env("RETENTION_SIGNING_KEY_FILE", "missing.pem"),
    );
    let junk = world.file("junk.pem", "canary");
    refusals.add(
        "a signing key that is none",
        2,
        world.job(["run"]).env("RETENTION_SIGNING_KEY_FILE", &junk),
    );
    refusals.add(
        "a ledger without a key",
        2,
        world.job(["run"]).env("RETENTION_LEDGER", world.file("ledger", "")),
    );
    insta::assert_snapshot!(refusals.text());
}

#[test]
fn receipts_that_are_not_there() {
    let world = World::new();
    let said = world.refused(
        &mut retention_job(["receipts", "verify", "no/such/folder", "--allow-unsigned"]),
        2,
    );
    insta::assert_snapshot!(said);
}

#[test]
fn holds_on_what_is_not_there() {
    let world = World::new();
    let made = program::run(&mut world.job(["init"]));
    assert_eq!(made.code, Some(0), "{made:?}");
    let mut refusals = Refusals::of(&world);
    for place in [["public.nowhere", "id", "1"], ["public.users", "nothing", "1"]] {
        let [table, column, value] = place;
        let args = [
            "hold", "add", "--table", table, "--column", column, "--value", value, "--reason", "x",
        ];
        refusals.add(&place.join(" "), 2, &mut world.job(args));
    }
    for args in [
        vec!["hold", "add", "--subject", "", "--reason", "x"],
        vec!["hold", "add", "--subject", "1", "--reason", ""],
        vec!["hold", "release", "4711", "--reason", "x"],
    ] {
        refusals.add(&args.join(" "), 2, &mut world.job(&args));
    }
    insta::assert_snapshot!(refusals.text());
}
