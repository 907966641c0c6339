//! Answers leave when they were planned to, and the log says when that was.

use std::time::{Duration, Instant};

use load_target::{Freeze, Kind, Latency, TargetConfig, nearest_rank};

use crate::client::{Http1, always, start};

/// What was planned, what the log says and what the client saw, of 100 requests one after another.
fn hundred(config: TargetConfig) -> Vec<(f64, f64, f64)> {
    let target = start(config);
    let mut client = Http1::to(target.address());
    let seen: Vec<f64> = (0..100)
        .map(|_| {
            let sent = Instant::now();
            client.ask("{}").unwrap();
            sent.elapsed().as_secs_f64() * 1e3
        })
        .collect();
    let truth = target.truth();
    let planned = |request: &load_target::Request| (request.planned_ns.unwrap() - request.arrived_ns) as f64 / 1e6;
    truth
        .requests
        .iter()
        .zip(seen)
        .map(|(request, seen)| (planned(request), request.latency_ms(), seen))
        .collect()
}

#[test]
fn an_answer_is_never_early_and_mostly_exact() {
    let rows = hundred(TargetConfig {
        latency: Latency::LogNormal {
            median_ms: 3.3,
            sigma: 0.8,
            cap_ms: 50.0,
        },
        ..TargetConfig::default()
    });
    for (planned, logged, seen) in &rows {
        assert!(logged >= planned && seen >= planned, "{planned} {logged} {seen}");
    }
    // Well under the millisecond of a coarse timer, in the middle of a test run on a busy machine.
    let late = nearest_rank(rows.iter().map(|(planned, logged, _)| logged - planned).collect(), 0.5);
    assert!(late < 0.5, "{late} ms late in the median");
}

#[test]
fn nothing_leaves_during_a_freeze() {
    let target = start(TargetConfig {
        freezes: vec![Freeze {
            from_ms: 30.0,
            for_ms: 150.0,
        }],
        ..TargetConfig::default()
    });
    let mut client = Http1::to(target.address());
    let first = Instant::now();
    let mut longest = Duration::ZERO;
    while first.elapsed() < Duration::from_millis(250) {
        let sent = Instant::now();
        client.ask("{}").unwrap();
        longest = longest.max(sent.elapsed());
    }
    let truth = target.truth();
    let start = truth.requests[0].arrived_ns;
    let since = |ns: u64| (ns - start) as f64 / 1e6;
    let frozen = truth
        .requests
        .iter()
        .filter(|request| (30.0..180.0).contains(&since(request.planned_ns.unwrap())))
        .count();
    assert_eq!(frozen, 0, "no answer was planned for the freeze");
    assert!(longest >= Duration::from_millis(100), "{longest:?}");
}

#[test]
fn a_slow_body_takes_its_time_after_the_head() {
    let target = start(TargetConfig {
        slow_body_ms: 40.0,
        ..always(Kind::SlowBody)
    });
    let answer = Http1::to(target.address()).ask("{}").unwrap();
    assert_eq!(answer.body, r#"{"data":{"__typename":"Query"}}"#);
    assert!(target.truth().honest_quantile(1.0) >= 40.0);
}

#[test]
fn connections_are_taken_up_one_after_another() {
    let target = start(TargetConfig {
        accept_ms: 30.0,
        ..TargetConfig::default()
    });
    let begin = Instant::now();
    let mut clients: Vec<Http1> = (0..3).map(|_| Http1::to(target.address())).collect();
    for client in &mut clients {
        client.send("{}");
    }
    for (client, least) in clients.iter_mut().zip([30, 60, 90]) {
        assert_eq!(client.read().unwrap().status, 200);
        assert!(begin.elapsed() >= Duration::from_millis(least));
    }
}

#[test]
fn the_same_seed_plans_the_same_answers() {
    let config = |seed| TargetConfig {
        seed,
        latency: "pareto:0.2:1.5:5".parse().unwrap(),
        ..TargetConfig::default()
    };
    let planned = |seed| -> Vec<f64> {
        hundred(config(seed))
            .into_iter()
            .map(|(planned, _, _)| planned)
            .collect()
    };
    assert_eq!(planned(7), planned(7));
    assert_ne!(planned(7), planned(8));
}
