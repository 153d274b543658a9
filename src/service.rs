//! The running service: servers and jobs together, from the first call to the last.

use std::sync::Arc;

use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tonic_health::ServingStatus;
use tonic_health::server::HealthReporter;

use crate::app::App;
use crate::jobs::Jobs;
use crate::rpc::{self, HEALTH_NAMES, ServeError, Services};

/// Serves on these listeners until `told_to_stop`, then drains: says that it will not serve any more, lets the calls that are
/// running finish within `server.shutdown_grace`, and stops the jobs after them.
///
/// # Errors
/// When a server fails. Being told to stop is not a failure.
pub async fn run(
    app: Arc<App>,
    listener: TcpListener,
    http_listener: TcpListener,
    told_to_stop: impl Future<Output = ()> + Send + 'static,
) -> Result<(), ServeError> {
    let services = Services::new(app.clone())?;
    let draining = CancellationToken::new();
    let drained = CancellationToken::new();
    let health = services.health.clone();
    let jobs = Jobs::start(&app, (&health, &HEALTH_NAMES), &draining, drained.clone());
    let http = tokio::spawn(rpc::http::serve(app, http_listener, draining.clone()));
    tokio::spawn(drain_when(told_to_stop, health, draining.clone()));

    let served = rpc::serve(services, listener, draining.clone()).await;
    draining.cancel();
    drained.cancel();
    jobs.stopped().await;
    // Until here it said that the service is draining; nobody waits for it.
    http.abort();
    served
}

async fn drain_when(told_to_stop: impl Future<Output = ()>, health: HealthReporter, draining: CancellationToken) {
    tokio::select! {
        () = told_to_stop => {}
        () = draining.cancelled() => return,
    }
    tracing::info!("told to stop; finishing the calls that are running");
    draining.cancel();
    for name in HEALTH_NAMES {
        health.set_service_status(name, ServingStatus::NotServing).await;
    }
    // Ends the streams of those who watch, once they have been told: an open stream would keep the server from ending.
    let mut health = health;
    for name in HEALTH_NAMES {
        health.clear_service_status(name).await;
    }
}
