//! Owns the shape of MC's answer as the rest of the program sees it.

use serde::Serialize;

/// What MC says about a release: `EvidenceOk` of the contract. Its texts are fit to be printed.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct EvidenceOk {
    /// Whether the release may go on.
    pub ok: bool,
    /// Why not; empty when `ok`.
    pub reasons: Vec<String>,
    /// What MC decided by.
    pub snapshot: SloSnapshot,
    /// What a request costs, if MC knows.
    pub cost: Option<CostSnapshot>,
}

/// The service levels that were published for the release.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SloSnapshot {
    /// The service that was measured; always the one that was asked for.
    pub service: String,
    /// 95th percentile of the latency in milliseconds, rounded up; 1 or more.
    pub p95_ms: i32,
    /// 99th percentile, not below the 95th.
    pub p99_ms: Option<i32>,
    /// Failed requests as a share of all, 0 to 1.
    pub error_rate: f64,
    /// The time over which it was measured, in the publisher's words (`15m`, or an interval).
    pub window: String,
}

/// Unit costs in US dollars.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CostSnapshot {
    /// For a million GraphQL operations.
    pub graphql_per_million_usd: Option<f64>,
    /// For a thousand ingested records.
    pub ingest_per_thousand_usd: Option<f64>,
}
