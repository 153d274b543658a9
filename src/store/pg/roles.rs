//! Roles and the permissions that they carry.
//!
//! Whoever writes here writes the version of the feed `roles` in the same transaction.

use std::collections::BTreeSet;

use diesel::OptionalExtension;
use diesel::sql_types::{Array, BigInt, Bool, Nullable, Text};
use diesel_async::RunQueryDsl;

use super::statement::statement;
use super::{Connection, StoreError};
use crate::model::line::Remark;
use crate::model::permission::Permission;
use crate::model::role::{Role, RoleName};

macro_rules! role_columns {
    () => {
        "r.role, r.description, ARRAY(SELECT p.permission FROM role_permissions p WHERE p.role = r.role)"
    };
}

type Row = (String, String, Vec<String>);

statement! {
    FindPermissions {} -> (Text, Nullable<Text>)
    "SELECT r.role, p.permission FROM roles r LEFT JOIN role_permissions p ON p.role = r.role"
}

statement! {
    FindPage { after: Option<String> => Nullable<Text>, limit: i64 => BigInt } -> (Text, Text, Array<Text>)
    // One order wherever the database stands: that of the names' bytes.
    "SELECT ", role_columns!(), " FROM roles r WHERE $1 IS NULL OR r.role COLLATE \"C\" > $1
    ORDER BY r.role COLLATE \"C\" LIMIT $2"
}

statement! {
    Find { role: String => Text } -> (Text, Text, Array<Text>)
    "SELECT ", role_columns!(), " FROM roles r WHERE r.role = $1"
}

statement! {
    Lock { role: String => Text } -> (Bool)
    "SELECT true FROM roles WHERE role = $1 FOR NO KEY UPDATE"
}

statement! {
    LockAway { role: String => Text } -> (Bool)
    "SELECT true FROM roles WHERE role = $1 FOR UPDATE"
}

statement! {
    HoldAll { roles: Vec<String> => Array<Text> } -> (Text)
    "SELECT role FROM roles WHERE role = ANY($1) ORDER BY role FOR KEY SHARE"
}

statement! {
    Insert { role: String => Text, description: String => Text, permissions: Vec<String> => Array<Text> } -> (Bool)
    "WITH created AS (
        INSERT INTO roles (role, description) VALUES ($1, $2) ON CONFLICT ON CONSTRAINT roles_pkey DO NOTHING
        RETURNING role
    ), given AS (
        INSERT INTO role_permissions (role, permission) SELECT role, unnest($3) FROM created
    )
    SELECT true FROM created"
}

statement! {
    Update { role: String => Text, description: String => Text, permissions: Vec<String> => Array<Text> } -> ()
    "WITH taken AS (
        DELETE FROM role_permissions WHERE role = $1 AND permission <> ALL($3)
    ), given AS (
        INSERT INTO role_permissions (role, permission) SELECT $1, unnest($3)
        ON CONFLICT ON CONSTRAINT role_permissions_pkey DO NOTHING
    )
    UPDATE roles SET description = $2 WHERE role = $1"
}

statement! {
    IsHeld { role: String => Text } -> (Bool)
    "SELECT EXISTS (SELECT FROM user_roles WHERE role = $1)"
}

statement! {
    Delete { role: String => Text } -> ()
    "DELETE FROM roles WHERE role = $1"
}

statement! {
    FindNames {} -> (Text)
    "SELECT role FROM roles"
}

/// The name of every role.
///
/// # Errors
/// When the database fails.
pub async fn find_names(conn: &mut Connection) -> Result<Vec<String>, StoreError> {
    let rows: Vec<(String,)> = FindNames {}.load(conn).await?;
    Ok(rows.into_iter().map(|(name,)| name).collect())
}

/// Every permission of every role, as pairs; a role that carries none comes once, without a permission.
///
/// # Errors
/// When the database fails.
pub async fn find_permissions(conn: &mut Connection) -> Result<Vec<(String, Option<String>)>, StoreError> {
    Ok(FindPermissions {}.load(conn).await?)
}

