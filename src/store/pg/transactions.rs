//! Which transactions are running: what has a place in some order may come to sight after what has a later one, but not after
//! every transaction that could have written it is over.

use diesel::sql_types::BigInt;
use diesel_async::RunQueryDsl;

use super::statement::statement;
use super::{Connection, StoreError};

/// The transactions that are running, of all programs on the same server, but for those that only read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Running {
    /// Every transaction with a lower number is over.
    pub oldest: i64,
    /// No transaction with this number or a higher one is over.
    pub next: i64,
}

statement! {
    FindRunning {} -> (BigInt, BigInt)
    "SELECT pg_snapshot_xmin(s)::text::bigint, pg_snapshot_xmax(s)::text::bigint FROM pg_current_snapshot() s"
}

statement! {
    TakeNumber {} -> (BigInt)
    "SELECT pg_current_xact_id()::text::bigint"
}

/// Which transactions are running now.
///
/// # Errors
/// When the database fails.
pub async fn find_running(conn: &mut Connection) -> Result<Running, StoreError> {
    let (oldest, next) = FindRunning {}.get_result::<(i64, i64)>(conn).await?;
    Ok(Running { oldest, next })
}

/// A number that is higher than that of every transaction which has one. Not within a transaction, whose own it would be.
///
/// # Errors
/// When the database fails.
pub async fn take_number(conn: &mut Connection) -> Result<i64, StoreError> {
    let (number,): (i64,) = TakeNumber {}.get_result(conn).await?;
    Ok(number)
}
