//! Following the audit trail: how far it is settled, and watchers that read up to there.
//!
//! One look at the database serves all watchers of a process; each then reads what its own filter lets pass. What is not
//! settled yet is shown to nobody, so that nothing can come in between what was shown.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Mutex, watch};

use crate::app::App;
use crate::error::Error;
use crate::model::audit::{AuditEvent, EventFilter};
use crate::store::pg::audit_events::{self, Progress};

/// How long a watcher waits for something new before it has nothing to say.
const ROUND: Duration = Duration::from_millis(250);

/// How many events a watcher reads at once.
const BATCH: u32 = 100;

/// How many numbers of events a watcher looks through at once, however few of them its filter lets pass.
const WINDOW: i64 = 10_000;

/// How far the trail can be followed.
#[derive(Debug, Default)]
pub struct Trail {
    /// Up to this number nothing can come in any more; unknown before the first look.
    settled: watch::Sender<Option<i64>>,
    /// Held while the database is looked at.
    reading: Mutex<Reading>,
}

/// What has been learnt from looking at the database.
#[derive(Debug, Default, PartialEq, Eq)]
struct Reading {
    settled: Option<i64>,
    asked: Option<Asked>,
}

/// Up to `upto` everything is settled once every transaction with a lower number than this is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Asked {
    upto: i64,
    transaction: i64,
}

impl Reading {
    /// Takes in how far the trail goes, and says whether a transaction's number is needed to settle what is new.
    fn take_in(&mut self, progress: Progress) -> bool {
        if let Some(Asked { upto, transaction }) = self.asked {
            if transaction < progress.oldest_running {
                self.settled = Some(upto);
                self.asked = None;
            } else if transaction >= progress.next_transaction {
                // A number that the database has not come to yet: it was restored, and counts anew.
                self.asked = None;
            }
        }
        if progress.highest == 0 && self.settled.is_none() {
            self.settled = Some(0);
        }
        self.asked.is_none() && self.settled.is_none_or(|settled| settled < progress.highest)
    }
}

/// Looks how far the trail is settled, and tells the watchers of this process.
///
/// # Errors
/// When the database fails; watchers then wait.
pub async fn follow(app: &App) -> Result<(), Error> {
    let mut reading = app.trail.reading.lock().await;
    let mut conn = app.job_pool.get().await?;
    let progress = audit_events::find_progress(&mut conn).await?;
    if reading.take_in(progress) {
        // Whoever wrote up to here has a lower number than this one. Most often they are all over already.
        let transaction = audit_events::take_transaction_number(&mut conn).await?;
        reading.asked = Some(Asked { upto: progress.highest, transaction });
        reading.take_in(audit_events::find_progress(&mut conn).await?);
    }
    app.trail.settled.send_if_modified(|settled| std::mem::replace(settled, reading.settled) != reading.settled);
    Ok(())
}

/// Somebody who follows the trail.
#[derive(Debug)]
pub struct Watch {
    app: Arc<App>,
    filter: EventFilter,
    position: i64,
    settled: watch::Receiver<Option<i64>>,
}

/// Follows the trail from the number `after` on; without one from the start of the filter's time, or else from now on.
///
/// # Errors
/// A failure of ours.
pub async fn watch(app: Arc<App>, filter: EventFilter, after: Option<i64>) -> Result<Watch, Error> {
    // What has come since the last look is known at once, also after a break.
    follow(&app).await?;
    let settled = app.trail.settled.subscribe();
    let position = match after {
        Some(after) => after,
        None => beginning(&app, &filter).await?,
    };
    Ok(Watch { app, filter, position, settled })
}

async fn beginning(app: &App, filter: &EventFilter) -> Result<i64, Error> {
    let settled = *app.trail.settled.borrow();
    let mut conn = app.pool.get().await?;
    let highest = audit_events::find_progress(&mut conn).await?.highest;
    let Some(start) = filter.start else { return Ok(highest) };
    // What is not to be seen yet, and may have happened since then, has a higher number than what is settled.
    let first = audit_events::find_first_since(&mut conn, start).await?;
    Ok(first.map_or(highest, |first| first.saturating_sub(1)).min(settled.unwrap_or_default()))
}

/// The number of an event up to which the trail is settled; up to which it goes, while that is not known.
///
/// # Errors
/// A failure of ours.
pub async fn settled(app: &App) -> Result<i64, Error> {
    follow(app).await?;
    let settled = *app.trail.settled.borrow();
    match settled {
        Some(settled) => Ok(settled),
        None => Ok(audit_events::find_progress(&mut *app.pool.get().await?).await?.highest),
    }
}

impl Watch {
    /// The number of an event up to which everything that matches has been given.
    #[must_use]
    pub const fn position(&self) -> i64 {
        self.position
    }

    /// What comes next, in the order of recording; nothing when there is nothing for a while. `None` when the service stops.
    ///
    /// # Errors
    /// A failure of ours.
    pub async fn next(&mut self) -> Result<Option<Vec<AuditEvent>>, Error> {
        if self.app.draining.is_cancelled() {
            return Ok(None);
        }
        let position = self.position;
        let ahead = self.settled.wait_for(|settled| settled.is_some_and(|settled| settled > position));
        let settled = tokio::select! {
            ahead = ahead => ahead.ok().and_then(|settled| *settled),
            () = self.app.draining.cancelled() => return Ok(None),
            () = tokio::time::sleep(ROUND) => None,
        };
        let Some(settled) = settled else { return Ok(Some(Vec::new())) };
        let upto = settled.min(position.saturating_add(WINDOW));
        let mut conn = self.app.pool.get().await?;
        let events = audit_events::find_between(&mut conn, &self.filter, (position, upto), BATCH).await?;
        let is_full = events.len() >= usize::try_from(BATCH).unwrap_or(usize::MAX);
        self.position = events.last().filter(|_| is_full).map_or(upto, |last| last.sequence);
        Ok(Some(events))
    }
}

#[cfg(test)]
mod tests {
    use super::{Asked, Progress, Reading};

    fn progress(highest: i64, oldest_running: i64, next_transaction: i64) -> Progress {
        Progress { highest, oldest_running, next_transaction }
    }

    #[test]
    fn nothing_is_settled_while_somebody_may_still_write_before_it() {
        let mut reading = Reading::default();
        assert!(reading.take_in(progress(7, 100, 105)), "what is new has to be asked for");
        reading.asked = Some(Asked { upto: 7, transaction: 105 });
        // The transaction with number 100 goes on; it may hold a lower number of an event than 7.
        assert!(!reading.take_in(progress(9, 100, 108)));
        assert_eq!(reading.settled, None);
        assert!(!reading.take_in(progress(9, 105, 108)), "that of the question itself has to be over too");
        assert_eq!(reading.settled, None);
        assert!(reading.take_in(progress(9, 106, 108)), "two more have come since");
        assert_eq!(reading, Reading { settled: Some(7), asked: None });
        assert!(!reading.take_in(progress(7, 106, 108)));
    }

    #[test]
    fn an_empty_trail_is_settled() {
        let mut reading = Reading::default();
        assert!(!reading.take_in(progress(0, 100, 100)));
        assert_eq!(reading.settled, Some(0));
    }

    #[test]
    fn a_restored_database_is_asked_again() {
        let mut reading = Reading { settled: Some(7), asked: Some(Asked { upto: 9, transaction: 9000 }) };
        assert!(reading.take_in(progress(9, 100, 100)));
        assert_eq!(reading, Reading { settled: Some(7), asked: None });
    }
}
