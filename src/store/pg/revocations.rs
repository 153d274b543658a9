//! The revocation feed: what of it lies in its two tables, `revocations` and `stale_users`, read as one.
//!
//! Revocations are written by the statements that end sessions, stale users by whatever changes roles.

use chrono::{DateTime, Utc};
use diesel::Queryable;
use diesel::sql_types::{BigInt, Nullable, Timestamptz, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;
use uuid::Uuid;

use super::expired::delete_expired;
use super::statement::statement;
use super::{Connection, StoreError};
use crate::model::revocation::{FeedExtent, Revoked, StaleUser};

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

/// What a look at the feed has found.
#[derive(Debug)]
pub struct FeedReading {
    /// What came after the place that was asked for and still matters, in the order of writing.
    pub revocations: Vec<Revocation>,
    /// How far the feed goes.
    pub extent: FeedExtent,
}

statement! {
    FindAfter { sequence: i64 => BigInt, now: DateTime<Utc> => Timestamptz }
        -> (
            BigInt,
            Timestamptz,
            Nullable<BigInt>,
            Nullable<Timestamptz>,
            Nullable<SqlUuid>,
            Nullable<SqlUuid>,
            Nullable<BigInt>,
            Nullable<Timestamptz>,
        )
    // One row without a revocation when there is none. The USAGE that a role needs to write is enough for the function.
    "SELECT coalesce(pg_sequence_last_value('revocations_sequence_seq'::regclass), 0), pg_postmaster_start_time(), feed.*
    FROM (VALUES (true)) always LEFT JOIN (
        SELECT sequence, expires_at, session_id, NULL::uuid, NULL::bigint, NULL::timestamptz
            FROM revocations WHERE sequence > $1 AND expires_at > $2
        UNION ALL
        SELECT sequence, expires_at, NULL, user_id, revision, issued_before
            FROM stale_users WHERE sequence > $1 AND expires_at > $2
    ) feed ON true ORDER BY feed.sequence"
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

#[derive(Queryable)]
struct FeedRow {
    last: i64,
    server_started_at: DateTime<Utc>,
    sequence: Option<i64>,
    expires_at: Option<DateTime<Utc>>,
    session_id: Option<Uuid>,
    user_id: Option<Uuid>,
    revision: Option<i64>,
    issued_before: Option<DateTime<Utc>>,
}

/// What came into the feed after `sequence` and still matters, and how far the feed goes, in one statement.
///
/// # Errors
/// When the database fails.
pub async fn find_after(conn: &mut Connection, sequence: i64, now: DateTime<Utc>) -> Result<FeedReading, StoreError> {
    let rows: Vec<FeedRow> = FindAfter { sequence, now }.load(conn).await?;
    let [first, ..] = rows.as_slice() else { return Err(StoreError::Corrupt { column: "revocations.sequence" }) };
    let extent = FeedExtent { last: first.last, server_started_at: first.server_started_at };
    let revocations = rows.iter().filter_map(|row| revocation(row).transpose()).collect::<Result<_, _>>()?;
    Ok(FeedReading { revocations, extent })
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

/// The revocation of a row; none in the row of an empty feed.
fn revocation(row: &FeedRow) -> Result<Option<Revocation>, StoreError> {
    let (Some(sequence), Some(expires_at)) = (row.sequence, row.expires_at) else { return Ok(None) };
    let revoked = match (row.session_id, row.user_id, row.revision, row.issued_before) {
        (Some(session_id), ..) => Revoked::Session(session_id.into()),
        (None, Some(user_id), Some(revision), Some(issued_before)) => {
            Revoked::StaleUser(StaleUser { user_id: user_id.into(), revision, issued_before })
        }
        _ => return Err(StoreError::Corrupt { column: "stale_users" }),
    };
    Ok(Some(Revocation { sequence, revoked, expires_at }))
}

delete_expired! {
    /// Deletes revocations of tokens that have all expired.
    DeleteExpired, delete_expired: "revocations", "sequence", "expires_at", "true"
}

delete_expired! {
    /// Deletes what is known of users whose stale tokens have all expired.
    DeleteExpiredStaleUsers, delete_expired_stale_users: "stale_users", "sequence", "expires_at", "true"
}
