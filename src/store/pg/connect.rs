//! Opening one connection: the hosts of the URL in turn, TLS by its `sslmode`, and the session's settings.
//!
//! `sslmode` means what it means to libpq: `disable`, `prefer` (the default) and `require` encrypt without asking who is
//! there; `verify-ca` and `verify-full` check the certificate against `sslrootcert`, or the system's roots without one.

mod hosts;

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use rustls::ClientConfig;
use tokio::time::{Instant, timeout};
use tokio_postgres::{Client, Config};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::connection::{Connection, Driver, Wire};
use super::epochs::Epochs;
use super::error::DriverError;
use super::tls;
use super::url::DatabaseUrl;
use crate::config::Database;
use hosts::{Host, Hosts};

/// How much longer than `database.statement_timeout`, at which the server ends a statement, an answer is waited for.
const ANSWER_MARGIN: Duration = Duration::from_secs(2);

/// Keepalive of a connection on which nothing is under way, where the URL sets none.
const KEEPALIVE_IDLE: Duration = Duration::from_secs(30);
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(5);
const KEEPALIVE_RETRIES: u32 = 3;

/// Why a database URL cannot be used. Never shows the URL, which may hold a password.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// It is not a PostgreSQL URL.
    #[error("database.url is not a PostgreSQL URL")]
    Url(#[source] tokio_postgres::Error),
    /// A part of it cannot be used.
    #[error("database.url: {part} {problem}")]
    Part {
        /// The name of a parameter, or another part of a URL.
        part: String,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// The trusted certificates could not be read.
    #[error("the certificates to verify the database with could not be read")]
    Certificates(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl ConnectError {
    /// A part of the URL that cannot be used.
    pub(super) fn part(part: impl Into<String>, problem: &'static str) -> Self {
        Self::Part { part: part.into(), problem }
    }
}

/// No host of the URL could be connected to in time: each by its name, with its own reason.
#[derive(Debug)]
pub struct Unreachable(Vec<(String, DriverError)>);

impl fmt::Display for Unreachable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (host, error)) in self.0.iter().enumerate() {
            write!(f, "{}{host}: {error}", if index == 0 { "" } else { "; " })?;
            let mut cause = std::error::Error::source(error);
            while let Some(error) = cause {
                write!(f, ": {error}")?;
                cause = error.source();
            }
        }
        Ok(())
    }
}

impl std::error::Error for Unreachable {}

impl Unreachable {
    /// Whether every host knows no such user or database, or wants another password: waiting does not help.
    pub(super) fn is_refusal(&self) -> bool {
        !self.0.is_empty() && self.0.iter().all(|(_, error)| error.is_refusal())
    }
}

/// Opens connections to one database.
#[derive(Clone)]
pub(super) struct Connector {
    hosts: Arc<Hosts>,
    tls: Arc<ClientConfig>,
    session: Arc<str>,
    /// How long opening one connection may take, all hosts together.
    patience: Duration,
    /// How long one exchange may take.
    longest: Duration,
    epochs: Arc<Epochs>,
}

impl Connector {
    /// Reads the URL.
    pub(super) fn new(url: &str, settings: &Database) -> Result<Self, ConnectError> {
        let mut url = DatabaseUrl::parse(url)?;
        let longest = settings.statement_timeout.saturating_add(ANSWER_MARGIN);
        set_defaults(&mut url, longest);
        let milliseconds = settings.statement_timeout.as_millis();
        let session = format!(
            "SET TIME ZONE 'UTC'; SET statement_timeout = {milliseconds}; SET lock_timeout = {milliseconds}; \
             SET idle_in_transaction_session_timeout = {}",
            milliseconds.saturating_mul(2)
        );
        Ok(Self {
            tls: Arc::new(tls::client_config(&url.verification)?),
            patience: url.patience(settings.acquire_timeout),
            hosts: Arc::new(Hosts::of(url)),
            session: session.into(),
            longest,
            epochs: Arc::default(),
        })
    }

    /// The epochs of the connections opened here.
    pub(super) fn epochs(&self) -> &Epochs {
        &self.epochs
    }

    /// One connection, ready for use.
    pub(super) async fn connect(&self) -> Result<Connection, Unreachable> {
        // What is learnt about the database from now on holds for this connection too.
        let epoch = self.epochs.current();
        let BareClient { client, driver } = self.open(Some(&self.session)).await?;
        Ok(Connection::new(client, Wire::new(driver, self.longest, (self.epochs.clone(), epoch))))
    }

    /// A bare client, without the session's settings: for what is asked before there is a pool.
    pub(super) async fn client(&self) -> Result<BareClient, Unreachable> {
        self.open(None).await
    }

