//! Attempts at a reset's code: reserved before the comparison, given back when the code is right.

use chrono::{DateTime, Utc};
use diesel::OptionalExtension;
use diesel::prelude::Queryable;
use diesel::sql_types::{Binary, Nullable, SmallInt, Timestamptz, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;
use uuid::Uuid;

use super::super::statement::statement;
use super::super::{Connection, StoreError};
use crate::model::code::CodeHash;
use crate::model::id::{ResetId, UserId};

/// A reserved attempt at the code of a reset.
#[derive(Debug)]
pub struct CodeAttempt {
    /// Whose password the reset may set; `None` when the address has no account, or when the user is gone.
    pub user_id: Option<UserId>,
    /// What wrong codes are counted by; `None` for a reset that a version before began.
    pub address_hash: Option<Vec<u8>>,
    /// The keyed hash of the code.
    pub code_hash: CodeHash,
    /// The exchange of the code for a token, if it took place.
    pub exchange: Option<Exchange>,
}

/// The exchange of a right code for a token.
#[derive(Clone, Copy, Debug)]
pub struct Exchange {
    /// The keyed hash of code and device of the attempt that was right.
    pub replay_hash: CodeHash,
    /// When the token ends.
    pub token_expires_at: DateTime<Utc>,
}

#[derive(Queryable)]
struct AttemptRow {
    user_id: Option<Uuid>,
    address_hash: Option<Vec<u8>>,
    code_hash: Vec<u8>,
    replay_hash: Option<Vec<u8>>,
    token_expires_at: Option<DateTime<Utc>>,
}

statement! {
    ReserveAttempt {
        reset_id: Uuid => SqlUuid,
        attempts: i16 => SmallInt,
        now: DateTime<Utc> => Timestamptz,
    } -> (Nullable<SqlUuid>, Nullable<Binary>, Binary, Nullable<Binary>, Nullable<Timestamptz>)
    "UPDATE password_resets SET code_attempts = code_attempts + 1
    WHERE reset_id = $1 AND code_attempts < $2 AND code_expires_at > $3 AND consumed_at IS NULL
        AND (token_expires_at IS NULL OR replay_hash IS NOT NULL)
    RETURNING user_id, address_hash, code_hash, replay_hash, token_expires_at"
}

statement! {
    ReleaseAttempt { reset_id: Uuid => SqlUuid } -> ()
    "UPDATE password_resets SET code_attempts = greatest(code_attempts - 1, 0) WHERE reset_id = $1"
}

statement! {
    SetExchange {
        reset_id: Uuid => SqlUuid,
        replay_hash: Vec<u8> => Binary,
        token_expires_at: DateTime<Utc> => Timestamptz,
    } -> ()
    "UPDATE password_resets
    SET replay_hash = $2, token_expires_at = $3, expires_at = greatest(expires_at, $3),
        code_attempts = greatest(code_attempts - 1, 0)
    WHERE reset_id = $1"
}

/// Counts one attempt at a code and gives the hash to compare it with, in one statement; `None` when there is nothing left
/// to try.
///
/// # Errors
/// When the database fails.
pub async fn reserve_attempt(
    conn: &mut Connection,
    reset_id: ResetId,
    attempts: u16,
    now: DateTime<Utc>,
) -> Result<Option<CodeAttempt>, StoreError> {
    let statement =
        ReserveAttempt { reset_id: reset_id.uuid(), attempts: i16::try_from(attempts).unwrap_or(i16::MAX), now };
    let row: Option<AttemptRow> = statement.get_result(conn).await.optional()?;
    row.map(CodeAttempt::try_from).transpose()
}

/// Gives the reserved attempt at a code back, because it was a right one.
///
/// # Errors
/// When the database fails.
pub async fn release_attempt(conn: &mut Connection, reset_id: ResetId) -> Result<(), StoreError> {
    ReleaseAttempt { reset_id: reset_id.uuid() }.execute(conn).await?;
    Ok(())
}

/// Exchanges the code of a reset for its token, and gives the reserved attempt back.
///
/// # Errors
/// When the database fails.
pub async fn exchange_code(conn: &mut Connection, reset_id: ResetId, exchange: Exchange) -> Result<(), StoreError> {
    let statement = SetExchange {
        reset_id: reset_id.uuid(),
        replay_hash: exchange.replay_hash.as_bytes().to_vec(),
        token_expires_at: exchange.token_expires_at,
    };
    statement.execute(conn).await?;
    Ok(())
}

impl TryFrom<AttemptRow> for CodeAttempt {
    type Error = StoreError;

    fn try_from(row: AttemptRow) -> Result<Self, StoreError> {
        let replay_hash = row.replay_hash.map(|bytes| hash(&bytes, "password_resets.replay_hash")).transpose()?;
        let exchange = replay_hash.zip(row.token_expires_at);
        Ok(Self {
            user_id: row.user_id.map(Into::into),
            address_hash: row.address_hash,
            code_hash: hash(&row.code_hash, "password_resets.code_hash")?,
            exchange: exchange.map(|(replay_hash, token_expires_at)| Exchange { replay_hash, token_expires_at }),
        })
    }
}

fn hash(bytes: &[u8], column: &'static str) -> Result<CodeHash, StoreError> {
    CodeHash::try_from(bytes).map_err(|_| StoreError::Corrupt { column })
}
