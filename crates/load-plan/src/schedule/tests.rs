//! Arrivals against the definition: counts, times, shards, mixes.

use super::*;
use proptest::prelude::*;

fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn due(schedule: &Schedule) -> Vec<u64> {
    schedule.arrivals(0, 1).map(|arrival| arrival.due_ns).collect()
}

#[test]
fn constant_rate_is_exact_to_the_nanosecond() {
    let schedule = Schedule::constant(3.0, Duration::ZERO, secs(2)).unwrap();
    assert_eq!(
        due(&schedule),
        [0, 333_333_333, 666_666_666, 1_000_000_000, 1_333_333_333, 1_666_666_666]
    );
    let default = Schedule::constant(50.0, Duration::ZERO, secs(300)).unwrap();
    assert_eq!((default.total(), default.planned_total()), (15_000, 15_000));
    assert_eq!(default.arrivals(0, 1).last().unwrap().due_ns, 299_980_000_000);
    // No error adds up: after ten days at 7 a second.
    let long = Schedule::constant(7.0, Duration::ZERO, secs(864_000)).unwrap();
    let index = 864_000 * 7 - 1;
    let lane = &long.inner.lanes[0];
    assert_eq!(lane.curve.due(index, &mut 0).unwrap(), index * 1_000_000_000 / 7);
}

#[test]
fn fractions_and_time_units() {
    let slow = Schedule::constant(0.5, Duration::ZERO, secs(10)).unwrap();
    assert_eq!(
        due(&slow),
        [0, 2_000_000_000, 4_000_000_000, 6_000_000_000, 8_000_000_000]
    );
    let curve = Curve::constant(90.0, secs(60), secs(4)).unwrap();
    assert_eq!(curve.arrivals(), 6);
    // A part of a request at the end counts when it is due before the end.
    assert_eq!(
        Schedule::constant(1.0, Duration::ZERO, Duration::from_millis(2_001))
            .unwrap()
            .total(),
        3
    );
}

#[test]
fn a_ramp_is_the_inverse_of_its_integral() {
    let curve = Curve::ramping(
        0.0,
        secs(1),
        &[Stage {
            duration: secs(10),
            target: 10.0,
        }],
    )
    .unwrap();
    assert_eq!(curve.arrivals(), 50);
    // rate = t, integral = t*t/2, so arrival i is due at sqrt(2 i).
    for index in 0..50_u64 {
        let at = curve.due(index, &mut 0).unwrap();
        let exact = (2.0 * index as f64).sqrt() * 1e9;
        assert!((at as f64 - exact).abs() <= 1.5, "{index}: {at} {exact}");
    }
    assert_eq!(curve.due(50, &mut 0), None);
}

#[test]
fn a_pause_sends_nothing_and_steps_are_sharp() {
    let stages = [
        Stage {
            duration: secs(2),
            target: 0.0,
        },
        Stage {
            duration: Duration::ZERO,
            target: 4.0,
        },
        Stage {
            duration: secs(1),
            target: 4.0,
        },
        Stage {
            duration: Duration::ZERO,
            target: 0.0,
        },
        Stage {
            duration: secs(5),
            target: 0.0,
        },
    ];
    let curve = Curve::ramping(0.0, secs(1), &stages).unwrap();
    let schedule = Schedule::new(
        vec![Stream {
            curve,
            start: secs(1),
            mix: Mix::single(0),
        }],
        Duration::ZERO,
    )
    .unwrap();
    assert_eq!(
        due(&schedule),
        [3_000_000_000, 3_250_000_000, 3_500_000_000, 3_750_000_000]
    );
    assert_eq!(schedule.duration(), secs(9));
    assert!((schedule.peak_rate() - 4.0).abs() < 1e-9);
}

#[test]
fn the_warm_up_comes_first_and_is_not_counted() {
    let schedule = Schedule::constant(10.0, secs(1), secs(2)).unwrap();
    let arrivals: Vec<Arrival> = schedule.arrivals(0, 1).collect();
    assert_eq!(
        (schedule.total(), schedule.planned_total(), schedule.planned(0, 0)),
        (30, 20, 20)
    );
    assert_eq!((schedule.warm_up(), schedule.duration()), (secs(1), secs(2)));
    assert!(
        arrivals
            .iter()
            .all(|arrival| arrival.warm_up == (arrival.due_ns < 1_000_000_000))
    );
    assert_eq!(arrivals.iter().filter(|arrival| arrival.warm_up).count(), 10);
    assert_eq!(
        arrivals.iter().map(|arrival| arrival.seq).collect::<Vec<_>>(),
        (0..30).collect::<Vec<_>>()
    );
}

#[test]
fn the_peak_is_of_all_scenarios_together() {
    let stream = |rate: f64, start: u64, length: u64| Stream {
        curve: Curve::constant(rate, secs(1), secs(length)).unwrap(),
        start: secs(start),
        mix: Mix::single(0),
    };
    let apart = Schedule::new(vec![stream(10.0, 0, 5), stream(20.0, 5, 5)], Duration::ZERO).unwrap();
    assert!((apart.peak_rate() - 20.0).abs() < 1e-9);
    let over = Schedule::new(vec![stream(10.0, 0, 6), stream(20.0, 5, 5)], Duration::ZERO).unwrap();
    assert!((over.peak_rate() - 30.0).abs() < 1e-9);
}

