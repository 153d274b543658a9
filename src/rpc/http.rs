//! The HTTP port: liveness, readiness and metrics for the platform that the service runs on, and the public keys for whoever
//! verifies access tokens.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderName};
use axum::http::{Request, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde_json::json;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tonic::body::Body;
use tower::ServiceExt;

use super::listen::{Acceptor, Connections, Stack};
use crate::app::App;
use crate::flows::health;
use crate::metrics;

/// For how long the public keys may be kept on the way. A key is published a day before it signs, but for one that an
/// administrator has made sign at once.
const JWKS_CACHE_CONTROL: &str = "public, max-age=300";

/// Serves until `ended`. `/healthz` says that the process runs, `/readyz` that it can serve calls: not from `leaving` on.
/// `/metrics` is for Prometheus, and `/.well-known/jwks.json` is what access tokens are verified with.
pub async fn serve(
    app: Arc<App>,
    listener: TcpListener,
    connections: Arc<Connections>,
    leaving: CancellationToken,
    ended: CancellationToken,
) {
    let router = Router::new()
        .route("/healthz", get(async || (StatusCode::OK, "ok\n")))
        .route("/readyz", get(readyz))
        .route("/metrics", get(metrics))
        .route("/.well-known/jwks.json", get(jwks))
        .with_state((app, leaving));
    let stack = ServiceExt::<Request<Body>>::map_response(router, |response: Response| response.map(Body::new));
    let acceptor = Acceptor::http1(Stack::new(stack), connections, ended);
    acceptor.accept(listener).await;
    acceptor.cut();
}

/// The key set of RFC 7517, under its media type.
async fn jwks(State((app, _)): State<(Arc<App>, CancellationToken)>) -> ([(HeaderName, &'static str); 2], String) {
    let keys = app.keys.current();
    let set = json!({ "keys": keys.published(app.clock.now()) });
    ([(CONTENT_TYPE, "application/jwk-set+json"), (CACHE_CONTROL, JWKS_CACHE_CONTROL)], set.to_string())
}

async fn readyz(State((app, leaving)): State<(Arc<App>, CancellationToken)>) -> (StatusCode, &'static str) {
    if leaving.is_cancelled() {
        return (StatusCode::SERVICE_UNAVAILABLE, "draining\n");
    }
    if !health::is_ready(&app) {
        return (StatusCode::SERVICE_UNAVAILABLE, "the database is unavailable\n");
    }
    match health::limits_degraded(&app) {
        Some(true) => (StatusCode::OK, "ready, degraded: Redis is away\n"),
        _ => (StatusCode::OK, "ready\n"),
    }
}

async fn metrics(State((app, _)): State<(Arc<App>, CancellationToken)>) -> impl IntoResponse {
    match app.metrics.render() {
        Ok(text) => (StatusCode::OK, [(CONTENT_TYPE, metrics::CONTENT_TYPE)], text),
        Err(_) => (StatusCode::INTERNAL_SERVER_ERROR, [(CONTENT_TYPE, "text/plain")], String::new()),
    }
}
