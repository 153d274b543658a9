//! Transactions for flows: begun, worked in, and ended by the outcome of the work.

use std::ops::{Deref, DerefMut};

use diesel_async::{AnsiTransactionManager, TransactionManager};

use super::{Connection, Loan, Pool, StoreError};

/// A connection inside a transaction. Dropped before its end, say because the caller went away, it is thrown away with
/// everything done in it.
#[must_use = "a transaction that is not ended is rolled back, and its connection with it"]
pub struct Transaction<'a>(Loan<'a>);

impl Pool {
    /// Begins a transaction.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn begin(&self) -> Result<Transaction<'_>, StoreError> {
        let mut loan = self.get().await?;
        AnsiTransactionManager::begin_transaction(&mut *loan).await?;
        Ok(Transaction(loan))
    }
}

impl Transaction<'_> {
    /// Commits what succeeded and rolls back what did not.
    ///
    /// # Errors
    /// Those of the outcome, and [`StoreError`] when the commit fails.
    pub async fn end<T, E: From<StoreError>>(mut self, outcome: Result<T, E>) -> Result<T, E> {
        conclude(&mut self.0, outcome).await
    }

    /// Does a part of the work whose failure takes back that part alone, so that the rest can go on.
    ///
    /// # Errors
    /// Those of the part, and [`StoreError`] when the database fails.
    pub async fn part<T, E: From<StoreError>>(
        &mut self,
        work: impl AsyncFnOnce(&mut Connection) -> Result<T, E>,
    ) -> Result<T, E> {
        AnsiTransactionManager::begin_transaction(&mut *self.0).await.map_err(StoreError::from)?;
        let outcome = work(&mut self.0).await;
        conclude(&mut self.0, outcome).await
    }

    /// Takes back what was done in it, and gives the connection back whole.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn undo(mut self) -> Result<(), StoreError> {
        Ok(AnsiTransactionManager::rollback_transaction(&mut *self.0).await?)
    }
}

/// Ends the innermost transaction, or part of one, by its outcome.
async fn conclude<T, E: From<StoreError>>(conn: &mut Connection, outcome: Result<T, E>) -> Result<T, E> {
    match outcome {
        Ok(value) => {
            AnsiTransactionManager::commit_transaction(conn).await.map_err(StoreError::from)?;
            Ok(value)
        }
        Err(error) => {
            // The first error is the one to tell; a connection that cannot roll back is thrown away.
            if let Err(rollback) = AnsiTransactionManager::rollback_transaction(conn).await {
                tracing::debug!(error = %rollback, "a transaction could not be rolled back");
            }
            Err(error)
        }
    }
}

impl Deref for Transaction<'_> {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        &self.0
    }
}

impl DerefMut for Transaction<'_> {
    fn deref_mut(&mut self) -> &mut Connection {
        &mut self.0
    }
}
