//! Early stops: exact ones agree with the full run, sequential ones err no more often than stated.

use super::*;
use crate::stats::{
    binomial,
    tests::traces::{bursts, drifting, freezes, independent},
};
use fastrand::Rng;

fn progress(n: usize, pending: u64) -> Progress {
    Progress {
        elapsed: seconds(n as u64),
        valid_so_far: true,
        pending,
    }
}

const SEQUENTIAL: StopRule = StopRule::Sequential { alpha: 0.05 };

/// The first moment at which the exact rule stops the run, by its own figures only.
fn exact_stop(trace: &[bool], expression: &str) -> Option<usize> {
    let full = trace.len() as u64;
    let mut e = evidence("http_req_duration", expression, &[], full);
    for (index, &bad) in trace.iter().enumerate() {
        e.n += 1;
        e.bad += u64::from(bad);
        // Only a bad sample can decide.
        if bad && early_stop(std::slice::from_ref(&e), &JudgeOptions::default(), &progress(index, 0)).is_some() {
            return Some(index + 1);
        }
    }
    None
}

/// Of 10,000 random traces of all kinds: the run is stopped if and only if the full run fails, and judging what there was at the
/// stop gives the same verdict.
#[test]
fn exact_stops_agree_with_the_full_run() {
    let mut rng = Rng::with_seed(20_261_122);
    let (mut stopped, mut saved) = (0_u32, 0_usize);
    for number in 0..10_000 {
        let n = rng.usize(1..400);
        let share = 0.15 * rng.f64();
        let trace = match number % 4 {
            0 => independent(&mut rng, n, share),
            1 => bursts(&mut rng, n, share.max(0.001), 1.0 + 30.0 * share),
            2 => drifting(&mut rng, n, 0.95, 1.3),
            _ => freezes(&mut rng, n, 200.0, 12),
        };
        let expression = ["p(95)<350", "p(99)<350", "p(90)<=350", "med<350"][number / 4 % 4];
        let full = judged(&[evidence("http_req_duration", expression, &trace, n as u64)]);
        let stop = exact_stop(&trace, expression);
        assert_eq!(stop.is_some(), full.verdict == Verdict::Fail, "trace {number}");
        if let Some(at) = stop {
            let cut = RunTotals {
                completed: at as f64 / n as f64,
                ..totals(at as u64)
            };
            let e = evidence("http_req_duration", expression, &trace[..at], n as u64);
            let stop = early_stop(std::slice::from_ref(&e), &JudgeOptions::default(), &progress(at, 0));
            let early = judge(&[e], &cut, valid(), &JudgeOptions::default(), stop);
            assert_eq!(early.verdict, full.verdict, "trace {number}");
            stopped += 1;
            saved += n - at;
        }
    }
    assert!(
        stopped > 1_000 && saved > 50_000,
        "{stopped} stopped, {saved} samples saved: the test would show nothing"
    );
}

#[test]
fn the_budget_of_the_whole_run_decides() {
    let at = |bad| {
        let mut e = p95(1_000, bad);
        e.planned = 15_000;
        early_stop(&[e], &JudgeOptions::default(), &progress(20, 0))
    };
    assert_eq!(binomial::shows_over(15_000, 0.05, 0.05), 795);
    assert_eq!(at(794), None);
    assert_eq!(
        at(795),
        Some(Stop::Decided {
            threshold: "http_req_duration p(95)<350".to_owned()
        })
    );
}

#[test]
fn figures_that_only_get_worse_decide_too() {
    let stop = |key: &str, expression: &str, bad: usize, observed: f64| {
        let mut e = evidence(key, expression, &spread(100, bad), 15_000);
        e.observed = Some(observed);
        early_stop(&[e], &JudgeOptions::default(), &progress(20, 0)).is_some()
    };
    assert!(stop("http_req_duration", "max<1000", 1, 1_200.0) && !stop("http_req_duration", "max<1000", 0, 900.0));
    assert!(stop("checks", "rate>=1", 1, 0.99) && !stop("checks", "rate>=1", 0, 1.0));
    assert!(stop("dropped_iterations", "count<5", 0, 5.0) && !stop("dropped_iterations", "count<5", 0, 4.0));
    assert!(
        !stop("http_req_duration", "avg<100", 0, 900.0),
        "the rest may make it good"
    );
    assert!(!stop("http_reqs", "count>5000", 0, 100.0), "the rest is to come");
}

