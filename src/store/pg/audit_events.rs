//! The audit trail. Rows come and stay; only the retention takes them away.

mod finding;
mod following;

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use diesel::sql_types::{Array, BigInt, Inet, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;
use ipnet::IpNet;
use uuid::Uuid;

pub use finding::find_page;
pub use following::{Progress, find_between, find_first_since, find_last_before, find_numbers, find_progress};

use super::statement::statement;
use super::{Connection, Deleted, Expired, StoreError};
use crate::model::audit::{Act, Actor, AuditEvent, Event, EventFilter, EventKind, Occurrence, Subject};
use crate::model::device::DeviceId;
use crate::model::id::AuditEventId;

macro_rules! event_columns {
    () => {
        "e.audit_event_id, e.sequence, e.created_at, e.kind, e.actor_type, e.actor_id, e.subject_type, e.subject_id, \
         e.ip_address, e.device_id, e.request_id, e.details::text"
    };
}
use event_columns;

type EventColumns = (
    SqlUuid,
    BigInt,
    Timestamptz,
    Text,
    Text,
    Nullable<SqlUuid>,
    Nullable<Text>,
    Nullable<Text>,
    Nullable<Inet>,
    Nullable<Text>,
    Text,
    Text,
);
type EventRow = (
    Uuid,
    i64,
    DateTime<Utc>,
    String,
    String,
    Option<Uuid>,
    Option<String>,
    Option<String>,
    Option<IpNet>,
    Option<String>,
    String,
    String,
);

statement! {
    #[derive(Default)]
    Insert {
        audit_event_ids: Vec<Uuid> => Array<SqlUuid>,
        times: Vec<DateTime<Utc>> => Array<Timestamptz>,
        kinds: Vec<String> => Array<Text>,
        actor_types: Vec<String> => Array<Text>,
        actor_ids: Vec<Option<Uuid>> => Array<Nullable<SqlUuid>>,
        subject_types: Vec<Option<String>> => Array<Nullable<Text>>,
        subject_ids: Vec<Option<String>> => Array<Nullable<Text>>,
        ip_addresses: Vec<Option<IpNet>> => Array<Nullable<Inet>>,
        device_ids: Vec<Option<String>> => Array<Nullable<Text>>,
        request_ids: Vec<String> => Array<Text>,
        details: Vec<String> => Array<Text>,
    } -> ()
    "INSERT INTO audit_events (audit_event_id, created_at, kind, actor_type, actor_id, subject_type, subject_id, ip_address,
        device_id, request_id, details)
    SELECT e.audit_event_id, e.created_at, e.kind, e.actor_type, e.actor_id, e.subject_type, e.subject_id, e.ip_address,
        e.device_id, e.request_id, e.details::jsonb
    FROM unnest($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) WITH ORDINALITY
        AS e (audit_event_id, created_at, kind, actor_type, actor_id, subject_type, subject_id, ip_address, device_id,
            request_id, details, place)
    ORDER BY e.place"
}

statement! {
    AllowRetention {} -> ()
    "SET LOCAL keyward.retention = 'on'"
}

statement! {
    DeleteExpired { from: Uuid => SqlUuid, before: Uuid => SqlUuid, batch: i64 => BigInt } -> (BigInt, Nullable<Timestamptz>)
    // An hour more than what the database keeps in any case: it looks after us, when the event recorded last may be another one,
    // by another clock.
    "WITH gone AS (
        DELETE FROM audit_events WHERE audit_event_id = ANY (ARRAY(
            SELECT audit_event_id FROM audit_events
            WHERE audit_event_id >= $1 AND audit_event_id < $2
                AND created_at <= (SELECT created_at FROM audit_events ORDER BY sequence DESC LIMIT 1) - interval '25 hours'
            ORDER BY audit_event_id LIMIT $3 FOR UPDATE SKIP LOCKED
        ))
        RETURNING created_at
    )
    SELECT count(*), max(created_at) FROM gone"
}

/// Puts events of one act on record, in this order.
///
/// # Errors
/// When the database fails.
pub async fn insert(conn: &mut Connection, by: &Act, events: Vec<Event>, now: DateTime<Utc>) -> Result<(), StoreError> {
    let occurrence = |event| Occurrence { by: by.clone(), event, at: now, count: 1 };
    insert_all(conn, events.into_iter().map(occurrence)).await
}

