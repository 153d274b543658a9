//! The database server as the start finds it, before there is a pool: whether it answers, what it is, and what is in front
//! of it.
//!
//! Asked over connections of its own, and by the simple protocol, because a pooler may not know prepared statements.

mod pooler;

use std::time::Duration;

use chrono::DateTime;
use diesel::migration::MigrationSource;
use diesel::pg::Pg;
use secrecy::{ExposeSecret, SecretString};
use tokio::time::Instant;
use tokio_postgres::error::SqlState;
use tokio_postgres::{SimpleQueryMessage, SimpleQueryRow};

use super::connect::{BareClient, ConnectError, Connector, Unreachable};
use crate::clock::{Clock, SystemClock};
use crate::config::Database;
use crate::policy::clock_skew::ClockReading;

pub use pooler::{PoolerUnsupported, Pooling};

/// What the encoding of a database has to be.
const ENCODING: &str = "UTF8";

/// The server's encoding, whether it takes writes, and its time in microseconds since 1970.
const STATE: &str = "SELECT current_setting('server_encoding'),
    pg_is_in_recovery() OR current_setting('transaction_read_only')::boolean,
    (extract(epoch FROM clock_timestamp()) * 1000000)::bigint";

const APPLIED: &str = "SELECT version FROM __diesel_schema_migrations";

/// Why the server could not be asked.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// It knows no such database or user, or wants another password: waiting does not help.
    #[error("the database refuses the connection")]
    Refused(#[source] Unreachable),
    /// It is away, starting, or has no connection to spare.
    #[error("the database could not be connected to")]
    Unconnected(#[source] Unreachable),
    /// It was connected to, and could not be asked.
    #[error("the database could not be asked")]
    Unreachable(#[source] tokio_postgres::Error),
    /// It did not answer in time.
    #[error("the database did not answer within {0:?}")]
    Silent(Duration),
    /// The program's own migrations cannot be read.
    #[error("the migrations of this program cannot be read")]
    Migrations(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// Its answer is none that PostgreSQL gives.
    #[error("the database gave an answer that PostgreSQL does not give")]
    Answer,
}

impl From<tokio_postgres::Error> for ServerError {
    fn from(error: tokio_postgres::Error) -> Self {
        Self::Unreachable(error)
    }
}

impl From<Unreachable> for ServerError {
    fn from(error: Unreachable) -> Self {
        if error.is_refusal() { Self::Refused(error) } else { Self::Unconnected(error) }
    }
}

/// What the server says of itself.
#[derive(Clone, Debug)]
pub struct ServerState {
    /// The database's encoding.
    pub encoding: String,
    /// Whether it refuses writes, as a standby does.
    pub read_only: bool,
    /// Its clock, compared with this machine's.
    pub clock: ClockReading,
}

impl ServerState {
    /// Whether the database can hold all of Unicode.
    #[must_use]
    pub fn holds_unicode(&self) -> bool {
        self.encoding == ENCODING
    }
}

/// A server that is asked before there is a pool.
#[derive(Clone)]
pub struct Server {
    pub(super) connector: Connector,
    patience: Duration,
}

impl std::fmt::Debug for Server {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Server").finish_non_exhaustive()
    }
}

impl Server {
    /// The server of a URL; connects to nothing yet.
    ///
    /// # Errors
    /// When the URL is not one, or its certificates cannot be read.
    pub fn new(url: &SecretString, settings: &Database) -> Result<Self, ConnectError> {
        let connector = Connector::new(url.expose_secret(), settings)?;
        Ok(Self { connector, patience: settings.acquire_timeout })
    }

    /// Asks the server what it is.
    ///
    /// # Errors
    /// When it cannot be asked.
    pub async fn state(&self) -> Result<ServerState, ServerError> {
        let client = self.client().await?;
        let (asked_at, began) = (SystemClock.now(), Instant::now());
        let rows = self.bounded(client.simple_query(STATE)).await?;
        let round_trip = began.elapsed();
        let row = rows.iter().find_map(as_row).ok_or(ServerError::Answer)?;
        let text = |column| row.get(column).ok_or(ServerError::Answer);
        let micros = text(2)?.parse().map_err(|_| ServerError::Answer)?;
        let time = DateTime::from_timestamp_micros(micros).ok_or(ServerError::Answer)?;
        Ok(ServerState {
            encoding: text(0)?.to_owned(),
            read_only: text(1)? == "t",
            clock: ClockReading::new(asked_at, round_trip, time),
        })
    }

    /// Names the embedded migrations that the schema lacks, in their order. Those that only the schema knows, from a newer
    /// version of the program, are no reason to stop: migrations expand first.
    ///
    /// # Errors
    /// When the server cannot be asked.
    pub async fn missing_migrations(&self) -> Result<Vec<String>, ServerError> {
        self.missing_of(&super::migrate::MIGRATIONS).await
    }

    pub(super) async fn missing_of(&self, source: &impl MigrationSource<Pg>) -> Result<Vec<String>, ServerError> {
        let applied = self.applied_versions().await?;
        let migrations = source.migrations().map_err(ServerError::Migrations)?;
        let mut missing: Vec<_> = migrations
            .iter()
            .map(|migration| (migration.name().version().to_string(), migration.name().to_string()))
            .filter(|(version, _)| !applied.contains(version))
            .collect();
        missing.sort_unstable();
        Ok(missing.into_iter().map(|(_, name)| name).collect())
    }

    async fn applied_versions(&self) -> Result<Vec<String>, ServerError> {
        let client = self.client().await?;
        match self.bounded(client.simple_query(APPLIED)).await {
            Ok(rows) => Ok(rows.iter().filter_map(as_row).filter_map(|row| row.get(0)).map(str::to_owned).collect()),
            // No migration has ever been applied.
            Err(ServerError::Unreachable(error)) if error.code() == Some(&SqlState::UNDEFINED_TABLE) => Ok(Vec::new()),
            Err(error) => Err(error),
        }
    }

    pub(super) async fn client(&self) -> Result<BareClient, ServerError> {
        Ok(self.connector.client().await?)
    }

    /// Gives an answer as long as a call would wait for a connection.
    pub(super) async fn bounded<T>(
        &self,
        answer: impl Future<Output = Result<T, tokio_postgres::Error>>,
    ) -> Result<T, ServerError> {
        let answered = tokio::time::timeout(self.patience, answer).await;
        Ok(answered.map_err(|_elapsed| ServerError::Silent(self.patience))??)
    }
}

pub(super) fn as_row(message: &SimpleQueryMessage) -> Option<&SimpleQueryRow> {
    if let SimpleQueryMessage::Row(row) = message { Some(row) } else { None }
}
