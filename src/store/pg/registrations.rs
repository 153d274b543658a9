//! Registrations that wait for the proof of their address.

mod attempts;

pub use attempts::{CodeAttempt, complete, release_attempt, reserve_attempt};

use chrono::{DateTime, Utc};
use diesel::OptionalExtension;
use diesel::sql_types::{Binary, Nullable, SmallInt, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;
use uuid::Uuid;

use super::expired::delete_expired;
use super::statement::statement;
use super::users::{stored_email, stored_locale};
use super::{Connection, StoreError};
use crate::model::code::CodeHash;
use crate::model::display_name::DisplayName;
use crate::model::email::Email;
use crate::model::id::RegistrationId;
use crate::model::locale::Locale;
use crate::model::password::PasswordHash;

/// A registration: what its code proves the address for.
#[derive(Debug)]
pub struct Registration {
    /// Its identifier.
    pub registration_id: RegistrationId,
    /// The address to be proved.
    pub email: Email,
    /// The name of the user to be.
    pub display_name: DisplayName,
    /// The password of the user to be.
    pub password_hash: PasswordHash,
    /// The language of its mail.
    pub locale: Option<Locale>,
}

/// A code as it is stored, with its times.
#[derive(Debug)]
pub struct StoredCode {
    /// The keyed hash of the code.
    pub hash: CodeHash,
    /// When it is no longer good.
    pub expires_at: DateTime<Utc>,
    /// When it may be replaced.
    pub resend_available_at: DateTime<Utc>,
}

/// Why a registration's code can be neither tried nor replaced.
#[derive(Debug)]
pub struct Standing {
    /// Whether it has become a user or was dropped.
    pub consumed: bool,
    /// When the registration itself ends.
    pub expires_at: DateTime<Utc>,
    /// When its code ends.
    pub code_expires_at: DateTime<Utc>,
    /// How often its code has been tried.
    pub code_attempts: i16,
    /// When its code may be replaced.
    pub resend_available_at: DateTime<Utc>,
}

statement! {
    Insert {
        registration_id: Uuid => SqlUuid,
        email: String => Text,
        display_name: String => Text,
        password_hash: String => Text,
        locale: Option<String> => Nullable<Text>,
        code_hash: Vec<u8> => Binary,
        code_expires_at: DateTime<Utc> => Timestamptz,
        resend_available_at: DateTime<Utc> => Timestamptz,
        now: DateTime<Utc> => Timestamptz,
        expires_at: DateTime<Utc> => Timestamptz,
    } -> ()
    "INSERT INTO registrations (registration_id, email, display_name, password_hash, locale, code_hash, code_attempts,
        code_expires_at, resend_available_at, created_at, expires_at)
    VALUES ($1, $2, $3, $4, $5, $6, 0, $7, $8, $9, $10)"
}

statement! {
    FindStanding { registration_id: Uuid => SqlUuid }
        -> (Nullable<Timestamptz>, Timestamptz, Timestamptz, SmallInt, Timestamptz)
    "SELECT consumed_at, expires_at, code_expires_at, code_attempts, resend_available_at
    FROM registrations WHERE registration_id = $1"
}

statement! {
    LockForResend { registration_id: Uuid => SqlUuid, now: DateTime<Utc> => Timestamptz } -> (Text, Nullable<Text>, Timestamptz)
    "SELECT email, locale, expires_at FROM registrations
    WHERE registration_id = $1 AND resend_available_at <= $2 AND expires_at > $2 AND consumed_at IS NULL
    FOR UPDATE"
}

statement! {
    UpdateCode {
        registration_id: Uuid => SqlUuid,
        code_hash: Vec<u8> => Binary,
        code_expires_at: DateTime<Utc> => Timestamptz,
        resend_available_at: DateTime<Utc> => Timestamptz,
    } -> ()
    "UPDATE registrations
    SET code_hash = $2, code_expires_at = $3, resend_available_at = $4, code_attempts = 0
    WHERE registration_id = $1"
}

statement! {
    Consume { registration_id: Uuid => SqlUuid, now: DateTime<Utc> => Timestamptz } -> ()
    "UPDATE registrations SET consumed_at = $2, password_hash = NULL WHERE registration_id = $1"
}

statement! {
    ConsumeOthers { email: String => Text, now: DateTime<Utc> => Timestamptz } -> ()
    // One that is being verified this very moment is skipped: it will find the address taken, and waiting for it here
    // while it waits for our user row would be a deadlock.
    "UPDATE registrations SET consumed_at = $2, password_hash = NULL
    WHERE registration_id IN (
        SELECT registration_id FROM registrations WHERE email = $1 AND consumed_at IS NULL FOR UPDATE SKIP LOCKED
    )"
}

