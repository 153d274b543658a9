//! The database server's clock.

use chrono::{DateTime, Utc};
use diesel::sql_types::Timestamptz;
use diesel_async::RunQueryDsl;
use tokio::time::Instant;

use super::statement::statement;
use super::{Connection, StoreError};
use crate::clock::{Clock, SystemClock};
use crate::policy::clock_skew::ClockReading;

statement! {
    Time {} -> (Timestamptz)
    "SELECT clock_timestamp()"
}

/// Compares the server's clock with this machine's. With the machine's, whatever clock the service goes by: only the
/// machine's can be wrong.
///
/// # Errors
/// When the database fails.
pub async fn read(conn: &mut Connection) -> Result<ClockReading, StoreError> {
    let (asked_at, began) = (SystemClock.now(), Instant::now());
    let (time,): (DateTime<Utc>,) = Time {}.get_result(conn).await?;
    Ok(ClockReading::new(asked_at, began.elapsed(), time))
}
