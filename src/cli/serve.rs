//! `keyward serve`: the service, from configuration to the last call.

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::net::TcpListener;

use super::stopping::StopSignals;
use super::{Failure, logging, print};
use crate::app::{self, App};
use crate::clock::SystemClock;
use crate::config::Config;
use crate::service;

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
    let told_to_stop = told_to_stop(StopSignals::listen()?);
    print(&format!("listening on {address}\n"))?;
    tracing::info!(server.address = %address, version = env!("CARGO_PKG_VERSION"), "the service is ready");
    service::run(app, listener, http_listener, told_to_stop).await?;
    tracing::info!("the service has stopped");
    Ok(())
}

async fn bind(key: &str, address: SocketAddr) -> Result<TcpListener, Failure> {
    TcpListener::bind(address).await.map_err(|error| format!("cannot listen on {key} = {address}: {error}").into())
}

/// Waits for SIGTERM or SIGINT. A second one does not wait for calls: it ends the process.
async fn told_to_stop(mut signals: StopSignals) {
    signals.next().await;
    tokio::spawn(async move {
        signals.next().await;
        tracing::warn!("told to stop again; not waiting any longer");
        std::process::exit(1);
    });
}
