//! `keyward serve`: the service, from configuration to the last call.

use std::sync::Arc;

use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tonic_health::ServingStatus;

use super::{Failure, logging, print};
use crate::app::{self, App};
use crate::clock::SystemClock;
use crate::config::Config;
use crate::jobs::Jobs;
use crate::rpc::{self, HEALTH_NAMES, Services};

pub(super) async fn run(config: Config) -> Result<(), Failure> {
    logging::start(&config.log)?;
    config.require_for_serve()?;
    for warning in config.warnings() {
        tracing::warn!("{warning}");
    }
    if config.database.migrate {
        for migration in app::migrate(&config).await? {
            tracing::info!(migration, "a migration was applied");
        }
    }
    let listener = bind("server.listen", config.server.listen).await?;
    let http_listener = bind("server.http_listen", config.server.http_listen).await?;
    let address = listener.local_addr()?;
    let app = App::start(config, Arc::new(SystemClock)).await?;
    let services = Services::new(app.clone())?;

    let draining = CancellationToken::new();
    let stopping = CancellationToken::new();
    let health = services.health.clone();
    let jobs = Jobs::start(&app, &health, &draining, stopping.clone());
    let http = tokio::spawn(rpc::http::serve(app, http_listener, draining.clone()));
    tokio::spawn(drain_when_told(health, draining.clone())?);
    print(&format!("listening on {address}\n"))?;
    tracing::info!(server.address = %address, version = env!("CARGO_PKG_VERSION"), "the service is ready");

    let served = rpc::serve(services, listener, draining.clone()).await;
    draining.cancel();
    stopping.cancel();
    jobs.stopped().await;
    served?;
    http.await??;
    tracing::info!("the service has stopped");
    Ok(())
}

async fn bind(key: &str, address: std::net::SocketAddr) -> Result<TcpListener, Failure> {
    TcpListener::bind(address).await.map_err(|error| format!("cannot listen on {key} = {address}: {error}").into())
}

/// On SIGTERM or SIGINT, says that the service will not serve any more, then lets it finish. A second signal does what it
/// does by default: it ends the process.
fn drain_when_told(
    health: tonic_health::server::HealthReporter,
    draining: CancellationToken,
) -> Result<impl Future<Output = ()>, Failure> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        tracing::info!("told to stop; finishing the calls that are running");
        draining.cancel();
        for name in HEALTH_NAMES {
            health.set_service_status(name, ServingStatus::NotServing).await;
        }
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        tracing::warn!("told to stop again; not waiting any longer");
        std::process::exit(1);
    })
}