#[test]
fn stops_wait_for_their_time() {
    let mut e = p95(1_000, 900);
    e.planned = 15_000;
    let options = JudgeOptions {
        min_duration: seconds(30),
        ..JudgeOptions::default()
    };
    let asked = |e: &Evidence<'_>, options: &JudgeOptions, at: u64| {
        let progress = Progress {
            elapsed: seconds(at),
            valid_so_far: true,
            pending: 0,
        };
        early_stop(std::slice::from_ref(e), options, &progress).is_some()
    };
    assert!(!asked(&e, &options, 29) && asked(&e, &options, 30));
    e.threshold = e.threshold.with_abort(true, seconds(60));
    assert!(!asked(&e, &options, 59) && asked(&e, &options, 60));
    assert!(!asked(
        &e,
        &JudgeOptions {
            stop_rule: StopRule::Never,
            ..options
        },
        60
    ));
    // A sequential PASS waits for every threshold.
    let mut good = p95(5_000, 0);
    good.threshold = good.threshold.with_abort(true, seconds(60));
    let sequential = JudgeOptions {
        stop_rule: SEQUENTIAL,
        ..options
    };
    assert!(!asked(&good, &sequential, 59) && asked(&good, &sequential, 60));
}

#[test]
fn a_late_generator_decides_only_what_lateness_cannot_explain() {
    let mut e = p95(1_000, 900);
    e.planned = 15_000;
    let late = Progress {
        elapsed: seconds(60),
        valid_so_far: false,
        pending: 0,
    };
    let asked = |e: &Evidence<'_>| {
        early_stop(
            std::slice::from_ref(e),
            &JudgeOptions {
                stop_rule: SEQUENTIAL,
                ..JudgeOptions::default()
            },
            &late,
        )
    };
    assert_eq!(asked(&e), None);
    e.hard_bad = 795;
    assert!(asked(&e).is_some());
    assert_eq!(asked(&p95(5_000, 0)), None, "nor does it pass early");
}

/// Requests that have not come back are the slow ones: they count as bad for a PASS.
#[test]
fn a_frozen_target_is_not_passed_early() {
    let options = JudgeOptions {
        stop_rule: SEQUENTIAL,
        ..JudgeOptions::default()
    };
    let asked = |pending| early_stop(&[p95(1_000, 0)], &options, &progress(20, pending));
    assert_eq!(
        asked(0),
        Some(Stop::Sequential {
            threshold: "all".to_owned(),
            alpha: 0.05
        })
    );
    assert!(asked(5).is_some());
    assert_eq!(asked(60), None);
    let mut checks = evidence("checks", "rate>0.95", &spread(4_000, 0), 16_000);
    checks.per_request = 4;
    assert!(early_stop(&[checks.clone()], &options, &progress(20, 20)).is_some());
    assert_eq!(
        early_stop(&[checks], &options, &progress(20, 60)),
        None,
        "each brings four checks"
    );
}

#[test]
fn figures_cannot_be_passed_early() {
    let options = JudgeOptions {
        stop_rule: SEQUENTIAL,
        ..JudgeOptions::default()
    };
    let mut average = evidence("http_req_duration", "avg<350", &spread(1_000, 0), 15_000);
    average.observed = Some(10.0);
    assert_eq!(
        early_stop(&[p95(1_000, 0), average.clone()], &options, &progress(20, 0)),
        None
    );
    assert_eq!(early_stop(&[average], &options, &progress(20, 0)), None);
    assert_eq!(early_stop(&[], &options, &progress(20, 0)), None);
}

