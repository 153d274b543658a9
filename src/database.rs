//! The database at the start, before there is an [`App`](crate::app::App): the wait until it can be used, and its schema.

use std::time::Duration;

use tokio::time::Instant;

use crate::config::{Config, ConfigError, Database};
use crate::error::chain;
use crate::policy::clock_skew::ClockSkewed;
use crate::store::pg::{self, ConnectError, MigrateError, PoolerUnsupported, Pooling, Server, ServerError};

/// How long the start waits between two looks at the database.
const PAUSE: Duration = Duration::from_millis(500);

/// How often the log repeats what the start waits for.
const TOLD_EVERY: Duration = Duration::from_secs(10);

/// Why the database cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DatabaseUnusable {
    /// There is no URL.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The URL cannot be used.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// It knows no such user or database, or wants another password.
    #[error(transparent)]
    Refused(ServerError),
    /// It was not ready in time.
    #[error("the database was not ready within database.startup_timeout ({0:?})")]
    NotReady(Duration, #[source] Obstacle),
    /// Its schema is older than this version of the program, and nothing waits for it to change.
    #[error(transparent)]
    Obstacle(Obstacle),
    /// It has another encoding than UTF-8.
    #[error(
        "the database is encoded in {encoding}, which cannot hold all of Unicode: create another one with CREATE DATABASE .. \
         ENCODING 'UTF8' TEMPLATE template0"
    )]
    Encoding {
        /// Its encoding.
        encoding: String,
    },
    /// A connection pooler in front of it loses prepared statements.
    #[error(transparent)]
    Pooler(PoolerUnsupported),
    /// Its schema could not be brought up to date.
    #[error(transparent)]
    Migrate(#[from] MigrateError),
}

/// What keeps the service from using the database, and may pass with time.
#[derive(Debug, thiserror::Error)]
pub enum Obstacle {
    /// It does not answer.
    #[error(transparent)]
    Away(ServerError),
    /// It is a standby, or its default is not to write.
    #[error("the database is read-only")]
    ReadOnly,
    /// This machine's clock is wrong, or the server's.
    #[error(transparent)]
    Clock(ClockSkewed),
    /// The pooler in front of it has no connection to spare.
    #[error(transparent)]
    Pooler(PoolerUnsupported),
    /// Its schema is older than this version of the program.
    #[error("the schema is older than this version of keyward and lacks {}: run `keyward migrate`", .0.join(", "))]
    Schema(Vec<String>),
}

/// What the database is wanted for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Purpose {
    /// Serving calls.
    Serve,
    /// Migrations, which do not look at the clock.
    Migrate,
}

/// One look at the database.
enum Look {
    Ready(Pooling),
    NotYet(Obstacle),
}

/// Waits until `serve` can use the database, and brings its schema up to date or waits until another process has.
///
/// # Errors
/// When the database is of no use, or not ready within `database.startup_timeout`.
pub async fn prepare(config: &Config) -> Result<(), DatabaseUnusable> {
    let server = Server::new(config.database_url()?, &config.database)?;
    let mut wait = Wait::new(&config.database);
    let pooling = wait.until_ready(&server, Purpose::Serve).await?;
    if pooling == (Pooling::ByTransaction { unlimited: true }) {
        tracing::warn!(
            "a connection pooler lends server connections by the transaction, and some have no statement_timeout: set \
             statement_timeout, lock_timeout and idle_in_transaction_session_timeout by ALTER ROLE .. SET"
        );
    }
    if config.database.migrate {
        pg::migrate(config.database_url()?, &config.database).await?;
        return Ok(());
    }
    loop {
        match server.missing_migrations().await {
            Ok(missing) if missing.is_empty() => return Ok(()),
            Ok(missing) => wait.pause(Obstacle::Schema(missing)).await?,
            Err(error) => wait.pause(Obstacle::Away(error)).await?,
        }
    }
}

