//! Users by the thousand: in from elsewhere, and out.

use std::collections::HashSet;

use chrono::{DateTime, Utc};
use diesel::sql_types::{Array, BigInt, Bool, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;
use uuid::Uuid;

use super::{
    Connection, Credentials, CredentialsRow, StoreError, UserColumns, credentials, statement, stored_email,
    user_columns,
};
use crate::model::display_name::DisplayName;
use crate::model::email::Email;
use crate::model::id::UserId;
use crate::model::locale::Locale;
use crate::model::password::PasswordHash;
use crate::model::user::UserState;

/// A user from elsewhere.
#[derive(Debug)]
pub struct ImportedUser {
    /// Its identifier.
    pub user_id: UserId,
    /// Its proved address.
    pub email: Email,
    /// What it is called.
    pub display_name: DisplayName,
    /// The language of its mail.
    pub locale: Option<Locale>,
    /// Whether it may log in.
    pub state: UserState,
    /// All its roles.
    pub roles: Vec<String>,
    /// When it was created.
    pub created_at: DateTime<Utc>,
    /// When its address was proved.
    pub verified_at: DateTime<Utc>,
    /// Its password, unless it has none yet.
    pub password_hash: Option<PasswordHash>,
}

statement! {
    Import {
        user_ids: Vec<Uuid> => Array<SqlUuid>,
        emails: Vec<String> => Array<Text>,
        password_hashes: Vec<Option<String>> => Array<Nullable<Text>>,
        display_names: Vec<String> => Array<Text>,
        search_names: Vec<String> => Array<Text>,
        locales: Vec<Option<String>> => Array<Nullable<Text>>,
        states: Vec<String> => Array<Text>,
        created: Vec<DateTime<Utc>> => Array<Timestamptz>,
        verified: Vec<DateTime<Utc>> => Array<Timestamptz>,
        role_holders: Vec<Uuid> => Array<SqlUuid>,
        roles: Vec<String> => Array<Text>,
        now: DateTime<Utc> => Timestamptz,
    } -> (SqlUuid)
    "WITH created AS (
        INSERT INTO users (user_id, email, password_hash, display_name, search_name, locale, state, revision, created_at,
            updated_at, verified_at)
        SELECT g.user_id, g.email, g.password_hash, g.display_name, g.search_name, g.locale, g.state, 1, g.created_at,
            $12, g.verified_at
        FROM unnest($1, $2, $3, $4, $5, $6, $7, $8, $9)
            AS g (user_id, email, password_hash, display_name, search_name, locale, state, created_at, verified_at)
        ON CONFLICT DO NOTHING
        RETURNING user_id, created_at
    ), given AS (
        INSERT INTO user_roles (user_id, role, user_created_at)
        SELECT c.user_id, r.role, c.created_at
        FROM unnest($10, $11) AS r (user_id, role) JOIN created c ON c.user_id = r.user_id
    )
    SELECT user_id FROM created"
}

statement! {
    FindHolders { user_ids: Vec<Uuid> => Array<SqlUuid>, emails: Vec<String> => Array<Text> } -> (SqlUuid, Text)
    "SELECT user_id, email FROM users WHERE user_id = ANY ($1) OR email = ANY ($2)"
}

statement! {
    FindAfter { after: Uuid => SqlUuid, with_password_hashes: bool => Bool } -> (UserColumns, Nullable<Text>, BigInt)
    // A limit that the planner does not know it takes for a tenth of the table, and compiles the plan for so much work.
    "SELECT ", user_columns!(), ", CASE WHEN $2 THEN u.password_hash END, u.revision
    FROM users u WHERE u.user_id > $1 ORDER BY u.user_id LIMIT 1000"
}

statement! {
    Count {} -> (BigInt)
    "SELECT count(*) FROM users"
}

/// Creates those of these users whose identifiers and addresses are both free, in one statement; returns which.
///
/// # Errors
/// When the database fails, or knows one of the roles no more.
pub async fn import(
    conn: &mut Connection,
    users: &[ImportedUser],
    now: DateTime<Utc>,
) -> Result<HashSet<UserId>, StoreError> {
    fn column<T>(users: &[ImportedUser], value: impl Fn(&ImportedUser) -> T) -> Vec<T> {
        users.iter().map(value).collect()
    }
    let given = users.iter().flat_map(|user| user.roles.iter().map(|role| (user.user_id.uuid(), role.clone())));
    let (role_holders, roles) = given.unzip();
    let statement = Import {
        user_ids: column(users, |user| user.user_id.uuid()),
        emails: column(users, |user| user.email.as_str().to_owned()),
        password_hashes: column(users, |user| user.password_hash.clone().map(String::from)),
        display_names: column(users, |user| user.display_name.as_str().to_owned()),
        search_names: column(users, |user| user.display_name.folded()),
        locales: column(users, |user| user.locale.clone().map(String::from)),
        states: column(users, |user| user.state.as_str().to_owned()),
        created: column(users, |user| user.created_at),
        verified: column(users, |user| user.verified_at),
        role_holders,
        roles,
        now,
    };
    let rows: Vec<(Uuid,)> = statement.load(conn).await?;
    Ok(rows.into_iter().map(|(user_id,)| user_id.into()).collect())
}

/// Who has one of these identifiers or addresses.
///
/// # Errors
/// When the database fails.
pub async fn find_holders(
    conn: &mut Connection,
    user_ids: &[UserId],
    emails: &[&Email],
) -> Result<Vec<(UserId, Email)>, StoreError> {
    let statement = FindHolders {
        user_ids: user_ids.iter().map(|user_id| user_id.uuid()).collect(),
        emails: emails.iter().map(|email| email.as_str().to_owned()).collect(),
    };
    let rows: Vec<(Uuid, String)> = statement.load(conn).await?;
    rows.into_iter().map(|(user_id, email)| Ok((user_id.into(), stored_email(&email)?))).collect()
}

/// A thousand users at most in the order of their identifiers, from the one after `after`; without their passwords unless these
/// are asked for.
///
/// # Errors
/// When the database fails.
pub async fn find_after(
    conn: &mut Connection,
    after: Option<UserId>,
    with_password_hashes: bool,
) -> Result<Vec<Credentials>, StoreError> {
    let after = after.map_or(Uuid::nil(), UserId::uuid);
    let rows: Vec<CredentialsRow> = FindAfter { after, with_password_hashes }.load(conn).await?;
    rows.into_iter().map(credentials).collect()
}

/// How many users there are.
///
/// # Errors
/// When the database fails.
pub async fn count(conn: &mut Connection) -> Result<u64, StoreError> {
    let (count,): (i64,) = Count {}.get_result(conn).await?;
    Ok(u64::try_from(count).unwrap_or_default())
}
