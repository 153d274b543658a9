//! Cleanup: what has expired or ended is deleted, by one replica at a time, in batches that hold nobody up.
//!
//! Nothing else depends on it: what is over counts as gone wherever it is looked up. A kind of leftovers that fails stops no
//! other, and what is left behind is found by the next cleanup.

mod lease;
mod tables;

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::sync::watch;
use tokio::time::Instant;
use tracing::Instrument;

use crate::app::App;
use crate::clock;
use crate::error::{Error, causes};
use crate::flows::audit::{self, Event};
use crate::flows::clocks;
use crate::model::audit::{Act, EventKind, Subject};
use crate::model::cleanup::{Cleanup, CleanupCount, Leftovers};
use crate::store::pg::Expired;
use crate::store::pg::leases::{self, Work};
use lease::Lease;
use tables::Table;

/// How far the clocks of two replicas may be apart: what is over for one may not be for the other for so long.
const CLOCKS_DIFFER: Duration = Duration::from_mins(5);

/// How soon it is worth asking again when another cleanup is running, and how late it may be needless to wait: most end long
/// before their lease does.
const SOONEST_RETRY: Duration = Duration::from_secs(1);
const LATEST_RETRY: Duration = Duration::from_mins(1);

/// The longest rest between two batches.
const LONGEST_REST: Duration = Duration::from_secs(1);

/// Is told after every batch how far its kind has come, and says whether to go on.
pub type Watch<'a> = &'a (dyn Fn(CleanupCount) -> ControlFlow<()> + Sync);

/// Cleans up now, because somebody asks for it. Puts that on record.
///
/// # Errors
/// Another cleanup is running, or a failure of ours. That deleting failed is told in the counts.
pub async fn run(app: &App, by: &Act, watch: Watch<'_>) -> Result<Cleanup, Error> {
    let lease = begin(app, by).await?;
    sweep(app, lease, watch).await
}

/// Cleans up now, as [`run`] does, but tells at `answer_at` what is deleted until then: the cleanup goes on by itself, whether or
/// not anybody waits for it, and stops between two batches when the service does.
///
/// # Errors
/// As [`run`].
pub async fn run_until(app: &Arc<App>, by: Act, answer_at: Instant) -> Result<Cleanup, Error> {
    let (telling, mut told) = watch::channel(None);
    let sweeping = app.clone();
    // From the lease on, lest a call that is cut off keeps it from others.
    let cleanup = async move {
        let lease = begin(&sweeping, &by).await?;
        telling.send_replace(Some(BTreeMap::new()));
        let note = |count: CleanupCount| {
            telling.send_modify(|counts| counts.get_or_insert_default().extend([(count.leftovers, count)]));
            if sweeping.draining.is_cancelled() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        };
        let outcome = sweep(&sweeping, lease, &note).await;
        match &outcome {
            Ok(Cleanup { complete, .. }) => tracing::info!(complete, "a cleanup that was asked for has ended"),
            Err(error) => tracing::warn!(error = causes(error), "a cleanup that was asked for was broken off"),
        }
        outcome
    };
    let mut task = app.tasks.spawn(cleanup.in_current_span());
    if let Ok(done) = tokio::time::timeout_at(answer_at, &mut task).await {
        return done.map_err(Error::internal)?;
    }
    match told.wait_for(Option::is_some).await.map(|counts| counts.clone().unwrap_or_default()) {
        Ok(counts) => Ok(Cleanup { counts: counts.into_values().collect(), complete: false }),
        // It did not get as far as that.
        Err(_) => task.await.map_err(Error::internal)?,
    }
}

async fn begin(app: &App, by: &Act) -> Result<Lease, Error> {
    let now = app.clock.now();
    let mut tx = app.job_pool.begin().await?;
    let outcome = async {
        clocks::ensure_agreed(&mut tx).await?;
        let lease = Lease::take(app, &mut tx, None, now).await?;
        if lease.is_some() {
            let event = Event { kind: EventKind::CleanupRun, subject: Subject::Nothing, details: Vec::new() };
            audit::record(&mut tx, by, event, now).await?;
        }
        Ok::<_, Error>(lease)
    }
    .await;
    if let Some(lease) = tx.end(outcome).await? {
        return Ok(lease);
    }
    let standing = leases::find(&mut *app.job_pool.get().await?, Work::Cleanup).await?;
    let free_at = standing.and_then(|standing| standing.held_until).unwrap_or(now);
    Err(Error::CleanupRunning { retry_after: clock::until(free_at, now).clamp(SOONEST_RETRY, LATEST_RETRY) })
}

