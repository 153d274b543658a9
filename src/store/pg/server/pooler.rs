//! Whether a connection pooler stands in front of the server, and whether it carries prepared statements.
//!
//! A pooler in transaction mode lends a server connection for one transaction. A statement that was prepared on one server
//! connection is unknown to the next one, unless the pooler prepares it there again.

use std::collections::BTreeSet;

use tokio_postgres::Statement;
use tokio_postgres::error::SqlState;

use super::{Server, ServerError};
use crate::store::pg::connect::BareClient;

/// How many clients take turns.
const CLIENTS: usize = 3;

/// How often each of them asks while another one holds a server connection.
const ROUNDS: usize = 3;

const PROCESS: &str = "SELECT pg_backend_pid(), current_setting('statement_timeout')";

/// What stands between this process and the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pooling {
    /// Nothing that shows: each client has a server connection of its own.
    None,
    /// A pooler that lends server connections by the transaction, and carries prepared statements.
    ByTransaction {
        /// Whether some server connection has no `statement_timeout`, since settings of a session are lost in the pool.
        unlimited: bool,
    },
}

/// Why what stands in front of the server will not do, or could not be found out.
#[derive(Debug, thiserror::Error)]
pub enum PoolerUnsupported {
    /// Prepared statements get lost.
    #[error(
        "prepared statements do not work through the connection pooler in front of the database: use PgBouncer 1.21 or \
         newer with max_prepared_statements above 0, pool by session, or connect to the server itself"
    )]
    PreparedStatements(#[source] tokio_postgres::Error),
    /// All server connections are in use by others.
    #[error("the connection pooler in front of the database lends no second server connection")]
    Exhausted(#[source] ServerError),
    /// The server could not be asked.
    #[error(transparent)]
    Server(ServerError),
}

impl From<ServerError> for PoolerUnsupported {
    fn from(error: ServerError) -> Self {
        match error {
            ServerError::Unreachable(error) if is_lost(&error) => Self::PreparedStatements(error),
            error => Self::Server(error),
        }
    }
}

/// Whether an error says that a prepared statement is not there, or that another client's is.
fn is_lost(error: &tokio_postgres::Error) -> bool {
    [SqlState::INVALID_SQL_STATEMENT_NAME, SqlState::DUPLICATE_PSTATEMENT]
        .iter()
        .any(|state| error.code() == Some(state))
}

/// A client with a prepared statement, and the server processes that have executed it.
struct Prober {
    client: BareClient,
    statement: Statement,
    processes: BTreeSet<i32>,
}

impl Server {
    /// Finds out whether prepared statements can be executed in later transactions.
    ///
    /// While one client holds a server connection by a transaction, another one executes what it has prepared before: a
    /// pooler in transaction mode then has to serve it by another server connection.
    ///
    /// # Errors
    /// When they cannot, or when the server cannot be asked.
    pub async fn probe_pooler(&self) -> Result<Pooling, PoolerUnsupported> {
        let mut probers = Vec::new();
        for _ in 0..CLIENTS {
            let client = self.client().await?;
            let statement = self.bounded(client.prepare(PROCESS)).await?;
            probers.push(Prober { client, statement, processes: BTreeSet::new() });
        }
        let mut unlimited = false;
        for _ in 0..ROUNDS {
            for _ in 0..CLIENTS {
                let [holder, asker, ..] = probers.as_mut_slice() else { break };
                self.bounded(holder.client.batch_execute("BEGIN")).await?;
                unlimited |= self.execute(holder).await?;
                unlimited |= self.execute(asker).await.map_err(|error| match error {
                    PoolerUnsupported::Server(silence @ ServerError::Silent(_)) => {
                        PoolerUnsupported::Exhausted(silence)
                    }
                    error => error,
                })?;
                self.bounded(holder.client.batch_execute("ROLLBACK")).await?;
                probers.rotate_left(1);
            }
            if !are_shared(&probers) {
                return Ok(Pooling::None);
            }
        }
        Ok(Pooling::ByTransaction { unlimited })
    }

    /// Executes what a client has prepared; whether it ran without a `statement_timeout`.
    async fn execute(&self, prober: &mut Prober) -> Result<bool, PoolerUnsupported> {
        let row = self.bounded(prober.client.query_one(&prober.statement, &[])).await?;
        let process = row.try_get(0).map_err(|_| ServerError::Answer)?;
        let timeout: &str = row.try_get(1).map_err(|_| ServerError::Answer)?;
        prober.processes.insert(process);
        Ok(timeout == "0")
    }
}

/// Whether a server process has served two clients, or two processes one client.
fn are_shared(probers: &[Prober]) -> bool {
    let processes: BTreeSet<_> = probers.iter().flat_map(|prober| &prober.processes).collect();
    processes.len() != probers.len() || probers.iter().any(|prober| prober.processes.len() != 1)
}
