//! Runs that stop in time: SIGTERM, `--max-rows`, `--max-duration`.

use libtest_mimic::Trial;
use program::Running;
use retention_faults::World;

use crate::{plain, slow};

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        plain("budget::sigterm_ends_with_a_receipt", sigterm),
        plain("budget::rows", rows),
        plain("budget::time", time),
    ]
}

fn sigterm() {
    let world = World::new();
    slow::fill(&world);
    let running = Running::start(&mut world.night(slow::POLICY));
    world.batches(3);
    running.terminate();
    let ended = running.wait();
    assert_eq!(ended.code, Some(5), "{ended:?}");
    let told = ended.json();
    assert_eq!(
        (&told["outcome"], &told["exit_code"]),
        (&"partial".into(), &5.into()),
        "{told}"
    );
    let gone = slow::exact(&world);
    assert!(gone > 0 && gone < slow::DUE, "{gone}");
    assert_eq!(told["rules"][0]["rows"], gone);
    let receipts = slow::finish(&world);
    assert_eq!(receipts.len(), 2);
    assert_eq!(receipts[0]["outcome"], "partial");
    assert_eq!(receipts[0]["rules"][0]["residue"], serde_json::Value::Null);
    assert_eq!(receipts[1]["outcome"], "complete");
}

fn rows() {
    let world = World::new();
    slow::fill(&world);
    slow::hurry(&world);
    for done in [700, 1400, 2100] {
        let ended = world.ends(world.night(slow::POLICY).args(["--max-rows", "700"]), 5);
        assert_eq!(ended.json()["rules"][0]["rows"], 700, "{ended:?}");
        assert_eq!(slow::exact(&world), done);
    }
    let receipts = slow::finish(&world);
    let outcomes: Vec<_> = receipts.iter().map(|receipt| &receipt["outcome"]).collect();
    assert_eq!(outcomes, ["partial", "partial", "partial", "complete"]);
}

fn time() {
    let world = World::new();
    slow::fill(&world);
    let ended = world.ends(world.night(slow::POLICY).args(["--max-duration", "1500ms"]), 5);
    let told = ended.json();
    let gone = slow::exact(&world);
    assert!(gone < slow::DUE, "{gone}");
    assert_eq!(told["rules"][0]["rows"], gone);
    let duration = told["duration_ms"].as_u64().unwrap();
    assert!((1000..8000).contains(&duration), "{duration} ms, asked for 1500");
    slow::finish(&world);
}
