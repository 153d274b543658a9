//! The running service: servers and jobs together, from the first call to the last.

use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tonic_health::ServingStatus;
use tonic_health::server::HealthReporter;

use crate::app::App;
use crate::flows::health::{REDIS, limits_degraded};
use crate::jobs::Jobs;
use crate::rpc::{self, HEALTH_NAMES, ServeError, Services};

/// How much longer than one statement of the database may what is left of a call take, once the calls are over.
const TASK_MARGIN: Duration = Duration::from_secs(5);

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
    let draining = app.draining.clone();
    let drained = CancellationToken::new();
    let health = services.health.clone();
    let jobs = Jobs::start(&app, (&health, &HEALTH_NAMES), &draining, drained.clone());
    let http = tokio::spawn(rpc::http::serve(app.clone(), http_listener, draining.clone()));
    let until_drained = draining.clone();
    let tasks = app.tasks.clone();
    let longest = app.config.database.statement_timeout.saturating_add(TASK_MARGIN);
    tokio::spawn(async move { drain_when(&app, told_to_stop, health, until_drained).await });

    let served = rpc::serve(services, listener, draining.clone()).await;
    draining.cancel();
    tasks.close();
    // What it waits for ends by itself, unless the database does not answer any more.
    if tokio::time::timeout(longest, tasks.wait()).await.is_err() {
        tracing::warn!("gave up waiting for what was left of calls");
    }
    drained.cancel();
    jobs.stopped().await;
    // Until here it said that the service is draining; nobody waits for it.
    http.abort();
    served
}

async fn drain_when(
    app: &App,
    told_to_stop: impl Future<Output = ()>,
    health: HealthReporter,
    draining: CancellationToken,
) {
    tokio::select! {
        () = told_to_stop => {}
        () = draining.cancelled() => return,
    }
    tracing::info!("told to stop; finishing the calls that are running");
    draining.cancel();
    let watches_redis = limits_degraded(app).is_some();
    let names = HEALTH_NAMES.into_iter().chain(watches_redis.then_some(REDIS));
    for name in names.clone() {
        health.set_service_status(name, ServingStatus::NotServing).await;
    }
    // Ends the streams of those who watch, once they have been told: an open stream would keep the server from ending.
    let mut health = health;
    for name in names {
        health.clear_service_status(name).await;
    }
}
