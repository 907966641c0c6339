//! Owns the evidence that was published, and MC's judgement of it.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// MC's budgets: at most so much.
const P95_MS: i32 = 350;
const ERROR_RATE: f64 = 0.02;
const GRAPHQL_PER_MILLION_USD: f64 = 2.0;

/// What is published for a release: `EvidenceInput` of the contract.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Evidence {
    /// The release.
    pub release_id: String,
    /// The service.
    pub service: String,
    /// What was built.
    pub artifacts: Vec<ArtifactRef>,
    /// What was measured.
    pub slo: SloSnapshot,
    /// The scalar `JSON`: anything.
    #[serde(default)]
    pub cost: Value,
}

/// One thing that was built.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ArtifactRef {
    /// What it is, for example `image`.
    #[serde(rename = "type")]
    pub of: String,
    /// Its digest.
    pub sha256: String,
}

/// Service levels of a release.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct SloSnapshot {
    /// The service.
    pub service: String,
    /// 95th percentile, milliseconds. `Int`: 320.5 is refused.
    pub p95_ms: i32,
    /// 99th percentile.
    #[serde(default)]
    pub p99_ms: Option<i32>,
    /// Share of failed requests.
    pub error_rate: f64,
    /// The time over which it was measured.
    pub window: String,
}

impl Evidence {
    /// Evidence well within MC's budgets.
    pub fn good(service: &str, release_id: &str) -> Self {
        Self {
            release_id: release_id.to_owned(),
            service: service.to_owned(),
            artifacts: vec![ArtifactRef {
                of: "image".to_owned(),
                sha256: "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08".to_owned(),
            }],
            slo: SloSnapshot {
                service: service.to_owned(),
                p95_ms: 210,
                p99_ms: Some(320),
                error_rate: 0.001,
                window: "15m".to_owned(),
            },
            cost: json!({ "graphqlPerMillionUsd": 1.4, "ingestPerThousandUsd": 0.02 }),
        }
    }

    /// Evidence of a release that is too slow and fails too often.
    pub fn bad(service: &str, release_id: &str) -> Self {
        let mut evidence = Self::good(service, release_id);
        evidence.slo.p95_ms = 900;
        evidence.slo.p99_ms = Some(2_000);
        evidence.slo.error_rate = 0.05;
        evidence
    }

    /// Replaces the window.
    #[must_use]
    pub fn with_window(mut self, window: impl Into<String>) -> Self {
        self.slo.window = window.into();
        self
    }

    /// Why MC says no; empty when it says yes.
    fn reasons(&self) -> Vec<String> {
        let mut reasons = Vec::new();
        if self.slo.p95_ms > P95_MS {
            reasons.push(format!("p95 {} ms is over the budget of {P95_MS} ms", self.slo.p95_ms));
        }
        if self.slo.error_rate > ERROR_RATE {
            reasons.push(format!(
                "error rate {} is over the budget of {ERROR_RATE}",
                self.slo.error_rate
            ));
        }
        if let Some(cost) = self.figure("graphqlPerMillionUsd")
            && cost > GRAPHQL_PER_MILLION_USD
        {
            reasons.push(format!(
                "GraphQL cost {cost} USD per million is over the budget of {GRAPHQL_PER_MILLION_USD} USD"
            ));
        }
        reasons
    }

    fn figure(&self, key: &str) -> Option<f64> {
        self.cost.get(key)?.as_f64()
    }

    /// `EvidenceOk`.
    pub(super) fn judged(&self) -> Value {
        let reasons = self.reasons();
        let cost = match (self.figure("graphqlPerMillionUsd"), self.figure("ingestPerThousandUsd")) {
            (None, None) => Value::Null,
            (graphql, ingest) => json!({ "graphqlPerMillionUsd": graphql, "ingestPerThousandUsd": ingest }),
        };
        json!({ "ok": reasons.is_empty(), "reasons": reasons, "snapshot": self.slo, "cost": cost })
    }
}

/// Evidence as it is kept.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct EvidenceBundle {
    /// MC's own id.
    pub id: String,
    /// What was published.
    #[serde(flatten)]
    pub evidence: Evidence,
    /// When, RFC 3339.
    pub created_at: String,
}

/// All evidence, oldest first.
#[derive(Debug, Default)]
pub(crate) struct EvidenceStore {
    bundles: Vec<EvidenceBundle>,
    next: u64,
}

impl EvidenceStore {
    pub(crate) fn publish(&mut self, evidence: Evidence, now: jiff::Timestamp) -> EvidenceBundle {
        self.next += 1;
        let bundle = EvidenceBundle {
            id: format!("evidence-{}", self.next),
            evidence,
            created_at: now.to_string(),
        };
        self.bundles.push(bundle.clone());
        bundle
    }

    /// What was published last for the release.
    pub(crate) fn latest(&self, service: &str, release_id: &str) -> Option<&Evidence> {
        let of =
            |bundle: &&EvidenceBundle| bundle.evidence.service == service && bundle.evidence.release_id == release_id;
        self.bundles.iter().rev().find(of).map(|bundle| &bundle.evidence)
    }

    pub(crate) fn list(&self) -> Vec<EvidenceBundle> {
        self.bundles.clone()
    }

    pub(crate) fn clear(&mut self) {
        self.bundles.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn budgets_are_kept_up_to_their_last_unit() {
        let mut evidence = Evidence::good("cos", "r1");
        evidence.slo.p95_ms = 350;
        evidence.slo.error_rate = 0.02;
        evidence.cost = json!({ "graphqlPerMillionUsd": 2.0, "note": "kept" });
        assert_eq!(evidence.judged()["ok"], true);
        assert_eq!(evidence.judged()["cost"]["ingestPerThousandUsd"], Value::Null);
        evidence.slo.p95_ms = 351;
        evidence.slo.error_rate = 0.0201;
        evidence.cost = json!({ "graphqlPerMillionUsd": 2.01 });
        let judged = evidence.judged();
        assert_eq!(
            (judged["ok"].clone(), judged["reasons"].as_array().unwrap().len()),
            (json!(false), 3)
        );
        evidence.cost = Value::Null;
        assert_eq!(evidence.judged()["cost"], Value::Null);
    }

    #[test]
    fn the_latest_of_a_release_counts() {
        let mut store = EvidenceStore::default();
        let now = jiff::Timestamp::UNIX_EPOCH;
        store.publish(Evidence::bad("cos", "r1"), now);
        store.publish(Evidence::good("cos", "r1"), now);
        store.publish(Evidence::bad("cos", "r2"), now);
        assert_eq!(store.latest("cos", "r1").unwrap().slo.p95_ms, 210);
        assert!(store.latest("other", "r1").is_none());
    }
}
