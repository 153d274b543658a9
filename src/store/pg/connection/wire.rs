//! The wire of one connection: whether an answer is outstanding, how long one may take, and the task that reads and writes.

use std::sync::Arc;
use std::time::Duration;

use diesel::QueryResult;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::oneshot;
use tokio::task::AbortHandle;

use crate::store::pg::epochs::{Epoch, Epochs};
use crate::store::pg::error::DriverError;

/// How long a connection that is no longer used may take to say goodbye.
const FAREWELL: Duration = Duration::from_secs(5);

/// State of one connection's wire.
pub(in crate::store::pg) struct Wire {
    /// How long one exchange may take; `None` for as long as the server wants.
    pub(super) longest: Option<Duration>,
    /// An exchange has begun and has not come to its end. Stays so when the caller goes away.
    unanswered: bool,
    /// The server's answer says that the connection is of no more use.
    given_up: bool,
    epoch: Epoch,
    epochs: Arc<Epochs>,
    driver: Driver,
}

impl std::fmt::Debug for Wire {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Wire")
            .field("unanswered", &self.unanswered)
            .field("given_up", &self.given_up)
            .finish_non_exhaustive()
    }
}

impl Wire {
    /// The wire of a connection that was opened in this epoch.
    pub(in crate::store::pg) fn new(driver: Driver, longest: Duration, (epochs, epoch): (Arc<Epochs>, Epoch)) -> Self {
        Self { longest: Some(longest), unanswered: false, given_up: false, epoch, epochs, driver }
    }

    /// Waits for the answer to one message. An answer that does not come in time spends the connection, and puts those that
    /// are as old under suspicion. A caller that goes away spends the connection too, because the answer may still come.
    pub(super) async fn exchange<T>(
        &mut self,
        answer: impl Future<Output = Result<T, tokio_postgres::Error>>,
    ) -> QueryResult<T> {
        self.unanswered = true;
        let answered = match self.longest {
            Some(longest) => tokio::time::timeout(longest, answer).await.map_err(|_elapsed| longest),
            None => Ok(answer.await),
        };
        match answered {
            Ok(answer) => {
                self.unanswered = false;
                answer.map_err(|error| self.note(error.into()).into())
            }
            Err(longest) => {
                self.driver.task.abort();
                self.epochs.suspect(self.epoch);
                Err(DriverError::Silent(longest).into())
            }
        }
    }

    fn note(&mut self, error: DriverError) -> DriverError {
        if error.is_read_only() {
            self.retire();
        }
        self.given_up |= error.ends_connection();
        error
    }

    /// Whether the connection is of no more use.
    pub(super) fn is_spent(&self) -> bool {
        self.unanswered || self.given_up || self.epochs.is_retired(self.epoch)
    }

    pub(super) fn is_suspect(&self) -> bool {
        self.epochs.is_suspect(self.epoch)
    }

    pub(super) fn current_epoch(&self) -> Epoch {
        self.epochs.current()
    }

    /// Believes in the connection again, as of this epoch.
    pub(super) fn trust(&mut self, epoch: Epoch) {
        self.epoch = self.epoch.tested_in(epoch);
    }

    /// Retires this connection and all that are as old.
    pub(super) fn retire(&mut self) {
        self.given_up = true;
        self.epochs.retire(self.epoch);
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        // The driver's task would wait for the answer.
        if self.unanswered {
            self.driver.task.abort();
        }
    }
}

/// The task that reads and writes for one connection. Ends with the connection.
pub(in crate::store::pg) struct Driver {
    task: AbortHandle,
    _leaving: oneshot::Sender<()>,
}

impl Driver {
    /// Starts the task. When the driver is dropped, the task has some time to end the connection in due form.
    pub(in crate::store::pg) fn start<S, T>(connection: tokio_postgres::Connection<S, T>) -> Self
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
        T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let (leaving, left) = oneshot::channel();
        let mut connection = connection;
        let task = tokio::spawn(async move {
            let ended = tokio::select! {
                ended = &mut connection => ended,
                _ = left => tokio::time::timeout(FAREWELL, connection).await.unwrap_or(Ok(())),
            };
            if let Err(error) = ended {
                tracing::debug!(error = %DriverError::from(error), "a connection to the database ended");
            }
        });
        Self { task: task.abort_handle(), _leaving: leaving }
    }
}
