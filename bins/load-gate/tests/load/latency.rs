//! Servers that answer rightly, sooner or later: the figures are those of the target's own log.

use load_target::{Freeze, Kind, Latency, TargetConfig};

use crate::setup::{RATE, faulty, fixed, run, turn, usual};

#[test]
fn a_fast_server_passes_and_its_figures_are_true() {
    let _turn = turn();
    let judged = usual(fixed(5.0), &[]);
    judged
        .expect("PASS", 0)
        .expect_outcomes(&[])
        .expect_truth(50.0)
        .expect_truth(95.0)
        .expect_truth(99.0);
    assert_eq!(judged.scheduled(), 800);
    assert_eq!(judged.result["partial"], false);
}

#[test]
fn a_slow_server_fails() {
    let _turn = turn();
    let judged = usual(fixed(400.0), &[]);
    judged.expect("FAIL", 1);
    assert!(judged.quantile(50.0).judged >= 400.0);
}

#[test]
fn a_heavy_tail_is_measured_as_it_was() {
    let _turn = turn();
    let lognormal = Latency::LogNormal {
        median_ms: 12.0,
        sigma: 1.0,
        cap_ms: 900.0,
    };
    let pareto = Latency::Pareto {
        least_ms: 4.0,
        alpha: 1.2,
        cap_ms: 900.0,
    };
    for latency in [lognormal, pareto] {
        let judged = usual(
            TargetConfig {
                latency,
                ..TargetConfig::default()
            },
            &["--duration", "3s"],
        );
        judged
            .expect("PASS", 0)
            .expect_outcomes(&[])
            .expect_truth(50.0)
            .expect_truth(95.0)
            .expect_truth(99.0);
    }
}

#[test]
fn a_limit_that_one_in_twenty_break_or_keep_is_inconclusive() {
    let _turn = turn();
    // 5 % are slow, exactly at the limit of p(95): no number of samples says more than "about".
    let judged = usual(
        TargetConfig {
            latency: Latency::Two {
                ms: 2.0,
                slow_share: 0.05,
                slow_ms: 380.0,
            },
            ..TargetConfig::default()
        },
        &["--duration", "3s"],
    );
    judged.expect("INCONCLUSIVE", 3);
}

#[test]
fn a_freeze_counts_for_everybody_who_came_during_it() {
    let _turn = turn();
    let judged = usual(
        TargetConfig {
            freezes: vec![Freeze {
                from_ms: 1_000.0,
                for_ms: 1_000.0,
            }],
            ..fixed(2.0)
        },
        &["--duration", "4s", "--early-stop", "never"],
    );
    judged
        .expect("FAIL", 1)
        // Nobody was held back: as many arrived as were due, also during the freeze.
        .expect_outcomes(&[])
        .expect_truth(50.0)
        .expect_truth(95.0)
        .expect_truth(99.0);
    // A quarter came during the freeze, and waited up to a second: p95 is the fifth of them that waited longest.
    let p95 = judged.quantile(95.0).judged;
    assert!((780.0..900.0).contains(&p95), "p95 {p95}");
    let frozen = judged
        .truth
        .requests
        .iter()
        .filter(|request| request.latency_ms() > 20.0)
        .count();
    assert!(
        frozen as f64 > RATE * 0.95,
        "{frozen} requests arrived during the freeze"
    );
    let worst = &judged.result["summary"]["worst_window"]["phases"];
    let server = worst["server_ms"].as_f64().unwrap();
    assert!(
        server > worst["lag_ms"].as_f64().unwrap() * 10.0,
        "the time went to the server: {worst}"
    );
}

#[test]
fn a_slow_body_is_part_of_the_latency() {
    let _turn = turn();
    let judged = usual(
        TargetConfig {
            slow_body_ms: 40.0,
            ..faulty(Kind::SlowBody, 1.0)
        },
        &[],
    );
    judged.expect("PASS", 0).expect_truth(50.0).expect_truth(95.0);
    assert!(judged.quantile(50.0).judged >= 42.0);
    let receiving = &judged.result["summary"]["metrics"]["http_req_receiving"]["med"];
    assert!(receiving.as_f64().is_some_and(|ms| ms >= 39.0), "{receiving}");
}

#[test]
fn large_bodies_arrive_whole() {
    let _turn = turn();
    let judged = run(
        TargetConfig {
            body_bytes: 300_000,
            ..fixed(1.0)
        },
        &[
            "--rate",
            "100",
            "--duration",
            "2s",
            "--threshold",
            "http_req_duration=p(95)<350",
        ],
    );
    judged.expect("PASS", 0).expect_outcomes(&[]);
    let received = judged.result["summary"]["metrics"]["data_received"]["count"]
        .as_u64()
        .unwrap();
    assert!(received > 200 * 300_000, "{received}");
}

#[test]
fn an_interim_response_is_not_the_answer() {
    let _turn = turn();
    let judged = usual(
        TargetConfig {
            interim: true,
            ..fixed(20.0)
        },
        &[],
    );
    judged.expect("PASS", 0).expect_outcomes(&[]).expect_truth(95.0);
    assert_eq!(judged.result["summary"]["statuses"]["200"], 800);
}
