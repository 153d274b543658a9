//! The revocation feed: what of it lies in its two tables, `revocations` and `stale_users`, read as one.
//!
//! Revocations are written by the statements that end sessions, stale users by whatever changes roles.

use chrono::{DateTime, Utc};
use diesel::sql_types::{BigInt, Nullable, Timestamptz, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;
use uuid::Uuid;

use super::expired::delete_expired;
use super::statement::statement;
use super::{Connection, StoreError};
use crate::model::revocation::{Revoked, StaleUser};

/// Access tokens that must not be believed.
#[derive(Clone, Copy, Debug)]
pub struct Revocation {
    /// Its place in the feed.
    pub sequence: i64,
    /// Whose tokens.
    pub revoked: Revoked,
    /// When the last of them has expired by itself.
    pub expires_at: DateTime<Utc>,
}

statement! {
    FindAfter { sequence: i64 => BigInt, now: DateTime<Utc> => Timestamptz }
        -> (BigInt, Timestamptz, Nullable<SqlUuid>, Nullable<SqlUuid>, Nullable<BigInt>, Nullable<Timestamptz>)
    "SELECT sequence, expires_at, session_id, NULL, NULL, NULL
        FROM revocations WHERE sequence > $1 AND expires_at > $2
    UNION ALL
    SELECT sequence, expires_at, NULL, user_id, revision, issued_before
        FROM stale_users WHERE sequence > $1 AND expires_at > $2
    ORDER BY sequence"
}

statement! {
    InsertStaleUser {
        user_id: Uuid => SqlUuid,
        revision: i64 => BigInt,
        issued_before: DateTime<Utc> => Timestamptz,
        now: DateTime<Utc> => Timestamptz,
        expires_at: DateTime<Utc> => Timestamptz,
    } -> ()
    "INSERT INTO stale_users (user_id, revision, issued_before, created_at, expires_at) VALUES ($1, $2, $3, $4, $5)"
}

type Row = (i64, DateTime<Utc>, Option<Uuid>, Option<Uuid>, Option<i64>, Option<DateTime<Utc>>);

/// What came into the feed after `sequence` and still matters, in the order of writing.
///
/// # Errors
/// When the database fails.
pub async fn find_after(
    conn: &mut Connection,
    sequence: i64,
    now: DateTime<Utc>,
) -> Result<Vec<Revocation>, StoreError> {
    FindAfter { sequence, now }.load::<Row>(conn).await?.into_iter().map(revocation).collect()
}

/// Makes a user's access tokens of earlier revisions stale. Called with the user locked.
///
/// # Errors
/// When the database fails.
pub async fn insert_stale_user(
    conn: &mut Connection,
    stale: StaleUser,
    expires_at: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    let StaleUser { user_id, revision, issued_before } = stale;
    let statement = InsertStaleUser { user_id: user_id.uuid(), revision, issued_before, now, expires_at };
    statement.execute(conn).await?;
    Ok(())
}

fn revocation(row: Row) -> Result<Revocation, StoreError> {
    let revoked = match row {
        (_, _, Some(session_id), ..) => Revoked::Session(session_id.into()),
        (_, _, None, Some(user_id), Some(revision), Some(issued_before)) => {
            Revoked::StaleUser(StaleUser { user_id: user_id.into(), revision, issued_before })
        }
        _ => return Err(StoreError::Corrupt { column: "stale_users" }),
    };
    let (sequence, expires_at, ..) = row;
    Ok(Revocation { sequence, revoked, expires_at })
}

delete_expired! {
    /// Deletes revocations of tokens that have all expired.
    DeleteExpired, delete_expired: "revocations", "sequence", "expires_at", "true"
}

delete_expired! {
    /// Deletes what is known of users whose stale tokens have all expired.
    DeleteExpiredStaleUsers, delete_expired_stale_users: "stale_users", "sequence", "expires_at", "true"
}