#[test]
fn the_judge_believes_a_sequential_stop_only_with_its_own_eyes() {
    let run = |e: Evidence<'_>, threshold: &str| {
        let part = RunTotals {
            completed: 0.1,
            ..totals(e.n)
        };
        let stop = Some(Stop::Sequential {
            threshold: threshold.to_owned(),
            alpha: 0.01,
        });
        let judgement = judge(&[e], &part, valid(), &JudgeOptions::default(), stop);
        (judgement.verdict, judgement.thresholds[0].method, judgement.reasons)
    };
    let (verdict, method, reasons) = run(p95(1_500, 15), "all");
    assert_eq!((verdict, method), (Verdict::Pass, Method::Sequential));
    assert_eq!(
        reasons[1],
        "stopped after 10 % of the schedule by the sequential test: all thresholds were shown to be kept (error rate 1 %)"
    );
    // By the time of the verdict so many more had turned out bad.
    assert_eq!(run(p95(1_500, 75), "all").0, Verdict::Inconclusive);
    assert_eq!(run(p95(1_500, 150), "all").0, Verdict::Fail);
    let (verdict, _, reasons) = run(p95(1_500, 150), "http_req_duration p(95)<350");
    assert_eq!(verdict, Verdict::Fail);
    assert!(
        reasons[1].contains("http_req_duration p(95)<350 was shown to be broken (error rate 1 %)"),
        "{reasons:?}"
    );
}

/// In how many of `runs` runs of 4,000 requests, with a look every 125, two thresholds are stopped with this verdict.
fn stopped_runs(seed: u64, runs: u32, pass: bool, mut make: impl FnMut(&mut Rng) -> [Vec<bool>; 2]) -> u32 {
    let options = JudgeOptions {
        stop_rule: SEQUENTIAL,
        ..JudgeOptions::default()
    };
    let mut rng = Rng::with_seed(seed);
    let mut found = 0;
    for _ in 0..runs {
        let traces = make(&mut rng);
        let stop = (125..=4_000).step_by(125).find_map(|n| {
            let so_far = traces
                .each_ref()
                .map(|trace| evidence("http_req_duration", "p(95)<350", &trace[..n], 4_000));
            early_stop(&so_far, &options, &progress(n, 0))
        });
        if let Some(Stop::Sequential { threshold, .. }) = stop {
            found += u32::from((threshold == "all") == pass);
        }
    }
    found
}

#[test]
fn sequential_stops_are_wrong_no_more_often_than_stated() {
    let runs = 120;
    // Over 3,000 runs each, 0.1 to 2.4 % are wrong.
    let most = runs / 20;
    // Both thresholds exactly at their limit, which is kept: no FAIL may be shown.
    let wrong = stopped_runs(1, runs, false, |rng| {
        [independent(rng, 4_000, 0.05), independent(rng, 4_000, 0.05)]
    });
    assert!(wrong <= most, "{wrong} wrong FAILs");
    let wrong = stopped_runs(34, runs, false, |rng| {
        [bursts(rng, 4_000, 0.05, 5.0), independent(rng, 4_000, 0.001)]
    });
    assert!(wrong <= most, "{wrong} wrong FAILs of stretches");
    // One is just broken, the other far from it: no PASS may be shown.
    let wrong = stopped_runs(2, runs, true, |rng| {
        [independent(rng, 4_000, 0.0501), independent(rng, 4_000, 0.001)]
    });
    assert!(wrong <= most, "{wrong} wrong PASSes");
    let wrong = stopped_runs(33, runs, true, |rng| {
        [bursts(rng, 4_000, 0.0501, 5.0), independent(rng, 4_000, 0.001)]
    });
    assert!(wrong <= most, "{wrong} wrong PASSes of stretches");
}

/// Otherwise the test above would show nothing.
#[test]
fn sequential_stops_do_happen() {
    let runs = 40;
    let passes = stopped_runs(5, runs, true, |rng| {
        [independent(rng, 4_000, 0.005), independent(rng, 4_000, 0.01)]
    });
    let fails = stopped_runs(6, runs, false, |rng| {
        [independent(rng, 4_000, 0.15), independent(rng, 4_000, 0.01)]
    });
    assert_eq!((passes, fails), (runs, runs));
}
