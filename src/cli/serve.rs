//! `keyward serve`: the service, from configuration to the last call.

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::net::TcpListener;

use super::stopping::StopSignals;
use super::{Failure, logging, print};
use crate::app::App;
use crate::clock::SystemClock;
use crate::config::Config;
use crate::{database, service};

pub(super) async fn run(load: impl FnOnce() -> Result<Config, Failure>) -> Result<(), Failure> {
    // First of all: process 1 never gets a signal that it does not listen to.
    let mut signals = StopSignals::listen()?;
    let config = load()?;
    logging::start(&config.log)?;
    let started = tokio::select! {
        biased;
        () = signals.next() => None,
        started = start(config) => Some(started?),
    };
    let Some(Started { app, listener, http_listener }) = started else {
        tracing::info!("told to stop while starting");
        return Ok(());
    };
    let address = listener.local_addr()?;
    announce(format!("listening on {address}\n"))?;
    tracing::info!(server.address = %address, version = env!("CARGO_PKG_VERSION"), "the service is ready");
    service::run(app, listener, http_listener, told_to_stop(signals)).await?;
    tracing::info!("the service has stopped");
    Ok(())
}

/// What is there when the service can take calls.
struct Started {
    app: Arc<App>,
    listener: TcpListener,
    http_listener: TcpListener,
}

async fn start(config: Config) -> Result<Started, Failure> {
    config.require_for_serve()?;
    for warning in config.warnings() {
        tracing::warn!("{warning}");
    }
    database::prepare(&config).await?;
    let listener = bind("server.listen", config.server.listen).await?;
    let http_listener = bind("server.http_listen", config.server.http_listen).await?;
    let app = App::start(config, Arc::new(SystemClock)).await?;
    Ok(Started { app, listener, http_listener })
}

/// Prints a line for whoever started the service, without waiting for a reader.
fn announce(line: String) -> Result<(), Failure> {
    std::thread::Builder::new().name("stdout".to_owned()).spawn(move || {
        if let Err(error) = print(&line) {
            tracing::warn!(error, "standard output cannot be written to");
        }
    })?;
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
        logging::flush();
        std::process::exit(1);
    });
}
