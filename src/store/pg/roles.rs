//! Roles and the permissions that they carry.

use diesel::sql_types::Text;
use diesel_async::RunQueryDsl;

use super::statement::statement;
use super::{Connection, StoreError};

statement! {
    FindPermissions {} -> (Text, Text)
    "SELECT role, permission FROM role_permissions ORDER BY role, permission"
}

/// Every permission of every role, as pairs.
///
/// # Errors
/// When the database fails.
pub async fn find_permissions(conn: &mut Connection) -> Result<Vec<(String, String)>, StoreError> {
    Ok(FindPermissions {}.load(conn).await?)
}
