//! The configuration: embedded defaults, then a file, then the environment; read once at start, validated, plain data after.
//!
//! `config/defaults.toml` holds every key with its meaning. A section is a struct here, in a file of its own, with the limits
//! of its values. What is built from the values (pools, keys, a mailer) does not belong here.

mod audit;
mod cleanup;
mod codes;
mod database;
mod document;
mod duration;
mod effective;
mod environment;
mod error;
mod layers;
mod lockout;
mod log;
mod mail;
pub mod master_key;
mod passwords;
mod problems;
mod redis;
mod redis_url;
mod required;
mod revocations;
mod secret;
mod server;
mod sessions;
mod smtp;
#[cfg(test)]
mod tests;
mod throttle;
mod tokens;
mod tree;
mod warnings;

use std::fs;
use std::path::{Path, PathBuf};

use secrecy::{ExposeSecret as _, SecretString};
use serde::de::{Deserialize, Deserializer};
use toml::Table;

use document::Document;
use layers::Layers;
use problems::Problems;

pub use audit::Audit;
pub use cleanup::Cleanup;
pub use codes::Codes;
pub use database::Database;
pub use duration::parse as parse_duration;
pub use environment::environment;
pub use error::{ConfigError, Origin, Problem};
pub use lockout::{AccountLockout, CredentialStuffing, Lockout, LockoutOperations, LockoutRule, SessionLockout};
pub use log::{Log, LogFormat};
pub use mail::{Mail, MailTransport};
pub use master_key::MasterKeys;
pub use passwords::{Ceilings, Passwords, Workers};
pub use redis::Redis;
pub use redis_url::{RedisUrl, RedisUrlInvalid};
pub use revocations::Revocations;
pub use server::Server;
pub use sessions::Sessions;
pub use smtp::{SmtpEncryption, SmtpServer, SmtpUrlInvalid};
pub use throttle::{Quota, Throttle, ThrottleOperations, ThrottleStore};
pub use tokens::{Algorithm, MAX_ACCESS_TTL, Tokens};

/// Every key with its meaning and its default, as TOML.
pub const DEFAULTS: &str = include_str!("config/defaults.toml");

/// A configuration that has been validated. Its `Debug` shows no secret.
#[derive(Debug, Clone)]
pub struct Config {
    /// The master keys, when any were given.
    pub master_keys: Option<MasterKeys>,
    /// The file that the master keys were read from, if they were.
    pub master_key_file: Option<PathBuf>,
    /// Listeners, proxies and limits of the service itself.
    pub server: Server,
    /// Postgres.
    pub database: Database,
    /// Redis.
    pub redis: Redis,
    /// How mail leaves.
    pub mail: Mail,
    /// Access and refresh tokens.
    pub tokens: Tokens,
    /// Sessions of an account.
    pub sessions: Sessions,
    /// Mailed codes, and what they are exchanged for.
    pub codes: Codes,
    /// Hashing of passwords.
    pub passwords: Passwords,
    /// The feed of revocations.
    pub revocations: Revocations,
    /// The audit trail.
    pub audit: Audit,
    /// Deleting what has expired.
    pub cleanup: Cleanup,
    /// Limits on requests.
    pub throttle: Throttle,
    /// Limits on failures.
    pub lockout: Lockout,
    /// Log lines.
    pub log: Log,
    effective: String,
}

impl Config {
    /// Lays the file over the defaults and the environment over both, and validates the result. Pass
    /// [`environment()`] for this process's own.
    ///
    /// What only some commands need may be missing: see [`Config::database_url`] and [`Config::master_keys`].
    ///
    /// # Errors
    ///
    /// [`ConfigError`] when the file cannot be read or is not TOML, or else with every key that is unknown or senseless.
    pub fn load(
        file: Option<&Path>,
        environment: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, ConfigError> {
        let mut layers = Layers::new(parse(Path::new("defaults.toml"), DEFAULTS)?);
        if let Some(path) = file {
            let text =
                fs::read_to_string(path).map_err(|source| ConfigError::Unreadable { path: path.to_owned(), source })?;
            layers.add_file(path, parse(path, &text)?);
        }
        layers.add_environment(environment);
        secret::read_files(&mut layers);
        layers.choose_transport();
        let Layers { values, mut problems, .. } = layers;

        let document =
            Document::read(&values).map_err(|error| ConfigError::syntax(Path::new("defaults.toml"), "", &error))?;
        document.check(&mut problems);
        let master_keys = read_master_keys(document.master_key.as_ref(), &mut problems);
        let origins = problems.into_result()?;

        Ok(Self {
            master_keys,
            master_key_file: document.master_key_file,
            server: document.server,
            database: document.database,
            redis: document.redis,
            mail: document.mail,
            tokens: document.tokens,
            sessions: document.sessions,
            codes: document.codes,
            passwords: document.passwords,
            revocations: document.revocations,
            audit: document.audit,
            cleanup: document.cleanup,
            throttle: document.throttle,
            lockout: document.lockout,
            log: document.log,
            effective: effective::render(&values, &origins),
        })
    }

    /// The configuration as it was loaded, as TOML with its secrets masked; what is not a default says where it came from.
    #[must_use]
    pub fn effective(&self) -> &str {
        &self.effective
    }

    /// What is allowed, and yet not what one wants in production, each in one sentence to be logged at start.
    #[must_use]
    pub fn warnings(&self) -> Vec<&'static str> {
        warnings::of(self)
    }
}

fn parse(path: &Path, text: &str) -> Result<Table, ConfigError> {
    text.parse().map_err(|error| ConfigError::syntax(path, text, &error))
}

fn read_master_keys(text: Option<&SecretString>, problems: &mut Problems) -> Option<MasterKeys> {
    match MasterKeys::parse(text?.expose_secret()) {
        Ok(keys) => Some(keys),
        Err(invalid) => {
            problems.add("master_key", invalid.to_string());
            None
        }
    }
}

/// For `#[serde(deserialize_with)]` of a path that may be left out: an empty string is `None`.
fn optional_path<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<PathBuf>, D::Error> {
    let path = PathBuf::deserialize(deserializer)?;
    Ok(if path.as_os_str().is_empty() { None } else { Some(path) })
}
