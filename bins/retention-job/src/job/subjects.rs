//! Owns whether as many subjects may be erased as ask for it: before the run, and once more when the erasures begin, because
//! rules may take hours, and a flag may be set by mistake in between.

use super::prepare::Prepared;
use retention_plan::guards::{self, Clocks, GuardFacts};
use retention_plan::resolve::ResolvedErasure;
use retention_plan::survey::SubjectSurvey;
use retention_policy::LoadedPolicy;

/// What the guards look at; `None`: rows of no table ask.
pub(crate) fn facts(policy: &LoadedPolicy, asking: Option<(&ResolvedErasure, SubjectSurvey)>) -> Option<GuardFacts> {
    let ((erasure, counted), policy) = asking.zip(policy.policy.erasure.as_ref())?;
    Some(GuardFacts::of_subjects(policy, &erasure.subject, counted))
}

/// Why the subjects that ask now are not erased in this run; empty: they are.
pub(crate) fn too_many(
    prepared: &Prepared,
    policy: &LoadedPolicy,
    erasure: &ResolvedErasure,
    counted: SubjectSurvey,
) -> Vec<String> {
    if let Some(allowed) = prepared.subjects_allowed {
        if counted.open <= allowed {
            return Vec::new();
        }
        return vec![format!(
            "erasure: {} subjects of {} ask to be forgotten, and the plan that is applied allows {allowed}; look at \
             `retention-job plan` again",
            counted.open,
            erasure.subject.shown()
        )];
    }
    let facts = facts(policy, Some((erasure, counted)));
    // The clocks were looked at when the run began.
    let clocks = Clocks {
        database: prepared.as_of,
        ours: prepared.as_of,
    };
    guards::check(&policy.policy.guards, prepared.as_of, clocks, facts.as_slice())
        .into_iter()
        .map(|tripped| tripped.message)
        .collect()
}
