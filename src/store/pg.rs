//! PostgreSQL through diesel-async: the pool, its errors, and one file a table.

mod connect;
mod connection;
mod epochs;
mod error;
mod expired;
mod migrate;
mod pool;
mod server;
mod statement;
mod tls;
mod transaction;
mod url;

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

pub use connect::{ConnectError, Unreachable};
pub use connection::Connection;
pub use error::StoreError;
pub use expired::{Deleted, Expired};
pub use migrate::{MigrateError, migrate, migrate_from};
pub use pool::{Loan, Pool};
pub use server::{PoolerUnsupported, Pooling, Server, ServerError, ServerState};
pub use transaction::Transaction;
