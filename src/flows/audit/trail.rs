//! Following the audit trail: how far it is settled, and watchers that read up to there.
//!
//! One look at the database serves all watchers of a process; each then reads what its own filter lets pass. What is not
//! settled yet is shown to nobody, so that nothing can come in between what was shown.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::sync::{Mutex, watch};
use tokio::time::Instant;

use crate::app::App;
use crate::error::Error;
use crate::flows::copied::Outcomes;
use crate::model::audit::{AuditEvent, EventFilter};
use crate::store::pg::audit_events::{self, Progress};
use crate::store::pg::transactions;

/// How long a watcher waits for something new before it has nothing to say.
const ROUND: Duration = Duration::from_millis(250);

/// How many events a watcher reads at once.
const BATCH: u32 = 100;

/// How many numbers of events a watcher looks through at once, however few of them its filter lets pass.
const WINDOW: i64 = 10_000;

/// How far the trail can be followed.
#[derive(Debug, Default)]
pub struct Trail {
    /// What the last look has shown.
    standing: watch::Sender<Standing>,
    /// Held while the database is looked at.
    reading: Mutex<Reading>,
    /// How the latest looks ended, for watchers who begin while one runs.
    outcomes: Outcomes,
}

/// What watchers have to know.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Standing {
    /// Up to this number nothing can come in any more; unknown before the first look, and for as long as a transaction goes on
    /// that was there before it.
    settled: Option<i64>,
    /// The highest number of an event.
    highest: i64,
    /// How often the trail was found to end before what was settled, as after a restore, and where it ended the last time.
    taken_back: (u32, i64),
}

/// What has been learnt from looking at the database.
#[derive(Debug, Default, PartialEq, Eq)]
struct Reading {
    standing: Standing,
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
        let Standing { settled, highest, taken_back } = &mut self.standing;
        *highest = progress.highest;
        if let Some(Asked { upto, transaction }) = self.asked {
            if transaction < progress.oldest_running {
                *settled = Some(upto);
                self.asked = None;
            } else if transaction >= progress.next_transaction {
                // A number that the database has not come to yet: it was restored, and counts anew.
                self.asked = None;
            }
        }
        if settled.is_some_and(|settled| settled > progress.highest) {
            // What is recorded from here on has numbers that were settled once.
            *taken_back = (taken_back.0.wrapping_add(1), progress.highest);
            *settled = None;
            self.asked = None;
        }
        if progress.highest == 0 && settled.is_none() {
            *settled = Some(0);
        }
        self.asked.is_none() && settled.is_none_or(|settled| settled < progress.highest)
    }
}

/// Looks how far the trail is settled, and tells the watchers of this process.
///
/// # Errors
/// When the database fails; watchers then wait.
pub async fn follow(app: &App) -> Result<(), Error> {
    look(app).await.map(|_| ())
}

/// How far the trail goes now. Callers who wait for the same look share its outcome.
async fn look(app: &App) -> Result<Standing, Error> {
    let asked = Instant::now();
    let mut reading = app.trail.reading.lock().await;
    if let Some(shared) = app.trail.outcomes.since(asked) {
        return shared.map(|()| reading.standing);
    }
    let begun = Instant::now();
    let outcome = read_progress(app, &mut reading).await;
    app.trail.outcomes.note(begun, &outcome);
    outcome
}

async fn read_progress(app: &App, reading: &mut Reading) -> Result<Standing, Error> {
    let mut conn = app.job_pool.get().await?;
    let progress = audit_events::find_progress(&mut conn).await?;
    if reading.take_in(progress) {
        // Whoever wrote up to here has a lower number than this one. Most often they are all over already.
        let transaction = transactions::take_number(&mut conn).await?;
        reading.asked = Some(Asked { upto: progress.highest, transaction });
        reading.take_in(audit_events::find_progress(&mut conn).await?);
    }
    let standing = reading.standing;
    app.trail.standing.send_if_modified(|told| std::mem::replace(told, standing) != standing);
    Ok(standing)
}

/// Somebody who follows the trail.
#[derive(Debug)]
pub struct Watch {
    app: Arc<App>,
    filter: EventFilter,
    position: i64,
    /// Numbers after the position of what had happened when the watch began, and is not for it.
    passed: HashSet<i64>,
    standing: watch::Receiver<Standing>,
    taken_back: u32,
}

/// Follows the trail from the number `after` on; without one from the start of the filter's time, or else with whatever is
/// committed from now on.
///
/// # Errors
/// A failure of ours.
pub async fn watch(app: Arc<App>, filter: EventFilter, after: Option<i64>) -> Result<Watch, Error> {
    let receiver = app.trail.standing.subscribe();
    // What has come since the last look is known at once, also after a break.
    let standing = look(&app).await?;
    let (position, passed) = match (after, filter.start) {
        // A number that is not there any more is one of before a restore.
        (Some(after), _) => (after.min(standing.highest), HashSet::new()),
        (None, Some(start)) => (since(&app, standing, start).await?, HashSet::new()),
        (None, None) => {
            // A transaction that is open may hold a lower number than what can be seen already, and is still to be told.
            let settled = settled_at(&app, standing).await?;
            let passed = audit_events::find_numbers(&mut *app.pool.get().await?, settled).await?;
            (settled, passed.into_iter().collect())
        }
    };
    Ok(Watch { app, filter, position, passed, standing: receiver, taken_back: standing.taken_back.0 })
}

