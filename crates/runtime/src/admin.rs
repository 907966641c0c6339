//! The admin port of a long-running tool: `/livez`, `/readyz`, `/healthz`, `/metrics`, and the tool's own endpoints.
//!
//! - `/livez`: 200 unless the heartbeat ([`Health::beat`]) is too old; the orchestrator restarts on failure.
//! - `/readyz`: 200 when ready; 503 with the reasons until then and while draining.
//! - `/healthz`: 200 when both are.
//! - `/metrics`: OpenMetrics text with the tool's registry, `build_info` and the process.

mod bearer;
mod health;
mod metrics;

pub use bearer::require_bearer;
pub use health::Health;

use crate::build_info::BuildInfo;
use crate::server::{self, BindError, Bound, Limits};
use crate::shutdown::Shutdown;
use axum::Router;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use prometheus_client::registry::Registry;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

/// How the admin port behaves.
#[derive(Debug, Clone, Copy)]
pub struct AdminOptions {
    /// Who we are, for `build_info`.
    pub build: BuildInfo,
    /// The option that the address comes from, for the error when it cannot be bound.
    pub option: &'static str,
    /// What clients may do.
    pub limits: Limits,
}

impl AdminOptions {
    /// Defaults for the tool that `build` names: `AdminOptions::new(runtime::build_info!())`.
    pub fn new(build: BuildInfo) -> Self {
        Self {
            build,
            option: "--admin-listen",
            limits: Limits::default(),
        }
    }
}

/// The admin port, bound and not yet served.
#[derive(Debug)]
pub struct AdminServer {
    bound: Bound,
    options: AdminOptions,
}

impl AdminServer {
    /// Takes the port. To be called before any other work; works outside the async runtime.
    ///
    /// # Errors
    /// The port is taken, or the address is not allowed or not ours.
    pub fn bind(addr: SocketAddr, options: AdminOptions) -> Result<Self, BindError> {
        Ok(Self {
            bound: server::bind(addr, options.option)?,
            options,
        })
    }

    /// The address with its real port.
    pub fn local_addr(&self) -> SocketAddr {
        self.bound.local_addr()
    }

    /// Serves until [`Shutdown::over`]; so the tool calls [`Shutdown::finish`] when its work is done.
    /// `extra` answers every path that is not one of the four.
    ///
    /// # Errors
    /// The runtime cannot take the socket over.
    pub async fn serve(
        self,
        health: Health,
        registry: Arc<Registry>,
        extra: Router,
        shutdown: Shutdown,
    ) -> io::Result<()> {
        let router = router(health, registry, extra, self.options.build, shutdown.clone());
        self.bound.serve(router, self.options.limits, shutdown).await
    }
}

fn router(health: Health, registry: Arc<Registry>, extra: Router, build: BuildInfo, shutdown: Shutdown) -> Router {
    let own = Arc::new(metrics::own_registry(build));
    let probe = move |which: fn(&Health, bool) -> Vec<String>| {
        let (health, shutdown) = (health.clone(), shutdown.clone());
        get(move || async move { answer(&which(&health, shutdown.is_draining())) })
    };
    Router::new()
        .route("/livez", probe(|health, _| health.not_alive()))
        .route("/readyz", probe(Health::not_ready))
        .route(
            "/healthz",
            probe(|health, draining| [health.not_alive(), health.not_ready(draining)].concat()),
        )
        .route("/metrics", get(move || async move { metrics::render(&own, &registry) }))
        // Not `merge`: that panics when both have the same path.
        .fallback_service(extra)
}

/// 200 without reasons, 503 with them.
fn answer(reasons: &[String]) -> Response {
    let (status, body) = if reasons.is_empty() {
        (StatusCode::OK, serde_json::json!({ "status": "ok" }))
    } else {
        (
            StatusCode::SERVICE_UNAVAILABLE,
            serde_json::json!({ "status": "unavailable", "reasons": reasons }),
        )
    };
    (status, [(header::CACHE_CONTROL, "no-store")], axum::Json(body)).into_response()
}
