//! Sessions: one row for each signed-in device, live until `ended_at` is set or `expires_at` has passed.
//!
//! Whatever ends a session writes its revocation in the same statement.

mod ending;
mod login;
mod refresh_lockouts;
mod rotation;

use std::net::IpAddr;

use chrono::{DateTime, Utc};
use diesel::OptionalExtension;
use diesel::sql_types::{BigInt, Bool, Inet, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;
use ipnet::IpNet;
use uuid::Uuid;

pub use ending::{Ended, Ending, end_all, end_by_device, end_by_id, end_one, end_reused};
pub use login::{LoginOutcome, NewLogin, insert_login};
pub use refresh_lockouts::{add_refresh_failure, find_refresh_locked, take_refresh_locked};
pub use rotation::{Rotated, Rotation, SessionStanding, find_standing, rotate};

use super::expired::delete_expired;
use super::statement::statement;
use super::{Connection, StoreError};
use crate::model::device::{DeviceId, DeviceName};
use crate::model::id::{SessionId, UserId};
use crate::model::session::Session;

macro_rules! session_columns {
    () => {
        "s.session_id, s.user_id, s.device_id, s.device_name, s.ip_address, s.user_agent, s.created_at, s.last_used_at, \
         s.expires_at"
    };
}
use session_columns;

type SessionColumns = (SqlUuid, SqlUuid, Text, Text, Inet, Text, Timestamptz, Timestamptz, Timestamptz);
type SessionRow = (Uuid, Uuid, String, String, IpNet, String, DateTime<Utc>, DateTime<Utc>, DateTime<Utc>);

fn session(row: SessionRow) -> Result<Session, StoreError> {
    let (session_id, user_id, device_id, device_name, ip_address, user_agent, created_at, last_used_at, expires_at) =
        row;
    Ok(Session {
        session_id: session_id.into(),
        user_id: user_id.into(),
        device_id: DeviceId::parse(&device_id).map_err(|_| StoreError::Corrupt { column: "sessions.device_id" })?,
        device_name: DeviceName::or_from_user_agent(&device_name, None),
        ip_address: ip_address.addr(),
        user_agent,
        created_at,
        last_used_at,
        expires_at,
    })
}

/// An address as PostgreSQL's `inet` holds it.
fn inet(address: IpAddr) -> IpNet {
    IpNet::from(address)
}

statement! {
    FindPage {
        user_id: Uuid => SqlUuid,
        now: DateTime<Utc> => Timestamptz,
        before: Option<Uuid> => Nullable<SqlUuid>,
        limit: i64 => BigInt,
    } -> (SessionColumns)
    "SELECT ", session_columns!(), " FROM sessions s
    WHERE s.user_id = $1 AND s.ended_at IS NULL AND s.expires_at > $2 AND ($3 IS NULL OR s.session_id < $3)
    ORDER BY s.session_id DESC LIMIT $4"
}

statement! {
    IsLive { session_id: Uuid => SqlUuid, revision: i64 => BigInt } -> (Bool)
    "SELECT true FROM sessions s
    WHERE s.session_id = $1 AND s.ended_at IS NULL
        AND NOT EXISTS (SELECT FROM stale_users t WHERE t.user_id = s.user_id AND t.revision > $2)"
}

/// Whether an access token of this session, made at this revision of its user, may be believed: the session has not ended, and
/// the user's roles have not changed since.
///
/// # Errors
/// When the database fails.
pub async fn is_live(conn: &mut Connection, session_id: SessionId, revision: i64) -> Result<bool, StoreError> {
    let statement = IsLive { session_id: session_id.uuid(), revision };
    Ok(statement.get_result::<(bool,)>(conn).await.optional()?.is_some())
}

/// A user's live sessions, latest login first, from the one after `before`.
///
/// # Errors
/// When the database fails.
pub async fn find_page(
    conn: &mut Connection,
    user_id: UserId,
    before: Option<SessionId>,
    limit: u32,
    now: DateTime<Utc>,
) -> Result<Vec<Session>, StoreError> {
    let statement =
        FindPage { user_id: user_id.uuid(), now, before: before.map(SessionId::uuid), limit: i64::from(limit) };
    let rows: Vec<(SessionRow,)> = statement.load(conn).await?;
    rows.into_iter().map(|(row,)| session(row)).collect()
}

delete_expired! {
    /// Deletes sessions that have expired, ended before or not.
    DeleteExpired, delete_expired: "sessions", "session_id", "expires_at", "true"
}

delete_expired! {
    /// Deletes sessions that ended.
    DeleteEnded, delete_ended: "sessions", "session_id", "ended_at", "ended_at IS NOT NULL"
}
