//! Owns what no honest measurement can be, although the types allow it. A gate must not open on figures that were made
//! from nothing: a NaN that became 0 is the best latency there is.

use super::answer::EvidenceOk;

/// What becomes of infinity in a 32-bit integer.
const SATURATED: i32 = i32::MAX;

/// Says what is wrong.
pub(super) fn check(answer: &EvidenceOk) -> Result<(), String> {
    let snapshot = &answer.snapshot;
    if snapshot.p95_ms < 1 || snapshot.p95_ms == SATURATED {
        return Err(format!(
            "its p95 is {} ms, which nothing can be measured at (times are rounded up)",
            snapshot.p95_ms
        ));
    }
    if let Some(p99) = snapshot.p99_ms
        && p99 < snapshot.p95_ms
    {
        return Err(format!("its p99 ({p99} ms) is below its p95 ({} ms)", snapshot.p95_ms));
    }
    if !(0.0..=1.0).contains(&snapshot.error_rate) {
        return Err(format!(
            "its error rate is {}, which is no share from 0 to 1",
            snapshot.error_rate
        ));
    }
    if snapshot.window.trim().is_empty() {
        return Err("its window is blank, so nobody knows what was measured".to_owned());
    }
    if let Some(cost) = &answer.cost {
        for figure in [cost.graphql_per_million_usd, cost.ingest_per_thousand_usd]
            .into_iter()
            .flatten()
        {
            if !figure.is_finite() || figure < 0.0 {
                return Err(format!("a cost in it is {figure} US dollars"));
            }
        }
    }
    if answer.ok && !answer.reasons.is_empty() {
        return Err(format!(
            "it says ok and gives reasons against it: {}",
            answer.reasons.join("; ")
        ));
    }
    Ok(())
}
