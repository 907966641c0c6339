use super::*;
use load_verdict::Verdict;

fn rules() -> BoardRules {
    BoardRules {
        max_runs: 2,
        max_evidence: 1,
        keep_for: Duration::from_mins(10),
        keep: 3,
    }
}

fn board() -> Board {
    Board::new(rules(), jiff::Timestamp::UNIX_EPOCH)
}

fn run(release: &str, plan: &str) -> Key {
    Key {
        release_id: release.to_owned(),
        attempt: None,
        what: What::Run {
            plan: plan.to_owned(),
            url: None,
        },
    }
}

fn evidence(release: &str) -> Key {
    Key {
        release_id: release.to_owned(),
        attempt: None,
        what: What::Evidence {
            service: "cos".to_owned(),
        },
    }
}

#[expect(clippy::unnecessary_wraps, reason = "what a worker returns")]
fn pass() -> Result<Finding, Trouble> {
    Ok(Finding {
        verdict: Verdict::Pass,
        reasons: vec!["kept".to_owned()],
        details: serde_json::Value::Null,
        document: None,
    })
}

fn admit(board: &mut Board, key: &Key, now: Instant) -> Admission {
    board.admit(key, None, now, jiff::Timestamp::UNIX_EPOCH)
}

fn start(board: &mut Board, key: &Key, now: Instant) -> Check {
    match admit(board, key, now) {
        Admission::Started(check) => check,
        other => panic!("expected a start, found {other:?}"),
    }
}

fn end(board: &mut Board, check: &Check, outcome: Result<Finding, Trouble>, now: Instant) {
    assert!(board.end(&check.id, outcome, now, jiff::Timestamp::UNIX_EPOCH));
}

