//! The HTTP port for the platform that the service runs on: liveness, readiness and metrics.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::app::App;
use crate::flows::health;
use crate::metrics;

/// Serves until it is dropped. `/healthz` says that the process runs, `/readyz` that it can serve calls: not while
/// `draining`. `/metrics` is for Prometheus.
///
/// # Errors
/// When the listener fails.
pub async fn serve(app: Arc<App>, listener: TcpListener, draining: CancellationToken) -> Result<(), std::io::Error> {
    let router = Router::new()
        .route("/healthz", get(async || (StatusCode::OK, "ok\n")))
        .route("/readyz", get(readyz))
        .route("/metrics", get(metrics))
        .with_state((app, draining));
    axum::serve(listener, router).await
}

async fn readyz(State((app, draining)): State<(Arc<App>, CancellationToken)>) -> (StatusCode, &'static str) {
    if draining.is_cancelled() {
        return (StatusCode::SERVICE_UNAVAILABLE, "draining\n");
    }
    match health::check(&app).await {
        Ok(()) if health::limits_degraded(&app) == Some(true) => (StatusCode::OK, "ready, degraded: Redis is away\n"),
        Ok(()) => (StatusCode::OK, "ready\n"),
        Err(_) => (StatusCode::SERVICE_UNAVAILABLE, "the database is unavailable\n"),
    }
}

async fn metrics(State((app, _)): State<(Arc<App>, CancellationToken)>) -> impl IntoResponse {
    match app.metrics.render() {
        Ok(text) => (StatusCode::OK, [(header::CONTENT_TYPE, metrics::CONTENT_TYPE)], text),
        Err(_) => (StatusCode::INTERNAL_SERVER_ERROR, [(header::CONTENT_TYPE, "text/plain")], String::new()),
    }
}
