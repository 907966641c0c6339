//! Exported receipts and audit rows that somebody changed: `receipts verify` finds each of them.

use std::path::PathBuf;

use libtest_mimic::Trial;
use retention_faults::World;

use crate::{plain, slow};

pub(crate) fn trials() -> Vec<Trial> {
    vec![plain("mutations::each_is_found", found)]
}

/// Each so many-th byte is flipped, and the last one.
const STEP: usize = 50;

fn found() {
    let world = World::new();
    slow::fill(&world);
    slow::hurry(&world);
    let night = || {
        let mut command = world.night(slow::POLICY);
        // Several rows of each run.
        command.env("RETENTION_BATCH_TARGET", "1ms");
        command
    };
    for _ in 0..2 {
        world.ends(night().args(["--max-rows", "600"]), 5);
    }
    world.ends(&mut night(), 0);
    let receipts = world.verified("proof");
    assert_eq!(receipts.len(), 3);
    let head = world
        .value("SELECT sha256 FROM retention.receipt ORDER BY number DESC LIMIT 1")
        .unwrap();
    let verify = || program::run(&mut world.verification("proof", &head));
    let folder = world.path("proof");
    let mut files: Vec<PathBuf> = std::fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    assert_eq!(files.len(), 4, "three receipts and audit.jsonl: {files:?}");
    let mut tried = 0;
    let mut missed = Vec::new();
    for path in &files {
        let bytes = std::fs::read(path).unwrap();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let last = bytes.len() - 1;
        let mut changed: Vec<(String, Vec<u8>)> = (0..last)
            .step_by(STEP)
            .map(|at| {
                let mut other = bytes.clone();
                other[at] ^= 1;
                (format!("byte {at}"), other)
            })
            .collect();
        changed.push(("cut to a half".to_owned(), bytes[..bytes.len() / 2].to_vec()));
        changed.push(("cut by ten bytes".to_owned(), bytes[..bytes.len() - 10].to_vec()));
        changed.push(("empty".to_owned(), Vec::new()));
        if name == "audit.jsonl" {
            let text = String::from_utf8(bytes.clone()).unwrap();
            let lines: Vec<&str> = text.lines().collect();
            // Two of one run: which run's rows come first is of no matter.
            let of = |line: &str| serde_json::from_str::<serde_json::Value>(line).unwrap()["row"]["run_id"].to_string();
            let at = (1..lines.len())
                .find(|at| of(lines[at - 1]) == of(lines[*at]))
                .expect("a run with two rows");
            let swapped = [&lines[..at - 1], &[lines[at], lines[at - 1]], &lines[at + 1..]].concat();
            for (what, kept) in [
                ("the first row dropped", lines[1..].to_vec()),
                ("a row dropped", [&lines[..1], &lines[2..]].concat()),
                ("the last row dropped", lines[..lines.len() - 1].to_vec()),
                ("a row twice", [&lines[..2], &lines[1..]].concat()),
                ("two rows swapped", swapped),
            ] {
                changed.push((what.to_owned(), (kept.join("\n") + "\n").into_bytes()));
            }
        }
        for (what, other) in changed {
            std::fs::write(path, other).unwrap();
            let ended = verify();
            tried += 1;
            if ended.code != Some(1) {
                missed.push(format!(
                    "{name}: {what}: exit {:?}: {}{}",
                    ended.code, ended.stdout, ended.stderr
                ));
            }
        }
        // Without it at all. (Without audit.jsonl, receipts alone are verified, and that is said.)
        if name != "audit.jsonl" {
            std::fs::remove_file(path).unwrap();
            assert_eq!(verify().code, Some(1), "{name} is missing");
        }
        std::fs::write(path, &bytes).unwrap();
        assert_eq!(verify().code, Some(0), "{name} as it was");
    }
    eprintln!("mutations: {tried} were tried");
    assert!(tried > 80, "{tried}");
    assert_eq!(missed, Vec::<String>::new());
    // The key of somebody else.
    let other = World::new();
    let mut key = other.signing_key().as_os_str().to_owned();
    key.push(".pub");
    let ended = program::run(world.job(["receipts", "verify", "--key"]).arg(key).arg(&folder));
    assert_eq!(ended.code, Some(1), "{ended:?}");
}
