//! Users: what they are called, how they log in, and whether they may.

mod listing;
mod roles;
mod transfer;
mod writing;

use chrono::{DateTime, Utc};
use diesel::OptionalExtension;
use diesel::sql_types::{Array, BigInt, Bool, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;
use uuid::Uuid;

pub use listing::find_page;
pub use roles::{give_role, lock_holders, update_roles};
pub use transfer::{ImportedUser, count, find_after, find_holders, import};
pub use writing::{NewUser, delete, insert, update_password, update_profile, update_state};

use super::statement::statement;
use super::{Connection, StoreError};
use crate::model::display_name::DisplayName;
use crate::model::email::Email;
use crate::model::id::UserId;
use crate::model::locale::Locale;
use crate::model::password::PasswordHash;
use crate::model::user::{TokenBasis, User, UserState};

/// A user with what only its own log-in may look at.
#[derive(Debug)]
pub struct Credentials {
    /// The user.
    pub user: User,
    /// Its password, unless it has none yet.
    pub password_hash: Option<PasswordHash>,
    /// The revision of the row that was read.
    pub revision: i64,
}

macro_rules! user_columns {
    () => {
        "u.user_id, u.email, u.display_name, u.locale, u.state, \
         ARRAY(SELECT r.role FROM user_roles r WHERE r.user_id = u.user_id ORDER BY r.role), \
         u.created_at, u.updated_at, u.verified_at, u.last_login_at, u.revision, u.tokens_issued_from"
    };
}
pub(super) use user_columns;

pub(super) type UserColumns = (
    SqlUuid,
    Text,
    Text,
    Nullable<Text>,
    Text,
    Array<Text>,
    Timestamptz,
    Timestamptz,
    Timestamptz,
    Nullable<Timestamptz>,
    BigInt,
    Nullable<Timestamptz>,
);

pub(super) type UserRow = (
    Uuid,
    String,
    String,
    Option<String>,
    String,
    Vec<String>,
    DateTime<Utc>,
    DateTime<Utc>,
    DateTime<Utc>,
    Option<DateTime<Utc>>,
    i64,
    Option<DateTime<Utc>>,
);

fn user(row: UserRow) -> Result<User, StoreError> {
    let (
        user_id,
        email,
        display_name,
        locale,
        state,
        roles,
        created_at,
        updated_at,
        verified_at,
        last_login_at,
        revision,
        issued_from,
    ) = row;
    Ok(User {
        user_id: user_id.into(),
        email: stored_email(&email)?,
        display_name: stored_display_name(&display_name)?,
        locale: stored_locale(locale.as_deref()),
        state: stored_state(&state)?,
        roles,
        basis: TokenBasis { revision, issued_from },
        created_at,
        updated_at,
        verified_at,
        last_login_at,
    })
}

pub(super) fn stored_email(text: &str) -> Result<Email, StoreError> {
    Email::parse(text).map_err(|_| StoreError::Corrupt { column: "email" })
}

pub(super) fn stored_display_name(text: &str) -> Result<DisplayName, StoreError> {
    DisplayName::parse(text).map_err(|_| StoreError::Corrupt { column: "display_name" })
}

/// A language that is no longer understood is none at all.
pub(super) fn stored_locale(text: Option<&str>) -> Option<Locale> {
    text.and_then(|text| Locale::parse(text).ok())
}

pub(super) fn stored_state(text: &str) -> Result<UserState, StoreError> {
    UserState::from_name(text).ok_or(StoreError::Corrupt { column: "users.state" })
}

statement! {
    FindByEmail { email: String => Text } -> (UserColumns, Nullable<Text>, BigInt)
    "SELECT ", user_columns!(), ", u.password_hash, u.revision FROM users u WHERE u.email = $1"
}

statement! {
    Lock { user_id: Uuid => SqlUuid } -> (Bool)
    "SELECT true FROM users WHERE user_id = $1 FOR UPDATE"
}

statement! {
    HoldByEmail { email: String => Text } -> (UserColumns, Nullable<Text>, BigInt)
    "SELECT ", user_columns!(), ", u.password_hash, u.revision FROM users u WHERE u.email = $1 FOR KEY SHARE"
}

statement! {
    FindCredentials { user_id: Uuid => SqlUuid } -> (UserColumns, Nullable<Text>, BigInt)
    "SELECT ", user_columns!(), ", u.password_hash, u.revision FROM users u WHERE u.user_id = $1"
}

pub(super) type CredentialsRow = (UserRow, Option<String>, i64);

pub(super) fn credentials((row, password_hash, revision): CredentialsRow) -> Result<Credentials, StoreError> {
    Ok(Credentials { user: user(row)?, password_hash: password_hash.map(PasswordHash::from), revision })
}

/// The user of this address, with its credentials.
///
/// # Errors
/// When the database fails.
pub async fn find_by_email(conn: &mut Connection, email: &Email) -> Result<Option<Credentials>, StoreError> {
    let statement = FindByEmail { email: email.as_str().to_owned() };
    statement.get_result::<CredentialsRow>(conn).await.optional()?.map(credentials).transpose()
}

/// The user of this address, who cannot be deleted until the transaction ends; others may read and change it.
///
/// # Errors
/// When the database fails.
pub async fn hold_by_email(conn: &mut Connection, email: &Email) -> Result<Option<User>, StoreError> {
    let statement = HoldByEmail { email: email.as_str().to_owned() };
    let row = statement.get_result::<CredentialsRow>(conn).await.optional()?;
    row.map(|(row, ..)| user(row)).transpose()
}

/// The user with this identifier, with its credentials.
///
/// # Errors
/// When the database fails.
pub async fn find(conn: &mut Connection, user_id: UserId) -> Result<Option<Credentials>, StoreError> {
    let statement = FindCredentials { user_id: user_id.uuid() };
    statement.get_result::<CredentialsRow>(conn).await.optional()?.map(credentials).transpose()
}

/// The user with this identifier and its credentials, locked until the transaction ends.
///
/// # Errors
/// When the database fails.
pub async fn lock(conn: &mut Connection, user_id: UserId) -> Result<Option<Credentials>, StoreError> {
    // Waited for in one statement and read in the next: the one that has waited would show the roles of before.
    let locked = Lock { user_id: user_id.uuid() }.get_result::<(bool,)>(conn).await.optional()?;
    if locked.is_none() {
        return Ok(None);
    }
    find(conn, user_id).await
}
