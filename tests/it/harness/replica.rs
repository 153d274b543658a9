//! One replica of the service, put together as `keyward serve` does it.
//!
//! It has a runtime of its own: its calls run truly at once, and it can be ended in the middle of them.

use std::net::SocketAddr;
use std::sync::Arc;

use keyward::app::App;
use keyward::clock::MockClock;
use keyward::config::Config;
use keyward::rpc::ServeError;
use keyward::service;
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
    told_to_stop: CancellationToken,
    serving: JoinHandle<Result<(), ServeError>>,
    channel: Channel,
}

impl Replica {
    /// Starts one; at `address`, where it was before, or at a free port.
    pub(super) async fn start(settings: &Settings, clock: Arc<MockClock>, address: Option<SocketAddr>) -> Self {
        let config = settings.load();
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let told_to_stop = CancellationToken::new();
        let starting = runtime.spawn(serve(config, clock, address, told_to_stop.clone()));
        let running = within_patience("the service to start", starting).await.unwrap();
        let Running { app, address, http_address, serving } = running;
        let endpoint = Endpoint::from_shared(format!("http://{address}")).unwrap().user_agent(USER_AGENT).unwrap();
        let channel = endpoint.connect_lazy();
        Self { runtime: Some(runtime), app, address, http_address, told_to_stop, serving, channel }
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

    /// Tells it to stop, as SIGTERM does: what is running goes on, and health says that nothing new should come.
    pub(crate) fn drain(&self) {
        self.told_to_stop.cancel();
    }

    /// Stops it as SIGTERM does, and waits for its end.
    pub(crate) async fn stop(mut self) {
        self.drain();
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

/// What has been put together on the runtime of a replica.
struct Running {
    app: Arc<App>,
    address: SocketAddr,
    http_address: SocketAddr,
    serving: JoinHandle<Result<(), ServeError>>,
}

/// Puts the service together and lets it run until it is told to stop.
async fn serve(
    config: Config,
    clock: Arc<MockClock>,
    address: Option<SocketAddr>,
    told_to_stop: CancellationToken,
) -> Running {
    let listener = TcpListener::bind(address.unwrap_or(config.server.listen)).await.unwrap();
    let http_listener = TcpListener::bind(config.server.http_listen).await.unwrap();
    let (address, http_address) = (listener.local_addr().unwrap(), http_listener.local_addr().unwrap());
    let app = App::start(config, clock).await.unwrap();
    let until_told = service::run(app.clone(), listener, http_listener, told_to_stop.cancelled_owned());
    Running { app, address, http_address, serving: tokio::spawn(until_told) }
}