/// Puts events of any acts on record, in this order.
///
/// # Errors
/// When the database fails.
pub async fn insert_all(
    conn: &mut Connection,
    occurrences: impl Iterator<Item = Occurrence> + Send,
) -> Result<(), StoreError> {
    let mut statement = Insert::default();
    for Occurrence { by, event, at, .. } in occurrences {
        statement.audit_event_ids.push(AuditEventId::new(at).uuid());
        statement.times.push(at);
        statement.kinds.push(event.kind.as_str().to_owned());
        statement.actor_types.push(by.actor.type_name().to_owned());
        statement.actor_ids.push(by.actor.id());
        statement.subject_types.push(event.subject.type_name().map(str::to_owned));
        statement.subject_ids.push(event.subject.id());
        statement.ip_addresses.push(by.ip_address.map(IpNet::from));
        statement.device_ids.push(by.device_id.map(DeviceId::into));
        statement.request_ids.push(by.request_id);
        statement.details.push(as_json(event.details));
    }
    statement.execute(conn).await?;
    Ok(())
}

fn as_json(details: Vec<(&'static str, String)>) -> String {
    let details: BTreeMap<_, _> = details.into_iter().collect();
    serde_json::json!(details).to_string()
}

/// Deletes a batch of the events that happened before a time, but for those of the day before the latest. Inside of a
/// transaction, or the database refuses.
///
/// # Errors
/// When the database fails.
pub async fn delete_expired(conn: &mut Connection, expired: Expired) -> Result<Deleted, StoreError> {
    AllowRetention {}.execute(conn).await?;
    let Expired { from, until, batch } = expired;
    let bound = |time| AuditEventId::first_at(time).uuid();
    let statement = DeleteExpired { from: bound(from), before: bound(until), batch: i64::from(batch) };
    let row: (i64, Option<DateTime<Utc>>) = statement.get_result(conn).await?;
    Ok(row.into())
}

/// An event as it is stored. One of a newer version, which runs beside this one or ran before it, may have a kind or types that
/// are not known here: it is told as far as it is known, with their names among the details.
fn event(row: EventRow) -> Result<AuditEvent, StoreError> {
    let (audit_event_id, sequence, created_at, kind, actor_type, actor_id, ..) = row;
    let (.., subject_type, subject_id, ip_address, device_id, request_id, details) = row;
    let corrupt = |column| StoreError::Corrupt { column };
    let details: BTreeMap<String, serde_json::Value> =
        serde_json::from_str(&details).map_err(|_| corrupt("audit_events.details"))?;
    let mut details: Vec<_> = details.into_iter().map(|(name, value)| (name, as_text(value))).collect();
    let mut unknown = |name: &str, stored: Option<String>| details.push((name.to_owned(), stored.unwrap_or_default()));
    let actor = Actor::from_stored(&actor_type, actor_id);
    if let Actor::Unknown(_) = actor {
        unknown("unknown_actor_type", Some(actor_type));
    }
    let subject = Subject::from_stored(subject_type.as_deref(), subject_id.as_deref());
    if let Subject::Unknown(_) = subject {
        unknown("unknown_subject_type", subject_type);
    }
    let known_kind = EventKind::from_name(&kind);
    if known_kind.is_none() {
        unknown("unknown_kind", Some(kind));
    }
    let device_id = device_id.as_deref().map(DeviceId::parse).transpose();
    let device_id = device_id.map_err(|_| corrupt("audit_events.device_id"))?;
    let by = Act { actor, ip_address: ip_address.map(|address| address.addr()), device_id, request_id };
    Ok(AuditEvent {
        audit_event_id: audit_event_id.into(),
        sequence,
        created_at,
        kind: known_kind,
        by,
        subject,
        details,
    })
}

fn as_text(detail: serde_json::Value) -> String {
    match detail {
        serde_json::Value::String(text) => text,
        other => other.to_string(),
    }
}

/// The kinds asked for, each once: they are looked for one by one.
fn kind_names(filter: &EventFilter) -> Vec<String> {
    let names: BTreeSet<_> = filter.kinds.iter().map(|kind| kind.as_str().to_owned()).collect();
    names.into_iter().collect()
}
