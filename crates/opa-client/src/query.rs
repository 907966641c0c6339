//! Owns decisions: `POST /v1/data/{path}` with an input.

use std::collections::BTreeMap;

use bytes::Bytes;
use http::Method;
use serde::Deserialize;
use serde_json::Value;

use crate::body::Chunks;
use crate::client::{Call, OpaClient, segments};
use crate::error::OpaError;
use crate::path::DataPath;

/// What OPA shall tell beside the result.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct QueryOptions {
    /// Which bundles, in which revision, the decision was made by.
    pub provenance: bool,
    /// How long the parts of the evaluation took.
    pub metrics: bool,
    /// More metrics, at a cost; only useful with `metrics`.
    pub instrument: bool,
}

/// OPA's answer to a query.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[expect(clippy::struct_field_names, reason = "`decision_id` is OPA's word")]
pub struct Decision {
    /// None is *undefined*: nothing by that name, or no rule holds. OPA answers it with 200, so a
    /// policy that is not loaded looks exactly like this.
    #[serde(default, deserialize_with = "present")]
    pub result: Option<Value>,
    /// With [`QueryOptions::provenance`].
    #[serde(default)]
    pub provenance: Option<Provenance>,
    /// With [`QueryOptions::metrics`].
    #[serde(default)]
    pub metrics: Option<Value>,
    /// Set when OPA logs its decisions.
    #[serde(default)]
    pub decision_id: Option<String>,
}

/// By what a decision was made.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct Provenance {
    /// Version of OPA.
    #[serde(default)]
    pub version: String,
    /// Revision where OPA is configured with a single, unnamed bundle (old configurations).
    #[serde(default)]
    pub revision: Option<String>,
    /// By bundle name; empty when OPA has no bundle.
    #[serde(default)]
    pub bundles: BTreeMap<String, BundleProvenance>,
}

/// The active state of one bundle.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct BundleProvenance {
    /// Revision from its manifest.
    #[serde(default)]
    pub revision: String,
}

/// A rule's value may be `null`, which is not undefined.
fn present<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(from).map(Some)
}

impl OpaClient {
    /// `POST /v1/data/{path}`: the value of a rule or document for an input.
    ///
    /// # Errors
    /// [`OpaError::Evaluation`] if rules contradict each other or a built-in function fails.
    pub async fn query(
        &self,
        path: &DataPath,
        input: Option<&Value>,
        options: QueryOptions,
    ) -> Result<Decision, OpaError> {
        let body = match input {
            Some(input) => format!("{{\"input\":{input}}}"),
            None => "{}".to_owned(),
        };
        let asked = [
            (options.provenance, "provenance=true"),
            (options.metrics, "metrics=true"),
            (options.instrument, "instrument=true"),
        ];
        let segments = segments(&["v1", "data"], path.segments().iter().map(String::as_str));
        let call = Call::new(Method::POST, "POST /v1/data/{path}", segments)
            .with_body("application/json", Chunks::from(Bytes::from(body)));
        let query = asked
            .into_iter()
            .filter_map(|(wanted, word)| wanted.then_some(word))
            .collect();
        self.call(Call { query, ..call }).await?.json()
    }
}
