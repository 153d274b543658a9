//! The tallies of attempts at accounts, apart from counting them, which `login_attempts` does.

use chrono::{DateTime, Utc};
use diesel::OptionalExtension;
use diesel::sql_types::{Binary, Bool, Integer, Nullable, Text, Timestamptz};
use diesel_async::RunQueryDsl;

use super::statement::statement;
use super::{Connection, StoreError};

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

statement! {
    Delete { address_hash: Vec<u8> => Binary, device_id: String => Text } -> ()
    "DELETE FROM account_lockouts WHERE address_hash = $1 AND device_id = $2"
}

statement! {
    DeleteAllOf { address_hash: Vec<u8> => Binary } -> ()
    "DELETE FROM account_lockouts WHERE address_hash = $1"
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
