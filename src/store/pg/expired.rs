//! Deleting what is over, a batch at a time: what the tables' `delete_expired` have in common.

use chrono::{DateTime, Utc};

/// Which rows are to go: those that were over at `until`, the earliest first.
#[derive(Clone, Copy, Debug)]
pub struct Expired {
    /// Where to go on: rows that were over before are not looked at. Deleted rows stay in the indexes for a while, and without
    /// this each batch would pass over those of all the batches before it.
    pub from: DateTime<Utc>,
    /// Rows that were over later stay.
    pub until: DateTime<Utc>,
    /// How many rows may go at once.
    pub batch: u16,
}

/// What one batch deleted.
#[derive(Clone, Copy, Debug, Default)]
pub struct Deleted {
    /// How many rows; fewer than the batch when there are no more but locked ones, which a later cleanup finds.
    pub count: u64,
    /// When the last of them was over; where to go on.
    pub last: Option<DateTime<Utc>>,
}

impl From<(i64, Option<DateTime<Utc>>)> for Deleted {
    fn from((count, last): (i64, Option<DateTime<Utc>>)) -> Self {
        Self { count: u64::try_from(count).unwrap_or_default(), last }
    }
}

/// Defines a statement that deletes a batch of a table's rows, and the function that runs it: the statement's name, the
/// function's, the table, its key, the column that says when a row was over, and what must hold besides. That column needs an
/// index. Rows that somebody else has locked are left alone, so that nobody waits for the other.
macro_rules! delete_expired {
    (
        $(#[$meta:meta])*
        $statement:ident, $function:ident: $table:literal, $key:literal, $over_at:literal, $condition:literal
    ) => {
        $crate::store::pg::statement::statement! {
            $statement {
                from: chrono::DateTime<chrono::Utc> => diesel::sql_types::Timestamptz,
                until: chrono::DateTime<chrono::Utc> => diesel::sql_types::Timestamptz,
                batch: i64 => diesel::sql_types::BigInt,
            } -> (diesel::sql_types::BigInt, diesel::sql_types::Nullable<diesel::sql_types::Timestamptz>)
            // As an array, the keys are found once and looked up, whatever the planner thinks of the table's size.
            "WITH gone AS (
                DELETE FROM ", $table, " WHERE ", $key, " = ANY (ARRAY(
                    SELECT ", $key, " FROM ", $table, "
                    WHERE ", $over_at, " >= $1 AND ", $over_at, " <= $2 AND ", $condition, "
                    ORDER BY ", $over_at, " LIMIT $3 FOR UPDATE SKIP LOCKED
                ))
                RETURNING ", $over_at, " AS over_at
            )
            SELECT count(*), max(over_at) FROM gone"
        }

        $(#[$meta])*
        ///
        /// # Errors
        /// When the database fails.
        pub async fn $function(
            conn: &mut $crate::store::pg::Connection,
            expired: $crate::store::pg::Expired,
        ) -> Result<$crate::store::pg::Deleted, $crate::store::pg::StoreError> {
            let $crate::store::pg::Expired { from, until, batch } = expired;
            let statement = $statement { from, until, batch: i64::from(batch) };
            let row: (i64, Option<chrono::DateTime<chrono::Utc>>) =
                diesel_async::RunQueryDsl::get_result(statement, conn).await?;
            Ok(row.into())
        }
    };
}

pub(super) use delete_expired;
