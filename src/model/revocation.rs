//! What has been revoked: access tokens that must not be believed although they verify; and places in the feed that says so.

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

/// How far the revocation feed goes. It shows when the database has gone back: restored from a backup, or failed over with
/// commits lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FeedExtent {
    /// The latest sequence number given out, committed or not; 0 before the first.
    pub last: i64,
    /// When the database server was started.
    pub server_started_at: DateTime<Utc>,
}

/// A place in the revocation feed. A sequence number alone does not say which one is meant, once the database has gone back and
/// gives the same numbers out again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FeedPlace {
    /// The sequence number up to which everything is known.
    pub sequence: i64,
    /// When the database server was started that gave it out.
    pub server_started_at: DateTime<Utc>,
}

impl FeedExtent {
    /// The place before everything in the feed.
    #[must_use]
    pub const fn beginning(self) -> FeedPlace {
        FeedPlace { sequence: 0, server_started_at: self.server_started_at }
    }

    /// The place after everything in the feed.
    #[must_use]
    pub const fn end(self) -> FeedPlace {
        FeedPlace { sequence: self.last, server_started_at: self.server_started_at }
    }

    /// Whether this place is one of a feed that goes so far. A feed that was restarted may have other rows at the same places.
    #[must_use]
    pub fn contains(self, place: FeedPlace) -> bool {
        place.sequence <= self.last && place.server_started_at == self.server_started_at
    }
}