#[test]
fn what_cannot_be_a_schedule() {
    let constant = |rate, length| Schedule::constant(rate, Duration::ZERO, secs(length)).err();
    assert_eq!(constant(0.0, 5), Some(ScheduleError::Empty));
    assert_eq!(constant(5.0, 0), Some(ScheduleError::Empty));
    assert_eq!(constant(-1.0, 5), Some(ScheduleError::Rate { found: -1.0 }));
    assert!(matches!(constant(f64::NAN, 5), Some(ScheduleError::Rate { .. })));
    assert!(matches!(constant(f64::INFINITY, 5), Some(ScheduleError::Rate { .. })));
    assert_eq!(constant(1.0, u64::MAX), Some(ScheduleError::TooLong));
    assert!(matches!(constant(1e7, 86_400), Some(ScheduleError::TooMany { .. })));
    assert_eq!(Curve::constant(1.0, Duration::ZERO, secs(1)), Err(ScheduleError::Unit));
    assert_eq!(
        Mix::weighted(&[(0, 9_999), (1, 10_000)]),
        Err(ScheduleError::Weights { found: 19_999 })
    );
    assert_eq!(Mix::weighted(&[(0, 0)]), Err(ScheduleError::Empty));
}

#[test]
fn a_mix_is_spread_evenly() {
    let mix = Mix::weighted(&[(4, 50), (7, 10), (9, 10)]).unwrap();
    let cycle: Vec<u16> = (0..7).map(|index| mix.request(index)).collect();
    assert_eq!(cycle, [4, 4, 7, 4, 9, 4, 4]);
    assert_eq!(mix.requests(), [4, 7, 9]);
    assert_eq!(
        (
            mix.planned(4, 15),
            mix.planned(7, 15),
            mix.planned(9, 15),
            mix.planned(1, 15)
        ),
        (11, 2, 2, 0)
    );
}

/// The integral of a ramp up to `at`, times twice the unit of one second.
fn integral(start: u64, stages: &[(u64, u64)], at: u64) -> f64 {
    let (mut from, mut begin, mut sum) = (start as f64, 0_u64, 0.0);
    for (length, target) in stages {
        let length_ns = length * 1_000_000;
        let inside = at.saturating_sub(begin).min(length_ns) as f64;
        if length_ns > 0 {
            let slope = (*target as f64 - from) / length_ns as f64;
            sum += from * inside + slope * inside * inside / 2.0;
        }
        begin += length_ns;
        from = *target as f64;
    }
    sum / 1e9
}

proptest! {
    #[test]
    fn every_arrival_is_where_the_integral_says(
        start in 0..2_000_u64,
        stages in prop::collection::vec((0..3_000_u64, 0..2_000_u64), 1..5),
    ) {
        let list: Vec<Stage> = stages
            .iter()
            .map(|(length, target)| Stage { duration: Duration::from_millis(*length), target: *target as f64 })
            .collect();
        let curve = Curve::ramping(start as f64, secs(1), &list).unwrap();
        let count = u64::try_from(curve.arrivals()).unwrap();
        let whole = integral(start, &stages, u64::MAX);
        prop_assert!((count as f64 - whole.ceil()).abs() <= 1.0, "{} {}", count, whole);
        let (mut piece, mut last) = (0, 0);
        for index in 0..count {
            let at = curve.due(index, &mut piece).unwrap();
            prop_assert!(at >= last);
            prop_assert!(Duration::from_nanos(at) <= curve.duration());
            // Two nanoseconds at the highest rate, and the rounding of the test's own sum.
            prop_assert!((integral(start, &stages, at) - index as f64).abs() < 1e-4, "{} at {}", index, at);
            last = at;
        }
        prop_assert_eq!(curve.due(count, &mut piece), None);
    }

    #[test]
    fn shards_share_every_arrival_exactly_once(
        shards in 1..7_usize,
        rates in prop::collection::vec((1..300_u64, 0..3_000_u64, 0..2_000_u64), 1..5),
        warm_up in 0..1_500_u64,
    ) {
        let streams = rates.iter().enumerate().map(|(index, (rate, start, length))| Stream {
            curve: Curve::constant(*rate as f64, secs(1), Duration::from_millis(length + 1)).unwrap(),
            start: Duration::from_millis(*start),
            mix: Mix::weighted(&[(0, 2), (u16::try_from(index).unwrap() + 1, 3)]).unwrap(),
        });
        let schedule = Schedule::new(streams.collect(), Duration::from_millis(warm_up)).unwrap();
        let all: Vec<Arrival> = schedule.arrivals(0, 1).collect();
        prop_assert_eq!(all.len() as u64, schedule.total());
        prop_assert!(all.is_sorted_by_key(|arrival| arrival.due_ns));
        let mut parts = Vec::new();
        for shard in 0..shards {
            let part: Vec<Arrival> = schedule.arrivals(shard, shards).collect();
            prop_assert!(part.is_sorted_by_key(|arrival| arrival.due_ns));
            parts.extend(part);
        }
        parts.sort_by_key(|arrival| arrival.seq);
        let mut sorted = all.clone();
        sorted.sort_by_key(|arrival| arrival.seq);
        prop_assert_eq!(&parts, &sorted);
        prop_assert_eq!(parts.iter().map(|each| each.seq).collect::<Vec<_>>(), (0..schedule.total()).collect::<Vec<_>>());
        for scenario in 0..u16::try_from(rates.len()).unwrap() {
            for request in 0..=u16::try_from(rates.len()).unwrap() {
                let found = all.iter().filter(|each| !each.warm_up && each.scenario == scenario && each.request == request);
                prop_assert_eq!(found.count() as u64, schedule.planned(scenario, request));
            }
        }
    }
}
