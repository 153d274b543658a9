//! What has been revoked: access tokens that must not be believed although they verify.

use chrono::{DateTime, Utc};

use super::id::{SessionId, UserId};

/// Whose access tokens must not be believed.
#[derive(Clone, Copy, Debug)]
pub enum Revoked {
    /// All of a session.
    Session(SessionId),
    /// Those that a user was issued before its roles changed.
    StaleUser(StaleUser),
}

/// A user whose roles have changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StaleUser {
    /// The user.
    pub user_id: UserId,
    /// Tokens of an earlier revision are stale.
    pub revision: i64,
    /// The same by their `iat`: tokens issued before this time are stale.
    pub issued_before: DateTime<Utc>,
}
