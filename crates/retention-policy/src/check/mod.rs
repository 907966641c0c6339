//! Owns what a policy must satisfy, whoever made it: a document, the built-in rules, or a program.
//!
//! | module | owns |
//! |---|---|
//! | `names` | names of tables and columns, and text |
//! | `rule` | rules |
//! | `erasure` | the right to be forgotten |

mod erasure;
mod names;
mod rule;

use crate::{builtin::RetentionDays, error::Mistake, policy::Policy};

/// The longest term in days and in months, and the longest grace in seconds: a hundred years.
const MAX_DAYS: u32 = RetentionDays::MOST;
const MAX_MONTHS: u32 = 1200;
const MAX_GRACE: u64 = 100 * 365 * 86_400;

/// All mistakes of a policy; none when it is right. Whether its tables and columns exist is for the catalog to say.
pub fn check(policy: &Policy) -> Vec<Mistake> {
    let mut out = Vec::new();
    if policy.grace_seconds > MAX_GRACE {
        let found = policy.grace_seconds;
        out.push(Mistake::new(
            "grace_seconds",
            format!("expected 0 to {MAX_GRACE}, found {found}"),
        ));
    }
    for (index, label) in policy.legal_hold_labels.iter().enumerate() {
        let at = format!("legal_hold_labels[{index}]");
        if label.is_empty() {
            out.push(Mistake::new(&at, "expected a label, found an empty text"));
        }
        names::text(label, &at, &mut out);
    }
    if policy.rules.is_empty() && policy.erasure.is_none() {
        out.push(Mistake::new(
            "rules",
            "expected at least one rule, or `erasure`, found an empty list: leave the key out for the built-in rules",
        ));
    }
    rule::rules(&policy.rules, &mut out);
    if let Some(each) = &policy.erasure {
        erasure::erasure(each, &mut out);
    }
    guards(policy, &mut out);
    out
}

fn guards(policy: &Policy, out: &mut Vec<Mistake>) {
    let guards = &policy.guards;
    let factor = guards.max_cutoff_factor;
    if !factor.is_finite() || factor < 1.0 {
        // Below 1, every ordinary night would be refused.
        out.push(Mistake::new(
            "guards.max_cutoff_factor",
            format!("expected 1 or more, found {factor}"),
        ));
    }
    for (key, value) in [
        ("all_due_from_rows", guards.all_due_from_rows),
        ("max_clock_skew_seconds", guards.max_clock_skew_seconds),
    ] {
        if value == 0 {
            out.push(Mistake::new(format!("guards.{key}"), "expected 1 or more, found 0"));
        }
    }
}
