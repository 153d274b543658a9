//! Following the audit trail in the order of recording, up to where nothing can come in between any more.
//!
//! Events are numbered when they are written and seen when their transaction commits, so a lower number may be seen after a
//! higher one. Whoever follows asks first how far the trail goes, then for a number of a transaction; once every transaction
//! with a lower number is over, nothing up to there is still to come. See the migration for what the database does for it.

use chrono::{DateTime, Duration, Utc};
use diesel::OptionalExtension;
use diesel::sql_types::{Array, BigInt, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;
use uuid::Uuid;

use super::{Connection, EventColumns, EventRow, StoreError, event, event_columns, kind_names, statement};
use crate::model::audit::{AuditEvent, EventFilter};
use crate::model::id::AuditEventId;

/// How long after it happened an event is recorded at the latest: longer than a transaction of the service takes, and two
/// clocks differ.
const RECORDED_WITHIN: Duration = Duration::minutes(10);

/// How far the trail goes, and which transactions may still add to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// The highest number of an event; 0 when there is none.
    pub highest: i64,
    /// Every transaction with a lower number is over.
    pub oldest_running: i64,
    /// No transaction has this number or a higher one yet, as far as is known.
    pub next_transaction: i64,
}

statement! {
    FindProgress {} -> (BigInt, BigInt, BigInt)
    "SELECT coalesce((SELECT max(sequence) FROM audit_events), 0),
        pg_snapshot_xmin(pg_current_snapshot())::text::bigint, pg_snapshot_xmax(pg_current_snapshot())::text::bigint"
}

statement! {
    FindEarliest { from: Uuid => SqlUuid, start: DateTime<Utc> => Timestamptz } -> (Timestamptz)
    "SELECT created_at FROM audit_events WHERE audit_event_id >= $1 AND created_at >= $2 ORDER BY audit_event_id LIMIT 1"
}

statement! {
    FindFirst { from: Uuid => SqlUuid, before: Uuid => SqlUuid, start: DateTime<Utc> => Timestamptz } -> (Nullable<BigInt>)
    "SELECT min(sequence) FROM audit_events WHERE audit_event_id >= $1 AND audit_event_id < $2 AND created_at >= $3"
}

statement! {
    FindLastBefore { number: i64 => BigInt } -> (BigInt)
    "SELECT coalesce(max(sequence), 0) FROM audit_events WHERE sequence < $1"
}

statement! {
    FindNumbers { after: i64 => BigInt } -> (BigInt)
    "SELECT sequence FROM audit_events WHERE sequence > $1"
}

statement! {
    FindBetween {
        after: i64 => BigInt,
        upto: i64 => BigInt,
        actor_id: Option<Uuid> => Nullable<SqlUuid>,
        subject_id: Option<String> => Nullable<Text>,
        kinds: Vec<String> => Array<Text>,
        start: Option<DateTime<Utc>> => Nullable<Timestamptz>,
        end: Option<DateTime<Utc>> => Nullable<Timestamptz>,
        limit: i64 => BigInt,
    } -> (EventColumns)
    "SELECT ", event_columns!(), " FROM audit_events e
    WHERE e.sequence > $1 AND e.sequence <= $2 AND ($3 IS NULL OR e.actor_id = $3)
        AND ($4 IS NULL OR e.subject_id = $4) AND (cardinality($5) = 0 OR e.kind = ANY ($5))
        AND ($6 IS NULL OR e.created_at >= $6) AND ($7 IS NULL OR e.created_at < $7)
    ORDER BY e.sequence LIMIT $8"
}

/// How far the trail goes now.
///
/// # Errors
/// When the database fails.
pub async fn find_progress(conn: &mut Connection) -> Result<Progress, StoreError> {
    let (highest, oldest_running, next_transaction) = FindProgress {}.get_result(conn).await?;
    Ok(Progress { highest, oldest_running, next_transaction })
}

/// The number of the event that was recorded first among those that happened at `start` or later.
///
/// # Errors
/// When the database fails.
pub async fn find_first_since(conn: &mut Connection, start: DateTime<Utc>) -> Result<Option<i64>, StoreError> {
    let from = AuditEventId::first_at(start).uuid();
    let earliest: Option<(DateTime<Utc>,)> = FindEarliest { from, start }.get_result(conn).await.optional()?;
    let Some((earliest,)) = earliest else { return Ok(None) };
    // Whatever happened later than that was recorded after the earliest one.
    let before = AuditEventId::first_at(earliest + RECORDED_WITHIN).uuid();
    let (first,) = FindFirst { from, before, start }.get_result(conn).await?;
    Ok(first)
}

/// A number of an event after which are those of all events that are still to be seen at `now`.
///
/// # Errors
/// When the database fails.
pub async fn find_last_before(conn: &mut Connection, now: DateTime<Utc>) -> Result<i64, StoreError> {
    let first = find_first_since(conn, now - RECORDED_WITHIN * 2).await?;
    let (last,) = FindLastBefore { number: first.unwrap_or(i64::MAX) }.get_result(conn).await?;
    Ok(last)
}

/// The numbers of the events after this one that can be seen.
///
/// # Errors
/// When the database fails.
pub async fn find_numbers(conn: &mut Connection, after: i64) -> Result<Vec<i64>, StoreError> {
    let rows: Vec<(i64,)> = FindNumbers { after }.load(conn).await?;
    Ok(rows.into_iter().map(|(number,)| number).collect())
}

/// Events that match, in the order of recording, numbered after the first and up to the second of `numbers`; at most `limit`.
///
/// # Errors
/// When the database fails.
pub async fn find_between(
    conn: &mut Connection,
    filter: &EventFilter,
    (after, upto): (i64, i64),
    limit: u32,
) -> Result<Vec<AuditEvent>, StoreError> {
    let EventFilter { actor_id, subject_id, start, end, .. } = filter.clone();
    let kinds = kind_names(filter);
    let statement = FindBetween { after, upto, actor_id, subject_id, kinds, start, end, limit: i64::from(limit) };
    let rows: Vec<(EventRow,)> = statement.load(conn).await?;
    rows.into_iter().map(|(row,)| event(row)).collect()
}
