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

/// Errors of a server that serves no commands, or not us: a demoted or cut-off master, one that is still loading, one that has
/// forgotten who we are. Nothing was done.
const TURNED_AWAY: [&str; 5] = ["READONLY", "LOADING", "MASTERDOWN", "NOAUTH", "NOPERM"];

/// Whether the server has turned a command away, so that another may be found under its name.
pub(super) fn is_turned_away(error: &RedisError) -> bool {
    let is_one = |word: &str| TURNED_AWAY.contains(&word);
    // Before Redis 7 the error of a command in a script is told within that of the script.
    let within = error.detail().unwrap_or_default();
    error.code().is_some_and(is_one) || within.split([' ', '-']).any(is_one)
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

#[cfg(test)]
mod tests {
    use redis::{ErrorKind, RedisError, ServerErrorKind};

    use super::is_turned_away;

    #[test]
    fn a_server_that_serves_no_commands_is_told_from_one_that_refuses_a_command() {
        let error = |kind, detail: &str| RedisError::from((ErrorKind::Server(kind), "", detail.to_owned()));
        assert!(is_turned_away(&error(ServerErrorKind::ReadOnly, "You can't write against a read only replica.")));
        assert!(is_turned_away(&error(ServerErrorKind::BusyLoading, "Redis is loading the dataset in memory")));
        assert!(is_turned_away(&error(ServerErrorKind::MasterDown, "Link with MASTER is down")));
        assert!(is_turned_away(&error(ServerErrorKind::NoPerm, "this user has no permissions")));
        let old = "Error running script (call to f_0): @user_script:1: -READONLY You can't write against a read only replica.";
        assert!(is_turned_away(&error(ServerErrorKind::ResponseError, old)));
        for (kind, detail) in [(ServerErrorKind::ResponseError, "unknown command"), (ServerErrorKind::NoScript, "no")] {
            assert!(!is_turned_away(&error(kind, detail)));
        }
    }
}
