//! How many codes an address was mailed of late: the one limit that is keyed by an address.

use chrono::{DateTime, Utc};
use diesel::OptionalExtension;
use diesel::sql_types::{BigInt, Binary, Bool, Nullable, Timestamptz};
use diesel_async::RunQueryDsl;

use super::expired::delete_expired;
use super::statement::statement;
use super::{Connection, StoreError};

statement! {
    Take {
        address_hash: Vec<u8> => Binary,
        now: DateTime<Utc> => Timestamptz,
        window_start: DateTime<Utc> => Timestamptz,
        expires_at: DateTime<Utc> => Timestamptz,
        limit: i64 => BigInt,
    } -> (Bool)
    "INSERT INTO code_quotas AS q (address_hash, issued_at, expires_at) VALUES ($1, ARRAY[$2], $4)
    ON CONFLICT ON CONSTRAINT code_quotas_pkey DO UPDATE
    SET issued_at = ARRAY(SELECT t FROM unnest(q.issued_at) AS t WHERE t > $3 ORDER BY t) || $2, expires_at = $4
    WHERE (SELECT count(*) FROM unnest(q.issued_at) AS t WHERE t > $3) < $5
    RETURNING true"
}

statement! {
    FindOldest { address_hash: Vec<u8> => Binary, window_start: DateTime<Utc> => Timestamptz } -> (Nullable<Timestamptz>)
    "SELECT (SELECT min(t) FROM unnest(issued_at) AS t WHERE t > $2) FROM code_quotas WHERE address_hash = $1"
}

/// Takes one place of an address's quota; `false` when all `limit` places since `window_start` are taken.
///
/// # Errors
/// When the database fails.
pub async fn take(
    conn: &mut Connection,
    address_hash: &[u8],
    now: DateTime<Utc>,
    window: (DateTime<Utc>, DateTime<Utc>),
    limit: u32,
) -> Result<bool, StoreError> {
    let (window_start, expires_at) = window;
    let statement =
        Take { address_hash: address_hash.to_vec(), now, window_start, expires_at, limit: i64::from(limit) };
    Ok(statement.get_result::<(bool,)>(conn).await.optional()?.is_some())
}

/// When the oldest code of the window was mailed: the place that is free first.
///
/// # Errors
/// When the database fails.
pub async fn find_oldest(
    conn: &mut Connection,
    address_hash: &[u8],
    window_start: DateTime<Utc>,
) -> Result<Option<DateTime<Utc>>, StoreError> {
    let statement = FindOldest { address_hash: address_hash.to_vec(), window_start };
    let row: Option<(Option<DateTime<Utc>>,)> = statement.get_result(conn).await.optional()?;
    Ok(row.and_then(|(oldest,)| oldest))
}

delete_expired! {
    /// Deletes what is no longer of use to count with.
    DeleteExpired, delete_expired: "code_quotas", "address_hash", "expires_at", "true"
}