/// Roles in alphabetical order, from the one after `after`.
///
/// # Errors
/// When the database fails.
pub async fn find_page(conn: &mut Connection, after: Option<&RoleName>, limit: u32) -> Result<Vec<Role>, StoreError> {
    let statement = FindPage { after: after.map(ToString::to_string), limit: i64::from(limit) };
    statement.load::<Row>(conn).await?.into_iter().map(role).collect()
}

/// The role of this name, which nobody else can change or delete until the transaction ends; others may give it.
///
/// # Errors
/// When the database fails.
pub async fn lock(conn: &mut Connection, name: &RoleName) -> Result<Option<Role>, StoreError> {
    // Waited for in one statement and read in the next, which sees what it has waited for.
    Lock { role: name.to_string() }.get_result::<(bool,)>(conn).await.optional()?;
    find(conn, name).await
}

/// The role of this name, which nobody else can change, give or delete until the transaction ends.
///
/// # Errors
/// When the database fails.
pub async fn lock_away(conn: &mut Connection, name: &RoleName) -> Result<Option<Role>, StoreError> {
    LockAway { role: name.to_string() }.get_result::<(bool,)>(conn).await.optional()?;
    find(conn, name).await
}

async fn find(conn: &mut Connection, name: &RoleName) -> Result<Option<Role>, StoreError> {
    Find { role: name.to_string() }.get_result::<Row>(conn).await.optional()?.map(role).transpose()
}

/// Which of these roles there are; none of those can be deleted until the transaction ends.
///
/// # Errors
/// When the database fails.
pub async fn hold_all(conn: &mut Connection, roles: &BTreeSet<RoleName>) -> Result<BTreeSet<RoleName>, StoreError> {
    let statement = HoldAll { roles: roles.iter().map(ToString::to_string).collect() };
    let rows: Vec<(String,)> = statement.load(conn).await?;
    rows.iter().map(|(name,)| stored_name(name)).collect()
}

/// Creates a role; `false` when there is one of its name.
///
/// # Errors
/// When the database fails.
pub async fn insert(conn: &mut Connection, role: &Role) -> Result<bool, StoreError> {
    let (role, description, permissions) = columns(role);
    let created = Insert { role, description, permissions }.get_result::<(bool,)>(conn).await.optional()?;
    Ok(created.is_some())
}

/// Writes a role as it is to be. Called with the role locked.
///
/// # Errors
/// When the database fails.
pub async fn update(conn: &mut Connection, role: &Role) -> Result<(), StoreError> {
    let (role, description, permissions) = columns(role);
    Update { role, description, permissions }.execute(conn).await?;
    Ok(())
}

/// Whether any user has this role.
///
/// # Errors
/// When the database fails.
pub async fn is_held(conn: &mut Connection, name: &RoleName) -> Result<bool, StoreError> {
    let (held,): (bool,) = IsHeld { role: name.to_string() }.get_result(conn).await?;
    Ok(held)
}

/// Deletes a role that no user has. Called with the role locked.
///
/// # Errors
/// When the database fails.
pub async fn delete(conn: &mut Connection, name: &RoleName) -> Result<(), StoreError> {
    Delete { role: name.to_string() }.execute(conn).await?;
    Ok(())
}

fn columns(role: &Role) -> Row {
    let permissions = role.permissions.iter().map(ToString::to_string).collect();
    (role.name.to_string(), role.description.as_str().to_owned(), permissions)
}

fn role((name, description, permissions): Row) -> Result<Role, StoreError> {
    let permission =
        |text: &String| text.parse::<Permission>().map_err(|_| StoreError::Corrupt { column: "role_permissions" });
    Ok(Role {
        name: stored_name(&name)?,
        description: Remark::parse(&description).map_err(|_| StoreError::Corrupt { column: "roles.description" })?,
        permissions: permissions.iter().map(permission).collect::<Result<_, _>>()?,
    })
}

pub(super) fn stored_name(text: &str) -> Result<RoleName, StoreError> {
    text.parse().map_err(|_| StoreError::Corrupt { column: "roles.role" })
}