/// The number after which is all that happened at `start` or later, also what is not to be seen yet.
async fn since(app: &App, standing: Standing, start: DateTime<Utc>) -> Result<i64, Error> {
    let settled = settled_at(app, standing).await?;
    let first = audit_events::find_first_since(&mut *app.pool.get().await?, start).await?;
    Ok(first.map_or(settled, |first| first.saturating_sub(1)).min(settled))
}

/// The number of an event up to which the trail is settled.
async fn settled_at(app: &App, standing: Standing) -> Result<i64, Error> {
    match standing.settled {
        Some(settled) => Ok(settled),
        None => Ok(audit_events::find_last_before(&mut *app.pool.get().await?, app.clock.now()).await?),
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
        let (position, taken_back) = (self.position, self.taken_back);
        let ahead = self.standing.wait_for(|standing| {
            standing.taken_back.0 != taken_back || standing.settled.is_some_and(|settled| settled > position)
        });
        let standing = tokio::select! {
            ahead = ahead => ahead.ok().map(|standing| *standing),
            () = self.app.draining.cancelled() => return Ok(None),
            () = tokio::time::sleep(ROUND) => None,
        };
        let Some(standing) = standing else { return Ok(Some(Vec::new())) };
        if standing.taken_back.0 != taken_back {
            self.go_back(standing);
            return Ok(Some(Vec::new()));
        }
        let upto = standing.settled.unwrap_or(position).min(position.saturating_add(WINDOW));
        let mut conn = self.app.pool.get().await?;
        let mut events = audit_events::find_between(&mut conn, &self.filter, (position, upto), BATCH).await?;
        let is_full = events.len() >= usize::try_from(BATCH).unwrap_or(usize::MAX);
        self.position = events.last().filter(|_| is_full).map_or(upto, |last| last.sequence);
        events.retain(|event| !self.passed.contains(&event.sequence));
        Ok(Some(events))
    }

    /// To where the trail ends now: the numbers after that are given anew, to other events.
    fn go_back(&mut self, standing: Standing) {
        let (taken_back, upto) = standing.taken_back;
        self.taken_back = taken_back;
        self.position = self.position.min(upto);
        self.passed.retain(|number| *number <= upto);
    }
}

#[cfg(test)]
mod tests {
    use super::{Asked, Progress, Reading, Standing};

    fn progress(highest: i64, oldest_running: i64, next_transaction: i64) -> Progress {
        Progress { highest, oldest_running, next_transaction }
    }

    fn reading(settled: i64, asked: Option<Asked>) -> Reading {
        Reading { standing: Standing { settled: Some(settled), ..Standing::default() }, asked }
    }

    #[test]
    fn nothing_is_settled_while_somebody_may_still_write_before_it() {
        let mut reading = Reading::default();
        assert!(reading.take_in(progress(7, 100, 105)), "what is new has to be asked for");
        reading.asked = Some(Asked { upto: 7, transaction: 105 });
        // The transaction with number 100 goes on; it may hold a lower number of an event than 7.
        assert!(!reading.take_in(progress(9, 100, 108)));
        assert_eq!(reading.standing.settled, None);
        assert!(!reading.take_in(progress(9, 105, 108)), "that of the question itself has to be over too");
        assert_eq!(reading.standing.settled, None);
        assert!(reading.take_in(progress(9, 106, 108)), "two more have come since");
        assert_eq!((reading.standing.settled, reading.asked), (Some(7), None));
    }

    #[test]
    fn what_is_settled_has_not_to_be_asked_for() {
        let mut reading = reading(7, None);
        assert!(!reading.take_in(progress(7, 106, 108)));
        assert_eq!(reading.standing, Standing { settled: Some(7), highest: 7, taken_back: (0, 0) });
    }

    #[test]
    fn an_empty_trail_is_settled() {
        let mut reading = Reading::default();
        assert!(!reading.take_in(progress(0, 100, 100)));
        assert_eq!(reading.standing.settled, Some(0));
    }

    #[test]
    fn a_restored_database_is_asked_again() {
        let mut reading = reading(7, Some(Asked { upto: 9, transaction: 9000 }));
        assert!(reading.take_in(progress(9, 100, 100)));
        assert_eq!((reading.standing.settled, reading.asked), (Some(7), None));
    }

    #[test]
    fn a_trail_that_was_taken_back_is_settled_anew() {
        for asked in [None, Some(Asked { upto: 9, transaction: 90 }), Some(Asked { upto: 9, transaction: 9000 })] {
            let mut reading = reading(7, asked);
            assert!(reading.take_in(progress(4, 100, 100)));
            assert_eq!(reading.standing, Standing { settled: None, highest: 4, taken_back: (1, 4) });
            reading.asked = Some(Asked { upto: 4, transaction: 100 });
            assert!(reading.take_in(progress(5, 101, 101)), "one more has come since");
            assert_eq!(reading.standing, Standing { settled: Some(4), highest: 5, taken_back: (1, 4) });
        }
    }
}