/// Cleans up unless it is being done, or was done within `cleanup.interval`; returns how long it is until the next one is due.
///
/// # Errors
/// A failure of ours.
pub async fn run_if_due(app: &App, watch: Watch<'_>) -> Result<Duration, Error> {
    let (now, interval) = (app.clock.now(), app.config.cleanup.interval);
    let mut conn = app.job_pool.get().await?;
    clocks::ensure_agreed(&mut conn).await?;
    let lease = Lease::take(app, &mut conn, Some(clock::subtract(now, interval)), now).await?;
    let Some(lease) = lease else {
        let standing = leases::find(&mut conn, Work::Cleanup).await?;
        let due_at = standing.and_then(|standing| match (standing.held_until, standing.done_at) {
            (Some(held_until), _) => Some(held_until),
            (None, done_at) => done_at.map(|done_at| clock::add(done_at, interval)),
        });
        return Ok(due_at.map_or(interval, |due_at| clock::until(due_at, now)));
    };
    drop(conn);
    let Cleanup { counts, complete } = sweep(app, lease, watch).await?;
    let deleted: u64 = counts.iter().map(|count| count.deleted).sum();
    tracing::info!(deleted, complete, failed = counts.iter().any(|count| count.failed), "a cleanup has ended");
    Ok(interval)
}

/// Deletes everything that is to go, and gives the lease back however that ends.
async fn sweep(app: &App, mut lease: Lease, watch: Watch<'_>) -> Result<Cleanup, Error> {
    let outcome = empty_all(app, &mut lease, watch).await;
    lease.release(app, outcome.as_ref().is_ok_and(|cleanup| cleanup.complete)).await?;
    outcome
}

/// Deletes everything that is to go, one kind after the other.
async fn empty_all(app: &App, lease: &mut Lease, watch: Watch<'_>) -> Result<Cleanup, Error> {
    let mut counts = Vec::new();
    for leftovers in Leftovers::ALL {
        let mut count = CleanupCount { leftovers, deleted: 0, failed: false };
        for table in tables::of(leftovers) {
            if empty(app, *table, lease, &mut count, watch).await?.is_break() {
                counts.push(count);
                return Ok(Cleanup { counts, complete: false });
            }
        }
        counts.push(count);
    }
    Ok(Cleanup { counts, complete: true })
}

/// Deletes what is to go of one table, and adds it to the count.
async fn empty(
    app: &App,
    table: Table,
    lease: &mut Lease,
    count: &mut CleanupCount,
    watch: Watch<'_>,
) -> Result<ControlFlow<()>, Error> {
    // For each table, because a virtual machine may have been resumed since the last one.
    clocks::ensure_agreed(&mut *app.job_pool.get().await?).await?;
    let until = table.kept_since(app, app.clock.now());
    let mut from = DateTime::<Utc>::UNIX_EPOCH;
    loop {
        lease.keep(app).await?;
        let began = Instant::now();
        let expired = Expired { from, until, batch: app.config.cleanup.batch.get() };
        let deleted = match tables::delete(app, table, expired).await {
            Ok(deleted) => deleted,
            Err(error) => {
                tracing::warn!(table = ?table, error = causes(&error), "a table could not be cleaned up");
                count.failed = true;
                return Ok(watch(*count));
            }
        };
        count.deleted += deleted.count;
        if watch(*count).is_break() {
            return Ok(ControlFlow::Break(()));
        }
        if deleted.count < u64::from(expired.batch) {
            return Ok(ControlFlow::Continue(()));
        }
        from = deleted.last.unwrap_or(from);
        // Half of the time at the most: whoever waits for the disk or a core has the other half.
        tokio::time::sleep(began.elapsed().min(LONGEST_REST)).await;
    }
}
