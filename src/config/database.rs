//! `[database]`: Postgres.

use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Duration;

use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;

use super::problems::Problems;
use super::{duration, optional_path, secret};

/// Postgres.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Database {
    /// Where it is, `postgres://..`; [`Config::database_url`](super::Config::database_url) for those who need it.
    #[serde(deserialize_with = "secret::optional")]
    pub url: Option<SecretString>,
    /// The file that `url` was read from, if it was.
    #[serde(deserialize_with = "optional_path")]
    pub url_file: Option<PathBuf>,
    /// How many connections a replica keeps at most.
    pub max_connections: NonZeroU32,
    /// How long a call waits for a free connection.
    #[serde(deserialize_with = "duration::deserialize")]
    pub acquire_timeout: Duration,
    /// How long one statement may run.
    #[serde(deserialize_with = "duration::deserialize")]
    pub statement_timeout: Duration,
    /// How long the start waits for a database that can be used.
    #[serde(deserialize_with = "duration::deserialize")]
    pub startup_timeout: Duration,
    /// Whether `serve` applies missing migrations.
    pub migrate: bool,
    /// How long migrations wait while another process migrates, and for the locks of tables.
    #[serde(deserialize_with = "duration::deserialize")]
    pub migrate_timeout: Duration,
}

impl Database {
    pub(super) fn check(&self, problems: &mut Problems) {
        if let Some(url) = &self.url {
            let known = ["postgres://", "postgresql://"].iter().any(|scheme| url.expose_secret().starts_with(scheme));
            problems.require(known, "database.url", "must begin with postgres:// or postgresql://");
        }
        problems.number("database.max_connections", self.max_connections.get(), 1..=10_000);
        let start = Duration::from_millis(10);
        problems.span("database.acquire_timeout", self.acquire_timeout, start..=Duration::from_mins(1));
        problems.span("database.statement_timeout", self.statement_timeout, start..=Duration::from_mins(10));
        problems.span("database.startup_timeout", self.startup_timeout, Duration::ZERO..=Duration::from_hours(1));
        let second = Duration::from_secs(1);
        problems.span("database.migrate_timeout", self.migrate_timeout, second..=Duration::from_hours(24));
    }
}