statement! {
    EraseAllOf { email: String => Text, now: DateTime<Utc> => Timestamptz } -> ()
    // One that is being verified this very moment is skipped, as above. One whose right code may still be sent again stays
    // until that code ends, without anything that tells of its person.
    "WITH held AS (
        SELECT registration_id, replay_hash IS NOT NULL AND code_expires_at > $2 AS replayable
        FROM registrations WHERE email = $1 FOR UPDATE SKIP LOCKED
    ), erased AS (
        UPDATE registrations AS r SET email = '', display_name = '', locale = NULL, expires_at = code_expires_at
        FROM held WHERE r.registration_id = held.registration_id AND held.replayable
    )
    DELETE FROM registrations AS r USING held WHERE r.registration_id = held.registration_id AND NOT held.replayable"
}

type StandingRow = (Option<DateTime<Utc>>, DateTime<Utc>, DateTime<Utc>, i16, DateTime<Utc>);

/// Stages a registration.
///
/// # Errors
/// When the database fails.
pub async fn insert(
    conn: &mut Connection,
    new: &Registration,
    code: &StoredCode,
    now: DateTime<Utc>,
    expires_at: DateTime<Utc>,
) -> Result<(), StoreError> {
    let statement = Insert {
        registration_id: new.registration_id.uuid(),
        email: new.email.as_str().to_owned(),
        display_name: new.display_name.as_str().to_owned(),
        password_hash: new.password_hash.as_str().to_owned(),
        locale: new.locale.as_ref().map(ToString::to_string),
        code_hash: code.hash.as_bytes().to_vec(),
        code_expires_at: code.expires_at,
        resend_available_at: code.resend_available_at,
        now,
        expires_at,
    };
    statement.execute(conn).await?;
    Ok(())
}

/// How a registration stands; `None` when there is no such registration.
///
/// # Errors
/// When the database fails.
pub async fn find_standing(
    conn: &mut Connection,
    registration_id: RegistrationId,
) -> Result<Option<Standing>, StoreError> {
    let statement = FindStanding { registration_id: registration_id.uuid() };
    let row: Option<StandingRow> = statement.get_result(conn).await.optional()?;
    Ok(row.map(|(consumed_at, expires_at, code_expires_at, code_attempts, resend_available_at)| Standing {
        consumed: consumed_at.is_some(),
        expires_at,
        code_expires_at,
        code_attempts,
        resend_available_at,
    }))
}

/// A registration whose code may be replaced.
#[derive(Debug)]
pub struct Resendable {
    /// The address to be proved.
    pub email: Email,
    /// The language of its mail.
    pub locale: Option<Locale>,
    /// When the registration itself ends.
    pub expires_at: DateTime<Utc>,
}

/// Locks a registration whose code may be replaced now, until the transaction ends.
///
/// # Errors
/// When the database fails.
pub async fn lock_for_resend(
    conn: &mut Connection,
    registration_id: RegistrationId,
    now: DateTime<Utc>,
) -> Result<Option<Resendable>, StoreError> {
    let statement = LockForResend { registration_id: registration_id.uuid(), now };
    let row: Option<(String, Option<String>, DateTime<Utc>)> = statement.get_result(conn).await.optional()?;
    row.map(|(email, locale, expires_at)| {
        Ok(Resendable { email: stored_email(&email)?, locale: stored_locale(locale.as_deref()), expires_at })
    })
    .transpose()
}

/// Replaces the code of a registration; the new one has all its attempts.
///
/// # Errors
/// When the database fails.
pub async fn update_code(
    conn: &mut Connection,
    registration_id: RegistrationId,
    code: &StoredCode,
) -> Result<(), StoreError> {
    let statement = UpdateCode {
        registration_id: registration_id.uuid(),
        code_hash: code.hash.as_bytes().to_vec(),
        code_expires_at: code.expires_at,
        resend_available_at: code.resend_available_at,
    };
    statement.execute(conn).await?;
    Ok(())
}

/// Closes a registration for good.
///
/// # Errors
/// When the database fails.
pub async fn consume(
    conn: &mut Connection,
    registration_id: RegistrationId,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    Consume { registration_id: registration_id.uuid(), now }.execute(conn).await?;
    Ok(())
}

/// Closes every registration of an address that is still open.
///
/// # Errors
/// When the database fails.
pub async fn consume_all_of(conn: &mut Connection, email: &Email, now: DateTime<Utc>) -> Result<(), StoreError> {
    ConsumeOthers { email: email.as_str().to_owned(), now }.execute(conn).await?;
    Ok(())
}

/// Erases what is left of every registration of an address, open or not.
///
/// # Errors
/// When the database fails.
pub async fn erase_all_of(conn: &mut Connection, email: &Email, now: DateTime<Utc>) -> Result<(), StoreError> {
    EraseAllOf { email: email.as_str().to_owned(), now }.execute(conn).await?;
    Ok(())
}

delete_expired! {
    /// Deletes registrations that are over, whatever became of them.
    DeleteExpired, delete_expired: "registrations", "registration_id", "expires_at", "true"
}
