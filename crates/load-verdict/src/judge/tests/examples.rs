//! One threshold at a time: verdict, bounds and words.

use super::*;

fn one(e: Evidence<'_>) -> ThresholdResult {
    judged(&[e]).thresholds.remove(0)
}

#[test]
fn fewer_samples_than_needed_never_pass() {
    assert_eq!(one(p95(59, 0)).verdict, Verdict::Pass);
    let few = one(p95(58, 0));
    assert_eq!((few.verdict, few.allowed), (Verdict::Inconclusive, None));
    assert_eq!(
        few.reason,
        "58 requests are too few: at least 59 are needed to show this at 95 % confidence, even if all of them are good (0 of 58 \
         requests (0 %) took 350 ms or longer, or got no right answer)"
    );
    let p99 = |n| one(evidence("http_req_duration", "p(99)<350", &spread(n, 0), 300)).verdict;
    assert_eq!((p99(298), p99(299)), (Verdict::Inconclusive, Verdict::Pass));
}

#[test]
fn a_clear_pass_says_how_clear() {
    let result = one(p95(15_000, 312));
    assert_eq!(
        (result.verdict, result.method),
        (Verdict::Pass, Method::OrderStatistics)
    );
    assert_eq!(
        result.reason,
        "p(95) is 120 ms, the limit is 350 ms: 312 of 15,000 requests (2.08 %) took 350 ms or longer, or got no right answer; at most \
         5 % may, and with 705 or fewer it is shown at 95 % confidence"
    );
    assert_eq!(result.differs, None);
}

#[test]
fn between_the_bounds_nothing_is_claimed() {
    for (bad, verdict) in [
        (705, Verdict::Pass),
        (706, Verdict::Inconclusive),
        (750, Verdict::Inconclusive),
        (794, Verdict::Inconclusive),
        (795, Verdict::Fail),
    ] {
        assert_eq!(one(p95(15_000, bad)).verdict, verdict, "{bad} of 15,000");
    }
    assert_eq!(
        one(p95(15_000, 745)).reason,
        "p(95) is 120 ms, the limit is 350 ms: 745 of 15,000 requests (4.97 %) took 350 ms or longer, or got no right answer; at most \
         5 % may: 705 or fewer are a PASS and 795 or more a FAIL at 95 % confidence, so more requests are needed to tell"
    );
}

#[test]
fn a_fail_names_wrong_answers() {
    let mut e = p95(15_000, 900);
    e.hard_bad = 850;
    let result = one(e);
    assert_eq!(
        result.reason,
        "p(95) is infinite, the limit is 350 ms: 900 of 15,000 requests (6 %) took 350 ms or longer, or got no right answer (850 of \
         them got a wrong answer or no connection); at most 5 % may, and 795 or more are a FAIL at 95 % confidence"
    );
    assert_eq!(
        result.differs.unwrap(),
        "k6 reads p(95) as 110 ms, over answers only and from when they were sent, and lets it pass; over all scheduled requests and \
         from when they were due it is infinite"
    );
}

/// The same number of bad requests passes when spread, and does not when they were one freeze.
#[test]
fn one_freeze_is_one_event() {
    let mut trace = vec![false; 15_000];
    trace[7_000..7_600].fill(true);
    let frozen = one(evidence("http_req_duration", "p(95)<350", &trace, 15_000));
    assert_eq!(
        (one(p95(15_000, 600)).verdict, frozen.verdict),
        (Verdict::Pass, Verdict::Inconclusive)
    );
    assert!(frozen.dependence > 300.0);
    assert!(
        frozen
            .reason
            .contains("the bad ones came in stretches, so the 15,000 requests tell only as much as ")
    );
}

#[test]
fn the_interval_is_the_one_that_decides() {
    let latencies = sorted((1..=15_000).map(f64::from).collect());
    let mut e = evidence("http_req_duration", "p(95)<14296", &spread(15_000, 705), 15_000);
    e.ranked = Some(&latencies);
    e.observed = Some(14_250.0);
    let result = one(e);
    let interval = result.interval.unwrap();
    // 705 may be bad, so the bound is the sample of rank 14,295; downwards 794 are not enough for a FAIL: rank 14,206.
    assert_eq!((interval.low, interval.high), (Some(14_206.0), Some(14_295.0)));
    assert!((interval.confidence - 0.9).abs() < 1e-12);
    assert_eq!(result.verdict, Verdict::Pass);

    let failures = sorted(
        (1..=100)
            .map(|i| if i <= 90 { f64::from(i) } else { f64::INFINITY })
            .collect(),
    );
    let mut e = p95(100, 10);
    e.ranked = Some(&failures);
    let interval = one(e).interval.unwrap();
    assert_eq!(
        (interval.low, interval.high),
        (None, None),
        "even the lower bound is infinite"
    );
    let mut e = p95(100, 7);
    let failures = sorted(
        (1..=100)
            .map(|i| if i <= 93 { f64::from(i) } else { f64::INFINITY })
            .collect(),
    );
    e.ranked = Some(&failures);
    let interval = one(e).interval.unwrap();
    assert_eq!((interval.low, interval.high), (Some(91.0), None));
}

