//! `[server]`: listeners, proxies and the limits of the service itself.

use std::net::SocketAddr;
use std::time::Duration;

use ipnet::IpNet;
use serde::Deserialize;
use serde::de::{Deserializer, Error};

use super::duration;
use super::problems::Problems;
use crate::model::network::Network;

/// Listeners, proxies and the limits of the service itself.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Server {
    /// Where gRPC is served; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Where JWKS, metrics and health are served over plain HTTP; port 0 takes a free one.
    pub http_listen: SocketAddr,
    /// The networks of proxies whose `x-forwarded-for` is believed.
    #[serde(deserialize_with = "networks")]
    pub trusted_proxies: Vec<IpNet>,
    /// Whether the gRPC reflection service answers.
    pub reflection: bool,
    /// The largest request message, in bytes.
    pub max_message_bytes: usize,
    /// The longest that a unary call may take.
    #[serde(deserialize_with = "duration::deserialize")]
    pub request_timeout: Duration,
    /// How many calls are worked on at once, over all connections.
    pub max_concurrent_requests: usize,
    /// How many calls one HTTP/2 connection may have open at once.
    pub max_streams_per_connection: u32,
    /// How many connections may be open, over all listeners.
    pub max_connections: usize,
    /// How many connections may be open from one IPv4 address or IPv6 /64, unless it is a trusted proxy's or allowed.
    pub max_connections_per_address: usize,
    /// How long a client may take until its preface and SETTINGS, or the head of its first request, have arrived.
    #[serde(deserialize_with = "duration::deserialize")]
    pub handshake_timeout: Duration,
    /// How old a connection becomes, a tenth more or less, before its client is told to open another one.
    #[serde(deserialize_with = "duration::deserialize")]
    pub max_connection_age: Duration,
    /// How long the calls of such a connection may go on.
    #[serde(deserialize_with = "duration::deserialize")]
    pub max_connection_age_grace: Duration,
    /// How long the listeners stay open after the order to stop, while readiness is off.
    #[serde(deserialize_with = "duration::deserialize")]
    pub drain_delay: Duration,
    /// How long calls in flight may go on after the order to stop.
    #[serde(deserialize_with = "duration::deserialize")]
    pub shutdown_grace: Duration,
}

impl Server {
    pub(super) fn check(&self, problems: &mut Problems) {
        let same = self.listen == self.http_listen && self.listen.port() != 0;
        problems.require(!same, "server.http_listen", "must not be the address of server.listen");
        problems.number("server.max_message_bytes", self.max_message_bytes, 1024..=16_777_216);
        let timeouts = Duration::from_millis(100)..=Duration::from_mins(5);
        problems.span("server.request_timeout", self.request_timeout, timeouts);
        problems.number("server.max_concurrent_requests", self.max_concurrent_requests, 1..=1_000_000);
        problems.number("server.max_streams_per_connection", self.max_streams_per_connection, 1..=1_000_000);
        problems.number("server.max_connections", self.max_connections, 1..=1_000_000);
        problems.number("server.max_connections_per_address", self.max_connections_per_address, 1..=1_000_000);
        let handshake = Duration::from_millis(100)..=Duration::from_mins(1);
        problems.span("server.handshake_timeout", self.handshake_timeout, handshake);
        let age = Duration::from_secs(1)..=Duration::from_hours(24);
        problems.span("server.max_connection_age", self.max_connection_age, age);
        let age_grace = Duration::ZERO..=Duration::from_hours(1);
        problems.span("server.max_connection_age_grace", self.max_connection_age_grace, age_grace);
        problems.span("server.drain_delay", self.drain_delay, Duration::ZERO..=Duration::from_mins(10));
        problems.span("server.shutdown_grace", self.shutdown_grace, Duration::ZERO..=Duration::from_mins(10));
    }
}

/// Reads networks and single addresses by the same rules as network rules are read.
fn networks<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<IpNet>, D::Error> {
    let parse = |text: String| {
        let network = text.parse::<Network>().map(Network::net);
        network.map_err(|reason| D::Error::custom(format!("`{text}` {reason}")))
    };
    Vec::<String>::deserialize(deserializer)?.into_iter().map(parse).collect()
}
