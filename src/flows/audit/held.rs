//! Events that are held in memory before a job writes them, and counts of those that are not on record one by one.
//!
//! Refused administration and logins that run into a lockout are [merged](MergeKey). Events that anybody causes with one call
//! are held below [ceilings](CeilingRule), by the replica that served the call. So with R replicas a minute has at most R times
//! `audit.events_in_all` rows of them, R rows for each ceiling, and one for each lockout that begins. What is held is written
//! once a minute, and at the end when the service stops. A replica that is killed loses the counts of its last minute.

use std::sync::{Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, SecondsFormat, Utc};

use super::{Event, record, record_all};
use crate::app::App;
use crate::config::Audit;
use crate::error::Error;
use crate::model::audit::{Act, EventKind, Occurrence, Subject};
use crate::model::lockout::network_name;
use crate::model::operation::counted_network;
use crate::policy::audit::{
    Ceiling, CeilingRule, Ceilings, Counted, MergeKey, Merged, Merging, Omissions, Recording, recording,
};
use crate::store::pg::{Connection, audit_events};

/// How many events wait to be written at most, which they do for long only while the database takes nothing. More are counted.
const MAX_UNWRITTEN: usize = 10_000;

/// How many events are written by one statement.
const BATCH: usize = 500;

/// The events that this replica holds.
#[derive(Debug)]
pub struct HeldEvents(Mutex<Held>);

#[derive(Debug)]
struct Held {
    merged: Merged,
    ceilings: Ceilings,
    /// What the job writes next.
    unwritten: Vec<Occurrence>,
}

impl HeldEvents {
    /// No events yet, and these ceilings.
    #[must_use]
    pub fn new(settings: &Audit) -> Self {
        let rule = CeilingRule { per_network: settings.events_per_network.get(), total: settings.events_in_all.get() };
        Self(Mutex::new(Held { merged: Merged::default(), ceilings: Ceilings::new(rule), unwritten: Vec::new() }))
    }

    fn lock(&self) -> MutexGuard<'_, Held> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes what is to be written now. At the `end` that is everything.
    fn take(&self, now: DateTime<Utc>, end: bool) -> Vec<Occurrence> {
        let held = &mut *self.lock();
        let due = if end { held.merged.take_all() } else { held.merged.take_due(now) };
        for occurrence in due {
            held.hold_within_ceilings(occurrence, now);
        }
        let mut rows = std::mem::take(&mut held.unwritten);
        let reports = match rows.len() {
            _ if end => held.ceilings.take_all(),
            ..MAX_UNWRITTEN => held.ceilings.take_finished(now),
            // The database has not taken anything for long; reports go on counting.
            _ => Vec::new(),
        };
        rows.extend(reports.into_iter().map(report));
        rows
    }

    fn put_back(&self, mut rows: Vec<Occurrence>) {
        let unwritten = &mut self.lock().unwritten;
        rows.append(unwritten);
        *unwritten = rows;
    }
}

impl Held {
    /// Whether an event goes on record that its call would write.
    fn admit(&mut self, events: Counted, now: DateTime<Utc>) -> bool {
        match recording(events.kind) {
            Recording::Always => true,
            Recording::Limited => self.ceilings.admit(events, now),
        }
    }

    /// Holds a row of merged events for the job, as far as the ceilings allow. The events may come from many networks, so the
    /// row counts for none of them.
    fn hold_within_ceilings(&mut self, merged: Occurrence, now: DateTime<Utc>) {
        let events = Counted { network: None, ..counted(&merged) };
        if self.admit(events, now) {
            self.hold(merged, now);
        }
    }

    /// Holds an event for the job.
    fn hold(&mut self, occurrence: Occurrence, now: DateTime<Utc>) {
        if self.unwritten.len() < MAX_UNWRITTEN {
            self.unwritten.push(occurrence);
        } else {
            self.ceilings.omit(Ceiling::Memory, counted(&occurrence), now);
        }
    }

    /// Whether a refusal by a lockout goes on record by itself: the first of its lockout does. Others are merged.
    fn merge_refusal(&mut self, key: MergeKey, occurrence: &Occurrence, until: DateTime<Utc>) -> bool {
        match self.merged.add(key, occurrence, until) {
            Merging::First => true,
            Merging::Again | Merging::Full => self.admit(counted(occurrence), occurrence.at),
            Merging::Counted { due } => {
                if let Some(due) = due {
                    self.hold_within_ceilings(due, occurrence.at);
                }
                false
            }
        }
    }

