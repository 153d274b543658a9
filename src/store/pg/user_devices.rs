//! The devices that an account is known to use. A login keeps them itself, in its one statement.

use chrono::{DateTime, Utc};
use diesel::sql_types::{Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;
use uuid::Uuid;

use super::statement::statement;
use super::{Connection, StoreError};
use crate::model::device::DeviceId;
use crate::model::id::UserId;

statement! {
    Insert { user_id: Uuid => SqlUuid, device_id: String => Text, now: DateTime<Utc> => Timestamptz } -> ()
    "INSERT INTO user_devices (user_id, device_id, first_used_at, last_used_at) VALUES ($1, $2, $3, $3)
    ON CONFLICT ON CONSTRAINT user_devices_pkey DO UPDATE SET last_used_at = $3"
}

/// Notes that an account is used from a device.
///
/// # Errors
/// When the database fails.
pub async fn insert(
    conn: &mut Connection,
    user_id: UserId,
    device_id: &DeviceId,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    let statement = Insert { user_id: user_id.uuid(), device_id: device_id.as_str().to_owned(), now };
    statement.execute(conn).await?;
    Ok(())
}
