//! Prometheus metrics of `serve`. Every label is a closed set; releases are never labels.

use super::{answer::Word, board::Kind};
use prometheus_client::{
    encoding::{EncodeLabelSet, EncodeLabelValue, LabelValueEncoder},
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::{Registry, Unit},
};
use std::{fmt, fmt::Write as _, time::Duration};

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct KindLabel {
    kind: Kind,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct VerdictLabels {
    kind: Kind,
    verdict: Word,
}

impl EncodeLabelValue for Kind {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> fmt::Result {
        encoder.write_str(match self {
            Self::Evidence => "evidence",
            Self::Run => "run",
        })
    }
}

impl EncodeLabelValue for Word {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> fmt::Result {
        encoder.write_str(match self {
            Self::Pass => "pass",
            Self::Fail => "fail",
            Self::Inconclusive => "inconclusive",
            Self::Invalid => "invalid",
            Self::Running => "running",
            Self::Error => "error",
        })
    }
}

/// All metrics of `serve`.
#[derive(Debug, Clone)]
pub(crate) struct Metrics {
    answers: Family<VerdictLabels, Counter>,
    checks: Family<VerdictLabels, Counter>,
    running: Family<KindLabel, Gauge>,
    seconds: Family<KindLabel, Histogram>,
}

impl Metrics {
    /// Makes and registers them.
    pub(crate) fn register(registry: &mut Registry) -> Self {
        let metrics = Self {
            answers: Family::default(),
            checks: Family::default(),
            running: Family::default(),
            // From an evidence check that MC answers at once to a load run of an hour.
            seconds: Family::new_with_constructor(|| {
                Histogram::new([0.1, 0.5, 1.0, 5.0, 15.0, 60.0, 120.0, 300.0, 600.0, 1800.0, 3600.0])
            }),
        };
        // A counter that appears with its first event hides that event from `increase()`.
        for kind in [Kind::Evidence, Kind::Run] {
            for verdict in [
                Word::Pass,
                Word::Fail,
                Word::Inconclusive,
                Word::Invalid,
                Word::Running,
                Word::Error,
            ] {
                let labels = VerdictLabels { kind, verdict };
                drop(metrics.answers.get_or_create(&labels));
                if verdict != Word::Running {
                    drop(metrics.checks.get_or_create(&labels));
                }
            }
            drop(metrics.running.get_or_create(&KindLabel { kind }));
        }
        let registry = registry.sub_registry_with_prefix("load_gate_serve");
        registry.register(
            "answers",
            "Answers to POST requests, by what they said",
            metrics.answers.clone(),
        );
        registry.register(
            "checks",
            "Checks that ended, by what they came to",
            metrics.checks.clone(),
        );
        registry.register("checks_running", "Checks that run now", metrics.running.clone());
        registry.register_with_unit("check", "How long checks took", Unit::Seconds, metrics.seconds.clone());
        metrics
    }

    pub(super) fn answered(&self, kind: Kind, verdict: Word) {
        self.answers.get_or_create(&VerdictLabels { kind, verdict }).inc();
    }

    pub(super) fn started(&self, kind: Kind) {
        self.running.get_or_create(&KindLabel { kind }).inc();
    }

    pub(super) fn ended(&self, kind: Kind, verdict: Word, took: Duration) {
        self.running.get_or_create(&KindLabel { kind }).dec();
        self.checks.get_or_create(&VerdictLabels { kind, verdict }).inc();
        self.seconds
            .get_or_create(&KindLabel { kind })
            .observe(took.as_secs_f64());
    }
}
