//! The server goes away in the middle of a run and comes back: stopped in order, or as by a power cut.

use libtest_mimic::Trial;
use pg_cluster::Stop;
use program::Running;
use retention_faults::World;

use crate::{plain, slow};

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        plain("restart::fast", || restarted(Stop::Fast)),
        plain("restart::power_cut", || restarted(Stop::Immediate)),
        plain("restart::power_cut_with_late_wal", late_wal),
        plain("restart::a_session_is_killed", backend_killed),
        plain("restart::sessions_are_ended_again_and_again", terminated),
        plain("restart::the_server_does_not_come_back", gone_for_good),
    ]
}

/// The job goes on, or ends with 4 and the next one goes on.
#[track_caller]
fn goes_on(world: &World, running: Running) {
    let ended = running.wait();
    assert!(matches!(ended.code, Some(0 | 4)), "{ended:?}");
    let gone = slow::exact(world);
    if ended.code == Some(0) {
        let told = ended.json();
        assert_eq!(gone, slow::DUE, "{told}");
        let own = world.number(&format!(
            "SELECT sum(rows) FROM retention.audit WHERE run_id = '{}'",
            told["run_id"].as_str().unwrap()
        ));
        assert_eq!(
            told["rules"][0]["rows"], own,
            "what it tells is what the audit says: {told}"
        );
    }
    slow::finish(world);
}

fn restarted(how: Stop) {
    let mut world = World::new();
    slow::fill(&world);
    let running = Running::start(&mut world.night(slow::POLICY));
    for round in 1..=3 {
        world.batches(3 * round);
        world.cluster.stop(how).unwrap();
        world.cluster.start_again().unwrap();
    }
    goes_on(&world, running);
}

/// Commits of batches do not wait for the disk: a crash takes the last of them back, rows and audit rows together.
fn late_wal() {
    let mut world = World::with(&pg_cluster::Options::default().set("wal_writer_delay", "10s"));
    slow::fill(&world);
    let running = Running::start(&mut world.night(slow::POLICY));
    let mut lost = 0;
    for round in 1..=3 {
        world.batches(5 * round);
        let before = world.number("SELECT count(*) FROM retention.audit");
        world.cluster.stop(Stop::Immediate).unwrap();
        world.cluster.start_again().unwrap();
        let session = world.open();
        // The job may have come back already and added some.
        let after = session.number("SELECT count(*) FROM retention.audit");
        lost += (before - after).max(0);
    }
    goes_on(&world, running);
    eprintln!("restart::power_cut_with_late_wal: {lost} commits were lost and done again");
}

fn pid(world: &World) -> i32 {
    let found = world.number(
        "SELECT coalesce((SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND mode = 'ExclusiveLock' AND granted LIMIT 1), 0)",
    );
    i32::try_from(found).unwrap()
}

fn backend_killed() {
    let world = World::new();
    slow::fill(&world);
    let running = Running::start(&mut world.night(slow::POLICY));
    world.batches(3);
    world.cluster.kill_backend(pid(&world)).unwrap();
    goes_on(&world, running);
}

fn terminated() {
    let world = World::new();
    slow::fill(&world);
    let running = Running::start(&mut world.night(slow::POLICY));
    for round in 1..=5 {
        world.batches(4 * round);
        world
            .sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'retention-job%'");
    }
    goes_on(&world, running);
}

fn gone_for_good() {
    let mut world = World::new();
    slow::fill(&world);
    let running = Running::start(&mut world.night(slow::POLICY));
    world.batches(3);
    world.cluster.stop(Stop::Fast).unwrap();
    // Waiting for it is cut short as in a cluster: by SIGTERM.
    running.terminate();
    let ended = running.wait();
    assert_eq!(ended.code, Some(4), "{ended:?}");
    assert!(ended.stderr.contains("lost"), "{ended:?}");
    world.cluster.start_again().unwrap();
    let gone = slow::exact(&world);
    let receipts = slow::finish(&world);
    assert_eq!(receipts[0]["outcome"], "interrupted", "{receipts:#?}");
    assert_eq!(receipts[0]["rules"][0]["rows"], gone);
}