#[test]
fn rates_are_judged_by_their_bad_side() {
    let mut checks = evidence("checks", "rate>0.99", &spread(15_000, 20), 15_000);
    checks.observed = Some(1.0 - 20.0 / 15_000.0);
    checks.plain = checks.observed;
    let result = one(checks);
    assert_eq!(
        (result.verdict, result.method, result.allowed),
        (Verdict::Pass, Method::Proportion, Some(129))
    );
    assert_eq!(
        result.reason,
        "20 of 15,000 checks (0.133 %) failed; at most 1 % may, and with 129 or fewer it is shown at 95 % confidence"
    );
    let interval = result.interval.unwrap();
    assert!(interval.low.unwrap() > 0.997 && interval.low < result.observed && result.observed < interval.high);

    let mut failed = evidence("http_req_failed", "rate<0.01", &spread(15_000, 300), 15_000);
    failed.observed = Some(0.02);
    failed.plain = Some(0.02);
    let result = one(failed);
    assert_eq!(result.verdict, Verdict::Fail);
    assert_eq!(
        result.reason,
        "300 of 15,000 requests (2 %) failed; at most 1 % may, and 171 or more are a FAIL at 95 % confidence"
    );
    // k6 needs no more than the figure.
    let mut near = evidence("http_req_failed", "rate<0.01", &spread(1_000, 8), 1_000);
    (near.observed, near.plain) = (Some(0.008), Some(0.008));
    let result = one(near);
    assert_eq!((result.verdict, result.plain_ok), (Verdict::Inconclusive, Some(true)));
    assert_eq!(
        result.differs.unwrap(),
        "k6 reads rate as 0.8 % and lets it pass; it does not ask whether 1,000 requests show that"
    );
}

#[test]
fn a_lower_limit_is_the_mirror_image() {
    // At least 5 % take longer than 350 ms; bad are those that do not.
    let verdict = |bad| one(evidence("http_req_duration", "p(95)>350", &spread(15_000, bad), 15_000)).verdict;
    assert_eq!(verdict(15_000 - 795), Verdict::Pass);
    assert_eq!(verdict(15_000 - 750), Verdict::Inconclusive);
    assert_eq!(verdict(15_000 - 705), Verdict::Fail);
}

#[test]
fn figures_of_this_run_are_compared_as_they_are() {
    let check = |expression: &str, bad: usize, observed: Option<f64>| {
        let mut e = evidence("http_req_duration", expression, &spread(100, bad), 100);
        (e.observed, e.infinite, e.plain) = (observed, observed.is_none(), observed);
        let result = one(e);
        assert_eq!(result.method, Method::AsObserved, "{expression}");
        (result.verdict, result.reason)
    };
    assert_eq!(check("max<1000", 0, Some(900.0)).0, Verdict::Pass);
    let (verdict, reason) = check("max<1000", 1, None);
    assert_eq!(verdict, Verdict::Fail);
    assert_eq!(
        reason,
        "max is infinite, the limit is 1,000 ms: 1 of 100 requests (1 %) took 1,000 ms or longer, or got no right answer"
    );
    assert_eq!(check("p(100)<1000", 1, Some(1_001.0)).0, Verdict::Fail);
    assert_eq!(check("min>1", 1, Some(0.5)).0, Verdict::Fail);
    assert_eq!(check("min<1", 1, Some(0.5)).0, Verdict::Pass);
    assert_eq!(
        check("avg<200", 0, Some(120.0)),
        (
            Verdict::Pass,
            "avg is 120 ms, the limit is 200 ms: kept in this run".into()
        )
    );
    assert_eq!(check("avg<200", 0, Some(220.0)).0, Verdict::Fail);
    assert_eq!(check("p(95)==200", 0, Some(200.0)).0, Verdict::Pass);
    assert_eq!(check("p(95)!=200", 0, Some(200.0)).0, Verdict::Fail);
    assert_eq!(
        check("avg>200", 0, None).0,
        Verdict::Pass,
        "infinite is over every limit"
    );
}

