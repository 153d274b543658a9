//! The tallies of attempts at accounts, apart from counting them, which `login_attempts` does.

use chrono::{DateTime, Utc};
use diesel::OptionalExtension;
use diesel::sql_types::{Array, BigInt, Binary, Bool, Integer, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;
use uuid::Uuid;

use super::expired::delete_expired;
use super::statement::statement;
use super::{Connection, StoreError};
use crate::model::lockout::{Lockout, LockoutCause, LockoutKey};

/// How a tally stands.
#[derive(Clone, Copy, Debug)]
pub struct Standing {
    /// How many failures there were in a row.
    pub failures_in_a_row: u32,
    /// Until when it is locked, or was.
    pub locked_until: Option<DateTime<Utc>>,
}

statement! {
    Find { address_hash: Vec<u8> => Binary, device_id: String => Text } -> (Integer, Nullable<Timestamptz>)
    "SELECT failures_in_a_row, locked_until FROM account_lockouts WHERE address_hash = $1 AND device_id = $2"
}

statement! {
    TakeNotice { address_hash: Vec<u8> => Binary, device_id: String => Text, now: DateTime<Utc> => Timestamptz } -> (Bool)
    "UPDATE account_lockouts SET noticed_at = $3
    WHERE address_hash = $1 AND device_id = $2 AND locked_until > $3 AND noticed_at IS NULL
    RETURNING true"
}

macro_rules! locked {
    ($where:literal, $order:literal, $limit:literal) => {
        concat!(
            "SELECT l.address_hash, l.device_id, l.failures_in_a_row, l.attempted_at, l.locked_until, l.expires_at, u.user_id,
                u.email
            FROM (SELECT * FROM account_lockouts WHERE ", $where, " ORDER BY ", $order, " LIMIT ", $limit, ") l
            LEFT JOIN users u ON u.user_id = l.user_id
            ORDER BY ", $order
        )
    };
}

// Read by their end alone. That a tally is locked until just now, or until a reset, is a condition that no index is read by.
statement! {
    FindLocked {
        now: DateTime<Utc> => Timestamptz,
        failures_in_a_row: i32 => Integer,
        after_end: DateTime<Utc> => Timestamptz,
        after_hash: Vec<u8> => Binary,
        after_device: String => Text,
        limit: i64 => BigInt,
    } -> (Binary, Text, Integer, Array<Timestamptz>, Nullable<Timestamptz>, Timestamptz, Nullable<SqlUuid>, Nullable<Text>)
    locked!(
        "locked_until IS NOT NULL AND (locked_until, address_hash, device_id) > ($3, $4, $5)
            AND locked_until IS DISTINCT FROM $1 AND NOT failures_in_a_row >= $2",
        "locked_until, address_hash, device_id",
        "$6"
    )
}

statement! {
    FindLockedUntilReset {
        after_failures: i32 => Integer,
        after_hash: Vec<u8> => Binary,
        after_device: String => Text,
        limit: i64 => BigInt,
    } -> (Binary, Text, Integer, Array<Timestamptz>, Nullable<Timestamptz>, Timestamptz, Nullable<SqlUuid>, Nullable<Text>)
    locked!(
        "(failures_in_a_row, address_hash, device_id) > ($1, $2, $3)",
        "failures_in_a_row, address_hash, device_id",
        "$4"
    )
}

statement! {
    TakeLocked {
        address_hash: Vec<u8> => Binary,
        device_id: Option<String> => Nullable<Text>,
        failures_in_a_row: i32 => Integer,
        now: DateTime<Utc> => Timestamptz,
    } -> (Bool)
    "DELETE FROM account_lockouts
    WHERE address_hash = $1 AND ($2 IS NULL OR device_id = $2) AND (locked_until > $4 OR failures_in_a_row >= $3)
    RETURNING true"
}

statement! {
    Delete { address_hash: Vec<u8> => Binary, device_id: String => Text } -> ()
    "DELETE FROM account_lockouts WHERE address_hash = $1 AND device_id = $2"
}

statement! {
    DeleteAllOf { address_hash: Vec<u8> => Binary } -> ()
    "DELETE FROM account_lockouts WHERE address_hash = $1"
}

type LockedRow =
    (Vec<u8>, String, i32, Vec<DateTime<Utc>>, Option<DateTime<Utc>>, DateTime<Utc>, Option<Uuid>, Option<String>);

delete_expired! {
    /// Deletes tallies that nobody has added to for so long that they matter no more.
    DeleteExpired, delete_expired: "account_lockouts", "ctid", "expires_at", "true"
}

/// How the tally stands that strangers (an empty `device_id`) or a device have at an account; `None` when there is none.
///
/// # Errors
/// When the database fails.
pub async fn find(conn: &mut Connection, address_hash: &[u8], device_id: &str) -> Result<Option<Standing>, StoreError> {
    let statement = Find { address_hash: address_hash.to_vec(), device_id: device_id.to_owned() };
    let row: Option<(i32, Option<DateTime<Utc>>)> = statement.get_result(conn).await.optional()?;
    Ok(row.map(|(failures_in_a_row, locked_until)| Standing {
        failures_in_a_row: u32::try_from(failures_in_a_row).unwrap_or_default(),
        locked_until,
    }))
}

/// Takes the notice that the owner gets of a lock; `false` when it has been taken, or the lock is no more.
///
/// # Errors
/// When the database fails.
pub async fn take_notice(
    conn: &mut Connection,
    address_hash: &[u8],
    device_id: &str,
    now: DateTime<Utc>,
) -> Result<bool, StoreError> {
    let statement = TakeNotice { address_hash: address_hash.to_vec(), device_id: device_id.to_owned(), now };
    Ok(statement.get_result::<(bool,)>(conn).await.optional()?.is_some())
}

/// The accounts that are locked for a time, by its end, from the one after `after`; at most `limit`. Those that stay locked
/// after so many failures in a row are not among them.
///
/// # Errors
/// When the database fails.
pub async fn find_locked(
    conn: &mut Connection,
    after: Option<(DateTime<Utc>, Vec<u8>, String)>,
    limit: u32,
    in_a_row: u32,
    now: DateTime<Utc>,
) -> Result<Vec<Lockout>, StoreError> {
    let after = after.filter(|(end, ..)| *end > now);
    let (after_end, after_hash, after_device) = after.unwrap_or((now, Vec::new(), String::new()));
    let failures_in_a_row = i32::try_from(in_a_row).unwrap_or(i32::MAX);
    let statement = FindLocked { now, failures_in_a_row, after_end, after_hash, after_device, limit: limit.into() };
    let rows: Vec<LockedRow> = statement.load(conn).await?;
    let lockout = |(lockout, locked_until): (Lockout, Option<DateTime<Utc>>)| Lockout {
        expires_at: locked_until.unwrap_or(lockout.expires_at),
        ..lockout
    };
    Ok(rows.into_iter().map(|row| locked(LockoutCause::WrongPasswords, row)).map(lockout).collect())
}

/// The accounts that stay locked until their password is reset, after so many failures in a row, from the one after `after`;
/// at most `limit`.
///
/// # Errors
/// When the database fails.
pub async fn find_locked_until_reset(
    conn: &mut Connection,
    after: Option<(u32, Vec<u8>, String)>,
    limit: u32,
    in_a_row: u32,
) -> Result<Vec<Lockout>, StoreError> {
    let after = after.filter(|(failures, ..)| *failures >= in_a_row);
    let (after_failures, after_hash, after_device) = after.unwrap_or((in_a_row, Vec::new(), String::new()));
    let after_failures = i32::try_from(after_failures).unwrap_or(i32::MAX);
    let statement = FindLockedUntilReset { after_failures, after_hash, after_device, limit: limit.into() };
    let rows: Vec<LockedRow> = statement.load(conn).await?;
    Ok(rows.into_iter().map(|row| locked(LockoutCause::WrongPasswordsInARow, row).0).collect())
}

/// The lockout of a row, which is kept as long as it lasts, and the end of its last lock.
fn locked(cause: LockoutCause, row: LockedRow) -> (Lockout, Option<DateTime<Utc>>) {
    let (address_hash, device_id, failures, attempted_at, locked_until, kept_until, user_id, email) = row;
    let lockout = Lockout {
        key: LockoutKey::Account { address_hash, device_id: device_id.clone() },
        cause,
        subject: email.unwrap_or_default(),
        device_id,
        network: String::new(),
        failures: u32::try_from(failures).unwrap_or_default(),
        created_at: attempted_at.last().copied().or(locked_until).unwrap_or(kept_until),
        expires_at: kept_until,
        user_id: user_id.map(Into::into),
    };
    (lockout, locked_until)
}

/// Forgets what locks an account for strangers (an empty `device_id`), for one device, or for anybody (`None`); `false` when
/// nothing does.
///
/// # Errors
/// When the database fails.
pub async fn take_locked(
    conn: &mut Connection,
    address_hash: Vec<u8>,
    device_id: Option<String>,
    in_a_row: u32,
    now: DateTime<Utc>,
) -> Result<bool, StoreError> {
    let failures_in_a_row = i32::try_from(in_a_row).unwrap_or(i32::MAX);
    let statement = TakeLocked { address_hash, device_id, failures_in_a_row, now };
    Ok(!statement.load::<(bool,)>(conn).await?.is_empty())
}

/// Forgets one tally of an account: its password was right.
///
/// # Errors
/// When the database fails.
pub async fn delete(conn: &mut Connection, address_hash: &[u8], device_id: &str) -> Result<(), StoreError> {
    Delete { address_hash: address_hash.to_vec(), device_id: device_id.to_owned() }.execute(conn).await?;
    Ok(())
}

/// Forgets every tally of an account: its password is another one now.
///
/// # Errors
/// When the database fails.
pub async fn delete_all_of(conn: &mut Connection, address_hash: &[u8]) -> Result<(), StoreError> {
    DeleteAllOf { address_hash: address_hash.to_vec() }.execute(conn).await?;
    Ok(())
}
