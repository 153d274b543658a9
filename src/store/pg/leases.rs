//! Work that one replica does at a time: who has it, until when, and when it was last done.
//!
//! A row with an end, rather than an advisory lock: a pooler in transaction mode hands a session's lock to strangers, and a
//! transaction that holds one would have to stay open as long as the work takes, which the server's own time limits forbid.
//! The holder renews its lease; one that dies loses it when it ends.

use chrono::{DateTime, Utc};
use diesel::OptionalExtension;
use diesel::sql_types::{Bool, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;
use uuid::Uuid;

use super::statement::statement;
use super::{Connection, StoreError};

/// What is leased.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Work {
    /// Deleting what has expired.
    Cleanup,
}

impl Work {
    fn name(self) -> String {
        match self {
            Self::Cleanup => "cleanup".to_owned(),
        }
    }
}

/// How some work stands.
#[derive(Clone, Copy, Debug)]
pub struct Standing {
    /// When the lease of whoever has it ends; `None` when nobody has it.
    pub held_until: Option<DateTime<Utc>>,
    /// When it was last done to its end.
    pub done_at: Option<DateTime<Utc>>,
}

statement! {
    Take {
        work: String => Text,
        holder: Uuid => SqlUuid,
        now: DateTime<Utc> => Timestamptz,
        held_until: DateTime<Utc> => Timestamptz,
        not_done_after: Option<DateTime<Utc>> => Nullable<Timestamptz>,
    } -> (Bool)
    "INSERT INTO leases AS l (work, holder, held_until) VALUES ($1, $2, $4)
    ON CONFLICT ON CONSTRAINT leases_pkey DO UPDATE SET holder = $2, held_until = $4
    WHERE (l.held_until IS NULL OR l.held_until <= $3)
        AND ($5::timestamptz IS NULL OR l.done_at IS NULL OR l.done_at <= $5)
    RETURNING true"
}

statement! {
    Renew { work: String => Text, holder: Uuid => SqlUuid, held_until: DateTime<Utc> => Timestamptz } -> (Bool)
    "UPDATE leases SET held_until = $3 WHERE work = $1 AND holder = $2 RETURNING true"
}

statement! {
    Release { work: String => Text, holder: Uuid => SqlUuid, done_at: Option<DateTime<Utc>> => Nullable<Timestamptz> } -> ()
    "UPDATE leases SET holder = NULL, held_until = NULL, done_at = coalesce($3, done_at) WHERE work = $1 AND holder = $2"
}

statement! {
    Find { work: String => Text } -> (Nullable<Timestamptz>, Nullable<Timestamptz>)
    "SELECT held_until, done_at FROM leases WHERE work = $1"
}

/// From `now` until when somebody wants to hold a lease.
#[derive(Clone, Copy, Debug)]
pub struct Term {
    /// Now.
    pub now: DateTime<Utc>,
    /// When it ends unless it is renewed.
    pub held_until: DateTime<Utc>,
}

/// Takes the lease of some work; `false` when another has it, or when the work was done after `not_done_after`.
///
/// # Errors
/// When the database fails.
pub async fn take(
    conn: &mut Connection,
    work: Work,
    holder: Uuid,
    term: Term,
    not_done_after: Option<DateTime<Utc>>,
) -> Result<bool, StoreError> {
    let Term { now, held_until } = term;
    let statement = Take { work: work.name(), holder, now, held_until, not_done_after };
    Ok(statement.get_result::<(bool,)>(conn).await.optional()?.is_some())
}

/// Holds on to a lease; `false` when it has been lost to another.
///
/// # Errors
/// When the database fails.
pub async fn renew(
    conn: &mut Connection,
    work: Work,
    holder: Uuid,
    held_until: DateTime<Utc>,
) -> Result<bool, StoreError> {
    let statement = Renew { work: work.name(), holder, held_until };
    Ok(statement.get_result::<(bool,)>(conn).await.optional()?.is_some())
}

/// Gives a lease back, if it is still the holder's; with the time at which the work was done, if it was.
///
/// # Errors
/// When the database fails.
pub async fn release(
    conn: &mut Connection,
    work: Work,
    holder: Uuid,
    done_at: Option<DateTime<Utc>>,
) -> Result<(), StoreError> {
    Release { work: work.name(), holder, done_at }.execute(conn).await?;
    Ok(())
}

/// How some work stands; `None` when nobody has ever begun it.
///
/// # Errors
/// When the database fails.
pub async fn find(conn: &mut Connection, work: Work) -> Result<Option<Standing>, StoreError> {
    type Row = (Option<DateTime<Utc>>, Option<DateTime<Utc>>);
    let row: Option<Row> = Find { work: work.name() }.get_result(conn).await.optional()?;
    Ok(row.map(|(held_until, done_at)| Standing { held_until, done_at }))
}
