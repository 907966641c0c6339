//! What the tally must know of a plan.

use load_plan::Plan;
use load_verdict::tally::{RequestSpec, TallySpec};

/// Tags, checks, thresholds and the number of requests of each kind.
pub(crate) fn of(plan: &Plan) -> TallySpec {
    let count = |index: usize| u16::try_from(index).unwrap_or(u16::MAX);
    TallySpec {
        scenarios: (0..plan.scenarios.len())
            .map(|index| plan.scenario_tags(index))
            .collect(),
        requests: (0..plan.requests.len())
            .map(|index| RequestSpec {
                tags: plan.request_tags(index),
                checks: plan.requests[index].checks,
            })
            .collect(),
        checks: plan.checks.iter().map(|check| check.name().to_owned()).collect(),
        thresholds: plan.thresholds.clone(),
        planned: (0..plan.scenarios.len())
            .flat_map(|scenario| (0..plan.requests.len()).map(move |request| (scenario, request)))
            .map(|(scenario, request)| plan.schedule.planned(count(scenario), count(request)))
            .collect(),
        counted: plan.schedule.duration(),
        warm_up: plan.schedule.warm_up(),
        timeout: plan.timeout,
    }
}
