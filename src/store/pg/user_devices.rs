//! Known devices of an account, each on the network that it logged in or refreshed from. The statements of a login and of a
//! rotation write them themselves.

use std::time::Duration;

use chrono::{DateTime, Utc};
use diesel::sql_types::{Bool, Cidr, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;
use ipnet::IpNet;
use uuid::Uuid;

use super::expired::delete_expired;
use super::statement::statement;
use super::{Connection, StoreError};
use crate::clock;
use crate::model::device::{DeviceId, KNOWN_FOR};
use crate::model::email::Email;
use crate::model::id::UserId;

/// Age from which on a refresh writes the last use of its device again: not each time, since this is a row more to write.
const WRITTEN_EVERY: Duration = Duration::from_hours(24);

/// Condition that a user knows a device on a network: the user's id, the device, the network, and [`used_after`].
macro_rules! knows_device {
    ($user_id:literal, $device_id:literal, $network:literal, $used_after:literal) => {
        concat!(
            "EXISTS (SELECT FROM user_devices known WHERE known.user_id = ",
            $user_id,
            " AND known.device_id = ",
            $device_id,
            " AND known.network = ",
            $network,
            " AND known.last_used_at > ",
            $used_after,
            ")"
        )
    };
}
pub(super) use knows_device;

statement! {
    Insert {
        user_id: Uuid => SqlUuid,
        device_id: String => Text,
        network: Option<IpNet> => Nullable<Cidr>,
        now: DateTime<Utc> => Timestamptz,
    } -> ()
    // A network that no client has, as the migration gives it to devices of before.
    "INSERT INTO user_devices (user_id, device_id, network, first_used_at, last_used_at)
    VALUES ($1, $2, coalesce($3, '::/0'), $4, $4)
    ON CONFLICT ON CONSTRAINT user_devices_pkey DO UPDATE SET last_used_at = $4"
}

statement! {
    IsKnown {
        email: String => Text,
        device_id: String => Text,
        network: IpNet => Cidr,
        used_after: DateTime<Utc> => Timestamptz,
    } -> (Bool)
    "SELECT EXISTS (SELECT FROM users u WHERE u.email = $1 AND ", knows_device!("u.user_id", "$2", "$3", "$4"), ")"
}

statement! {
    DeleteAllOf { user_id: Uuid => SqlUuid } -> ()
    "DELETE FROM user_devices WHERE user_id = $1"
}

delete_expired! {
    /// Deletes devices that have not been used for so long that they are not known any more.
    DeleteExpired, delete_expired: "user_devices", "ctid", "last_used_at", "true"
}

/// Time after which a known device was last used.
pub(super) fn used_after(now: DateTime<Utc>) -> DateTime<Utc> {
    clock::subtract(now, KNOWN_FOR)
}

/// Time before which the last use of a device is to be written again.
pub(super) fn written_before(now: DateTime<Utc>) -> DateTime<Utc> {
    clock::subtract(now, WRITTEN_EVERY)
}

/// Adds a device to those that an account knows on a network. Without one the device is known nowhere, and not new to the owner
/// when it logs in.
///
/// # Errors
/// When the database fails.
pub async fn insert(
    conn: &mut Connection,
    user_id: UserId,
    device_id: &DeviceId,
    network: Option<IpNet>,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    let statement = Insert { user_id: user_id.uuid(), device_id: device_id.as_str().to_owned(), network, now };
    statement.execute(conn).await?;
    Ok(())
}

/// Returns whether the account of an address knows a device on a network: it has logged in or refreshed from there within
/// [`KNOWN_FOR`]. The same work, and `false`, where there is no account.
///
/// # Errors
/// When the database fails.
pub async fn is_known(
    conn: &mut Connection,
    email: &Email,
    device_id: &DeviceId,
    network: IpNet,
    now: DateTime<Utc>,
) -> Result<bool, StoreError> {
    let statement = IsKnown {
        email: email.as_str().to_owned(),
        device_id: device_id.as_str().to_owned(),
        network,
        used_after: used_after(now),
    };
    let (known,): (bool,) = statement.get_result(conn).await?;
    Ok(known)
}

/// Deletes all devices that an account knows. To be called after its sessions have ended: a refresh adds its device with its
/// session's row locked.
///
/// # Errors
/// When the database fails.
pub async fn delete_all_of(conn: &mut Connection, user_id: UserId) -> Result<(), StoreError> {
    DeleteAllOf { user_id: user_id.uuid() }.execute(conn).await?;
    Ok(())
}
