//! The audit trail: what is done goes on record in the transaction that does it.

mod held;
mod trail;

use chrono::{DateTime, SecondsFormat, Utc};

use crate::app::App;
use crate::error::Error;
use crate::model::audit::{Act, AuditEvent, EventFilter, EventKind, Subject};
use crate::model::id::{AuditEventId, SessionId, UserId};
use crate::model::lockout::LockoutKey;
use crate::model::operation::Operation;
use crate::model::session::EndReason;
#[cfg(doc)]
use crate::policy::audit::Recording;
use crate::store::pg::{Connection, audit_events};

pub use crate::model::audit::Event;
pub use crate::policy::audit::MergeKey;
pub use held::{HeldEvents, note_denial, record_held, record_limited, record_refusal};
pub use trail::{Trail, Watch, follow, watch};

/// Puts an event on record, within the caller's transaction.
///
/// # Errors
/// A failure of ours.
pub async fn record(conn: &mut Connection, by: &Act, event: Event, now: DateTime<Utc>) -> Result<(), Error> {
    record_all(conn, by, [event], now).await
}

/// Puts several events of one act on record, in this order; none costs nothing. Those of [limited](Recording::Limited) kinds go
/// through [`record_limited`].
///
/// # Errors
/// A failure of ours.
pub async fn record_all(
    conn: &mut Connection,
    by: &Act,
    events: impl IntoIterator<Item = Event> + Send,
    now: DateTime<Utc>,
) -> Result<(), Error> {
    let events: Vec<_> = events.into_iter().collect();
    if events.is_empty() {
        return Ok(());
    }
    Ok(audit_events::insert(conn, by, events, now).await?)
}

/// That something was locked out of an operation.
#[must_use]
pub fn locked_out(key: &LockoutKey, operation: Operation, scope: &'static str, until: DateTime<Utc>) -> Event {
    Event::new(EventKind::LockedOut, Subject::Lockout(key.to_string()))
        .with("operation", operation.as_str())
        .with("scope", scope)
        .with("expire_time", until.to_rfc3339_opts(SecondsFormat::Millis, true))
}

/// That something happened to a session of a user.
#[must_use]
pub fn of_session(kind: EventKind, user_id: UserId, session_id: SessionId) -> Event {
    Event::new(kind, Subject::Session(session_id)).with("user_id", user_id)
}

/// That sessions of a user were revoked, and why: one event for each.
pub fn revoked(user_id: UserId, reason: EndReason, ended: &[SessionId]) -> impl Iterator<Item = Event> + Send {
    let event = move |session_id: &SessionId| {
        of_session(EventKind::SessionRevoked, user_id, *session_id).with("reason", reason.as_str())
    };
    ended.iter().map(event)
}

/// Events that match, the newest first, from the one after `before`; at most `limit`.
///
/// # Errors
/// A failure of ours.
pub async fn list(
    app: &App,
    filter: &EventFilter,
    before: Option<AuditEventId>,
    limit: u32,
) -> Result<Vec<AuditEvent>, Error> {
    Ok(audit_events::find_page(&mut *app.pool.get().await?, filter, before, limit).await?)
}
