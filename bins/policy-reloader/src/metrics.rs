//! Owns the Prometheus metrics of the reloader. Label values come from closed sets; the exceptions are the active
//! pack (one series at a time) and the configured OPA addresses.

use std::{sync::atomic::AtomicU64, time::Duration};

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{
        counter::Counter,
        family::Family,
        gauge::Gauge,
        histogram::{Histogram, exponential_buckets},
    },
    registry::{Registry, Unit},
};

type FloatGauge = Gauge<f64, AtomicU64>;

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OutcomeLabel {
    outcome: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ReasonLabel {
    reason: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct StateLabel {
    state: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct StageLabel {
    stage: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OpaLabel {
    opa: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct PackLabel {
    digest: String,
    revision: String,
}

/// The states that `policy_reloader_state` knows; exactly one of them is 1.
pub const STATES: [&str; 3] = ["starting", "steady", "degraded"];

/// All metrics of the reloader.
#[derive(Debug, Clone)]
pub struct Metrics {
    polls: Family<OutcomeLabel, Counter>,
    poll_failures: Family<ReasonLabel, Counter>,
    refusals: Family<ReasonLabel, Counter>,
    state: Family<StateLabel, Gauge>,
    pack: Family<PackLabel, Gauge>,
    pack_activated: FloatGauge,
    pack_age: FloatGauge,
    pack_expires: FloatGauge,
    last_poll: FloatGauge,
    stage: Family<StageLabel, Histogram>,
    opa_up: Family<OpaLabel, Gauge>,
    opa_deciding: Family<OpaLabel, Gauge>,
}

impl Metrics {
    /// Makes the metrics and registers them.
    pub fn register(registry: &mut Registry) -> Self {
        let metrics = Self {
            polls: Family::default(),
            poll_failures: Family::default(),
            refusals: Family::default(),
            state: Family::default(),
            pack: Family::default(),
            pack_activated: FloatGauge::default(),
            pack_age: FloatGauge::default(),
            pack_expires: FloatGauge::default(),
            last_poll: FloatGauge::default(),
            stage: Family::new_with_constructor(|| Histogram::new(exponential_buckets(0.001, 2.0, 16))),
            opa_up: Family::default(),
            opa_deciding: Family::default(),
        };
        let reloader = registry.sub_registry_with_prefix("policy_reloader");
        reloader.register("polls", "Polls of MC by outcome", metrics.polls.clone());
        reloader.register(
            "poll_failures",
            "Polls that got no pack, by what went wrong",
            metrics.poll_failures.clone(),
        );
        reloader.register("refusals", "Packs refused, by reason", metrics.refusals.clone());
        reloader.register(
            "state",
            "1 for the state the reloader is in, 0 for the others",
            metrics.state.clone(),
        );
        reloader.register(
            "pack",
            "The pack that decides, as labels; always 1",
            metrics.pack.clone(),
        );
        reloader.register_with_unit(
            "pack_activated_timestamp",
            "When the deciding pack came to decide (Unix time)",
            Unit::Seconds,
            metrics.pack_activated.clone(),
        );
        reloader.register_with_unit(
            "pack_age",
            "How long the deciding pack has been deciding",
            Unit::Seconds,
            metrics.pack_age.clone(),
        );
        reloader.register_with_unit(
            "pack_expires_timestamp",
            "When the deciding pack expires (Unix time); 0 when it does not say",
            Unit::Seconds,
            metrics.pack_expires.clone(),
        );
        reloader.register_with_unit(
            "last_successful_poll_timestamp",
            "When MC last answered a poll with a pack or with 'unchanged' (Unix time)",
            Unit::Seconds,
            metrics.last_poll.clone(),
        );
        reloader.register_with_unit(
            "stage_duration",
            "How long fetch, verify and activate took for packs that went through them",
            Unit::Seconds,
            metrics.stage.clone(),
        );
        reloader.register(
            "opa_up",
            "1 when the OPA answered when last asked",
            metrics.opa_up.clone(),
        );
        reloader.register(
            "opa_deciding",
            "1 when the OPA decides by the pack that should decide",
            metrics.opa_deciding.clone(),
        );
        metrics
    }

    pub(crate) fn polled(&self, outcome: &'static str) {
        self.polls.get_or_create(&OutcomeLabel { outcome }).inc();
    }

    pub(crate) fn poll_failed(&self, reason: &'static str) {
        self.poll_failures.get_or_create(&ReasonLabel { reason }).inc();
    }

    pub(crate) fn mc_answered(&self, unix_seconds: f64) {
        self.last_poll.set(unix_seconds);
    }

    pub(crate) fn refused(&self, reason: &'static str) {
        self.refusals.get_or_create(&ReasonLabel { reason }).inc();
    }

    pub(crate) fn stage(&self, stage: &'static str, took: Duration) {
        self.stage
            .get_or_create(&StageLabel { stage })
            .observe(took.as_secs_f64());
    }

    pub(crate) fn state(&self, now: &'static str) {
        for state in STATES {
            self.state
                .get_or_create(&StateLabel { state })
                .set(i64::from(state == now));
        }
    }

    pub(crate) fn pack(&self, digest: String, revision: String, activated: f64, expires: Option<f64>) {
        self.pack.clear();
        self.pack.get_or_create(&PackLabel { digest, revision }).set(1);
        self.pack_activated.set(activated);
        self.pack_expires.set(expires.unwrap_or(0.0));
    }

    pub(crate) fn pack_age(&self, seconds: f64) {
        self.pack_age.set(seconds);
    }

    pub(crate) fn opa(&self, opa: &str, up: bool, deciding: bool) {
        let label = OpaLabel { opa: opa.to_owned() };
        self.opa_up.get_or_create(&label).set(i64::from(up));
        self.opa_deciding.get_or_create(&label).set(i64::from(deciding));
    }
}
