//! Owns the metrics of a run, for a Pushgateway. Gauges only, because the job ends; labels are rules of the policy and
//! closed enums, never values of rows. No timestamps: Pushgateway refuses them.

use crate::summary::Summary;
use prometheus_client::encoding::text::encode;
use prometheus_client::encoding::{EncodeLabelSet, LabelSetEncoder};
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use retention_store::run::RunKind;
use runtime::exit::Exit;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

type Number = Gauge<f64, AtomicU64>;

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RuleLabels {
    rule: String,
    action: String,
}

/// No labels.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Alone;

impl EncodeLabelSet for Alone {
    fn encode(&self, _: &mut LabelSetEncoder<'_>) -> Result<(), std::fmt::Error> {
        Ok(())
    }
}

/// The text for the Pushgateway. `now` becomes the time of the last success if the run succeeded; a run that did not
/// leaves that metric out, so that with `POST` the earlier value stays.
pub(crate) fn text(summary: &Summary, now: jiff::Timestamp) -> String {
    let mut registry = Registry::default();
    let mut per_rule = |name: &str, help: &str, value: &dyn Fn(&retention_proof::RuleResult) -> Option<f64>| {
        let family = Family::<RuleLabels, Number>::default();
        for rule in &summary.rules {
            if let Some(value) = value(rule) {
                let labels = RuleLabels {
                    rule: rule.rule.clone(),
                    action: rule.action.clone(),
                };
                // Pages of one erasure share the labels.
                let gauge = family.get_or_create(&labels);
                gauge.set(gauge.get() + value);
            }
        }
        registry.register(name, help, family);
    };
    #[expect(clippy::cast_precision_loss, reason = "metrics are floats")]
    let number = |value: u64| value as f64;
    per_rule(
        "retention_rows",
        "Rows deleted, anonymised or detached by the last run",
        &|rule| Some(number(rule.rows)),
    );
    per_rule(
        "retention_due_rows",
        "Rows that were due when the last run began",
        &|rule| Some(number(rule.due)),
    );
    per_rule("retention_held_rows", "Due rows under a hold", &|rule| {
        Some(number(rule.held))
    });
    per_rule("retention_blocked_rows", "Due rows that others refer to", &|rule| {
        Some(number(rule.blocked))
    });
    per_rule(
        "retention_residue_rows",
        "Due rows that are left; absent if it was not verified",
        &|rule| rule.residue.map(number),
    );
    per_rule("retention_rule_duration_seconds", "Time the rule took", &|rule| {
        Some(number(rule.duration_ms) / 1000.0)
    });
    whole_run(
        &mut registry,
        summary.exit_code,
        Duration::from_millis(summary.duration_ms),
    );
    open_erasures(&mut registry, summary.erasures.unfinished);
    // One subject's erasure says nothing of the night.
    if succeeded(summary) {
        #[expect(clippy::cast_precision_loss, reason = "metrics are floats")]
        one(
            &mut registry,
            "retention_last_success_timestamp_seconds",
            "When the last run that left nothing ended",
            now.as_second() as f64,
        );
    }
    finish(&registry)
}

/// Whether this was a night that left nothing.
pub(crate) fn succeeded(summary: &Summary) -> bool {
    summary.exit_code == 0 && summary.kind == RunKind::Run.as_str()
}

/// The text of a run that ended before it had a result: refused, or without its database. `open`: erasures, if that is
/// known.
pub(crate) fn of_failure(exit: Exit, took: Duration, open: Option<u64>) -> String {
    let mut registry = Registry::default();
    whole_run(&mut registry, exit.code(), took);
    open_erasures(&mut registry, open);
    finish(&registry)
}

fn open_erasures(registry: &mut Registry, open: Option<u64>) {
    if let Some(open) = open {
        #[expect(clippy::cast_precision_loss, reason = "metrics are floats")]
        one(
            registry,
            "retention_open_erasures",
            "Subjects whose erasure was not complete when the last run ended",
            open as f64,
        );
    }
}

fn whole_run(registry: &mut Registry, exit_code: u8, took: Duration) {
    one(
        registry,
        "retention_duration_seconds",
        "Time the last run took",
        took.as_secs_f64(),
    );
    one(
        registry,
        "retention_exit_code",
        "Exit code of the last run",
        f64::from(exit_code),
    );
}

fn one(registry: &mut Registry, name: &str, help: &str, value: f64) {
    let family = Family::<Alone, Number>::default();
    family.get_or_create(&Alone).set(value);
    registry.register(name, help, family);
}

fn finish(registry: &Registry) -> String {
    let mut text = String::new();
    // Writing to a String does not fail.
    let _ = encode(&mut text, registry);
    text
}
