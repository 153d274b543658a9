//! One replica of the service, put together as `keyward serve` does it.
//!
//! It has a runtime of its own: its calls run truly at once, and it can be ended in the middle of them.

use std::net::SocketAddr;
use std::sync::Arc;

use keyward::app::App;
use keyward::clock::MockClock;
use keyward::jobs::Jobs;
use keyward::rpc::{self, ServeError, Services};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tonic::transport::{Channel, Endpoint};

use super::device::Device;
use super::settings::Settings;
use super::{PATIENCE, within_patience};

/// What test clients call themselves.
const USER_AGENT: &str = "keyward-tests/1";

/// A running replica.
pub(crate) struct Replica {
    runtime: Option<Runtime>,
    /// Its parts.
    pub(crate) app: Arc<App>,
    /// Where it serves gRPC.
    pub(crate) address: SocketAddr,
    /// Where it serves plain HTTP.
    pub(crate) http_address: SocketAddr,
    shutdown: CancellationToken,
    serving: JoinHandle<Result<(), ServeError>>,
    channel: Channel,
}

impl Replica {
    /// Starts one; at `address`, where it was before, or at a free port.
    pub(super) async fn start(settings: &Settings, clock: Arc<MockClock>, address: Option<SocketAddr>) -> Self {
        let config = settings.load();
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let shutdown = CancellationToken::new();
        let stop = shutdown.clone();
        let started = runtime.spawn(async move {
            let listener = TcpListener::bind(address.unwrap_or(config.server.listen)).await.unwrap();
            let http_listener = TcpListener::bind(config.server.http_listen).await.unwrap();
            let (address, http_address) = (listener.local_addr().unwrap(), http_listener.local_addr().unwrap());
            let app = App::start(config, clock).await.unwrap();
            let services = Services::new(app.clone()).unwrap();
            let jobs = Jobs::start(&app, &services.health, &stop, stop.clone());
            let http = tokio::spawn(rpc::http::serve(app.clone(), http_listener, stop.clone()));
            let serving = tokio::spawn(async move {
                let served = rpc::serve(services, listener, stop).await;
                jobs.stopped().await;
                http.await.unwrap().unwrap();
                served
            });
            (app, address, http_address, serving)
        });
        let (app, address, http_address, serving) = within_patience("the service to start", started).await.unwrap();
        let endpoint = Endpoint::from_shared(format!("http://{address}")).unwrap().user_agent(USER_AGENT).unwrap();
        let channel = endpoint.connect_lazy();
        Self { runtime: Some(runtime), app, address, http_address, shutdown, serving, channel }
    }

    /// An installation of a client, signed in as nobody, that calls this replica.
    pub(crate) fn device(&self, device_id: &str) -> Device {
        self.stranger().with("device-id", device_id)
    }

    /// A client of this replica that names no device.
    pub(crate) fn stranger(&self) -> Device {
        Device::new(self.channel.clone())
    }

    /// Connections to this replica.
    pub(crate) fn channel(&self) -> Channel {
        self.channel.clone()
    }

    /// Stops it as SIGTERM does, and waits for its end.
    pub(crate) async fn stop(mut self) {
        self.shutdown.cancel();
        within_patience("the service to stop", &mut self.serving).await.unwrap().unwrap();
        self.kill().await;
    }

    /// Ends it in the middle of whatever it does: every task is dropped where it stands.
    pub(crate) async fn kill(mut self) {
        let runtime = self.runtime.take().unwrap();
        tokio::task::spawn_blocking(move || runtime.shutdown_timeout(PATIENCE)).await.unwrap();
    }
}

impl Drop for Replica {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}
