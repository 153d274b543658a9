//! PostgreSQL through diesel-async: the pool, its errors, and one file a table.

mod connect;
mod error;
mod expired;
mod migrate;
mod server;
mod statement;
mod tls;
mod transaction;

pub mod account_lockouts;
pub mod audit_events;
pub mod code_quotas;
pub mod feed_versions;
pub mod leases;
pub mod login_attempts;
pub mod login_networks;
pub mod mail_outbox;
pub mod network_rules;
pub mod password_resets;
pub mod registrations;
pub mod revocations;
pub mod roles;
pub mod server_clock;
pub mod service_keys;
pub mod sessions;
pub mod signing_keys;
pub mod transactions;
pub mod user_devices;
pub mod users;

use diesel_async::AsyncPgConnection;
use diesel_async::pooled_connection::bb8::{Pool as Bb8Pool, PooledConnection};
use diesel_async::pooled_connection::{
    AsyncDieselConnectionManager, ManagerConfig, PoolableConnection, RecyclingMethod,
};
use secrecy::{ExposeSecret, SecretString};

pub use connect::ConnectError;
pub use error::StoreError;
pub use expired::{Deleted, Expired};
pub use migrate::{MigrateError, migrate, migrate_from};
pub use server::{PoolerUnsupported, Pooling, Server, ServerError, ServerState};
pub use transaction::Transaction;

use crate::config::Database;

/// What store functions run on: a pooled connection, inside a transaction or not.
pub type Connection = AsyncPgConnection;

/// A connection on loan from the pool.
pub type Loan<'a> = PooledConnection<'a, Connection>;

/// The connections of one kind of work.
#[derive(Clone)]
pub struct Pool(Bb8Pool<Connection>);

impl std::fmt::Debug for Pool {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Pool").field(&self.0.state()).finish()
    }
}

impl Pool {
    /// A pool of at most `size` connections to `url`; it opens them when they are asked for.
    ///
    /// # Errors
    /// When the URL is not one, or its certificates cannot be read.
    pub fn new(url: &SecretString, settings: &Database, size: u32) -> Result<Self, ConnectError> {
        let connector = connect::Connector::new(url.expose_secret(), settings)?;
        let mut manager = ManagerConfig::default();
        manager.recycling_method = RecyclingMethod::Fast;
        manager.custom_setup = connector.into_setup();
        let manager = AsyncDieselConnectionManager::new_with_config(String::new(), manager);
        let pool = Bb8Pool::builder()
            .max_size(size)
            // No round trip before each use: `get` looks at the socket instead.
            .test_on_check_out(false)
            .connection_timeout(settings.acquire_timeout)
            .error_sink(Box::new(connect::LogConnectErrors))
            .build_unchecked(manager);
        Ok(Self(pool))
    }

    /// A connection that is not known to be broken.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when there is none within `database.acquire_timeout`.
    pub async fn get(&self) -> Result<Loan<'_>, StoreError> {
        loop {
            let mut loan = self.0.get().await.map_err(StoreError::from)?;
            // The server closed it while it lay idle: give it back, which discards it, and take another.
            if !loan.is_broken() {
                return Ok(loan);
            }
        }
    }
}
