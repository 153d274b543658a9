//! The connections of all listeners together: who may open one.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ipnet::IpNet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::open_files;
use super::table::{Admitted, Ceilings, ConnectionId, Table};
use crate::app::App;
use crate::error::Error;
use crate::flows::networks;
use crate::model::network::NetworkVerdict;
use crate::model::operation::counted_network;

/// How often the log tells that connections were closed for want of a place.
const TELL_EVERY: Duration = Duration::from_secs(10);

/// The limit of open files leaves no connection for clients.
#[derive(Debug, thiserror::Error)]
#[error("the limit of open files leaves none for clients: raise it (ulimit -n, LimitNOFILE=) well beyond 256")]
pub struct TooFewFiles;

/// The open connections of all listeners, within `server.max_connections` and `server.max_connections_per_address`.
#[derive(Debug)]
pub struct Connections {
    pub(super) app: Arc<App>,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    table: Table,
    /// How many connections were closed since the log told of it.
    closed: u64,
    told: Option<Instant>,
}

impl Connections {
    /// Raises the limit of open files as far as the system allows, and lowers the ceiling to what it leaves.
    ///
    /// # Errors
    /// When it leaves nothing.
    pub fn new(app: Arc<App>) -> Result<Arc<Self>, TooFewFiles> {
        let settings = &app.config.server;
        let open_files = open_files::raise();
        let in_all = open_files::ceiling(settings.max_connections, open_files);
        if in_all == 0 {
            return Err(TooFewFiles);
        }
        if in_all < settings.max_connections {
            tracing::warn!(
                server.max_connections = settings.max_connections,
                ceiling = in_all,
                open_files,
                "the limit of open files allows fewer connections than server.max_connections"
            );
        }
        let table = Table::new(Ceilings { in_all, per_network: settings.max_connections_per_address });
        Ok(Arc::new(Self { app, state: Mutex::new(State { table, closed: 0, told: None }) }))
    }

    /// Admits a connection of this client, or has it closed: if its network is blocked, or holds its share already, or there are
    /// too many in all. Trusted proxies and allowed networks have no share of their own, because many clients stand behind them.
    pub(super) fn admit(self: &Arc<Self>, peer: SocketAddr) -> Option<Admission> {
        let network = self.share_of(peer).ok()?;
        let now = Instant::now();
        let mut state = self.state();
        let admitted = state.table.admit(network, now);
        self.app.metrics.connections(state.table.len());
        let Some(Admitted { connection_id, evicted }) = admitted else {
            state.note_closed(now);
            return None;
        };
        drop(state);
        Some(Admission { connections: self.clone(), connection_id, peer, evicted })
    }

    /// The network that a connection counts for, none if it is exempt. A trusted proxy is judged by its clients' addresses instead,
    /// call by call.
    fn share_of(&self, peer: SocketAddr) -> Result<Option<IpNet>, Error> {
        let address = peer.ip().to_canonical();
        if self.app.config.server.trusted_proxies.iter().any(|network| network.contains(&address)) {
            return Ok(None);
        }
        let verdict = networks::judge(&self.app, address)?;
        Ok((verdict == NetworkVerdict::Neutral).then(|| counted_network(address)))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn note_closed(&mut self, now: Instant) {
        self.closed += 1;
        if self.told.is_none_or(|told| now.saturating_duration_since(told) >= TELL_EVERY) {
            tracing::warn!(connections.closed = self.closed, "connections beyond the ceilings were closed");
            (self.closed, self.told) = (0, Some(now));
        }
    }
}

/// The place of a connection, which is free again when this is dropped.
#[derive(Debug)]
pub(super) struct Admission {
    connections: Arc<Connections>,
    connection_id: ConnectionId,
    /// The client's end.
    pub(super) peer: SocketAddr,
    /// Cancelled when the connection has to give way to another one.
    pub(super) evicted: CancellationToken,
}

impl Admission {
    /// The handshake is complete.
    pub(super) fn establish(&self) {
        self.connections.state().table.establish(self.connection_id);
    }
}

impl Drop for Admission {
    fn drop(&mut self) {
        let mut state = self.connections.state();
        state.table.release(self.connection_id);
        self.connections.app.metrics.connections(state.table.len());
    }
}
