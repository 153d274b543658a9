//! What is written to a user: its creation, its changes and its end. Roles are written elsewhere.

use chrono::{DateTime, Utc};
use diesel::OptionalExtension;
use diesel::sql_types::{Array, Bool, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;
use uuid::Uuid;

use super::{Connection, StoreError, UserColumns, UserRow, statement, user, user_columns};
use crate::model::display_name::DisplayName;
use crate::model::email::Email;
use crate::model::id::UserId;
use crate::model::locale::Locale;
use crate::model::password::PasswordHash;
use crate::model::user::{NORMAL_USER, ProfileChange, User, UserState};

/// A user about to be created.
#[derive(Debug)]
pub struct NewUser {
    /// Its identifier.
    pub user_id: UserId,
    /// Its proved address.
    pub email: Email,
    /// What it is called.
    pub display_name: DisplayName,
    /// The language of its mail.
    pub locale: Option<Locale>,
    /// Its password, unless it is invited to set one.
    pub password_hash: Option<PasswordHash>,
    /// Its roles.
    pub roles: Vec<String>,
}

statement! {
    Insert {
        user_id: Uuid => SqlUuid,
        email: String => Text,
        password_hash: Option<String> => Nullable<Text>,
        display_name: String => Text,
        locale: Option<String> => Nullable<Text>,
        now: DateTime<Utc> => Timestamptz,
        roles: Vec<String> => Array<Text>,
        search_name: String => Text,
    } -> (Bool)
    "WITH created AS (
        INSERT INTO users (user_id, email, password_hash, display_name, locale, state, revision,
            created_at, updated_at, verified_at, search_name)
        VALUES ($1, $2, $3, $4, $5, 'ACTIVE', 1, $6, $6, $6, $8)
        ON CONFLICT ON CONSTRAINT users_email_key DO NOTHING
        RETURNING user_id
    ), given AS (
        INSERT INTO user_roles (user_id, role, user_created_at) SELECT user_id, unnest($7), $6 FROM created
    )
    SELECT true FROM created"
}

statement! {
    UpdateProfile {
        user_id: Uuid => SqlUuid,
        display_name: Option<String> => Nullable<Text>,
        set_locale: bool => Bool,
        locale: Option<String> => Nullable<Text>,
        now: DateTime<Utc> => Timestamptz,
        search_name: Option<String> => Nullable<Text>,
    } -> (UserColumns)
    "UPDATE users u
    SET display_name = coalesce($2, u.display_name), search_name = coalesce($6, u.search_name),
        locale = CASE WHEN $3 THEN $4 ELSE u.locale END, updated_at = $5, revision = u.revision + 1
    WHERE u.user_id = $1
    RETURNING ", user_columns!()
}

statement! {
    UpdatePassword {
        user_id: Uuid => SqlUuid,
        password_hash: String => Text,
        now: DateTime<Utc> => Timestamptz,
        replaces: Option<String> => Nullable<Text>,
    } -> (UserColumns)
    "UPDATE users u SET password_hash = $2, updated_at = $3, revision = u.revision + 1
    WHERE u.user_id = $1 AND ($4 IS NULL OR u.password_hash = $4)
    RETURNING ", user_columns!()
}

statement! {
    UpdateState { user_id: Uuid => SqlUuid, state: String => Text, now: DateTime<Utc> => Timestamptz } -> (UserColumns)
    "UPDATE users u SET state = $2, updated_at = $3, revision = u.revision + 1 WHERE u.user_id = $1
    RETURNING ", user_columns!()
}

statement! {
    Delete { user_id: Uuid => SqlUuid } -> (Bool)
    // Without a foreign key: see the migration of the networks of user_devices.
    "WITH devices AS (DELETE FROM user_devices WHERE user_id = $1)
    DELETE FROM users WHERE user_id = $1 RETURNING true"
}

/// Creates a user with the role that every user has, and those given; `false` when its address is taken.
///
/// # Errors
/// When the database fails.
pub async fn insert(conn: &mut Connection, new: &NewUser, now: DateTime<Utc>) -> Result<bool, StoreError> {
    let mut roles = vec![NORMAL_USER.to_owned()];
    roles.extend(new.roles.iter().filter(|role| *role != NORMAL_USER).cloned());
    let statement = Insert {
        user_id: new.user_id.uuid(),
        email: new.email.as_str().to_owned(),
        password_hash: new.password_hash.as_ref().map(|hash| hash.as_str().to_owned()),
        display_name: new.display_name.as_str().to_owned(),
        locale: new.locale.as_ref().map(ToString::to_string),
        now,
        roles,
        search_name: new.display_name.folded(),
    };
    Ok(statement.get_result::<(bool,)>(conn).await.optional()?.is_some())
}

/// Changes a profile; `None` when there is no such user.
///
/// # Errors
/// When the database fails.
pub async fn update_profile(
    conn: &mut Connection,
    user_id: UserId,
    change: &ProfileChange,
    now: DateTime<Utc>,
) -> Result<Option<User>, StoreError> {
    let statement = UpdateProfile {
        user_id: user_id.uuid(),
        display_name: change.display_name.as_ref().map(|name| name.as_str().to_owned()),
        set_locale: change.locale.is_some(),
        locale: change.locale.clone().flatten().map(|locale| locale.to_string()),
        now,
        search_name: change.display_name.as_ref().map(DisplayName::folded),
    };
    statement.get_result::<(UserRow,)>(conn).await.optional()?.map(|(row,)| user(row)).transpose()
}

/// Sets a password; `None` when there is no such user, or its password is no longer the one that this `replaces`.
///
/// # Errors
/// When the database fails.
pub async fn update_password(
    conn: &mut Connection,
    user_id: UserId,
    password_hash: &PasswordHash,
    replaces: Option<&PasswordHash>,
    now: DateTime<Utc>,
) -> Result<Option<User>, StoreError> {
    let statement = UpdatePassword {
        user_id: user_id.uuid(),
        password_hash: password_hash.as_str().to_owned(),
        now,
        replaces: replaces.map(|hash| hash.as_str().to_owned()),
    };
    statement.get_result::<(UserRow,)>(conn).await.optional()?.map(|(row,)| user(row)).transpose()
}

/// Lets a user log in, or no more. Called with the user locked; `None` when there is no such user.
///
/// # Errors
/// When the database fails.
pub async fn update_state(
    conn: &mut Connection,
    user_id: UserId,
    state: UserState,
    now: DateTime<Utc>,
) -> Result<Option<User>, StoreError> {
    let statement = UpdateState { user_id: user_id.uuid(), state: state.as_str().to_owned(), now };
    statement.get_result::<(UserRow,)>(conn).await.optional()?.map(|(row,)| user(row)).transpose()
}

/// Deletes a user and everything of theirs; `false` when there is no such user.
///
/// # Errors
/// When the database fails.
pub async fn delete(conn: &mut Connection, user_id: UserId) -> Result<bool, StoreError> {
    Ok(Delete { user_id: user_id.uuid() }.get_result::<(bool,)>(conn).await.optional()?.is_some())
}
