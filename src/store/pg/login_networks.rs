//! The networks that have failed to log in to accounts, apart from counting that, which `login_attempts` does.

use chrono::{DateTime, Utc};
use diesel::OptionalExtension;
use diesel::sql_types::{Cidr, Nullable, Timestamptz};
use diesel_async::RunQueryDsl;
use ipnet::IpNet;

use super::statement::statement;
use super::{Connection, StoreError};

statement! {
    FindLock { network: IpNet => Cidr } -> (Nullable<Timestamptz>)
    "SELECT locked_until FROM login_networks WHERE network = $1"
}

/// Until when a network is locked out, or was.
///
/// # Errors
/// When the database fails.
pub async fn find_lock(conn: &mut Connection, network: IpNet) -> Result<Option<DateTime<Utc>>, StoreError> {
    let row: Option<(Option<DateTime<Utc>>,)> = FindLock { network }.get_result(conn).await.optional()?;
    Ok(row.and_then(|(locked_until,)| locked_until))
}
