//! The embedded migrations, applied by one process at a time.
//!
//! Each migration is applied in a transaction that takes the migration lock first, and looks again at what is missing. The
//! lock ends with the transaction, because a session's lock would stay behind in a connection pooler.

mod lock;

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use diesel::migration::{Migration, MigrationSource};
use diesel::pg::Pg;
use diesel_async::{AnsiTransactionManager, AsyncMigrationHarness, SimpleAsyncConnection, TransactionManager};
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};
use secrecy::SecretString;

use super::server::{Server, ServerError};
use super::{ConnectError, Connection, Unreachable};
use crate::config::Database;
use lock::LockWait;

/// The migrations of this version of the program.
pub(super) const MIGRATIONS: EmbeddedMigrations = embed_migrations!();

/// Why the schema could not be brought up to date.
#[derive(Debug, thiserror::Error)]
pub enum MigrateError {
    /// The URL cannot be used.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// The database cannot be asked.
    #[error("could not ask which migrations are missing")]
    Server(#[from] ServerError),
    /// The database cannot be reached.
    #[error("could not connect to the database")]
    Unreachable(#[source] Unreachable),
    /// The migration's transaction could not be begun, locked or committed.
    #[error("the transaction of a migration failed")]
    Transaction(#[source] diesel::result::Error),
    /// Another process has held the migration lock for too long.
    #[error("the migration lock was not free within database.migrate_timeout ({waited:?}); it is held by {holder}")]
    Locked {
        /// How long this process waited.
        waited: Duration,
        /// Who holds it, as far as the server tells.
        holder: String,
    },
    /// A migration failed; it has been rolled back.
    #[error("a migration failed")]
    Migration(#[source] Box<dyn Error + Send + Sync>),
}

/// Brings the schema up to date, waiting while another process does; returns the names of the migrations applied.
///
/// # Errors
/// When the database cannot be reached, another process holds the lock for too long, or a migration fails.
pub async fn migrate(url: &SecretString, settings: &Database) -> Result<Vec<String>, MigrateError> {
    migrate_from(url, settings, MIGRATIONS).await
}

/// Applies the migrations of any source, as [`migrate`] does the embedded ones.
///
/// # Errors
/// As [`migrate`].
pub async fn migrate_from<S>(url: &SecretString, settings: &Database, source: S) -> Result<Vec<String>, MigrateError>
where
    S: MigrationSource<Pg> + Send + Sync + 'static,
{
    let migrator = Migrator { server: Server::new(url, settings)?, source: Arc::new(source), settings };
    let mut wait = LockWait::new(settings.migrate_timeout);
    let mut applied = Vec::new();
    while !migrator.server.missing_of(&*migrator.source).await?.is_empty() {
        match migrator.apply_next().await? {
            Step::Applied(name) => {
                tracing::info!(migration = name, "a migration was applied");
                applied.push(name);
                wait = LockWait::new(settings.migrate_timeout);
            }
            Step::NoneApplied => {}
            Step::Locked => wait.pause(&migrator.server).await?,
        }
    }
    Ok(applied)
}

/// What came of one attempt to apply one migration.
enum Step {
    Applied(String),
    /// Another process has done it meanwhile, or the table of applied migrations had to be made first.
    NoneApplied,
    /// Another process holds the lock.
    Locked,
}

/// The first missing migration, and what came of it in the transaction that holds the lock.
enum First {
    Missing { name: String, applied: bool },
    None,
}

struct Migrator<'a, S> {
    server: Server,
    source: Arc<S>,
    settings: &'a Database,
}

impl<S: MigrationSource<Pg> + Send + Sync + 'static> Migrator<'_, S> {
    /// Applies the first missing migration, if no other process is migrating.
    async fn apply_next(&self) -> Result<Step, MigrateError> {
        let mut conn = self.connect().await?;
        AnsiTransactionManager::begin_transaction(&mut conn).await.map_err(MigrateError::Transaction)?;
        // For this transaction alone: a session's settings would reach other clients of a pooler.
        self.set_limits("SET LOCAL", &mut conn).await?;
        if !lock::try_take(&mut conn).await.map_err(MigrateError::Transaction)? {
            return Ok(Step::Locked);
        }
        // Committed first, because a migration outside of this transaction would wait for the table.
        if !lock::has_history(&mut conn).await.map_err(MigrateError::Transaction)? {
            let (mut conn, ()) = self.blocking(conn, |harness, _| harness.applied_migrations().map(drop)).await?;
            AnsiTransactionManager::commit_transaction(&mut conn).await.map_err(MigrateError::Transaction)?;
            return Ok(Step::NoneApplied);
        }
        let (mut conn, first) = self.blocking(conn, apply_first_in_transaction).await?;
        let step = match first {
            First::None => Step::NoneApplied,
            First::Missing { name, applied: true } => Step::Applied(name),
            // It cannot run in a transaction; the lock is held by this one meanwhile.
            First::Missing { name, applied: false } => {
                // Ends the snapshot of the last statement, because CREATE INDEX CONCURRENTLY waits for older snapshots.
                conn.batch_execute("SELECT").await.map_err(MigrateError::Transaction)?;
                let mut worker = self.connect().await?;
                self.set_limits("SET", &mut worker).await?;
                self.blocking(worker, apply_first).await?;
                Step::Applied(name)
            }
        };
        AnsiTransactionManager::commit_transaction(&mut conn).await.map_err(MigrateError::Transaction)?;
        Ok(step)
    }

    async fn connect(&self) -> Result<Connection, MigrateError> {
        self.server.connector.connect().await.map_err(MigrateError::Unreachable)
    }

    /// A migration may take longer than any call may, but waits for the locks of tables no longer than for another migration.
    async fn set_limits(&self, set: &str, conn: &mut Connection) -> Result<(), MigrateError> {
        let limits = format!(
            "{set} statement_timeout = 0; {set} idle_in_transaction_session_timeout = 0; {set} lock_timeout = {}",
            self.settings.migrate_timeout.as_millis()
        );
        conn.batch_execute(&limits).await.map_err(MigrateError::Transaction)?;
        conn.wait_without_end();
        Ok(())
    }

    /// Runs diesel's migrations, which block, on a thread that may.
    async fn blocking<T: Send + 'static>(
        &self,
        conn: Connection,
        work: fn(&mut AsyncMigrationHarness<Connection>, &S) -> Outcome<T>,
    ) -> Result<(Connection, T), MigrateError> {
        let source = self.source.clone();
        let working = tokio::task::spawn_blocking(move || {
            let mut harness = AsyncMigrationHarness::new(conn);
            let outcome = work(&mut harness, &source)?;
            Ok((harness.into_inner(), outcome))
        });
        working.await.map_err(|panic| MigrateError::Migration(panic.into()))?.map_err(MigrateError::Migration)
    }
}

type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

/// Applies the first missing migration inside of the transaction that is open, unless it must not run in one.
fn apply_first_in_transaction<S: MigrationSource<Pg>>(
    harness: &mut AsyncMigrationHarness<Connection>,
    source: &S,
) -> Outcome<First> {
    let Some(migration) = first_missing(harness, source)? else { return Ok(First::None) };
    let applied = migration.metadata().run_in_transaction();
    if applied {
        harness.run_migration(&*migration)?;
    }
    Ok(First::Missing { name: migration.name().to_string(), applied })
}

fn apply_first<S: MigrationSource<Pg>>(harness: &mut AsyncMigrationHarness<Connection>, source: &S) -> Outcome<()> {
    if let Some(migration) = first_missing(harness, source)? {
        harness.run_migration(&*migration)?;
    }
    Ok(())
}

fn first_missing<S: MigrationSource<Pg>>(
    harness: &mut AsyncMigrationHarness<Connection>,
    source: &S,
) -> Outcome<Option<Box<dyn Migration<Pg>>>> {
    Ok(harness.pending_migrations(Borrowed(source))?.into_iter().next())
}

/// A source that is lent to diesel, which wants one of its own.
struct Borrowed<'a, S>(&'a S);

impl<S: MigrationSource<Pg>> MigrationSource<Pg> for Borrowed<'_, S> {
    fn migrations(&self) -> diesel::migration::Result<Vec<Box<dyn Migration<Pg>>>> {
        self.0.migrations()
    }
}
