//! Opening one connection: the URL, TLS by its `sslmode`, and the session's settings.
//!
//! `sslmode` means what it means to libpq: `disable`, `prefer` (the default) and `require` encrypt without asking who is
//! there; `verify-ca` and `verify-full` check the certificate against `sslrootcert`, or the system's roots without one.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use diesel::ConnectionError;
use diesel_async::pooled_connection::SetupCallback;
use diesel_async::{AsyncPgConnection, SimpleAsyncConnection};
use futures::FutureExt;
use rustls::ClientConfig;
use tokio_postgres::Client;
use tokio_postgres::config::SslMode;
use tokio_postgres_rustls::MakeRustlsConnect;

use super::tls::{self, Verification};
use crate::config::Database;

/// Why a database URL cannot be used. Never shows the URL, which may hold a password.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// It is not a PostgreSQL URL.
    #[error("database.url is not a PostgreSQL URL")]
    Url(#[source] tokio_postgres::Error),
    /// Its `sslmode` is none of those that PostgreSQL knows.
    #[error("database.url has an unknown sslmode")]
    SslMode,
    /// The trusted certificates could not be read.
    #[error("the certificates to verify the database with could not be read")]
    Certificates(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// Opens connections to one database.
#[derive(Clone)]
pub(super) struct Connector {
    config: Arc<tokio_postgres::Config>,
    tls: Arc<ClientConfig>,
    settings: String,
    patience: Duration,
}

impl Connector {
    /// Reads the URL.
    pub(super) fn new(url: &str, settings: &Database) -> Result<Self, ConnectError> {
        let (url, verification) = tls::verification_of(url)?;
        let mut config: tokio_postgres::Config = url.parse().map_err(ConnectError::Url)?;
        if verification != Verification::AsUrlSays {
            config.ssl_mode(SslMode::Require);
        }
        if config.get_connect_timeout().is_none() {
            config.connect_timeout(settings.acquire_timeout);
        }
        if config.get_application_name().is_none() {
            config.application_name("keyward");
        }
        config.keepalives_idle(Duration::from_secs(30));
        let milliseconds = settings.statement_timeout.as_millis();
        Ok(Self {
            config: Arc::new(config),
            tls: Arc::new(tls::client_config(&verification)?),
            settings: format!(
                "SET statement_timeout = {milliseconds}; SET lock_timeout = {milliseconds}; \
                 SET idle_in_transaction_session_timeout = {}",
                milliseconds * 2
            ),
            patience: settings.acquire_timeout,
        })
    }

    /// One connection, ready for use, within the patience that the settings give.
    pub(super) async fn connect(&self) -> Result<AsyncPgConnection, ConnectionError> {
        tokio::time::timeout(self.patience, self.open())
            .await
            .unwrap_or_else(|_| Err(ConnectionError::BadConnection("timed out while connecting".to_owned())))
    }

    async fn open(&self) -> Result<AsyncPgConnection, ConnectionError> {
        let tls = MakeRustlsConnect::new(self.tls.as_ref().clone());
        let (client, connection) =
            self.config.connect(tls).await.map_err(|error| ConnectionError::BadConnection(with_cause(&error)))?;
        let mut connection = AsyncPgConnection::try_from_client_and_connection(client, connection).await?;
        connection.batch_execute(&self.settings).await.map_err(ConnectionError::CouldntSetupConfiguration)?;
        Ok(connection)
    }

    /// A bare client, without the session's settings: for what is asked before there is a pool.
    pub(super) async fn client(&self) -> Result<Client, tokio_postgres::Error> {
        // In a box, because it is large and part of futures that are moved.
        let connecting = Box::pin(self.config.connect(MakeRustlsConnect::new(self.tls.as_ref().clone())));
        let (client, connection) = connecting.await?;
        // Ends with the client. Its errors are the client's too.
        tokio::spawn(connection);
        Ok(client)
    }

    /// The form in which the pool asks for it.
    pub(super) fn into_setup(self) -> SetupCallback<AsyncPgConnection> {
        Box::new(move |_| {
            let connector = self.clone();
            async move { connector.connect().await }.boxed()
        })
    }
}

/// The driver's own words are "db error"; the server's are behind them.
fn with_cause(error: &tokio_postgres::Error) -> String {
    std::error::Error::source(error).map_or_else(|| error.to_string(), |cause| format!("{error}: {cause}"))
}

/// Logs why a connection could not be opened; the caller only learns that none came in time.
#[derive(Clone, Copy, Debug)]
pub(super) struct LogConnectErrors;

impl<E: fmt::Display> bb8::ErrorSink<E> for LogConnectErrors {
    fn sink(&self, error: E) {
        tracing::warn!(error = %error, "could not open a connection to the database");
    }

    fn boxed_clone(&self) -> Box<dyn bb8::ErrorSink<E>> {
        Box::new(*self)
    }
}
