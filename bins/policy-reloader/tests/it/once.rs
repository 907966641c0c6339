//! `once` where there is no OPA: it ends, soon, with the exit code that says so.

use std::process::Command;
use std::time::{Duration, Instant};

use mc_sim::{PACK_ID, Sim, SimConfig, samples};

use crate::support::{Desk, reloader};
use crate::table::Table;
use program::{Nobody, run};

const USAGE: i32 = 2;
const FAILED: i32 = 4;

fn once(desk: &Desk, sim: &Sim, nobody: &Nobody, activation: &str) -> Command {
    let mut command = reloader(["once", "--activation", activation, "--log-format", "json"]);
    command
        .args(["--pack-url", &sim.pack_url(PACK_ID), "--opa-url", &nobody.url()])
        .args(["--bundle-listen", "127.0.0.1:0", "--activation-timeout-ms", "500"])
        .args(["--state-dir", &desk.arg("state")])
        .args(desk.trust());
    command
}

#[test]
fn an_opa_that_is_away_is_a_failed_dependency_and_the_pack_is_not_remembered() {
    let desk = Desk::new();
    let sim = Sim::start(SimConfig::default()).unwrap();
    sim.publish_signed(PACK_ID, samples::v1(1), &desk.signer).unwrap();
    let nobody = Nobody::new();
    let mut table = Table::new(desk.folder());
    for activation in ["push", "bundle", "auto"] {
        let started = Instant::now();
        table.case(activation, FAILED, &mut once(&desk, &sim, &nobody, activation));
        assert!(
            started.elapsed() < Duration::from_secs(20),
            "{activation} took {:?}",
            started.elapsed()
        );
        assert!(
            !desk.path("state/state.json").exists(),
            "{activation}: nothing decides by this pack"
        );
    }
    insta::assert_snapshot!(table.text());
}

#[test]
fn once_without_any_opa_makes_no_sense() {
    let desk = Desk::new();
    let sim = Sim::start(SimConfig::default()).unwrap();
    let mut table = Table::new(desk.folder());
    table.case("embedded", USAGE, &mut once(&desk, &sim, &Nobody::new(), "embedded"));
    assert!(sim.requests().is_empty(), "MC was not asked");
    insta::assert_snapshot!(table.text());
}

#[test]
fn people_get_a_sentence() {
    let desk = Desk::new();
    let sim = Sim::start(SimConfig::default()).unwrap();
    sim.publish_signed(PACK_ID, samples::expired(1), &desk.signer).unwrap();
    let ended = run(once(&desk, &sim, &Nobody::new(), "push").args(["--output", "human"]));
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(
        ended
            .stdout
            .starts_with("refused (expired): the pack expired at 2024-06-01T00:00:00Z"),
        "{ended:?}"
    );
    assert_eq!(ended.stdout.lines().count(), 1, "{ended:?}");
}
