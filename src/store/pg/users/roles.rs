//! Which roles a user has, and which users have a role.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use diesel::OptionalExtension;
use diesel::sql_types::{Array, BigInt, Bool, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;
use uuid::Uuid;

use super::{Connection, StoreError, statement};
use crate::model::id::UserId;
use crate::model::role::RoleName;
use crate::model::user::TokenBasis;

statement! {
    UpdateRoles {
        user_id: Uuid => SqlUuid,
        roles: Vec<String> => Array<Text>,
        now: DateTime<Utc> => Timestamptz,
        issued_from: DateTime<Utc> => Timestamptz,
    } -> (BigInt, Nullable<Timestamptz>)
    "WITH taken AS (
        DELETE FROM user_roles WHERE user_id = $1 AND role <> ALL($2)
    ), given AS (
        INSERT INTO user_roles (user_id, role, user_created_at)
        SELECT u.user_id, unnest($2), u.created_at FROM users u WHERE u.user_id = $1
        ON CONFLICT ON CONSTRAINT user_roles_pkey DO NOTHING
    )
    UPDATE users u
    SET updated_at = $3, revision = u.revision + 1, tokens_issued_from = greatest(u.tokens_issued_from, $4)
    WHERE u.user_id = $1
    RETURNING u.revision, u.tokens_issued_from"
}

statement! {
    GiveRole {
        user_id: Uuid => SqlUuid,
        role: String => Text,
        now: DateTime<Utc> => Timestamptz,
        issued_from: DateTime<Utc> => Timestamptz,
    } -> (BigInt, Nullable<Timestamptz>)
    "WITH given AS (
        INSERT INTO user_roles (user_id, role, user_created_at)
        SELECT u.user_id, $2, u.created_at FROM users u WHERE u.user_id = $1
        ON CONFLICT DO NOTHING
        RETURNING user_id
    )
    UPDATE users u
    SET updated_at = $3, revision = u.revision + 1, tokens_issued_from = greatest(u.tokens_issued_from, $4)
    FROM given WHERE u.user_id = given.user_id
    RETURNING u.revision, u.tokens_issued_from"
}

statement! {
    LockRole { role: String => Text } -> (Bool)
    // Does not disturb those who give the role, nor does it wait for them.
    "SELECT true FROM roles WHERE role = $1 FOR NO KEY UPDATE"
}

statement! {
    FindHolders { role: String => Text } -> (SqlUuid)
    "SELECT r.user_id FROM user_roles r JOIN users u ON u.user_id = r.user_id
    WHERE r.role = $1 AND u.state = 'ACTIVE' AND u.password_hash IS NOT NULL
    LIMIT 2"
}

type BasisRow = (i64, Option<DateTime<Utc>>);

const fn basis((revision, issued_from): BasisRow) -> TokenBasis {
    TokenBasis { revision, issued_from }
}

/// Gives a user exactly these roles; what its tokens stand on from now on, or `None` when there is no such user. Called with
/// the user locked and the roles held.
///
/// # Errors
/// When the database fails.
pub async fn update_roles(
    conn: &mut Connection,
    user_id: UserId,
    roles: &BTreeSet<RoleName>,
    issued_from: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Result<Option<TokenBasis>, StoreError> {
    let roles = roles.iter().map(ToString::to_string).collect();
    let statement = UpdateRoles { user_id: user_id.uuid(), roles, now, issued_from };
    Ok(statement.get_result::<BasisRow>(conn).await.optional()?.map(basis))
}

/// Gives a user a role; what its tokens stand on from now on, or `None` when it has the role already.
///
/// # Errors
/// When the database fails, or knows no such role.
pub async fn give_role(
    conn: &mut Connection,
    user_id: UserId,
    role: &str,
    issued_from: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Result<Option<TokenBasis>, StoreError> {
    let statement = GiveRole { user_id: user_id.uuid(), role: role.to_owned(), now, issued_from };
    Ok(statement.get_result::<BasisRow>(conn).await.optional()?.map(basis))
}

/// Who can log in with this role, two of them at most. Of those who ask for the same role, each waits until the transaction of
/// the one before has ended, and sees what it has done.
///
/// # Errors
/// When the database fails.
pub async fn lock_holders(conn: &mut Connection, role: &str) -> Result<Vec<UserId>, StoreError> {
    LockRole { role: role.to_owned() }.execute(conn).await?;
    let rows: Vec<(Uuid,)> = FindHolders { role: role.to_owned() }.load(conn).await?;
    Ok(rows.into_iter().map(|(user_id,)| user_id.into()).collect())
}
