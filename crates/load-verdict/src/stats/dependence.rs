//! How much less the samples say than independent ones would.
//!
//! Latencies come in bad and good stretches: 100 slow requests in one stall are one event, not 100. The run is cut into
//! stretches of equal duration ("batch means": Law and Kelton, "Simulation Modeling and Analysis", section 9.5); if the bad
//! shares of the stretches scatter `d` times as much as those of independent samples would, `n` samples count for `n / d`
//! (the "design effect" of Kish 1965).
//!
//! The scatter itself is an estimate, and the fewer stretches (or separate bad events) it rests on, the more it errs. So it is
//! made larger by the square of Student's t over the normal quantile, as Korn and Graubard (1998) do. Three cuts are made (64,
//! 20, 10 stretches), because a stall longer than a stretch hides from the finer ones, and the largest result counts.

use super::beta;
use crate::judge::Batch;

/// Numbers of stretches that are tried.
const CUTS: [usize; 3] = [64, 20, 10];
/// Separate bad events for one degree of freedom. By simulation: the smallest with which the bounds hold on the traces of the tests,
/// down to about eight events.
const EVENTS_A_DEGREE: f64 = 2.0;
/// 95 % quantile of the normal distribution. The ratio of the quantiles hardly depends on the confidence.
const NORMAL_95: f64 = 1.644_853_626_951_472_6;

/// The factor by which the number of samples is to be divided; at least 1. `batches` are consecutive and of equal duration; with
/// fewer than two, or without (or with only) bad samples, nothing can be seen and the result is 1.
pub fn factor(batches: &[Batch]) -> f64 {
    let batches = filled(batches);
    let mut groups = [Batch::default(); CUTS[0]];
    let mut largest: f64 = 1.0;
    let mut tried = 0;
    for cut in CUTS {
        let count = cut.min(batches.len());
        if count < 2 || count == tried {
            continue;
        }
        tried = count;
        let groups = &mut groups[..count];
        groups.fill(Batch::default());
        for (index, batch) in batches.iter().enumerate() {
            let group = &mut groups[index * count / batches.len()];
            group.n += batch.n;
            group.bad += batch.bad;
        }
        if let Some(scatter) = scatter(groups) {
            largest = largest.max(careful(scatter, groups));
        }
    }
    largest
}

/// Without the empty batches at both ends: a run that has not come to its end yet, or a scenario that begins late.
fn filled(batches: &[Batch]) -> &[Batch] {
    let end = batches.iter().rposition(|batch| batch.n > 0).map_or(0, |last| last + 1);
    let start = batches.iter().position(|batch| batch.n > 0).unwrap_or(end);
    &batches[start..end]
}

/// Variance of the bad share over stretches, relative to that of independent samples. Stretches weigh by their samples: the
/// variance of a ratio (Cochran, "Sampling Techniques", section 3.12). `None` where nothing can be seen.
fn scatter(groups: &[Batch]) -> Option<f64> {
    let n: u64 = groups.iter().map(|g| g.n).sum();
    let bad: u64 = groups.iter().map(|g| g.bad).sum();
    let filled = groups.iter().filter(|g| g.n > 0).count() as f64;
    if bad == 0 || bad >= n || filled < 2.0 {
        return None;
    }
    let (n, share) = (n as f64, bad as f64 / n as f64);
    let squares: f64 = groups.iter().map(|g| (g.bad as f64 - share * g.n as f64).powi(2)).sum();
    Some(filled / (filled - 1.0) * squares / (n * share * (1.0 - share)))
}

/// `scatter`, made larger for resting on few stretches; and on few separate events, once it is clear that there is dependence.
fn careful(scatter: f64, groups: &[Batch]) -> f64 {
    let most = (groups.iter().filter(|g| g.n > 0).count() as f64 - 1.0).max(1.0);
    let bad: u64 = groups.iter().map(|g| g.bad).sum();
    let by_stretches = scatter * inflation(most);
    if scatter <= 1.0 {
        return by_stretches;
    }
    let by_events = scatter * inflation((bad as f64 / scatter / EVENTS_A_DEGREE).clamp(1.0, most));
    let clear = ((scatter - 1.0) / 2.0).min(1.0);
    by_stretches + (by_events - by_stretches).max(0.0) * clear
}

/// Square of Student's t over the normal quantile.
fn inflation(freedom: f64) -> f64 {
    (beta::student_t(freedom, 0.05) / NORMAL_95).powi(2)
}
