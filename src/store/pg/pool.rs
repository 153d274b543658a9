//! Pool of connections to one database, and what it does about connections that are no longer good.

use std::fmt;
use std::ops::{Deref, DerefMut};
use std::time::Duration;

use diesel::sql_types::Bool;
use diesel_async::RunQueryDsl;
use secrecy::{ExposeSecret, SecretString};

use super::StoreError;
use super::connect::{ConnectError, Connector, Unreachable};
use super::connection::Connection;
use super::statement::statement;
use crate::config::Database;

/// How long a suspect connection may take to answer before it is lent.
const TEST_TIMEOUT: Duration = Duration::from_secs(1);

/// The connections of one kind of work.
#[derive(Clone)]
pub struct Pool {
    connections: bb8::Pool<Connector>,
    connector: Connector,
    acquire_timeout: Duration,
}

/// A connection on loan from a pool. Given back with an answer outstanding, it is discarded.
pub struct Loan<'a>(bb8::PooledConnection<'a, Connector>);

impl Pool {
    /// A pool of at most `size` connections to `url`; it opens them when they are asked for.
    ///
    /// # Errors
    /// When the URL is not one, or its certificates cannot be read.
    pub fn new(url: &SecretString, settings: &Database, size: u32) -> Result<Self, ConnectError> {
        let connector = Connector::new(url.expose_secret(), settings)?;
        Ok(Self::with(connector, settings.acquire_timeout, size))
    }

    /// Another pool of at most `size` connections to the same database. What one of the two learns of the database, such as
    /// that it has become read-only, holds for both.
    #[must_use]
    pub fn sibling(&self, size: u32) -> Self {
        Self::with(self.connector.clone(), self.acquire_timeout, size)
    }

    fn with(connector: Connector, acquire_timeout: Duration, size: u32) -> Self {
        let connections = bb8::Pool::builder()
            .max_size(size)
            // No round trip before each use: `get` looks at the socket instead.
            .test_on_check_out(false)
            .connection_timeout(acquire_timeout)
            .error_sink(Box::new(LogConnectErrors))
            .build_unchecked(connector.clone());
        Self { connections, connector, acquire_timeout }
    }

    /// A connection that is not known to be broken. After a silence, one that has answered since.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when there is none within `database.acquire_timeout`.
    pub async fn get(&self) -> Result<Loan<'_>, StoreError> {
        loop {
            let mut loan = Loan(self.connections.get().await?);
            // The server closed it while it lay idle, or it is too old: give it back, which discards it, and take another.
            if loan.is_broken() {
                continue;
            }
            if !loan.is_suspect() || loan.answers(TEST_TIMEOUT.min(self.acquire_timeout)).await {
                return Ok(loan);
            }
        }
    }

    /// Asks whether the database answers and takes writes; `within` this time, connecting included. The answer decides
    /// whether connections opened before are tested, or discarded.
    ///
    /// # Errors
    /// When it does not answer, or is read-only.
    pub async fn probe(&self, within: Duration) -> Result<(), StoreError> {
        let asked = tokio::time::timeout(within, async { is_read_only(&mut *self.get().await?).await }).await;
        let epochs = self.connector.epochs();
        match asked {
            Ok(Ok(read_only)) => {
                epochs.record_read_only(read_only);
                if read_only { Err(StoreError::ReadOnly) } else { Ok(()) }
            }
            Ok(Err(error)) => {
                epochs.suspect(epochs.current());
                Err(error)
            }
            Err(_elapsed) => {
                epochs.suspect(epochs.current());
                Err(StoreError::silent(within))
            }
        }
    }
}

statement! {
    IsReadOnly {} -> (Bool)
    "SELECT current_setting('transaction_read_only') = 'on'"
}

async fn is_read_only(conn: &mut Connection) -> Result<bool, StoreError> {
    let (read_only,): (bool,) = IsReadOnly {}.get_result(conn).await?;
    Ok(read_only)
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Pool").field(&self.connections.state()).finish()
    }
}

impl fmt::Debug for Loan<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Loan").field(&**self).finish()
    }
}

impl Deref for Loan<'_> {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        &self.0
    }
}

impl DerefMut for Loan<'_> {
    fn deref_mut(&mut self) -> &mut Connection {
        &mut self.0
    }
}

impl bb8::ManageConnection for Connector {
    type Connection = Connection;
    type Error = Unreachable;

    async fn connect(&self) -> Result<Connection, Unreachable> {
        Self::connect(self).await
    }

    /// Not asked: check-outs are untested.
    async fn is_valid(&self, _: &mut Connection) -> Result<(), Unreachable> {
        Ok(())
    }

    fn has_broken(&self, connection: &mut Connection) -> bool {
        connection.is_broken()
    }
}

/// Logs why a connection could not be opened; the caller only learns that none came in time.
#[derive(Clone, Copy, Debug)]
struct LogConnectErrors;

impl bb8::ErrorSink<Unreachable> for LogConnectErrors {
    fn sink(&self, error: Unreachable) {
        tracing::warn!(error = %error, "could not open a connection to the database");
    }

    fn boxed_clone(&self) -> Box<dyn bb8::ErrorSink<Unreachable>> {
        Box::new(*self)
    }
}
