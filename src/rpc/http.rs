//! The HTTP port for the platform that the service runs on: liveness and readiness.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::app::App;
use crate::flows::health;

/// Serves until it is dropped. `/healthz` says that the process runs, `/readyz` that it can serve calls: not while
/// `draining`.
///
/// # Errors
/// When the listener fails.
pub async fn serve(app: Arc<App>, listener: TcpListener, draining: CancellationToken) -> Result<(), std::io::Error> {
    let router = Router::new()
        .route("/healthz", get(async || (StatusCode::OK, "ok\n")))
        .route("/readyz", get(readyz))
        .with_state((app, draining));
    axum::serve(listener, router).await
}

async fn readyz(State((app, draining)): State<(Arc<App>, CancellationToken)>) -> (StatusCode, &'static str) {
    if draining.is_cancelled() {
        return (StatusCode::SERVICE_UNAVAILABLE, "draining\n");
    }
    match health::check(&app).await {
        Ok(()) => (StatusCode::OK, "ready\n"),
        Err(_) => (StatusCode::SERVICE_UNAVAILABLE, "the database is unavailable\n"),
    }
}
