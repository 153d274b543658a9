//! The right to clean up, which one process has at a time.

use std::time::Duration;

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::CLOCKS_DIFFER;
use crate::app::App;
use crate::clock;
use crate::error::Error;
use crate::store::pg::Connection;
use crate::store::pg::leases::{self, Term, Work};

/// How long a process may stand still in the middle of a cleanup, besides the time of one statement, before it counts as dead.
const TERM: Duration = Duration::from_mins(1);

/// A lease that this process has.
pub(super) struct Lease {
    holder: Uuid,
    renew_at: DateTime<Utc>,
}

impl Lease {
    /// Takes it; `None` when another has it, or when there was a cleanup after `not_done_after`.
    pub(super) async fn take(
        app: &App,
        conn: &mut Connection,
        not_done_after: Option<DateTime<Utc>>,
        now: DateTime<Utc>,
    ) -> Result<Option<Self>, Error> {
        let holder = Uuid::new_v4();
        let term = Term { now, held_until: clock::add(now, term(app)) };
        let taken = leases::take(conn, Work::Cleanup, holder, term, not_done_after).await?;
        Ok(taken.then(|| Self { holder, renew_at: clock::add(now, TERM / 2) }))
    }

    /// Makes sure that it is this process's for the time of another batch.
    pub(super) async fn keep(&mut self, app: &App) -> Result<(), Error> {
        let now = app.clock.now();
        if now < self.renew_at {
            return Ok(());
        }
        let held_until = clock::add(now, term(app));
        let mut conn = app.job_pool.get().await?;
        if !leases::renew(&mut conn, Work::Cleanup, self.holder, held_until).await? {
            // This process stood still for longer than its lease.
            return Err(Error::CleanupRunning { retry_after: TERM });
        }
        self.renew_at = clock::add(now, TERM / 2);
        Ok(())
    }

    /// Gives it back.
    pub(super) async fn release(self, app: &App, done: bool) -> Result<(), Error> {
        let done_at = done.then(|| app.clock.now());
        Ok(leases::release(&mut *app.job_pool.get().await?, Work::Cleanup, self.holder, done_at).await?)
    }
}

/// A statement that runs when the lease ends is still this process's, and another's clock may be ahead of it.
fn term(app: &App) -> Duration {
    TERM.saturating_add(app.config.database.statement_timeout).saturating_add(CLOCKS_DIFFER)
}
