//! Roles and their permissions, kept in memory for the checks.

use crate::error::Error;
use crate::policy::access::Permissions;
use crate::store::pg::{Pool, roles};

/// What each role may do.
///
/// # Errors
/// When the database fails.
pub async fn load(pool: &Pool) -> Result<Permissions, Error> {
    let pairs = roles::find_permissions(&mut *pool.get().await?).await?;
    Ok(pairs.into_iter().collect())
}
