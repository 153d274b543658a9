//! Connection to PostgreSQL: the one place through which every statement passes.
//!
//! diesel-async's own connection waits for an answer without an end, keeps no SQLSTATE, and does not know whether an answer
//! is outstanding. This one bounds every exchange on our side, hands the driver's error on to
//! [`StoreError`](super::StoreError), and is discarded after an exchange whose answer did not come.

mod parameters;
mod row;
mod statements;
mod wire;

use std::time::Duration;

use diesel::connection::{CacheSize, DynInstrumentation, Instrumentation};
use diesel::pg::Pg;
use diesel::query_builder::{AsQuery, QueryFragment, QueryId};
use diesel::{ConnectionError, ConnectionResult, QueryResult};
use diesel_async::{
    AnsiTransactionManager, AsyncConnection, AsyncConnectionCore, SimpleAsyncConnection, TransactionManager,
};
use futures::future::BoxFuture;
use futures::{FutureExt, TryStreamExt, stream};
use tokio_postgres::Client;

use parameters::Parameters;
use row::Row;
use statements::{Prepared, Source, Statements};
pub(super) use wire::{Driver, Wire};

/// What store functions run on: a pooled connection, inside a transaction or not.
pub struct Connection {
    client: Client,
    wire: Wire,
    statements: Statements,
    transactions: AnsiTransactionManager,
    instrumentation: DynInstrumentation,
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connection").field("wire", &self.wire).finish_non_exhaustive()
    }
}

impl Connection {
    /// A connection that has been opened and has its session's settings.
    pub(super) fn new(client: Client, wire: Wire) -> Self {
        Self {
            client,
            wire,
            statements: Statements::default(),
            transactions: AnsiTransactionManager::default(),
            instrumentation: DynInstrumentation::none(),
        }
    }

    /// Lets every exchange take as long as the server wants, because a migration may take hours.
    pub(super) fn wait_without_end(&mut self) {
        self.wire.longest = None;
    }

    /// Whether the connection must not be used again: closed, inside a transaction, without an answer, or retired.
    pub(super) fn is_broken(&mut self) -> bool {
        self.wire.is_spent() || self.client.is_closed() || AnsiTransactionManager::is_broken_transaction_manager(self)
    }

    /// Whether the connection has to answer once more before it is lent.
    pub(super) fn is_suspect(&self) -> bool {
        self.wire.is_suspect()
    }

    /// Tests the connection with one round trip. One that does not answer retires all that are as old.
    pub(super) async fn answers(&mut self, within: Duration) -> bool {
        let tested_in = self.wire.current_epoch();
        let answered = tokio::time::timeout(within, self.batch_execute("")).await;
        let answers = matches!(answered, Ok(Ok(())));
        if answers {
            self.wire.trust(tested_in);
        } else {
            self.wire.retire();
        }
        answers
    }

    async fn prepared(&mut self, source: Source) -> QueryResult<Prepared> {
        let (key, sql, types) = match source {
            Source::Prepared(prepared) => return Ok(prepared),
            Source::New { key, sql, types } => (key, sql, types),
        };
        let statement = self.wire.exchange(self.client.prepare_typed(&sql, &types)).await?;
        let prepared = Prepared::new(statement);
        if let Some(key) = key {
            self.statements.insert(key, prepared.clone());
        }
        Ok(prepared)
    }

    async fn load_rows(&mut self, (source, parameters): (Source, Parameters)) -> QueryResult<Rows> {
        let prepared = self.prepared(source).await?;
        let client = &self.client;
        // To the end, so that the connection is known to be idle.
        let answer = async {
            let rows = client.query_raw(&prepared.statement, parameters.into_values()).await?;
            let rows = rows.map_ok(|row| Ok(Row::new(row, prepared.columns.clone())));
            rows.try_collect::<Vec<_>>().await
        };
        Ok(stream::iter(self.wire.exchange(answer).await?))
    }

    async fn count_rows(&mut self, (source, parameters): (Source, Parameters)) -> QueryResult<usize> {
        let prepared = self.prepared(source).await?;
        let answer = self.client.execute_raw(&prepared.statement, parameters.into_values());
        let count = self.wire.exchange(answer).await?;
        usize::try_from(count).map_err(|error| diesel::result::Error::DeserializationError(Box::new(error)))
    }

    fn read<T: QueryFragment<Pg> + QueryId>(&self, query: &T) -> QueryResult<(Source, Parameters)> {
        let parameters = Parameters::of(query)?;
        Ok((self.statements.find(query, &parameters)?, parameters))
    }
}

/// The rows of one answer.
type Rows = stream::Iter<std::vec::IntoIter<QueryResult<Row>>>;

impl SimpleAsyncConnection for Connection {
    async fn batch_execute(&mut self, query: &str) -> QueryResult<()> {
        self.wire.exchange(self.client.batch_execute(query)).await
    }
}

impl AsyncConnectionCore for Connection {
    type ExecuteFuture<'conn, 'query> = BoxFuture<'conn, QueryResult<usize>>;
    type LoadFuture<'conn, 'query> = BoxFuture<'conn, QueryResult<Rows>>;
    type Stream<'conn, 'query> = Rows;
    type Row<'conn, 'query> = Row;
    type Backend = Pg;

    fn load<'conn, 'query, T>(&'conn mut self, source: T) -> Self::LoadFuture<'conn, 'query>
    where
        T: AsQuery + 'query,
        T::Query: QueryFragment<Pg> + QueryId + 'query,
    {
        let read = self.read(&source.as_query());
        async move { self.load_rows(read?).await }.boxed()
    }

    fn execute_returning_count<'conn, 'query, T>(&'conn mut self, source: T) -> Self::ExecuteFuture<'conn, 'query>
    where
        T: QueryFragment<Pg> + QueryId + 'query,
    {
        let read = self.read(&source);
        async move { self.count_rows(read?).await }.boxed()
    }
}

impl AsyncConnection for Connection {
    type TransactionManager = AnsiTransactionManager;

    async fn establish(_: &str) -> ConnectionResult<Self> {
        Err(ConnectionError::BadConnection("connections are opened by the pool".to_owned()))
    }

    fn transaction_state(&mut self) -> &mut AnsiTransactionManager {
        &mut self.transactions
    }

    fn instrumentation(&mut self) -> &mut dyn Instrumentation {
        &mut *self.instrumentation
    }

    fn set_instrumentation(&mut self, instrumentation: impl Instrumentation) {
        self.instrumentation = instrumentation.into();
    }

    fn set_prepared_statement_cache_size(&mut self, size: CacheSize) {
        self.statements.keep(matches!(size, CacheSize::Unbounded));
    }
}