const fn after(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

#[test]
fn the_second_request_joins_the_first() {
    let (mut board, now) = (board(), Instant::now());
    let first = start(&mut board, &run("r", "smoke"), now);
    let Admission::Joined(second) = admit(&mut board, &run("r", "smoke"), now + after(5)) else {
        panic!("not joined")
    };
    assert_eq!(second.id, first.id);
    assert!(second.ended().is_none());
    end(&mut board, &first, pass(), now + after(9));
    assert!(second.ended().is_some(), "who joined is told too");
    assert_eq!(second.ended().unwrap().outcome, pass());
}

#[test]
fn a_kept_verdict_answers_until_it_is_too_old() {
    let (mut board, now) = (board(), Instant::now());
    let check = start(&mut board, &run("r", "smoke"), now);
    end(&mut board, &check, pass(), now + after(60));
    board.told(&check.id);
    assert!(matches!(
        admit(&mut board, &run("r", "smoke"), now + after(659)),
        Admission::Kept(kept) if kept.id == check.id
    ));
    assert!(matches!(
        admit(&mut board, &run("r", "smoke"), now + after(661)),
        Admission::Started(again) if again.id != check.id
    ));
}

#[test]
fn a_request_may_want_a_younger_verdict() {
    let (mut board, now) = (board(), Instant::now());
    let check = start(&mut board, &run("r", "smoke"), now);
    end(&mut board, &check, pass(), now);
    let mut ask = |max| {
        board.admit(
            &run("r", "smoke"),
            Some(after(max)),
            now + after(30),
            jiff::Timestamp::UNIX_EPOCH,
        )
    };
    assert!(
        matches!(ask(0), Admission::Kept(_)),
        "whoever started it is owed its end, or asking again would never come to one"
    );
    assert!(matches!(ask(30), Admission::Kept(_)));
    let Admission::Started(younger) = ask(29) else {
        panic!("not started")
    };
    assert!(matches!(ask(0), Admission::Joined(joined) if joined.id == younger.id));
    assert!(
        board.get(&check.id, now + after(30)).is_some(),
        "the older one can still be looked at"
    );
}

#[test]
fn releases_attempts_plans_and_targets_are_told_apart() {
    let (mut board, now) = (board(), Instant::now());
    let first = start(&mut board, &run("r", "smoke"), now);
    let other_attempt = Key {
        attempt: Some("at-50".to_owned()),
        ..run("r", "smoke")
    };
    for key in [&run("r", "soak"), &other_attempt] {
        assert!(
            matches!(admit(&mut board, key, now), Admission::Conflict(other) if other.id == first.id),
            "one load run a release at a time: {key:?}"
        );
    }
    start(&mut board, &evidence("r"), now);
    end(&mut board, &first, pass(), now);
    let again = start(&mut board, &other_attempt, now);
    assert_ne!(again.id, first.id);
    let aimed = Key {
        what: What::Run {
            plan: "smoke".to_owned(),
            url: Some(Url::parse("http://canary/").unwrap()),
        },
        ..run("q", "smoke")
    };
    start(&mut board, &aimed, now);
}

#[test]
fn no_more_run_than_may() {
    let (mut board, now) = (board(), Instant::now());
    let first = start(&mut board, &run("a", "smoke"), now);
    start(&mut board, &run("b", "smoke"), now);
    assert!(matches!(
        admit(&mut board, &run("c", "smoke"), now),
        Admission::Full {
            kind: Kind::Run,
            limit: 2
        }
    ));
    assert!(
        matches!(admit(&mut board, &run("b", "smoke"), now), Admission::Joined(_)),
        "joining costs nothing"
    );
    start(&mut board, &evidence("c"), now);
    assert!(matches!(
        admit(&mut board, &evidence("d"), now),
        Admission::Full {
            kind: Kind::Evidence,
            limit: 1
        }
    ));
    end(&mut board, &first, pass(), now);
    start(&mut board, &run("c", "smoke"), now);
}

#[test]
fn the_oldest_verdicts_go_when_there_are_too_many() {
    let (mut board, now) = (board(), Instant::now());
    let slow = start(&mut board, &run("slow", "smoke"), now);
    let ids: Vec<String> = (0..5)
        .map(|number| {
            let check = start(&mut board, &run(&format!("r{number}"), "smoke"), now);
            end(&mut board, &check, pass(), now + after(number));
            check.id
        })
        .collect();
    let known: Vec<bool> = ids.iter().map(|id| board.get(id, now + after(9)).is_some()).collect();
    assert_eq!(known, [false, false, true, true, true]);
    assert!(
        board.get(&slow.id, now + after(9)).is_some(),
        "what runs is never forgotten"
    );
    assert!(board.get(&slow.id, now + after(100_000)).is_some());
}

#[test]
fn evidence_and_failures_are_told_once_and_then_asked_for_again() {
    for (key, outcome) in [
        (evidence("r"), pass()),
        (evidence("r"), Err(Trouble::Dependency("MC is away".to_owned()))),
        (run("r", "smoke"), Err(Trouble::Dependency("no thread".to_owned()))),
    ] {
        let (mut board, now) = (board(), Instant::now());
        let check = start(&mut board, &key, now);
        end(&mut board, &check, outcome.clone(), now);
        let Admission::Kept(told) = admit(&mut board, &key, now + after(60)) else {
            panic!("whoever was told \"running\" before is owed the end")
        };
        assert_eq!(told.ended().unwrap().outcome, outcome);
        let again = start(&mut board, &key, now + after(60));
        end(&mut board, &again, outcome.clone(), now + after(60));
        board.told(&again.id);
        let third = start(&mut board, &key, now + after(60));
        end(&mut board, &third, outcome, now + after(60));
        start(&mut board, &key, now + after(121));
        assert!(board.get(&third.id, now + after(121)).is_some());
    }
}

#[test]
fn a_check_ends_once() {
    let (mut board, now) = (board(), Instant::now());
    let check = start(&mut board, &run("r", "smoke"), now);
    end(&mut board, &check, pass(), now);
    let late = Err(Trouble::Internal("late".to_owned()));
    assert!(!board.end(&check.id, late, now, jiff::Timestamp::UNIX_EPOCH));
    assert_eq!(check.ended().unwrap().outcome, pass());
    assert!(!board.end("nobody", pass(), now, jiff::Timestamp::UNIX_EPOCH));
}
