//! Looking into the audit trail: pages of it, the newest first. Whatever is asked for, an index leads straight to it.
//!
//! An actor, a subject or a kind is compared together with the identifier, and so is the order: the index of both is then the
//! only one that gives it. With an equality alone the planner, which knows no values, may rather go through everything from
//! the newest on, which for a rare kind is the whole trail.

use chrono::{DateTime, Duration, Utc};
use diesel::sql_types::{Array, BigInt, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;
use uuid::Uuid;

use super::{Connection, EventColumns, EventRow, StoreError, event, event_columns, kind_names, statement};
use crate::model::audit::{AuditEvent, EventFilter};
use crate::model::id::AuditEventId;

/// What every page is bounded by: the times themselves, which are finer than what the identifiers tell of them.
macro_rules! within_times {
    () => {
        "($3 IS NULL OR e.created_at >= $3) AND ($4 IS NULL OR e.created_at < $4)"
    };
}

statement! {
    FindPage {
        from: Uuid => SqlUuid,
        before: Uuid => SqlUuid,
        start: Option<DateTime<Utc>> => Nullable<Timestamptz>,
        end: Option<DateTime<Utc>> => Nullable<Timestamptz>,
        limit: i64 => BigInt,
    } -> (EventColumns)
    "SELECT ", event_columns!(), " FROM audit_events e
    WHERE e.audit_event_id >= $1 AND e.audit_event_id < $2 AND ", within_times!(), "
    ORDER BY e.audit_event_id DESC LIMIT $5"
}

statement! {
    FindPageByActor {
        from: Uuid => SqlUuid,
        before: Uuid => SqlUuid,
        start: Option<DateTime<Utc>> => Nullable<Timestamptz>,
        end: Option<DateTime<Utc>> => Nullable<Timestamptz>,
        limit: i64 => BigInt,
        actor_id: Uuid => SqlUuid,
        subject_id: Option<String> => Nullable<Text>,
        kinds: Vec<String> => Array<Text>,
    } -> (EventColumns)
    "SELECT ", event_columns!(), " FROM audit_events e
    WHERE (e.actor_id, e.audit_event_id) >= ($6, $1) AND (e.actor_id, e.audit_event_id) < ($6, $2)
        AND ", within_times!(), "
        AND ($7 IS NULL OR e.subject_id = $7) AND (cardinality($8) = 0 OR e.kind = ANY ($8))
    ORDER BY e.actor_id DESC, e.audit_event_id DESC LIMIT $5"
}

statement! {
    FindPageBySubject {
        from: Uuid => SqlUuid,
        before: Uuid => SqlUuid,
        start: Option<DateTime<Utc>> => Nullable<Timestamptz>,
        end: Option<DateTime<Utc>> => Nullable<Timestamptz>,
        limit: i64 => BigInt,
        subject_id: String => Text,
        kinds: Vec<String> => Array<Text>,
    } -> (EventColumns)
    "SELECT ", event_columns!(), " FROM audit_events e
    WHERE (e.subject_id, e.audit_event_id) >= ($6, $1) AND (e.subject_id, e.audit_event_id) < ($6, $2)
        AND ", within_times!(), " AND (cardinality($7) = 0 OR e.kind = ANY ($7))
    ORDER BY e.subject_id DESC, e.audit_event_id DESC LIMIT $5"
}

statement! {
    FindPageByKinds {
        from: Uuid => SqlUuid,
        before: Uuid => SqlUuid,
        start: Option<DateTime<Utc>> => Nullable<Timestamptz>,
        end: Option<DateTime<Utc>> => Nullable<Timestamptz>,
        limit: i64 => BigInt,
        kinds: Vec<String> => Array<Text>,
    } -> (EventColumns)
    // As many of each kind as the page could hold: so rare kinds are found as quickly as common ones.
    "SELECT ", event_columns!(), " FROM unnest($6) AS wanted (kind) CROSS JOIN LATERAL (
        SELECT * FROM audit_events e
        WHERE (e.kind, e.audit_event_id) >= (wanted.kind, $1) AND (e.kind, e.audit_event_id) < (wanted.kind, $2)
            AND ", within_times!(), "
        ORDER BY e.kind DESC, e.audit_event_id DESC LIMIT $5
    ) e
    ORDER BY e.audit_event_id DESC LIMIT $5"
}

/// Events that match, the newest first, from the one after `before`; at most `limit`.
///
/// # Errors
/// When the database fails.
pub async fn find_page(
    conn: &mut Connection,
    filter: &EventFilter,
    before: Option<AuditEventId>,
    limit: u32,
) -> Result<Vec<AuditEvent>, StoreError> {
    let EventFilter { actor_id, subject_id, start, end, .. } = filter.clone();
    let kinds = kind_names(filter);
    let from = start.map_or(Uuid::nil(), |start| AuditEventId::first_at(start).uuid());
    // Whatever happens before `end` may have happened within its millisecond.
    let after_end = end.map_or(Uuid::max(), |end| AuditEventId::first_at(end + Duration::milliseconds(1)).uuid());
    let before = before.map_or(after_end, |before| before.uuid().min(after_end));
    let limit = i64::from(limit);
    let rows: Vec<(EventRow,)> = match (actor_id, subject_id) {
        (Some(actor_id), subject_id) => {
            FindPageByActor { from, before, start, end, limit, actor_id, subject_id, kinds }.load(conn).await?
        }
        (None, Some(subject_id)) => {
            FindPageBySubject { from, before, start, end, limit, subject_id, kinds }.load(conn).await?
        }
        (None, None) if kinds.is_empty() => FindPage { from, before, start, end, limit }.load(conn).await?,
        (None, None) => FindPageByKinds { from, before, start, end, limit, kinds }.load(conn).await?,
    };
    rows.into_iter().map(|(row,)| event(row)).collect()
}
