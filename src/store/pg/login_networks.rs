//! The networks that have failed to log in to accounts, apart from counting that, which `login_attempts` does.

use std::time::Duration;

use chrono::{DateTime, Utc};
use diesel::OptionalExtension;
use diesel::sql_types::{BigInt, Bool, Cidr, Integer, Nullable, Timestamptz};
use diesel_async::RunQueryDsl;
use ipnet::{IpNet, Ipv4Net};

use super::expired::delete_expired;
use super::statement::statement;
use super::{Connection, StoreError};
use crate::clock;
use crate::model::lockout::{Lockout, LockoutCause, LockoutKey, network_name};

statement! {
    FindLock { network: IpNet => Cidr } -> (Nullable<Timestamptz>)
    "SELECT locked_until FROM login_networks WHERE network = $1"
}

// What is locked until just now is not: a condition that no index is read by.
statement! {
    FindLocked {
        now: DateTime<Utc> => Timestamptz,
        after_end: DateTime<Utc> => Timestamptz,
        after_network: IpNet => Cidr,
        limit: i64 => BigInt,
    } -> (Cidr, Integer, Timestamptz)
    "SELECT network, cardinality(address_hashes), locked_until FROM login_networks
    WHERE locked_until IS NOT NULL AND (locked_until, network) > ($2, $3) AND locked_until IS DISTINCT FROM $1
    ORDER BY locked_until, network LIMIT $4"
}

statement! {
    TakeLocked { network: IpNet => Cidr, now: DateTime<Utc> => Timestamptz } -> (Bool)
    "DELETE FROM login_networks WHERE network = $1 AND locked_until > $2 RETURNING true"
}

delete_expired! {
    /// Deletes networks none of whose attempts count any more.
    DeleteExpired, delete_expired: "login_networks", "network", "expires_at", "true"
}

/// The networks that are locked out now, each for `lock`, by their end, from the one after `after`; at most `limit`.
///
/// # Errors
/// When the database fails.
pub async fn find_locked(
    conn: &mut Connection,
    after: Option<(DateTime<Utc>, IpNet)>,
    limit: u32,
    lock: Duration,
    now: DateTime<Utc>,
) -> Result<Vec<Lockout>, StoreError> {
    // The first of all networks.
    let first = (now, IpNet::V4(Ipv4Net::default()));
    let (after_end, after_network) = after.filter(|(end, _)| *end > now).unwrap_or(first);
    let statement = FindLocked { now, after_end, after_network, limit: limit.into() };
    let rows: Vec<(IpNet, i32, DateTime<Utc>)> = statement.load(conn).await?;
    let lockout = |(network, failures, until)| Lockout {
        key: LockoutKey::Network(network),
        cause: LockoutCause::ManyAccounts,
        subject: network_name(network),
        device_id: String::new(),
        network: String::new(),
        failures: u32::try_from(failures).unwrap_or_default(),
        created_at: clock::subtract(until, lock),
        expires_at: until,
        user_id: None,
    };
    Ok(rows.into_iter().map(lockout).collect())
}

/// Forgets a network that is locked out, with what it tried; `false` when it is not.
///
/// # Errors
/// When the database fails.
pub async fn take_locked(conn: &mut Connection, network: IpNet, now: DateTime<Utc>) -> Result<bool, StoreError> {
    Ok(TakeLocked { network, now }.get_result::<(bool,)>(conn).await.optional()?.is_some())
}

/// Until when a network is locked out, or was.
///
/// # Errors
/// When the database fails.
pub async fn find_lock(conn: &mut Connection, network: IpNet) -> Result<Option<DateTime<Utc>>, StoreError> {
    let row: Option<(Option<DateTime<Utc>>,)> = FindLock { network }.get_result(conn).await.optional()?;
    Ok(row.and_then(|(locked_until,)| locked_until))
}
