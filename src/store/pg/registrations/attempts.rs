//! Attempts at a registration's code: reserved before the comparison, given back when the code is right.

use chrono::{DateTime, Utc};
use diesel::OptionalExtension;
use diesel::prelude::Queryable;
use diesel::sql_types::{Binary, Nullable, SmallInt, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;
use uuid::Uuid;

use super::super::statement::statement;
use super::super::users::{stored_display_name, stored_email, stored_locale};
use super::super::{Connection, StoreError};
use super::Registration;
use crate::model::code::CodeHash;
use crate::model::id::{RegistrationId, UserId};
use crate::model::password::PasswordHash;

/// A reserved attempt at the code of a registration.
#[derive(Debug)]
pub enum CodeAttempt {
    /// The code has not been right yet.
    First {
        /// What the code proves the address for.
        registration: Registration,
        /// The keyed hash of the code.
        code_hash: CodeHash,
    },
    /// The code was right before.
    Replay {
        /// The keyed hash of code and device of the attempt that was right.
        replay_hash: CodeHash,
        /// The user that the registration became; `None` when the user is gone.
        user_id: Option<UserId>,
    },
}

#[derive(Queryable)]
struct AttemptRow {
    email: String,
    display_name: String,
    password_hash: Option<String>,
    locale: Option<String>,
    code_hash: Vec<u8>,
    replay_hash: Option<Vec<u8>>,
    user_id: Option<Uuid>,
}

statement! {
    ReserveAttempt {
        registration_id: Uuid => SqlUuid,
        attempts: i16 => SmallInt,
        now: DateTime<Utc> => Timestamptz,
    } -> (Text, Text, Nullable<Text>, Nullable<Text>, Binary, Nullable<Binary>, Nullable<SqlUuid>)
    "UPDATE registrations SET code_attempts = code_attempts + 1
    WHERE registration_id = $1 AND code_attempts < $2 AND code_expires_at > $3 AND expires_at > $3
        AND (consumed_at IS NULL OR replay_hash IS NOT NULL)
    RETURNING email, display_name, password_hash, locale, code_hash, replay_hash, user_id"
}

statement! {
    ReleaseAttempt { registration_id: Uuid => SqlUuid } -> ()
    "UPDATE registrations SET code_attempts = greatest(code_attempts - 1, 0) WHERE registration_id = $1"
}

statement! {
    Complete {
        registration_id: Uuid => SqlUuid,
        user_id: Uuid => SqlUuid,
        replay_hash: Vec<u8> => Binary,
        now: DateTime<Utc> => Timestamptz,
    } -> ()
    "UPDATE registrations
    SET consumed_at = $4, password_hash = NULL, user_id = $2, replay_hash = $3,
        code_attempts = greatest(code_attempts - 1, 0)
    WHERE registration_id = $1"
}

/// Counts one attempt at a code and gives the hash to compare it with, in one statement: however many arrive at once,
/// only `attempts` of them get one. `None` when there is nothing left to try.
///
/// # Errors
/// When the database fails.
pub async fn reserve_attempt(
    conn: &mut Connection,
    registration_id: RegistrationId,
    attempts: u16,
    now: DateTime<Utc>,
) -> Result<Option<CodeAttempt>, StoreError> {
    let statement = ReserveAttempt {
        registration_id: registration_id.uuid(),
        attempts: i16::try_from(attempts).unwrap_or(i16::MAX),
        now,
    };
    let row: Option<AttemptRow> = statement.get_result(conn).await.optional()?;
    row.map(|row| row.into_attempt(registration_id)).transpose()
}

/// Gives the reserved attempt at a code back, because it was a right one.
///
/// # Errors
/// When the database fails.
pub async fn release_attempt(conn: &mut Connection, registration_id: RegistrationId) -> Result<(), StoreError> {
    ReleaseAttempt { registration_id: registration_id.uuid() }.execute(conn).await?;
    Ok(())
}

/// Closes a registration that has become a user, gives the reserved attempt back, and keeps by what the attempt is known
/// when it comes again.
///
/// # Errors
/// When the database fails.
pub async fn complete(
    conn: &mut Connection,
    registration_id: RegistrationId,
    user_id: UserId,
    replay_hash: &CodeHash,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    let statement = Complete {
        registration_id: registration_id.uuid(),
        user_id: user_id.uuid(),
        replay_hash: replay_hash.as_bytes().to_vec(),
        now,
    };
    statement.execute(conn).await?;
    Ok(())
}

impl AttemptRow {
    fn into_attempt(self, registration_id: RegistrationId) -> Result<CodeAttempt, StoreError> {
        if let Some(replay_hash) = self.replay_hash {
            let replay_hash = hash(&replay_hash, "registrations.replay_hash")?;
            return Ok(CodeAttempt::Replay { replay_hash, user_id: self.user_id.map(Into::into) });
        }
        let registration = Registration {
            registration_id,
            email: stored_email(&self.email)?,
            display_name: stored_display_name(&self.display_name)?,
            password_hash: self
                .password_hash
                .map(PasswordHash::from)
                .ok_or(StoreError::Corrupt { column: "registrations.password_hash" })?,
            locale: stored_locale(self.locale.as_deref()),
        };
        Ok(CodeAttempt::First { registration, code_hash: hash(&self.code_hash, "registrations.code_hash")? })
    }
}

fn hash(bytes: &[u8], column: &'static str) -> Result<CodeHash, StoreError> {
    CodeHash::try_from(bytes).map_err(|_| StoreError::Corrupt { column })
}
