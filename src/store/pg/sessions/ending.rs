//! Ending sessions, each with its revocation, each only by whom it belongs to.

use chrono::{DateTime, Utc};
use diesel::OptionalExtension;
use diesel::sql_types::{BigInt, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;
use uuid::Uuid;

use super::{Connection, StoreError, statement};
use crate::model::device::DeviceId;
use crate::model::id::{SessionId, UserId};
use crate::model::session::EndReason;

/// Sessions that a statement ended, to be taken into memory at once.
pub type Ended = Vec<SessionId>;

/// When and why sessions end, and until when their access tokens must be refused.
#[derive(Clone, Copy, Debug)]
pub struct Ending {
    /// Why.
    pub reason: EndReason,
    /// When.
    pub at: DateTime<Utc>,
    /// When the last of their access tokens has expired by itself.
    pub revocation_expires_at: DateTime<Utc>,
}

statement! {
    EndMatching {
        user_id: Uuid => SqlUuid,
        session_id: Option<Uuid> => Nullable<SqlUuid>,
        device_id: Option<String> => Nullable<Text>,
        except: Option<Uuid> => Nullable<SqlUuid>,
        now: DateTime<Utc> => Timestamptz,
        reason: String => Text,
        revocation_expires_at: DateTime<Utc> => Timestamptz,
    } -> (SqlUuid)
    "WITH ended AS (
        UPDATE sessions SET ended_at = $5, end_reason = $6
        WHERE user_id = $1 AND ended_at IS NULL AND expires_at > $5
            AND ($2 IS NULL OR session_id = $2) AND ($3 IS NULL OR device_id = $3)
            AND ($4 IS NULL OR session_id <> $4)
        RETURNING session_id
    ), revoked AS (
        INSERT INTO revocations (session_id, created_at, expires_at) SELECT session_id, $5, $7 FROM ended
    )
    SELECT session_id FROM ended"
}

statement! {
    EndById {
        session_id: Uuid => SqlUuid,
        now: DateTime<Utc> => Timestamptz,
        reason: String => Text,
        revocation_expires_at: DateTime<Utc> => Timestamptz,
    } -> (SqlUuid)
    "WITH ended AS (
        UPDATE sessions SET ended_at = $2, end_reason = $3
        WHERE session_id = $1 AND ended_at IS NULL AND expires_at > $2
        RETURNING session_id, user_id
    ), revoked AS (
        INSERT INTO revocations (session_id, created_at, expires_at) SELECT session_id, $2, $4 FROM ended
    )
    SELECT user_id FROM ended"
}

statement! {
    EndReused {
        session_id: Uuid => SqlUuid,
        generation: i64 => BigInt,
        now: DateTime<Utc> => Timestamptz,
        reason: String => Text,
        revocation_expires_at: DateTime<Utc> => Timestamptz,
    } -> (SqlUuid)
    "WITH ended AS (
        UPDATE sessions SET ended_at = $3, end_reason = $4
        WHERE session_id = $1 AND generation > $2 AND ended_at IS NULL
        RETURNING session_id
    ), revoked AS (
        INSERT INTO revocations (session_id, created_at, expires_at) SELECT session_id, $3, $5 FROM ended
    )
    SELECT session_id FROM ended"
}

/// Which of a user's live sessions to end; nothing set means all.
#[derive(Debug, Default)]
struct Which {
    session_id: Option<SessionId>,
    device_id: Option<DeviceId>,
    except: Option<SessionId>,
}

async fn end(conn: &mut Connection, user_id: UserId, which: Which, ending: Ending) -> Result<Ended, StoreError> {
    let statement = EndMatching {
        user_id: user_id.uuid(),
        session_id: which.session_id.map(SessionId::uuid),
        device_id: which.device_id.map(|device_id| device_id.as_str().to_owned()),
        except: which.except.map(SessionId::uuid),
        now: ending.at,
        reason: ending.reason.as_str().to_owned(),
        revocation_expires_at: ending.revocation_expires_at,
    };
    let rows: Vec<(Uuid,)> = statement.load(conn).await?;
    Ok(rows.into_iter().map(|(session_id,)| session_id.into()).collect())
}

/// Ends one session of a user; empty when it has no such live session.
///
/// # Errors
/// When the database fails.
pub async fn end_one(
    conn: &mut Connection,
    user_id: UserId,
    session_id: SessionId,
    ending: Ending,
) -> Result<Ended, StoreError> {
    end(conn, user_id, Which { session_id: Some(session_id), ..Which::default() }, ending).await
}

/// Ends a user's session on a device; empty when it has none there.
///
/// # Errors
/// When the database fails.
pub async fn end_by_device(
    conn: &mut Connection,
    user_id: UserId,
    device_id: DeviceId,
    ending: Ending,
) -> Result<Ended, StoreError> {
    end(conn, user_id, Which { device_id: Some(device_id), ..Which::default() }, ending).await
}

/// Ends all sessions of a user, but for one.
///
/// # Errors
/// When the database fails.
pub async fn end_all(
    conn: &mut Connection,
    user_id: UserId,
    except: Option<SessionId>,
    ending: Ending,
) -> Result<Ended, StoreError> {
    end(conn, user_id, Which { except, ..Which::default() }, ending).await
}

/// Ends a session, whose user it returns; `None` when there is no such live session.
///
/// # Errors
/// When the database fails.
pub async fn end_by_id(
    conn: &mut Connection,
    session_id: SessionId,
    ending: Ending,
) -> Result<Option<UserId>, StoreError> {
    let statement = EndById {
        session_id: session_id.uuid(),
        now: ending.at,
        reason: ending.reason.as_str().to_owned(),
        revocation_expires_at: ending.revocation_expires_at,
    };
    let row: Option<(Uuid,)> = statement.get_result(conn).await.optional()?;
    Ok(row.map(|(user_id,)| user_id.into()))
}

/// Ends a session because a generation was presented that it has left behind; empty when it had ended already.
///
/// # Errors
/// When the database fails.
pub async fn end_reused(
    conn: &mut Connection,
    session_id: SessionId,
    generation: i64,
    ending: Ending,
) -> Result<Ended, StoreError> {
    let statement = EndReused {
        session_id: session_id.uuid(),
        generation,
        now: ending.at,
        reason: ending.reason.as_str().to_owned(),
        revocation_expires_at: ending.revocation_expires_at,
    };
    let rows: Vec<(Uuid,)> = statement.load(conn).await?;
    Ok(rows.into_iter().map(|(session_id,)| session_id.into()).collect())
}
