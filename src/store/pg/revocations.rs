//! The revocation feed's table: read here, written by the statements that end sessions.

use chrono::{DateTime, Utc};
use diesel::sql_types::{BigInt, Timestamptz, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;
use uuid::Uuid;

use super::statement::statement;
use super::{Connection, StoreError};
use crate::model::id::SessionId;

/// A session whose access tokens must not be believed.
#[derive(Clone, Copy, Debug)]
pub struct Revocation {
    /// Its place in the feed.
    pub sequence: i64,
    /// The session.
    pub session_id: SessionId,
    /// When the last of its access tokens has expired by itself.
    pub expires_at: DateTime<Utc>,
}

statement! {
    FindAfter { sequence: i64 => BigInt, now: DateTime<Utc> => Timestamptz } -> (BigInt, SqlUuid, Timestamptz)
    "SELECT sequence, session_id, expires_at FROM revocations WHERE sequence > $1 AND expires_at > $2 ORDER BY sequence"
}

/// What came into the feed after `sequence` and still matters, in the order of writing.
///
/// # Errors
/// When the database fails.
pub async fn find_after(
    conn: &mut Connection,
    sequence: i64,
    now: DateTime<Utc>,
) -> Result<Vec<Revocation>, StoreError> {
    let rows: Vec<(i64, Uuid, DateTime<Utc>)> = FindAfter { sequence, now }.load(conn).await?;
    Ok(rows
        .into_iter()
        .map(|(sequence, session_id, expires_at)| Revocation { sequence, session_id: session_id.into(), expires_at })
        .collect())
}
