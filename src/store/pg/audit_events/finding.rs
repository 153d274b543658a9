//! Looking into the audit trail: pages of it, the newest first. Whatever is asked for, an index leads straight to it.
//!
//! Each of these indexes has what is filtered by, the kind, and the identifier: so a page is made of as many events of each
//! kind as it could hold, and rare kinds are found as quickly as common ones. Where no kind is asked for, all those that there
//! are of the actor or the subject are found first, with a step in the index for each.
//!
//! What is filtered by is compared with an array of one, and is the first that is ordered by. To the planner that is no
//! equality, after which the order by the identifier alone would do: it knows no values, and might rather go through everything
//! from the newest on, which for a filter that lets little pass is the whole trail.

use chrono::{DateTime, Duration, Utc};
use diesel::sql_types::{Array, BigInt, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;
use uuid::Uuid;

use super::{Connection, EventColumns, EventRow, StoreError, event, event_columns, kind_names, statement};
use crate::model::audit::{AuditEvent, EventFilter};
use crate::model::id::AuditEventId;

/// What every page is bounded by: the times themselves too, which are finer than what the identifiers tell of them.
macro_rules! within_times {
    () => {
        "e.audit_event_id >= $1 AND e.audit_event_id < $2
            AND ($3 IS NULL OR e.created_at >= $3) AND ($4 IS NULL OR e.created_at < $4)"
    };
}

/// Defines a statement that finds a page by what an index begins with: the statement's name, the parameters beside those of
/// every page, that beginning, its value, and the parameter of the kinds.
macro_rules! find_page_by {
    ($statement:ident { $($field:ident: $rust:ty => $sql:ty),* }: $key:literal, $value:literal, $kinds:literal) => {
        statement! {
            $statement {
                from: Uuid => SqlUuid,
                before: Uuid => SqlUuid,
                start: Option<DateTime<Utc>> => Nullable<Timestamptz>,
                end: Option<DateTime<Utc>> => Nullable<Timestamptz>,
                limit: i64 => BigInt,
                $($field: $rust => $sql,)*
                kinds: Vec<String> => Array<Text>,
            } -> (EventColumns)
            "WITH RECURSIVE held (kind) AS (
                (SELECT e.kind FROM audit_events e WHERE cardinality(", $kinds, ") = 0 AND ", $key, " = ANY (ARRAY[", $value, "])
                ORDER BY ", $key, ", e.kind LIMIT 1)
                UNION ALL
                SELECT (
                    SELECT e.kind FROM audit_events e WHERE ", $key, " = ANY (ARRAY[", $value, "]) AND e.kind > held.kind
                    ORDER BY ", $key, ", e.kind LIMIT 1
                ) FROM held WHERE held.kind IS NOT NULL
            ), wanted (kind) AS (
                SELECT unnest(", $kinds, ") UNION ALL SELECT kind FROM held WHERE kind IS NOT NULL
            )
            SELECT ", event_columns!(), " FROM wanted CROSS JOIN LATERAL (
                SELECT * FROM audit_events e
                WHERE ", $key, " = ANY (ARRAY[", $value, "]) AND e.kind = wanted.kind AND ", within_times!(), "
                ORDER BY ", $key, " DESC, e.audit_event_id DESC LIMIT $5
            ) e
            ORDER BY e.audit_event_id DESC LIMIT $5"
        }
    };
}

find_page_by! { FindPageByActor { actor_id: Uuid => SqlUuid }: "e.actor_id", "$6", "$7" }

find_page_by! { FindPageBySubject { subject_id: String => Text }: "e.subject_id", "$6", "$7" }

find_page_by! {
    FindPageByActorAndSubject { actor_id: Uuid => SqlUuid, subject_id: String => Text }:
    "(e.actor_id::text || ' ' || e.subject_id)", "$6::text || ' ' || $7", "$8"
}

statement! {
    FindPage {
        from: Uuid => SqlUuid,
        before: Uuid => SqlUuid,
        start: Option<DateTime<Utc>> => Nullable<Timestamptz>,
        end: Option<DateTime<Utc>> => Nullable<Timestamptz>,
        limit: i64 => BigInt,
    } -> (EventColumns)
    "SELECT ", event_columns!(), " FROM audit_events e WHERE ", within_times!(), "
    ORDER BY e.audit_event_id DESC LIMIT $5"
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
    "SELECT ", event_columns!(), " FROM unnest($6) AS wanted (kind) CROSS JOIN LATERAL (
        SELECT * FROM audit_events e WHERE e.kind = ANY (ARRAY[wanted.kind]) AND ", within_times!(), "
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
        (Some(actor_id), Some(subject_id)) => {
            FindPageByActorAndSubject { from, before, start, end, limit, actor_id, subject_id, kinds }
                .load(conn)
                .await?
        }
        (Some(actor_id), None) => {
            FindPageByActor { from, before, start, end, limit, actor_id, kinds }.load(conn).await?
        }
        (None, Some(subject_id)) => {
            FindPageBySubject { from, before, start, end, limit, subject_id, kinds }.load(conn).await?
        }
        (None, None) if kinds.is_empty() => FindPage { from, before, start, end, limit }.load(conn).await?,
        (None, None) => FindPageByKinds { from, before, start, end, limit, kinds }.load(conn).await?,
    };
    rows.into_iter().map(|(row,)| event(row)).collect()
}
