//! Owns `/health` and `/v1/config`.

use http::Method;
use serde::Deserialize;
use serde_json::Value;

use crate::client::{Call, OpaClient, segments};
use crate::error::OpaError;

/// What shall be healthy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HealthScope {
    /// The server answers queries.
    Live,
    /// Every configured bundle was activated once since OPA's start. Later failures do not change it.
    /// Without any bundle configured it holds at once.
    Bundles,
    /// Every plugin is ready; the bundle plugin is one of them.
    Plugins,
}

impl OpaClient {
    /// `GET /health`, `/health?bundles`, `/health?plugins`.
    ///
    /// # Errors
    /// [`OpaError::Unhealthy`] with OPA's words.
    pub async fn health(&self, scope: HealthScope) -> Result<(), OpaError> {
        let (endpoint, query) = match scope {
            HealthScope::Live => ("GET /health", None),
            HealthScope::Bundles => ("GET /health?bundles", Some("bundles")),
            HealthScope::Plugins => ("GET /health?plugins", Some("plugins")),
        };
        let call = Call::new(Method::GET, endpoint, segments(&["health"], []));
        self.call(Call {
            query: query.into_iter().collect(),
            ..call
        })
        .await?
        .done()
    }

    /// `GET /v1/config`: OPA's running configuration. OPA leaves credentials out, but not the `headers` of
    /// services, which may hold secrets: do not log it.
    pub async fn config(&self) -> Result<Value, OpaError> {
        #[derive(Deserialize)]
        struct Wrapped {
            result: Value,
        }
        let call = Call::new(Method::GET, "GET /v1/config", segments(&["v1", "config"], []));
        Ok(self.call(call).await?.json::<Wrapped>()?.result)
    }
}
