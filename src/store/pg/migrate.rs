//! The embedded migrations, applied by one process at a time.

use diesel_async::{AsyncMigrationHarness, RunQueryDsl};
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};
use secrecy::{ExposeSecret, SecretString};

use super::connect::{ConnectError, Connector};
use crate::config::Database;

const MIGRATIONS: EmbeddedMigrations = embed_migrations!();

/// The advisory lock that a migrating process holds: "keyward" in ASCII.
const MIGRATION_LOCK: i64 = 0x006b_6579_7761_7264;

/// Why the schema could not be brought up to date.
#[derive(Debug, thiserror::Error)]
pub enum MigrateError {
    /// The URL cannot be used.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// The database cannot be reached.
    #[error("could not connect to the database")]
    Unreachable(#[source] diesel::ConnectionError),
    /// The lock could not be taken.
    #[error("could not take the migration lock")]
    Lock(#[source] diesel::result::Error),
    /// A migration failed; it has been rolled back.
    #[error("a migration failed")]
    Migration(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// Brings the schema up to date, waiting while another process does; returns the names of the migrations applied.
///
/// # Errors
/// When the database cannot be reached or a migration fails.
pub async fn migrate(url: &SecretString, settings: &Database) -> Result<Vec<String>, MigrateError> {
    let connector = Connector::new(url.expose_secret(), settings)?;
    let mut connection = connector.connect().await.map_err(MigrateError::Unreachable)?;
    // A migration may take longer than any request may, and so may waiting for one.
    diesel::sql_query("SET statement_timeout = 0").execute(&mut connection).await.map_err(MigrateError::Lock)?;
    diesel::sql_query("SET lock_timeout = 0").execute(&mut connection).await.map_err(MigrateError::Lock)?;
    // Released when the connection closes, whatever happens in between.
    diesel::sql_query(format!("SELECT pg_advisory_lock({MIGRATION_LOCK})"))
        .execute(&mut connection)
        .await
        .map_err(MigrateError::Lock)?;
    let mut harness = AsyncMigrationHarness::new(connection);
    let applied = harness.run_pending_migrations(MIGRATIONS).map_err(MigrateError::Migration)?;
    Ok(applied.iter().map(ToString::to_string).collect())
}
