//! Judging a saved run by thresholds that it did not have.

use super::{random_samples, spec, tally, thresholds};
use proptest::prelude::*;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]
    #[test]
    fn counts_err_against_the_service_by_a_bucket_at_most(seed: u64, count in 1usize..400, limit in 1.0..1000.0f64) {
        let samples = random_samples(seed, count);
        let saved = tally(&spec(&[]), &samples);
        for (metric, precision) in [("http_req_duration", 1.0 / 16_000.0), ("http_req_waiting", 1.0 / 1000.0), ("send_lag", 1.0 / 1000.0)] {
            for sign in ["<", "<=", ">", ">="] {
                let bad = |limit: f64| {
                    let exact = tally(&spec(&[&format!("{metric}=p(95){sign}{limit}")]), &samples);
                    let evidence = exact.evidence();
                    (evidence[0].bad, evidence[0].hard_bad)
                };
                let asked = thresholds(&[&format!("{metric}=p(95){sign}{limit}")]);
                let again = saved.evidence_for(&asked).unwrap();
                let (exact, hard) = bad(limit);
                let step = limit * precision + 20e-6;
                let stricter = bad(if sign.starts_with('<') { limit - step } else { limit + step }).0;
                prop_assert!((exact..=stricter).contains(&again[0].bad), "{metric}{sign}{limit}: {} for {exact} to {stricter}", again[0].bad);
                prop_assert_eq!(again[0].hard_bad, hard);
                let batches = again[0].batches.iter().fold((0, 0), |sum, batch| (sum.0 + batch.n, sum.1 + batch.bad));
                // Rounded, stretch by stretch.
                prop_assert!(batches.0.abs_diff(again[0].n) <= 60 && batches.1.abs_diff(again[0].bad) <= 60);
            }
        }
    }
}

#[test]
fn a_limit_that_was_counted_stays_exact() {
    let samples = random_samples(7, 500);
    let flags = [
        "http_req_duration{op:read}=p(95)<350",
        "http_req_failed=rate<0.01",
        "checks=rate>0.9",
    ];
    let saved = tally(&spec(&flags), &samples);
    let asked = thresholds(&[
        "http_req_duration{op:read}=p(99)<350",
        "http_req_failed=rate<0.5",
        "checks=rate>=0.1",
    ]);
    for (before, after) in saved.evidence().iter().zip(saved.evidence_for(&asked).unwrap()) {
        assert_eq!(
            (before.n, before.bad, before.hard_bad),
            (after.n, after.bad, after.hard_bad)
        );
        assert_eq!(before.batches, after.batches);
    }
}

#[test]
fn tags_that_were_not_measured_apart_are_named() {
    let saved = tally(&spec(&["checks{op:read}=rate>0.9"]), &[]);
    let error = saved
        .evidence_for(&thresholds(&["http_req_duration{op:read}=p(95)<1"]))
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "`http_req_duration{op:read}` was not measured apart in this run, so its result cannot be judged by it: measured were every metric \
         without tags, checks{op:read}"
    );
}

#[test]
fn tags_in_another_order_are_the_same() {
    let saved = tally(
        &spec(&["http_req_duration{op:read,dark:yes}=p(95)<1"]),
        &random_samples(3, 100),
    );
    let again = thresholds(&["http_req_duration{dark:yes,op:read}=p(95)<1"]);
    assert_eq!(saved.evidence_for(&again).unwrap()[0].bad, saved.evidence()[0].bad);
}
