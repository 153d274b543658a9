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
use crate::rpc::{self, Connections, HEALTH_NAMES, ServeError, Services};

/// How much longer than one statement of the database may what is left of a call take, once the calls are over.
const TASK_MARGIN: Duration = Duration::from_secs(5);

/// Serves on these listeners until `told_to_stop`, then drains: says that it will not serve any more, serves on for
/// `server.drain_delay`, lets the calls that are running finish within `server.shutdown_grace`, and stops the jobs after them.
///
/// # Errors
/// When the server cannot be made. Being told to stop is not a failure.
pub async fn run(
    app: Arc<App>,
    listener: TcpListener,
    http_listener: TcpListener,
    told_to_stop: impl Future<Output = ()> + Send + 'static,
) -> Result<(), ServeError> {
    let services = Services::new(app.clone())?;
    let connections = Connections::new(app.clone())?;
    let draining = app.draining.clone();
    let (leaving, drained, ended) = (CancellationToken::new(), CancellationToken::new(), CancellationToken::new());
    let health = services.health.clone();
    // What has just been loaded came from the database.
    for name in HEALTH_NAMES {
        health.set_service_status(name, ServingStatus::Serving).await;
    }
    let jobs = Jobs::start(&app, (&health, &HEALTH_NAMES), &leaving, drained.clone());
    let http = rpc::http::serve(app.clone(), http_listener, connections.clone(), leaving.clone(), ended.clone());
    tokio::spawn(http);
    let tasks = app.tasks.clone();
    let longest = app.config.database.statement_timeout.saturating_add(TASK_MARGIN);
    // A mail that is being sent is sent to its end.
    let longest_job = longest.max(app.config.mail.timeout.saturating_add(TASK_MARGIN));
    tokio::spawn(async move { drain_when(&app, told_to_stop, health, leaving).await });

    rpc::serve(services, listener, connections, draining).await;
    tasks.close();
    // What it waits for ends by itself, unless the database does not answer any more.
    if tokio::time::timeout(longest, tasks.wait()).await.is_err() {
        tracing::warn!("gave up waiting for what was left of calls");
    }
    drained.cancel();
    if tokio::time::timeout(longest_job, jobs.stopped()).await.is_err() {
        tracing::warn!("gave up waiting for the jobs to end");
    }
    // Until here it said that the service is draining; nobody waits for it.
    ended.cancel();
    Ok(())
}

async fn drain_when(
    app: &App,
    told_to_stop: impl Future<Output = ()>,
    health: HealthReporter,
    leaving: CancellationToken,
) {
    told_to_stop.await;
    leaving.cancel();
    let watches_redis = limits_degraded(app).is_some();
    let names = HEALTH_NAMES.into_iter().chain(watches_redis.then_some(REDIS));
    for name in names.clone() {
        health.set_service_status(name, ServingStatus::NotServing).await;
    }
    let delay = app.config.server.drain_delay;
    if !delay.is_zero() {
        tracing::info!(delay_s = delay.as_secs_f64(), "told to stop; not ready any more, and serving on for a while");
        tokio::time::sleep(delay).await;
    }
    tracing::info!("told to stop; finishing the calls that are running");
    app.draining.cancel();
    // Ends the streams of those who watch, once they have been told: an open stream would keep the server from ending.
    let mut health = health;
    for name in names {
        health.clear_service_status(name).await;
    }
}
