//! `keyward health`: for container platforms that probe by running a command.

use std::net::SocketAddr;
use std::time::Duration;

use tonic::transport::Endpoint;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;

use super::{Failure, print};
use crate::config::Config;

/// How long the service may take to answer.
const PATIENCE: Duration = Duration::from_secs(3);

/// Whom to ask, and about what.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The address of the service; that of the configuration without it.
    #[arg(long, value_name = "HOST:PORT")]
    address: Option<SocketAddr>,
    /// One of its services, such as `keyward.v1.AuthService`; the server as a whole without it.
    #[arg(long, default_value = "", hide_default_value = true)]
    service: String,
}

pub(super) async fn run(config: Config, arguments: Arguments) -> Result<(), Failure> {
    let address = arguments.address.unwrap_or(config.server.listen);
    let endpoint = Endpoint::from_shared(format!("http://{address}"))?.connect_timeout(PATIENCE).timeout(PATIENCE);
    let mut client = HealthClient::new(endpoint.connect().await?);
    let answer = client.check(HealthCheckRequest { service: arguments.service }).await?.into_inner();
    print(&format!("{}\n", answer.status().as_str_name()))?;
    if answer.status() == ServingStatus::Serving { Ok(()) } else { Err("the service cannot serve".into()) }
}
