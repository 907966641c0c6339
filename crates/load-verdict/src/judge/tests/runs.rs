//! Whole runs: what outranks what.

use super::*;

fn run(evidence: &[Evidence<'_>], totals: RunTotals, validity: Validity, stop: Option<Stop>) -> Judgement {
    let judgement = judge(evidence, &totals, validity, &JudgeOptions::default(), stop);
    assert!(!judgement.reasons.is_empty());
    judgement
}

#[test]
fn a_run_passes_when_every_threshold_does() {
    let judgement = run(&[p95(15_000, 10), p95(15_000, 20)], totals(15_000), valid(), None);
    assert_eq!(judgement.verdict, Verdict::Pass);
    assert_eq!(
        judgement.reasons,
        ["all 2 thresholds are kept; 15,000 of 15,000 requests got a right answer"]
    );
    let judgement = run(&[p95(15_000, 10), p95(15_000, 745)], totals(15_000), valid(), None);
    assert_eq!(judgement.verdict, Verdict::Inconclusive);
    assert!(
        judgement.reasons[0].starts_with("http_req_duration p(95)<350: p(95) is 120 ms, the limit is 350 ms: 745 of ")
    );
    let judgement = run(&[p95(15_000, 745), p95(15_000, 900)], totals(15_000), valid(), None);
    assert_eq!((judgement.verdict, judgement.reasons.len()), (Verdict::Fail, 2));
    assert!(judgement.reasons[0].contains("900 of 15,000"), "the FAIL comes first");
}

#[test]
fn a_dead_target_fails_whatever_was_asked() {
    let mut dead = totals(15_000);
    (dead.succeeded, dead.outcomes) = (0, [0; 11]);
    dead.outcomes[Outcome::Connect as usize] = 14_000;
    dead.outcomes[Outcome::Timeout as usize] = 1_000;
    for validity in [valid(), late()] {
        let judgement = run(&[], dead, validity, None);
        assert_eq!(judgement.verdict, Verdict::Fail);
        assert_eq!(
            judgement.reasons,
            ["no request succeeded: 14,000 of 15,000 requests could not connect (refused or unreachable)"]
        );
    }
    let stop = Stop::NoSuccess {
        cause: "connection refused (127.0.0.1:9)".to_owned(),
    };
    let judgement = run(
        &[p95(0, 0)],
        RunTotals {
            completed: 0.01,
            ..dead
        },
        valid(),
        Some(stop),
    );
    assert_eq!(judgement.verdict, Verdict::Fail);
    assert_eq!(
        judgement.reasons[0],
        "no request succeeded: connection refused (127.0.0.1:9)"
    );
}

#[test]
fn without_thresholds_a_success_is_asked_for() {
    let judgement = run(&[], totals(100), valid(), None);
    assert_eq!(judgement.verdict, Verdict::Pass);
    assert_eq!(
        judgement.reasons,
        ["no threshold was asked for, and 100 of 100 requests got a right answer"]
    );
    assert_eq!(run(&[], totals(0), valid(), None).verdict, Verdict::Inconclusive);
}

#[test]
fn a_late_generator_is_invalid() {
    let judgement = run(&[p95(15_000, 10)], totals(15_000), late(), None);
    assert_eq!(judgement.verdict, Verdict::Invalid);
    assert_eq!(
        judgement.reasons,
        [
            "the measurement cannot be trusted: requests were sent late by the generator itself: 1 % of them 45 ms or more after they \
          were due, at most 10 ms are allowed (median 2 ms); give it more CPU or a lower rate"
        ]
    );
    // Slow answers may be its own doing; wrong ones cannot.
    assert_eq!(
        run(&[p95(15_000, 900)], totals(15_000), late(), None).verdict,
        Verdict::Invalid
    );
    let mut wrong = p95(15_000, 900);
    wrong.hard_bad = 795;
    let judgement = run(&[wrong.clone()], totals(15_000), late(), None);
    assert_eq!((judgement.verdict, judgement.reasons.len()), (Verdict::Fail, 2));
    assert!(
        judgement.reasons[1]
            .starts_with("the generator had trouble of its own, which does not explain wrong answers: ")
    );
    wrong.hard_bad = 794;
    assert_eq!(run(&[wrong], totals(15_000), late(), None).verdict, Verdict::Invalid);
}

#[test]
fn every_limit_of_the_generator_counts() {
    let good = ValidityInput {
        lag_p50_ms: 0.1,
        lag_p99_ms: 10.0,
        scheduled: 1_000,
        sent: 990,
        cpu_wait: Some(0.25),
        throttled: Some(0.05),
        busiest_thread: Some(0.9),
        limits: ValidityLimits::default(),
    };
    assert!(validity(good).problems.is_empty(), "{:?}", validity(good).problems);
    for (bad, says) in [
        (
            ValidityInput {
                lag_p99_ms: 10.1,
                ..good
            },
            "sent late by the generator",
        ),
        (
            ValidityInput {
                lag_p99_ms: f64::NAN,
                ..good
            },
            "sent late by the generator",
        ),
        (
            ValidityInput { sent: 989, ..good },
            "sent only 989 of 1,000 requests in time (98.9 %), at least 99 % are needed",
        ),
        (
            ValidityInput {
                cpu_wait: Some(0.31),
                ..good
            },
            "waited for a processor during this part of its running time: 31 %",
        ),
        (
            ValidityInput {
                throttled: Some(0.2),
                ..good
            },
            "CPU limit (cgroup) during this part of the time: 20 %, at most 5 %",
        ),
        (
            ValidityInput {
                busiest_thread: Some(0.97),
                ..good
            },
            "this part of a core: 97 %, at most 90 % is allowed",
        ),
    ] {
        let problems = validity(bad).problems;
        assert!(
            problems.len() == 1 && problems[0].contains(says),
            "{says}: {problems:?}"
        );
    }
    assert!(
        validity(ValidityInput::default()).problems.is_empty(),
        "nothing was due, nothing is wrong"
    );
}

#[test]
fn an_interrupted_run_passes_nothing() {
    let cut = RunTotals {
        completed: 0.4,
        interrupted: true,
        ..totals(6_000)
    };
    let judgement = run(&[p95(6_000, 1)], cut, valid(), Some(Stop::Interrupted));
    assert_eq!(judgement.verdict, Verdict::Inconclusive);
    assert_eq!(
        judgement.reasons,
        ["interrupted after 40 % of the schedule, so it is not known how it would have gone on"]
    );
    let judgement = run(&[p95(6_000, 900)], cut, valid(), Some(Stop::Interrupted));
    assert_eq!(judgement.verdict, Verdict::Fail);
    assert_eq!(judgement.reasons[1], "interrupted after 40 % of the schedule");
    // Nothing could end yet: that is no failure of the target.
    let mut soon = RunTotals {
        succeeded: 0,
        outcomes: [0; 11],
        interrupted: true,
        completed: 0.001,
        ..totals(3)
    };
    soon.outcomes[Outcome::Unfinished as usize] = 3;
    assert_eq!(
        run(&[], soon, valid(), Some(Stop::Interrupted)).verdict,
        Verdict::Inconclusive
    );
    // The schedule was not carried out, and nobody says why.
    let part = RunTotals {
        completed: 0.5,
        ..totals(6_000)
    };
    assert_eq!(
        run(&[p95(6_000, 1)], part, valid(), None).verdict,
        Verdict::Inconclusive
    );
}

#[test]
fn judgements_are_documents() {
    let judgement = run(
        &[p95(15_000, 10)],
        totals(15_000),
        valid(),
        Some(Stop::Sequential {
            threshold: "all".into(),
            alpha: 0.01,
        }),
    );
    let text = serde_json::to_string(&judgement).unwrap();
    assert_eq!(serde_json::from_str::<Judgement>(&text).unwrap(), judgement);
    assert!(
        text.contains(r#""verdict":"PASS""#) && text.contains(r#""kind":"sequential""#),
        "{text}"
    );
}
