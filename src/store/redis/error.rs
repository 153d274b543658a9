//! What can go wrong at Redis.

use bb8_redis::bb8::RunError;
use redis::RedisError;

use crate::certificates::CertificatesInvalid;
use crate::config::RedisUrlInvalid;

/// Why `redis.url` cannot be used. Never shows the URL, which may hold a password.
#[derive(Debug, thiserror::Error)]
pub enum RedisInvalid {
    /// It is not a URL of Redis.
    #[error("redis.url {0}")]
    Url(#[from] RedisUrlInvalid),
    /// The client does not take it.
    #[error("redis.url cannot be used")]
    Client(#[source] RedisError),
    /// It asks for TLS, and there is nobody to trust.
    #[error("redis.url asks for TLS, which cannot be set up")]
    Certificates(#[from] CertificatesInvalid),
}

/// Redis did not answer, or not as it should; who asked goes on without it.
#[derive(Debug, thiserror::Error)]
pub enum RedisAway {
    /// Not within `redis.timeout`.
    #[error("Redis did not answer in time")]
    Late,
    /// It could not be reached, or refused the command.
    #[error("Redis failed")]
    Failed(#[source] RedisError),
}

impl RedisAway {
    /// With its causes, for the log.
    #[must_use]
    pub fn with_causes(&self) -> String {
        match self {
            Self::Late => self.to_string(),
            Self::Failed(cause) => format!("{self}: {cause}"),
        }
    }
}

impl From<RedisError> for RedisAway {
    fn from(error: RedisError) -> Self {
        Self::Failed(error)
    }
}

impl From<RunError<RedisError>> for RedisAway {
    fn from(error: RunError<RedisError>) -> Self {
        match error {
            RunError::TimedOut => Self::Late,
            RunError::User(error) => Self::Failed(error),
        }
    }
}