/// Waits until the database can be migrated, and brings its schema up to date; returns the names of the migrations applied.
///
/// # Errors
/// When the database is of no use or not ready within `database.startup_timeout`, or a migration fails.
pub async fn migrate(config: &Config) -> Result<Vec<String>, DatabaseUnusable> {
    let server = Server::new(config.database_url()?, &config.database)?;
    Wait::new(&config.database).until_ready(&server, Purpose::Migrate).await?;
    Ok(pg::migrate(config.database_url()?, &config.database).await?)
}

/// Fails when the database lacks migrations, in place of the statement that would fail for it.
///
/// # Errors
/// The names of what is missing, or a failure of the database.
pub async fn require_schema(config: &Config) -> Result<(), DatabaseUnusable> {
    let server = Server::new(config.database_url()?, &config.database)?;
    match server.missing_migrations().await {
        Ok(missing) if missing.is_empty() => Ok(()),
        Ok(missing) => Err(DatabaseUnusable::Obstacle(Obstacle::Schema(missing))),
        Err(error) => Err(DatabaseUnusable::Obstacle(Obstacle::Away(error))),
    }
}

/// Looks once. What waiting does not help is an error.
async fn look(server: &Server, purpose: Purpose) -> Result<Look, DatabaseUnusable> {
    let state = match server.state().await {
        Ok(state) => state,
        Err(refused @ ServerError::Refused(_)) => return Err(DatabaseUnusable::Refused(refused)),
        Err(away) => return Ok(Look::NotYet(Obstacle::Away(away))),
    };
    if !state.holds_unicode() {
        return Err(DatabaseUnusable::Encoding { encoding: state.encoding });
    }
    if state.read_only {
        return Ok(Look::NotYet(Obstacle::ReadOnly));
    }
    if purpose == Purpose::Serve
        && let Err(skewed) = state.clock.check()
    {
        return Ok(Look::NotYet(Obstacle::Clock(skewed)));
    }
    match server.probe_pooler().await {
        Ok(pooling) => Ok(Look::Ready(pooling)),
        Err(unsupported @ PoolerUnsupported::PreparedStatements(_)) => Err(DatabaseUnusable::Pooler(unsupported)),
        Err(PoolerUnsupported::Server(away)) => Ok(Look::NotYet(Obstacle::Away(away))),
        Err(exhausted) => Ok(Look::NotYet(Obstacle::Pooler(exhausted))),
    }
}

/// The wait for a database that is not ready.
struct Wait {
    limit: Duration,
    until: Instant,
    told: Option<(String, Instant)>,
}

impl Wait {
    fn new(settings: &Database) -> Self {
        let limit = settings.startup_timeout;
        Self { limit, until: Instant::now() + limit, told: None }
    }

    async fn until_ready(&mut self, server: &Server, purpose: Purpose) -> Result<Pooling, DatabaseUnusable> {
        loop {
            match look(server, purpose).await? {
                Look::Ready(pooling) => return Ok(pooling),
                Look::NotYet(obstacle) => self.pause(obstacle).await?,
            }
        }
    }

    /// Tells in the log what is waited for, when that is new or was told long ago, and waits a moment; fails when the time is
    /// over.
    async fn pause(&mut self, obstacle: Obstacle) -> Result<(), DatabaseUnusable> {
        let left = self.until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(DatabaseUnusable::NotReady(self.limit, obstacle));
        }
        let cause = chain(&obstacle);
        let is_new = |(told, at): &(String, Instant)| *told != cause || at.elapsed() >= TOLD_EVERY;
        if self.told.as_ref().is_none_or(is_new) {
            let limit_seconds = self.limit.as_secs();
            tracing::warn!(error = cause, limit_seconds, "waiting for a database that can be used");
            self.told = Some((cause, Instant::now()));
        }
        tokio::time::sleep(PAUSE.min(left)).await;
        Ok(())
    }
}