    /// Connects to the first host that takes a connection. Each host has an equal share of the time that is left, so that a
    /// silent one does not keep the next from being tried.
    async fn open(&self, session: Option<&str>) -> Result<BareClient, Unreachable> {
        let end = Instant::now() + self.patience;
        let mut tried = Vec::new();
        for (left, host) in self.hosts.in_turn() {
            let share = self.hosts.limit(share_of(end, left));
            // In a box, because it is large and part of futures that are moved.
            match Box::pin(self.open_host(host, Instant::now() + share, session)).await {
                Ok(opened) => {
                    host.answered();
                    return Ok(opened);
                }
                Err(error) => {
                    host.failed();
                    tried.push((host.name().to_owned(), error));
                }
            }
        }
        Err(Unreachable(tried))
    }

    /// Tries the addresses of one host, which share its time in the same way.
    async fn open_host(&self, host: &Host, end: Instant, session: Option<&str>) -> Result<BareClient, DriverError> {
        let whole = end.saturating_duration_since(Instant::now());
        let mut failure = DriverError::Silent(whole);
        let addresses = match timeout(whole, host.addresses(self.hosts.are_at_random())).await {
            Ok(addresses) => addresses.map_err(DriverError::Lookup)?,
            Err(_elapsed) => return Err(failure),
        };
        for (left, config) in counted_down(&addresses) {
            let share = share_of(end, left);
            match timeout(share, self.open_at(config, session)).await {
                Ok(Ok(opened)) => return Ok(opened),
                Ok(Err(error)) => failure = error.into(),
                Err(_elapsed) => failure = DriverError::Silent(share),
            }
        }
        Err(failure)
    }

    async fn open_at(&self, config: &Config, session: Option<&str>) -> Result<BareClient, tokio_postgres::Error> {
        let tls = MakeRustlsConnect::new(self.tls.as_ref().clone());
        let (client, connection) = config.connect(tls).await?;
        let driver = Driver::start(connection);
        if let Some(session) = session {
            client.batch_execute(session).await?;
        }
        Ok(BareClient { client, driver })
    }
}

/// A client, with the task that reads and writes for it.
pub(super) struct BareClient {
    client: Client,
    driver: Driver,
}

impl Deref for BareClient {
    type Target = Client;

    fn deref(&self) -> &Client {
        &self.client
    }
}

/// Sets what the URL does not, so that a host that vanished is noticed with and without a statement under way.
fn set_defaults(url: &mut DatabaseUrl, longest: Duration) {
    if url.config.get_application_name().is_none() {
        url.config.application_name("keyward");
    }
    if !url.sets("tcp_user_timeout") {
        url.config.tcp_user_timeout(longest.saturating_add(ANSWER_MARGIN));
    }
    if !url.sets("keepalives_idle") {
        url.config.keepalives_idle(KEEPALIVE_IDLE);
    }
    if !url.sets("keepalives_interval") {
        url.config.keepalives_interval(KEEPALIVE_INTERVAL);
    }
    if !url.sets("keepalives_retries") {
        url.config.keepalives_retries(KEEPALIVE_RETRIES);
    }
}

/// The items, each with the number of those that are left, itself included.
fn counted_down<T>(items: &[T]) -> impl Iterator<Item = (u32, &T)> {
    (1..=u32::try_from(items.len()).unwrap_or(u32::MAX)).rev().zip(items)
}

/// The share of one of those that are left in the time until `end`.
fn share_of(end: Instant, left: u32) -> Duration {
    end.saturating_duration_since(Instant::now()) / left.max(1)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use std::time::Duration;

    use super::{DatabaseUrl, set_defaults};

    const LONGEST: Duration = Duration::from_secs(7);

    #[test]
    fn a_host_that_vanished_is_noticed_where_the_url_says_nothing() {
        let mut url = DatabaseUrl::parse("postgres://h/d").unwrap();
        set_defaults(&mut url, LONGEST);
        let set = url.config;
        assert_eq!(set.get_tcp_user_timeout(), Some(&Duration::from_secs(9)));
        assert_eq!(set.get_keepalives_idle(), Duration::from_secs(30));
        assert_eq!(set.get_keepalives_interval(), Some(Duration::from_secs(5)));
        assert_eq!(set.get_keepalives_retries(), Some(3));
        assert_eq!(set.get_application_name(), Some("keyward"));
    }

    #[test]
    fn what_the_url_says_is_kept() {
        // Two hours is the driver's own default, and 0 stands for that of the system.
        let mut url = DatabaseUrl::parse(
            "postgres://h/d?keepalives_idle=7200&keepalives_interval=9&keepalives_count=8&tcp_user_timeout=0\
             &application_name=mine",
        )
        .unwrap();
        set_defaults(&mut url, LONGEST);
        let set = url.config;
        assert_eq!(set.get_tcp_user_timeout(), None);
        assert_eq!(set.get_keepalives_idle(), Duration::from_hours(2));
        assert_eq!(set.get_keepalives_interval(), Some(Duration::from_secs(9)));
        assert_eq!(set.get_keepalives_retries(), Some(8));
        assert_eq!(set.get_application_name(), Some("mine"));
    }
}