#[test]
fn rates_at_their_edge_allow_nothing() {
    let verdict = |key, expression, bad, observed| {
        let mut e = evidence(key, expression, &spread(100, bad), 100);
        e.observed = Some(observed);
        one(e).verdict
    };
    assert_eq!(verdict("http_req_failed", "rate<=0", 0, 0.0), Verdict::Pass);
    assert_eq!(verdict("http_req_failed", "rate<=0", 1, 0.01), Verdict::Fail);
    assert_eq!(verdict("http_req_failed", "rate<0", 0, 0.0), Verdict::Fail);
    assert_eq!(verdict("checks", "rate>=1", 0, 1.0), Verdict::Pass);
    assert_eq!(verdict("checks", "rate>=1", 1, 0.99), Verdict::Fail);
    assert_eq!(verdict("checks", "rate==1", 0, 1.0), Verdict::Pass);
    assert_eq!(verdict("checks", "rate==1", 99, 0.99), Verdict::Fail);
}

/// k6 passes both of these.
#[test]
fn no_samples_are_never_a_pass() {
    for (key, expression) in [
        ("http_req_duration{op:none}", "p(95)<350"),
        ("checks", "rate>0.99"),
        ("http_req_failed", "rate<0.01"),
        ("http_req_duration", "max<1000"),
    ] {
        let empty = || evidence(key, expression, &[], 100);
        let other = judge(&[empty()], &totals(100), valid(), &JudgeOptions::default(), None);
        assert_eq!(
            (other.verdict, other.thresholds[0].verdict),
            (Verdict::Inconclusive, Verdict::Inconclusive),
            "{key}"
        );
        let mut dead = totals(100);
        (dead.succeeded, dead.outcomes) = (0, [0; 11]);
        dead.outcomes[Outcome::Connect as usize] = 100;
        let dead = judge(&[empty()], &dead, valid(), &JudgeOptions::default(), None);
        assert_eq!(
            (dead.verdict, dead.thresholds[0].verdict),
            (Verdict::Fail, Verdict::Fail),
            "{key}"
        );
    }
    let nothing = one(evidence("http_req_duration", "p(95)<350", &[], 100));
    assert_eq!(
        nothing.differs.unwrap(),
        "k6 takes p(95) of no samples as 0 and lets it pass; nothing was shown"
    );
}

#[test]
fn counts_are_figures_too() {
    let count = |expression: &str, observed: f64, completed: f64| {
        let mut e = evidence("http_reqs", expression, &[], 100);
        e.observed = Some(observed);
        let totals = RunTotals {
            completed,
            ..totals(100)
        };
        judge(&[e], &totals, valid(), &JudgeOptions::default(), None).thresholds[0].verdict
    };
    assert_eq!(count("count>50", 100.0, 1.0), Verdict::Pass);
    assert_eq!(count("count>100", 100.0, 1.0), Verdict::Fail);
    assert_eq!(
        count("count>100", 40.0, 0.4),
        Verdict::Inconclusive,
        "the rest is missing"
    );
    assert_eq!(count("count<50", 100.0, 0.4), Verdict::Fail, "it can only grow");
    let mut none_dropped = evidence("dropped_iterations", "count<1", &[], 100);
    none_dropped.observed = Some(0.0);
    let judgement = judge(&[none_dropped], &totals(100), valid(), &JudgeOptions::default(), None);
    assert_eq!(judgement.verdict, Verdict::Pass);
}

#[test]
fn thresholds_that_no_run_of_this_size_can_meet_are_known_before() {
    let needed = |key: &str, expression: &str, planned| {
        impossible(&Threshold::parse(key, expression).unwrap(), planned, 0.95).map(|found| found.needed)
    };
    assert_eq!(needed("http_req_duration", "p(95)<350", 58), Some(59));
    assert_eq!(needed("http_req_duration", "p(95)<350", 59), None);
    assert_eq!(needed("http_req_duration", "p(99)<350", 298), Some(299));
    assert_eq!(needed("http_req_duration", "p(99.9)<350", 2_000), Some(2_995));
    assert_eq!(needed("http_req_duration", "p(90)>350", 2), None);
    assert_eq!(needed("checks", "rate>0.99", 298), Some(299));
    assert_eq!(needed("checks", "rate>=1", 0), Some(1));
    assert_eq!(needed("http_req_duration", "avg<350", 1), None);
    assert_eq!(needed("http_reqs", "count>1000", 1_000), Some(1_001));
    assert_eq!(needed("http_reqs", "count>=1000", 1_000), None);
    assert_eq!(needed("http_reqs", "count<10", 5), None);
}

#[test]
fn answers_chosen_by_their_tag_leave_failures_out() {
    let mut e = evidence(
        "http_req_duration{expected_response:true}",
        "p(95)<350",
        &spread(15_000, 10),
        15_000,
    );
    (e.only_answered, e.observed) = (true, Some(100.0));
    assert!(one(e).reason.contains("(0.0667 %) took 350 ms or longer; at most"));
}
