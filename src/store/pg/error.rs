//! What can go wrong at the database, sorted by what a caller can do about it.
//!
//! Errors are told by their SQLSTATE, never by their text: a server speaks any language. Diesel's errors have no place for it,
//! so [`Connection`](super::Connection) puts the driver's whole error into Diesel's, and this file takes it out again.

use std::error::Error;
use std::io;
use std::time::Duration;

use diesel::result::Error as DieselError;

use super::connect::Unreachable;

/// A failure of the store. The driver's words are for the log alone.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database is away, overloaded or restarting: the same call may succeed soon.
    #[error("the database is unavailable")]
    Unavailable(#[source] Box<dyn Error + Send + Sync>),
    /// The database takes no writes: a standby, or one that was made read-only.
    #[error("the database is read-only")]
    ReadOnly,
    /// A unique constraint, by its name.
    #[error("the unique constraint {constraint} is violated")]
    Duplicate {
        /// The constraint's name in the migrations.
        constraint: String,
    },
    /// A stored value that its own type refuses.
    #[error("a stored value is corrupt: {column}")]
    Corrupt {
        /// Where it is stored, as `table.column`.
        column: &'static str,
    },
    /// A statement of ours is wrong, or the schema is not the one that this version expects.
    #[error("a statement failed")]
    Statement(#[source] DieselError),
}

impl StoreError {
    /// Whether `self` is the violation of this unique constraint.
    #[must_use]
    pub fn is_duplicate_of(&self, name: &str) -> bool {
        matches!(self, Self::Duplicate { constraint } if constraint == name)
    }

    /// No answer came within this time.
    pub(super) fn silent(within: Duration) -> Self {
        Self::Unavailable(Box::new(DriverError::Silent(within)))
    }
}

impl From<bb8::RunError<Unreachable>> for StoreError {
    fn from(error: bb8::RunError<Unreachable>) -> Self {
        Self::Unavailable(Box::new(error))
    }
}

impl From<DieselError> for StoreError {
    fn from(error: DieselError) -> Self {
        match error {
            DieselError::QueryBuilderError(cause) => match cause.downcast::<DriverError>() {
                Ok(error) => Self::from(*error),
                Err(cause) => Self::Statement(DieselError::QueryBuilderError(cause)),
            },
            DieselError::RollbackErrorOnCommit { commit_error, .. } => Self::from(*commit_error),
            DieselError::BrokenTransactionManager | DieselError::AlreadyInTransaction => {
                Self::Unavailable(Box::new(error))
            }
            _ => Self::Statement(error),
        }
    }
}

impl From<DriverError> for StoreError {
    fn from(error: DriverError) -> Self {
        match error {
            DriverError::Server { code, constraint, .. } if code == UNIQUE_VIOLATION => {
                Self::Duplicate { constraint: constraint.unwrap_or_default() }
            }
            DriverError::Server { ref code, .. } if !passes_with_time(code) => Self::Statement(error.into()),
            _ => Self::Unavailable(Box::new(error)),
        }
    }
}

/// What the driver tells of a failure. Shows the server's message without its details, which may quote a row.
#[derive(Debug, thiserror::Error)]
pub(super) enum DriverError {
    /// The server refused.
    #[error("{message} (SQLSTATE {code})")]
    Server { code: String, message: String, constraint: Option<String> },
    /// The connection, or the attempt to open one, failed.
    #[error(transparent)]
    Connection(tokio_postgres::Error),
    /// The host's name could not be looked up.
    #[error("could not look up the host")]
    Lookup(#[source] io::Error),
    /// No answer came in time.
    #[error("no answer within {0:?}")]
    Silent(Duration),
}

impl DriverError {
    /// Whether the server takes no writes.
    pub(super) fn is_read_only(&self) -> bool {
        matches!(self, Self::Server { code, .. } if code == READ_ONLY)
    }

    /// Whether the server refuses the client: invalid authorization, or no such database.
    pub(super) fn is_refusal(&self) -> bool {
        matches!(self, Self::Server { code, .. } if ["28", "3D"].iter().any(|class| code.starts_with(class)))
    }

    /// Whether the connection is of no more use: it failed, the server ends it, or its prepared statements are not what the
    /// cache says.
    pub(super) fn ends_connection(&self) -> bool {
        match self {
            Self::Server { code, .. } => {
                ENDING_CLASSES.iter().any(|class| code.starts_with(class)) || ENDING_CODES.contains(&code.as_str())
            }
            _ => true,
        }
    }
}

impl From<tokio_postgres::Error> for DriverError {
    fn from(error: tokio_postgres::Error) -> Self {
        match error.as_db_error() {
            Some(told) => Self::Server {
                code: told.code().code().to_owned(),
                message: told.message().to_owned(),
                constraint: told.constraint().map(ToOwned::to_owned),
            },
            None => Self::Connection(error),
        }
    }
}

/// The one variant of Diesel's that keeps an error of another's whole.
impl From<DriverError> for DieselError {
    fn from(error: DriverError) -> Self {
        Self::QueryBuilderError(Box::new(error))
    }
}

const UNIQUE_VIOLATION: &str = "23505";
const READ_ONLY: &str = "25006";

/// Connection exceptions, and operators who end sessions.
const ENDING_CLASSES: [&str; 2] = ["08", "57P"];

/// An idle transaction was ended; a prepared statement is unknown, is there already, or has other columns by now.
const ENDING_CODES: [&str; 5] = ["25P03", "25P04", "26000", "42P05", "0A000"];

/// Whether an error is about the server's state and not about the statement.
fn passes_with_time(code: &str) -> bool {
    // Connection exception, transaction rollback, insufficient resources, operator intervention, system error.
    const CLASSES: [&str; 5] = ["08", "40", "53", "57", "58"];
    // Read-only, a transaction that was idle or open for too long, a lock that was not available.
    const CODES: [&str; 4] = [READ_ONLY, "25P03", "25P04", "55P03"];
    CLASSES.iter().any(|class| code.starts_with(class)) || CODES.contains(&code)
}

#[cfg(test)]
mod tests {
    use super::{DieselError, DriverError, StoreError};

    fn told(code: &str, message: &str) -> StoreError {
        let constraint = Some("users_email_key".to_owned());
        let error = DriverError::Server { code: code.to_owned(), message: message.to_owned(), constraint };
        StoreError::from(DieselError::from(error))
    }

    #[test]
    fn what_passes_with_time_is_told_by_the_code_in_any_language() {
        for code in [
            "57014", "57P01", "57P02", "57P03", "57P05", "53000", "53100", "53200", "53300", "40001", "40003", "40P01",
            "55P03", "08000", "08006", "08P01", "58000", "58030", "25006", "25P03", "25P04",
        ] {
            for message in ["storniere Anfrage", "canceling statement", ""] {
                assert!(matches!(told(code, message), StoreError::Unavailable(_)), "{code}");
            }
        }
    }

    #[test]
    fn what_is_ours_to_mend_is_not_blamed_on_the_server() {
        for code in ["42P01", "42703", "22P02", "23502", "23503", "23514", "25P02", "XX000", "P0001", "0A000"] {
            // Even where the message looks like something else.
            assert!(matches!(told(code, "canceling statement"), StoreError::Statement(_)), "{code}");
        }
    }

    #[test]
    fn a_duplicate_is_told_by_its_constraint() {
        assert!(told("23505", "doppelter Schlüsselwert").is_duplicate_of("users_email_key"));
    }

    #[test]
    fn a_failed_commit_is_judged_by_its_cause() {
        let commit = DriverError::Server { code: "40001".to_owned(), message: String::new(), constraint: None };
        let error = DieselError::RollbackErrorOnCommit {
            rollback_error: Box::new(DieselError::NotInTransaction),
            commit_error: Box::new(commit.into()),
        };
        assert!(matches!(StoreError::from(error), StoreError::Unavailable(_)));
    }
}
