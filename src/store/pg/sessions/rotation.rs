//! Rotating a refresh token: one statement when all is well, one more to find out why not. The statement keeps the device among
//! those that the account knows.

use std::net::IpAddr;

use chrono::{DateTime, Utc};
use diesel::OptionalExtension;
use diesel::sql_types::{Array, BigInt, Cidr, Inet, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;
use ipnet::IpNet;
use uuid::Uuid;

use super::{Connection, SessionColumns, SessionRow, StoreError, inet, session, session_columns, statement};
use crate::model::device::DeviceId;
use crate::model::id::SessionId;
use crate::model::operation::counted_network;
use crate::model::session::Session;
use crate::model::user::{TokenBasis, UserState};
use crate::store::pg::user_devices::{self, knows_device};
use crate::store::pg::users::stored_state;

/// A refresh token presented by a device.
#[derive(Debug)]
pub struct Rotation {
    /// The session that it names.
    pub session_id: SessionId,
    /// The generation that it names.
    pub generation: i64,
    /// Who presents it.
    pub device_id: DeviceId,
    /// From where.
    pub ip_address: IpAddr,
    /// With which user agent.
    pub user_agent: String,
    /// When the session ends from now on unless it is used, or reaches its absolute end, before.
    pub idle_expires_at: DateTime<Utc>,
}

/// A session and what its next tokens are made of.
#[derive(Debug)]
pub struct Rotated {
    /// The session.
    pub session: Session,
    /// The generation of its current refresh token.
    pub generation: i64,
    /// The user's roles.
    pub roles: Vec<String>,
    /// Which state of the user these roles are of.
    pub basis: TokenBasis,
}

/// Everything that decides about a refresh token.
#[derive(Debug)]
pub struct SessionStanding {
    /// The session, its current generation and its user's roles.
    pub current: Rotated,
    /// When the current generation replaced the one before.
    pub rotated_at: DateTime<Utc>,
    /// Until when its refresh is locked, or was.
    pub refresh_locked_until: Option<DateTime<Utc>>,
    /// When the session ended, if it did.
    pub ended_at: Option<DateTime<Utc>>,
    /// Whether its user may log in.
    pub user_state: UserState,
}

macro_rules! roles_and_basis {
    () => {
        "ARRAY(SELECT r.role FROM user_roles r WHERE r.user_id = s.user_id ORDER BY r.role), \
         u.revision, u.tokens_issued_from"
    };
}

type RotatedColumns = (SessionColumns, BigInt, Array<Text>, BigInt, Nullable<Timestamptz>);
type RotatedRow = (SessionRow, i64, Vec<String>, i64, Option<DateTime<Utc>>);

fn rotated((row, generation, roles, revision, issued_from): RotatedRow) -> Result<Rotated, StoreError> {
    Ok(Rotated { session: session(row)?, generation, roles, basis: TokenBasis { revision, issued_from } })
}

statement! {
    Rotate {
        session_id: Uuid => SqlUuid,
        generation: i64 => BigInt,
        device_id: String => Text,
        now: DateTime<Utc> => Timestamptz,
        idle_expires_at: DateTime<Utc> => Timestamptz,
        ip_address: IpNet => Inet,
        user_agent: String => Text,
        network: IpNet => Cidr,
        written_before: DateTime<Utc> => Timestamptz,
    } -> (RotatedColumns)
    "WITH rotated AS (
        UPDATE sessions s
        SET generation = s.generation + 1, rotated_at = $4, last_used_at = $4,
            expires_at = least($5, s.absolute_expires_at), ip_address = $6, user_agent = $7
        FROM users u
        WHERE s.session_id = $1 AND s.generation = $2 AND s.device_id = $3 AND s.ended_at IS NULL AND s.expires_at > $4
            AND (s.refresh_locked_until IS NULL OR s.refresh_locked_until <= $4)
            AND u.user_id = s.user_id AND u.state = 'ACTIVE'
        RETURNING ", session_columns!(), ", s.generation, ", roles_and_basis!(), "
    ), device AS (
        INSERT INTO user_devices (user_id, device_id, network, first_used_at, last_used_at)
        SELECT r.user_id, $3, $8, $4, $4 FROM rotated r
        WHERE NOT ", knows_device!("r.user_id", "$3", "$8", "$9"), "
        ON CONFLICT ON CONSTRAINT user_devices_pkey DO UPDATE SET last_used_at = $4
    )
    SELECT r.* FROM rotated r"
}

statement! {
    FindStanding { session_id: Uuid => SqlUuid }
        -> (RotatedColumns, Timestamptz, Nullable<Timestamptz>, Nullable<Timestamptz>, Text)
    "SELECT ", session_columns!(), ", s.generation, ", roles_and_basis!(), ", s.rotated_at, s.refresh_locked_until, s.ended_at, u.state
    FROM sessions s JOIN users u ON u.user_id = s.user_id WHERE s.session_id = $1"
}

/// Moves a session to its next generation; `None`, and nothing changed, unless the token is the current one, its device
/// the right one, session and user live, and its refresh not locked.
///
/// # Errors
/// When the database fails.
pub async fn rotate(
    conn: &mut Connection,
    rotation: &Rotation,
    now: DateTime<Utc>,
) -> Result<Option<Rotated>, StoreError> {
    let statement = Rotate {
        session_id: rotation.session_id.uuid(),
        generation: rotation.generation,
        device_id: rotation.device_id.as_str().to_owned(),
        now,
        idle_expires_at: rotation.idle_expires_at,
        ip_address: inet(rotation.ip_address),
        user_agent: rotation.user_agent.clone(),
        network: counted_network(rotation.ip_address),
        written_before: user_devices::written_before(now),
    };
    let row: Option<(RotatedRow,)> = statement.get_result(conn).await.optional()?;
    row.map(|(row,)| rotated(row)).transpose()
}

/// How a session stands, live or not; `None` when there is no such session.
///
/// # Errors
/// When the database fails.
pub async fn find_standing(
    conn: &mut Connection,
    session_id: SessionId,
) -> Result<Option<SessionStanding>, StoreError> {
    type Row = (RotatedRow, DateTime<Utc>, Option<DateTime<Utc>>, Option<DateTime<Utc>>, String);
    let row: Option<Row> = FindStanding { session_id: session_id.uuid() }.get_result(conn).await.optional()?;
    let Some((row, rotated_at, refresh_locked_until, ended_at, state)) = row else { return Ok(None) };
    let (current, user_state) = (rotated(row)?, stored_state(&state)?);
    Ok(Some(SessionStanding { current, rotated_at, refresh_locked_until, ended_at, user_state }))
}
