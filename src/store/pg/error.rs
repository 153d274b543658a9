//! What can go wrong at the database, sorted by what a caller can do about it.

use diesel::result::{DatabaseErrorKind, Error as DieselError};
use diesel_async::pooled_connection::bb8::RunError;

/// A failure of the store. The driver's words are for the log alone.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database is away, overloaded or restarting: the same call may succeed soon.
    #[error("the database is unavailable")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
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
}

impl From<RunError> for StoreError {
    fn from(error: RunError) -> Self {
        Self::Unavailable(Box::new(error))
    }
}

impl From<DieselError> for StoreError {
    fn from(error: DieselError) -> Self {
        match &error {
            DieselError::DatabaseError(DatabaseErrorKind::UniqueViolation, information) => {
                Self::Duplicate { constraint: information.constraint_name().unwrap_or_default().to_owned() }
            }
            DieselError::DatabaseError(kind, information) if passes_with_time(*kind, information.message()) => {
                Self::Unavailable(Box::new(error))
            }
            DieselError::BrokenTransactionManager | DieselError::AlreadyInTransaction => {
                Self::Unavailable(Box::new(error))
            }
            DieselError::RollbackErrorOnCommit { commit_error, .. } => match commit_error.as_ref() {
                DieselError::DatabaseError(kind, information) if passes_with_time(*kind, information.message()) => {
                    Self::Unavailable(Box::new(error))
                }
                _ => Self::Statement(error),
            },
            _ => Self::Statement(error),
        }
    }
}

/// Whether a database error is about the server's state and not about the statement. Diesel passes the message on but not
/// the SQLSTATE; these are the messages of class 57 (operator intervention), 53 (insufficient resources), 40 (rollback)
/// and 55P03 (lock not available), and of hot standbys.
fn passes_with_time(kind: DatabaseErrorKind, message: &str) -> bool {
    const PASSING: [&str; 12] = [
        "terminating connection",
        "the database system is",
        "canceling statement",
        "sorry, too many clients",
        "too many connections",
        "remaining connection slots",
        "deadlock detected",
        "could not serialize access",
        "canceling autovacuum",
        "out of memory",
        "could not extend file",
        "cannot execute",
    ];
    match kind {
        DatabaseErrorKind::UnableToSendCommand
        | DatabaseErrorKind::ClosedConnection
        | DatabaseErrorKind::SerializationFailure
        | DatabaseErrorKind::ReadOnlyTransaction => true,
        DatabaseErrorKind::Unknown => PASSING.iter().any(|start| message.starts_with(start)),
        _ => false,
    }
}
