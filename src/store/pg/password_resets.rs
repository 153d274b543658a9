//! Password resets: a code, then the token that it is exchanged for.

mod attempts;

pub use attempts::{CodeAttempt, Exchange, exchange_code, release_attempt, reserve_attempt};

use chrono::{DateTime, Utc};
use diesel::OptionalExtension;
use diesel::sql_types::{Binary, Nullable, SmallInt, Timestamptz, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;
use uuid::Uuid;

use super::expired::delete_expired;
use super::statement::statement;
use super::{Connection, StoreError};
use crate::model::code::CodeHash;
use crate::model::id::{ResetId, UserId};

/// A reset about to begin.
#[derive(Debug)]
pub struct NewReset {
    /// Its identifier.
    pub reset_id: ResetId,
    /// Whose password it may set; nobody's when the address has no account.
    pub user_id: Option<UserId>,
    /// What its wrong codes are counted by.
    pub address_hash: Vec<u8>,
    /// The keyed hash of its code.
    pub code_hash: CodeHash,
    /// When the code is no longer good.
    pub code_expires_at: DateTime<Utc>,
    /// When nothing of it is of use any more.
    pub expires_at: DateTime<Utc>,
}

/// Why a reset's code cannot be tried.
#[derive(Debug)]
pub struct Standing {
    /// Whose password it may set, if anybody's.
    pub user_id: Option<UserId>,
    /// Whether its code was exchanged, or the reset dropped.
    pub consumed: bool,
    /// When its code ends.
    pub code_expires_at: DateTime<Utc>,
    /// How often its code has been tried.
    pub code_attempts: i16,
}

statement! {
    Insert {
        reset_id: Uuid => SqlUuid,
        user_id: Option<Uuid> => Nullable<SqlUuid>,
        code_hash: Vec<u8> => Binary,
        code_expires_at: DateTime<Utc> => Timestamptz,
        now: DateTime<Utc> => Timestamptz,
        expires_at: DateTime<Utc> => Timestamptz,
        address_hash: Vec<u8> => Binary,
    } -> ()
    "INSERT INTO password_resets (reset_id, user_id, code_hash, code_attempts, code_expires_at, created_at, expires_at,
        address_hash)
    VALUES ($1, $2, $3, 0, $4, $5, $6, $7)"
}

statement! {
    FindStanding { reset_id: Uuid => SqlUuid }
        -> (Nullable<SqlUuid>, Nullable<Timestamptz>, Nullable<Timestamptz>, Timestamptz, SmallInt)
    "SELECT user_id, consumed_at, token_expires_at, code_expires_at, code_attempts FROM password_resets WHERE reset_id = $1"
}

statement! {
    FindOwner { reset_id: Uuid => SqlUuid, now: DateTime<Utc> => Timestamptz } -> (SqlUuid)
    "SELECT user_id FROM password_resets
    WHERE reset_id = $1 AND token_expires_at > $2 AND consumed_at IS NULL AND user_id IS NOT NULL"
}

statement! {
    TakeToken { reset_id: Uuid => SqlUuid, now: DateTime<Utc> => Timestamptz } -> (SqlUuid)
    "UPDATE password_resets SET consumed_at = $2
    WHERE reset_id = $1 AND token_expires_at > $2 AND consumed_at IS NULL AND user_id IS NOT NULL
    RETURNING user_id"
}

statement! {
    ConsumeAllOf { user_id: Uuid => SqlUuid, now: DateTime<Utc> => Timestamptz } -> ()
    "UPDATE password_resets SET consumed_at = $2 WHERE user_id = $1 AND consumed_at IS NULL"
}

type StandingRow = (Option<Uuid>, Option<DateTime<Utc>>, Option<DateTime<Utc>>, DateTime<Utc>, i16);

/// Begins a reset.
///
/// # Errors
/// When the database fails.
pub async fn insert(conn: &mut Connection, new: &NewReset, now: DateTime<Utc>) -> Result<(), StoreError> {
    let statement = Insert {
        reset_id: new.reset_id.uuid(),
        user_id: new.user_id.map(UserId::uuid),
        code_hash: new.code_hash.as_bytes().to_vec(),
        code_expires_at: new.code_expires_at,
        now,
        expires_at: new.expires_at,
        address_hash: new.address_hash.clone(),
    };
    statement.execute(conn).await?;
    Ok(())
}

/// How a reset stands; `None` when there is no such reset.
///
/// # Errors
/// When the database fails.
pub async fn find_standing(conn: &mut Connection, reset_id: ResetId) -> Result<Option<Standing>, StoreError> {
    let statement = FindStanding { reset_id: reset_id.uuid() };
    let row: Option<StandingRow> = statement.get_result(conn).await.optional()?;
    Ok(row.map(|(user_id, consumed_at, token_expires_at, code_expires_at, code_attempts)| Standing {
        user_id: user_id.map(Into::into),
        consumed: consumed_at.is_some() || token_expires_at.is_some(),
        code_expires_at,
        code_attempts,
    }))
}

/// Whose password the token of a reset may set, without using the token up.
///
/// # Errors
/// When the database fails.
pub async fn find_owner(
    conn: &mut Connection,
    reset_id: ResetId,
    now: DateTime<Utc>,
) -> Result<Option<UserId>, StoreError> {
    let row: Option<(Uuid,)> = FindOwner { reset_id: reset_id.uuid(), now }.get_result(conn).await.optional()?;
    Ok(row.map(|(user_id,)| user_id.into()))
}

/// Uses the token of a reset up; only one caller ever gets its user.
///
/// # Errors
/// When the database fails.
pub async fn take_token(
    conn: &mut Connection,
    reset_id: ResetId,
    now: DateTime<Utc>,
) -> Result<Option<UserId>, StoreError> {
    let row: Option<(Uuid,)> = TakeToken { reset_id: reset_id.uuid(), now }.get_result(conn).await.optional()?;
    Ok(row.map(|(user_id,)| user_id.into()))
}

/// Drops every reset of a user that is under way.
///
/// # Errors
/// When the database fails.
pub async fn consume_all_of(conn: &mut Connection, user_id: UserId, now: DateTime<Utc>) -> Result<(), StoreError> {
    ConsumeAllOf { user_id: user_id.uuid(), now }.execute(conn).await?;
    Ok(())
}

delete_expired! {
    /// Deletes resets that are over, whatever became of them.
    DeleteExpired, delete_expired: "password_resets", "reset_id", "expires_at", "true"
}
