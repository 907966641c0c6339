//! Where the database is: every way to say it wrongly.

use crate::world::{PASSWORD, Refusals, World, retention_job};
use program::Nobody;

#[test]
fn addresses_that_lead_nowhere() {
    let world = World::new();
    let nobody = Nobody::new();
    let mut refusals = Refusals::of(&world);
    let port = world.cluster.port();
    let good = world.url();
    let mut with = |name: &str, code: i32, url: &str| {
        refusals.add(name, code, world.job(["run"]).env("DATABASE_URL", url));
    };
    with("nothing", 2, "");
    with("another scheme", 2, &good.replace("postgres://", "mysql://"));
    with("no address", 2, "canary");
    with("password not encoded: @", 2, &good.replace("%40", "@"));
    with("password not encoded: /", 2, &good.replace("%2F", "/"));
    with(
        "password in the wrong place",
        2,
        &format!("postgres://job@127.0.0.1:{PASSWORD}/app"),
    );
    with("unknown parameter", 2, &format!("{good}?sslmodus=require"));
    with("sslmode allow", 2, &format!("{good}?sslmode=allow"));
    with("no root file", 2, &format!("{good}?sslrootcert=missing.pem"));
    with("no user", 2, "postgres:///app");
    with("wrong password", 2, &good.replace("7f21", "wrong"));
    with("no password", 2, &format!("postgres://job@127.0.0.1:{port}/app"));
    with("no such user", 2, &world.url_of("nobody"));
    with("no such database", 2, &good.replace("/app", "/nowhere"));
    with("no TLS there", 2, &format!("{good}?sslmode=verify-full"));
    with(
        "channel binding without TLS",
        2,
        &format!("{good}?channel_binding=require"),
    );
    // The port differs from run to run.
    let closed = format!("postgres://job:canary@127.0.0.1:{}/app", nobody.port());
    let said = world.refused(world.job(["run"]).env("DATABASE_URL", closed), 4);
    assert!(said.contains("cannot reach PostgreSQL at 127.0.0.1:"), "{said}");
    assert!(said.contains("refused"), "{said}");
    insta::assert_snapshot!(refusals.text());

    // Each system has its own words for it.
    let unknown = "postgres://job:canary@no-such-host.invalid/app";
    let said = world.refused(world.job(["run"]).env("DATABASE_URL", unknown), 4);
    assert!(
        said.contains("no-such-host.invalid:5432/app: the name cannot be resolved"),
        "{said}"
    );
}

#[test]
fn the_address_may_come_from_a_file() {
    let world = World::new();
    let mut refusals = Refusals::of(&world);
    let mut from = |name: &str, file: &str, both: bool| {
        let mut command = retention_job(["run"]);
        command.env("DATABASE_URL_FILE", file);
        if both {
            command.env("DATABASE_URL", world.url());
        }
        refusals.add(name, 2, &mut command);
    };
    let good = world.file("url", world.url() + "\n");
    let good = good.to_str().unwrap();
    from("missing", &format!("{good}-not"), false);
    from("empty", world.file("empty", "").to_str().unwrap(), false);
    from("a folder", good.trim_end_matches("/url"), false);
    from("both", good, true);
    insta::assert_snapshot!(refusals.text());
    let ended = program::run(retention_job(["run", "--output", "json"]).env("DATABASE_URL_FILE", good));
    assert_eq!(ended.code, Some(0), "{ended:?}");
    world.said(&ended);
}

#[test]
fn every_command_that_needs_the_database_says_so_in_the_same_way() {
    let world = World::new();
    for command in [
        vec!["run"],
        vec![],
        vec!["plan"],
        vec!["apply", "--plan", "0-00000000000000000000000000000000"],
        vec!["erase", "--subject", "1"],
        vec!["hold", "list"],
        vec!["hold", "add", "--subject", "1", "--reason", "x"],
        vec!["hold", "release", "1", "--reason", "x"],
        vec!["receipts", "export", "dir"],
        vec!["init"],
        vec!["lint"],
        vec!["status"],
    ] {
        let said = world.refused(&mut retention_job(&command), 2);
        assert!(said.contains("DATABASE_URL"), "{command:?}: {said}");
        let wrong = world.url().replace("7f21", "wrong");
        let said = world.refused(retention_job(&command).env("DATABASE_URL", wrong), 2);
        assert!(said.contains("password authentication failed"), "{command:?}: {said}");
    }
}

#[test]
fn a_database_that_comes_up_late_is_waited_for_when_asked() {
    let mut world = World::new();
    world.cluster.stop(pg_cluster::Stop::Fast).unwrap();
    let patient = program::Running::start(world.job(["run"]).env("RETENTION_CONNECT_RETRY", "60s"));
    let hasty = program::run(&mut world.job(["run"]));
    assert_eq!(hasty.code, Some(4), "{hasty:?}");
    world.cluster.start_again().unwrap();
    let ended = patient.wait();
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert_eq!(world.value("SELECT count(*) FROM pii_events"), "3");
}
