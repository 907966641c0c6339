//! Two jobs at once, and a job that another has replaced.

use libtest_mimic::Trial;
use program::Running;
use retention_faults::World;
use retention_store::gate::GATE;

use crate::{plain, slow};

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        plain("two::one_works_and_the_other_names_it", one_works),
        plain("two::a_replaced_job_touches_nothing_more", replaced),
        plain("two::many_at_once_do_the_work_once", many),
    ]
}

fn one_works() {
    let world = World::new();
    slow::fill(&world);
    let first = Running::start(&mut world.night(slow::POLICY));
    world.batches(2);
    let pid =
        world.number("SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND mode = 'ExclusiveLock' AND granted");
    let second = world.ends(&mut world.night(slow::POLICY), 5);
    assert_eq!(second.stdout, "");
    assert!(
        second.stderr.contains(&format!("server process {pid}")) && second.stderr.contains("retention-job"),
        "{}",
        second.stderr
    );
    let erasing = world.ends(
        world
            .night("{rules: [], erasure: {subject: {table: public.slow, key: id}, tables: [{table: public.slow, action: delete, reach: {column: id}}]}}")
            .arg("--progress=never"),
        5,
    );
    assert!(erasing.stderr.contains("another run"), "{}", erasing.stderr);
    slow::hurry(&world);
    let first = first.wait();
    assert_eq!(first.code, Some(0), "{first:?}");
    assert_eq!(slow::exact(&world), slow::DUE);
    // Those that were turned away left nothing.
    assert_eq!(world.number("SELECT count(*) FROM retention.run"), 1);
    assert_eq!(world.verified("receipts").len(), 1);
}

fn replaced() {
    let world = World::new();
    slow::fill(&world);
    let running = Running::start(&mut world.night(slow::POLICY));
    world.batches(2);
    // As a newer run does it: behind the gate, so that no batch is in between.
    let thief = world.open();
    thief.sql(&format!(
        "BEGIN; SELECT pg_advisory_xact_lock({GATE}); UPDATE retention.gate SET fence = fence + 1; COMMIT"
    ));
    let before = (world.fingerprint("slow"), world.fingerprint("retention.audit"));
    let ended = running.wait();
    assert_eq!(ended.code, Some(5), "{ended:?}");
    assert!(
        ended.stderr.contains("took over") || ended.stderr.contains("taken over"),
        "{ended:?}"
    );
    assert_eq!(
        (world.fingerprint("slow"), world.fingerprint("retention.audit")),
        before
    );
    let gone = slow::exact(&world);
    assert!(gone > 0 && gone < slow::DUE, "{gone}");
    let receipts = slow::finish(&world);
    assert_eq!(receipts[0]["outcome"], "interrupted", "{receipts:#?}");
    assert_eq!(receipts[0]["rules"][0]["rows"], gone, "{receipts:#?}");
}

fn many() {
    let world = World::new();
    slow::fill(&world);
    slow::hurry(&world);
    let running: Vec<Running> = (0..6).map(|_| Running::start(&mut world.night(slow::POLICY))).collect();
    let ended: Vec<_> = running.into_iter().map(Running::wait).collect();
    for ended in &ended {
        assert!(matches!(ended.code, Some(0 | 5)), "{ended:?}");
    }
    assert!(ended.iter().any(|ended| ended.code == Some(0)), "{ended:?}");
    assert_eq!(slow::exact(&world), slow::DUE);
    world.verified("receipts");
}
