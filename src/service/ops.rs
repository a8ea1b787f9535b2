//! The ops listener: what a kubelet and a scraper ask. No ids, no decisions.

use std::{sync::Arc, time::Duration};

use axum::{
    http::{
        HeaderMap, StatusCode,
        header::{ACCEPT, CONTENT_TYPE},
    },
    response::IntoResponse,
    routing::get,
};
use tonic::service::Routes;

use super::{
    health::HealthService, proto::health_v1::health_server::HealthServer, staleness::Stale, stream::Drain,
    worker::Workers,
};
use crate::{
    observe::metrics::{Exposition, Metrics},
    snapshot::Store,
};

/// How long a worker may take to answer a ping.
const PATIENCE: Duration = Duration::from_secs(1);
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
const TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";

/// What the ops page looks at.
#[derive(Debug, Clone)]
pub struct Liveness {
    /// Alive while each answers.
    pub workers: Arc<Workers>,
    /// Ready while it holds a snapshot.
    pub store: Arc<Store>,
    /// With `deny`, not ready while that snapshot is stale.
    pub stale: Stale,
    /// Not ready from the first moment of shutdown.
    pub drain: Drain,
    /// What a scraper gets.
    pub metrics: Arc<Metrics>,
}

/// `/livez`, `/readyz`, `/metrics`, and gRPC health.
pub fn ops_routes(liveness: Liveness, health: HealthService) -> Routes {
    let live = Arc::new(liveness);
    let (ready, metrics) = (Arc::clone(&live), Arc::clone(&live));
    let router = Routes::new(HealthServer::new(health))
        .into_axum_router()
        .route(
            "/livez",
            get(async move || {
                if live.workers.all_answer(PATIENCE).await {
                    (StatusCode::OK, "ok\n")
                } else {
                    (StatusCode::SERVICE_UNAVAILABLE, "a worker does not answer\n")
                }
            }),
        )
        .route("/readyz", get(async move || readiness(&ready)))
        .route(
            "/metrics",
            get(async move |headers: HeaderMap| {
                let (kind, exposition) = wanted(&headers);
                ([(CONTENT_TYPE, kind)], metrics.metrics.expose(exposition)).into_response()
            }),
        );
    Routes::from(router).prepare()
}

/// What a scraper asks for; one that does not name `OpenMetrics` may not know it.
fn wanted(headers: &HeaderMap) -> (&'static str, Exposition) {
    let accepted = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
    if accepted.flat_map(|value| value.split(',')).any(|kind| kind.trim().starts_with("application/openmetrics-text")) {
        (OPEN_METRICS, Exposition::OpenMetrics)
    } else {
        (TEXT, Exposition::Text)
    }
}

fn readiness(state: &Liveness) -> (StatusCode, &'static str) {
    if *state.drain.borrow() {
        (StatusCode::SERVICE_UNAVAILABLE, "shutting down\n")
    } else if state.stale == Stale::Deny && state.store.status().stale {
        (StatusCode::SERVICE_UNAVAILABLE, "the policy snapshot is older than it may be\n")
    } else if state.store.read(|live| live.is_some()) {
        (StatusCode::OK, "ok\n")
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "no policy snapshot is loaded yet\n")
    }
}
