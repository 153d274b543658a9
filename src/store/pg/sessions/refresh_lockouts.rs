//! Lockouts of sessions: too many refreshes with a token that was used before, or from another device, lock the refresh of the
//! session for a while. The statement of a rotation goes by them.

use std::time::Duration;

use chrono::{DateTime, Utc};
use diesel::OptionalExtension;
use diesel::sql_types::{Array, BigInt, Bool, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;
use uuid::Uuid;

use super::{Connection, StoreError, statement};
use crate::clock;
use crate::model::id::SessionId;
use crate::model::lockout::{Lockout, LockoutCause, LockoutKey};
use crate::policy::lockout::SessionRule;

statement! {
    AddFailure {
        session_id: Uuid => SqlUuid,
        now: DateTime<Utc> => Timestamptz,
        window_start: DateTime<Utc> => Timestamptz,
        failures: i64 => BigInt,
        locked_until: DateTime<Utc> => Timestamptz,
    } -> (Nullable<Timestamptz>)
    "UPDATE sessions s
    SET (refresh_failed_at, refresh_locked_until) = (
        SELECT recent.times || $2, CASE WHEN cardinality(recent.times) + 1 >= $4 THEN $5 END
        FROM (SELECT ARRAY(
            -- A lock that is over has settled what led to it.
            SELECT t FROM unnest(s.refresh_failed_at) AS t WHERE t > $3 AND s.refresh_locked_until IS NULL
        )) AS recent (times)
    )
    WHERE s.session_id = $1 AND (s.refresh_locked_until IS NULL OR s.refresh_locked_until <= $2)
    RETURNING s.refresh_locked_until"
}

statement! {
    FindLocked { after_end: DateTime<Utc> => Timestamptz, after_session: Uuid => SqlUuid, limit: i64 => BigInt }
        -> (SqlUuid, SqlUuid, Text, Array<Timestamptz>, Timestamptz)
    "SELECT session_id, user_id, device_id, refresh_failed_at, refresh_locked_until FROM sessions
    WHERE refresh_locked_until IS NOT NULL AND (refresh_locked_until, session_id) > ($1, $2) AND ended_at IS NULL
    ORDER BY refresh_locked_until, session_id LIMIT $3"
}

statement! {
    TakeLocked { session_id: Uuid => SqlUuid, now: DateTime<Utc> => Timestamptz } -> (Bool)
    "UPDATE sessions SET refresh_failed_at = '{}', refresh_locked_until = NULL
    WHERE session_id = $1 AND refresh_locked_until > $2 AND ended_at IS NULL RETURNING true"
}

/// Counts a failed refresh against the session that its token names; the end of the lockout, if it begins one.
///
/// # Errors
/// When the database fails.
pub async fn add_refresh_failure(
    conn: &mut Connection,
    session_id: SessionId,
    rule: SessionRule,
    now: DateTime<Utc>,
) -> Result<Option<DateTime<Utc>>, StoreError> {
    let statement = AddFailure {
        session_id: session_id.uuid(),
        now,
        window_start: clock::subtract(now, rule.window),
        failures: rule.failures.into(),
        locked_until: clock::add(now, rule.lock),
    };
    let row: Option<(Option<DateTime<Utc>>,)> = statement.get_result(conn).await.optional()?;
    Ok(row.and_then(|(locked_until,)| locked_until))
}

/// The sessions whose refresh is locked now, each for `lock`, by their end, from the one after `after`; at most `limit`.
///
/// # Errors
/// When the database fails.
pub async fn find_refresh_locked(
    conn: &mut Connection,
    after: Option<(DateTime<Utc>, SessionId)>,
    limit: u32,
    lock: Duration,
    now: DateTime<Utc>,
) -> Result<Vec<Lockout>, StoreError> {
    type Row = (Uuid, Uuid, String, Vec<DateTime<Utc>>, DateTime<Utc>);
    // What is locked until just now is not.
    let after = after.filter(|(end, _)| *end > now).map(|(end, session_id)| (end, session_id.uuid()));
    let (after_end, after_session) = after.unwrap_or((now, Uuid::max()));
    let statement = FindLocked { after_end, after_session, limit: limit.into() };
    let rows: Vec<Row> = statement.load(conn).await?;
    let lockout = |(session_id, user_id, device_id, failed_at, until): Row| Lockout {
        key: LockoutKey::Session(session_id.into()),
        cause: LockoutCause::Failures,
        subject: session_id.to_string(),
        device_id,
        network: String::new(),
        failures: u32::try_from(failed_at.len()).unwrap_or(u32::MAX),
        created_at: clock::subtract(until, lock),
        expires_at: until,
        user_id: Some(user_id.into()),
    };
    Ok(rows.into_iter().map(lockout).collect())
}

/// Lifts the lockout of a session and forgets the failures that led to it; `false` when there is none.
///
/// # Errors
/// When the database fails.
pub async fn take_refresh_locked(
    conn: &mut Connection,
    session_id: SessionId,
    now: DateTime<Utc>,
) -> Result<bool, StoreError> {
    Ok(TakeLocked { session_id: session_id.uuid(), now }.get_result::<(bool,)>(conn).await.optional()?.is_some())
}