    fn merge_denial(&mut self, key: MergeKey, occurrence: Occurrence) {
        let now = occurrence.at;
        match self.merged.add(key, &occurrence, now) {
            // Refused administration is never left out, so what cannot be merged is written by itself.
            Merging::First | Merging::Again | Merging::Full => self.hold(occurrence, now),
            Merging::Counted { due } => {
                if let Some(due) = due {
                    self.hold(due, now);
                }
            }
        }
    }
}

/// Puts events of limited kinds on record as far as the ceilings allow, within the caller's transaction.
///
/// An event that is counted for a transaction which fails after that stays counted.
///
/// # Errors
/// A failure of ours.
pub async fn record_limited(
    app: &App,
    conn: &mut Connection,
    by: &Act,
    events: impl IntoIterator<Item = Event> + Send,
    now: DateTime<Utc>,
) -> Result<(), Error> {
    let network = by.ip_address.map(counted_network);
    let admitted = |event: &Event| {
        let events = Counted { kind: event.kind, network, count: 1 };
        app.held_events.lock().admit(events, now)
    };
    let admitted: Vec<_> = events.into_iter().filter(admitted).collect();
    record_all(conn, by, admitted, now).await
}

/// Puts on record that an attempt at a password failed or was refused. One that runs into a lockout is merged with others at
/// the same `lockout`, which is known until its end. No database is asked for an event that is only counted.
///
/// # Errors
/// A failure of ours.
pub async fn record_refusal(
    app: &App,
    by: &Act,
    event: Event,
    lockout: Option<(MergeKey, DateTime<Utc>)>,
) -> Result<(), Error> {
    let now = app.clock.now();
    let occurrence = Occurrence { by: by.clone(), event, at: now, count: 1 };
    let admitted = {
        let mut held = app.held_events.lock();
        match lockout {
            Some((key, until)) => held.merge_refusal(key, &occurrence, until),
            None => held.admit(counted(&occurrence), now),
        }
    };
    if !admitted {
        return Ok(());
    }
    record(&mut *app.pool.get().await?, by, occurrence.event, now).await
}

/// Notes that a method of administration was called without the permission that it asks for.
///
/// The call changes nothing, so there is no transaction to write it in: a job does, and the database is not asked before.
pub fn note_denial(app: &App, by: Act, method: &str, permission: &str) {
    let event = Event::new(EventKind::AccessDenied, Subject::Nothing);
    let event = event.with("method", method).with("permission", permission);
    let key = MergeKey::Denied { caller: by.actor.id(), method: method.to_owned() };
    app.held_events.lock().merge_denial(key, Occurrence { by, event, at: app.clock.now(), count: 1 });
}

/// Writes what is held, and at the `end` all that is counted.
///
/// # Errors
/// A failure of ours; what was to be written is kept.
pub async fn record_held(app: &App, end: bool) -> Result<(), Error> {
    let rows = app.held_events.take(app.clock.now(), end);
    if rows.is_empty() {
        return Ok(());
    }
    let outcome = write(app, &rows).await;
    if outcome.is_err() {
        app.held_events.put_back(rows);
    }
    outcome
}

async fn write(app: &App, rows: &[Occurrence]) -> Result<(), Error> {
    let mut tx = app.job_pool.begin().await?;
    let outcome: Result<(), Error> = async {
        for batch in rows.chunks(BATCH) {
            audit_events::insert_all(&mut tx, batch.iter().cloned().map(with_count)).await?;
        }
        Ok(())
    }
    .await;
    tx.end(outcome).await
}

fn with_count(mut occurrence: Occurrence) -> Occurrence {
    if occurrence.count > 1 {
        occurrence.event = occurrence.event.with("count", occurrence.count);
    }
    occurrence
}

fn counted(Occurrence { by, event, count, .. }: &Occurrence) -> Counted {
    Counted { kind: event.kind, network: by.ip_address.map(counted_network), count: *count }
}

/// The event that tells how many others were left out.
fn report(omissions: Omissions) -> Occurrence {
    let Omissions { ceiling, first_at, last_at, kinds, networks } = omissions;
    let total = kinds.values().fold(0, |total: u64, count| total.saturating_add(*count));
    let kinds: Vec<_> = kinds.iter().map(|(kind, count)| format!("{}={count}", kind.as_str())).collect();
    let networks: Vec<_> =
        networks.iter().map(|(network, count)| format!("{}={count}", network_name(*network))).collect();
    let event = Event::new(EventKind::AuditEventsOmitted, Subject::Nothing)
        .with("ceiling", ceiling.as_str())
        .with("count", total)
        .with("kinds", kinds.join(","))
        .with("networks", networks.join(","))
        .with("start_time", first_at.to_rfc3339_opts(SecondsFormat::Millis, true));
    Occurrence { by: Act::system(), event, at: last_at, count: 1 }
}

#[cfg(test)]
mod tests;
