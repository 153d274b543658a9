//! What goes on besides the calls: mail leaves, what is kept in memory arrives, what is over is deleted, health is told, Redis is
//! watched.
//!
//! A job runs until the service stops, which it looks for between two pieces of work; one that panics is started again.

mod audit_trail;
mod health;
mod mailer;
mod network_feed;
mod redis_watch;
mod revocation_feed;
mod role_feed;
mod service_keys;
mod signing_keys;
mod sweeper;

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tonic_health::server::HealthReporter;

use crate::app::App;
use crate::config::Database;
use crate::error::Error;

/// How many statements, each as slow as it may be, fit into one round of a job.
const STATEMENTS: u32 = 4;

/// How much longer one round of a job may take.
const ROUND_MARGIN: Duration = Duration::from_secs(10);

/// How long a job that panicked rests before it is started again.
const RESTART_AFTER: Duration = Duration::from_secs(1);

/// The jobs of one process.
#[derive(Debug)]
pub struct Jobs {
    tracker: TaskTracker,
    shutdown: CancellationToken,
}

impl Jobs {
    /// Starts all jobs; they run until `shutdown`. `health` is told of the services of these names. From `draining` on, the
    /// service's health is no longer theirs to tell.
    #[must_use]
    pub fn start(
        app: &Arc<App>,
        (health, names): (&HealthReporter, &'static [&'static str]),
        draining: &CancellationToken,
        shutdown: CancellationToken,
    ) -> Self {
        let jobs = Self { tracker: TaskTracker::new(), shutdown };
        let (mailing, following, obeying, telling) = (app.clone(), app.clone(), app.clone(), app.clone());
        let permitting = app.clone();
        jobs.supervise("mailer", move |shutdown| mailer::run(mailing.clone(), shutdown));
        jobs.supervise("revocation feed", move |shutdown| revocation_feed::run(following.clone(), shutdown));
        jobs.supervise("network feed", move |shutdown| network_feed::run(obeying.clone(), shutdown));
        let tailing = app.clone();
        jobs.supervise("audit trail", move |shutdown| audit_trail::run(tailing.clone(), shutdown));
        let (admitting, signing) = (app.clone(), app.clone());
        jobs.supervise("service keys", move |shutdown| service_keys::run(admitting.clone(), shutdown));
        jobs.supervise("signing keys", move |shutdown| signing_keys::run(signing.clone(), shutdown));
        jobs.supervise("role feed", move |shutdown| role_feed::run(permitting.clone(), shutdown));
        let sweeping = app.clone();
        jobs.supervise("sweeper", move |shutdown| sweeper::run(sweeping.clone(), shutdown));
        let watching = app.clone();
        let (reporter, drained) = (health.clone(), draining.clone());
        jobs.supervise("redis watch", move |_| redis_watch::run(watching.clone(), reporter.clone(), drained.clone()));
        let (health, draining) = (health.clone(), draining.clone());
        jobs.supervise("health", move |_| health::run(telling.clone(), (health.clone(), names), draining.clone()));
        jobs
    }

    /// Waits until every job has finished the piece of work that it was at.
    pub async fn stopped(self) {
        self.tracker.close();
        self.tracker.wait().await;
    }

    fn supervise<F, R>(&self, name: &'static str, run: F)
    where
        F: Fn(CancellationToken) -> R + Send + 'static,
        R: Future<Output = ()> + Send,
    {
        let shutdown = self.shutdown.clone();
        self.tracker.spawn(async move {
            while !shutdown.is_cancelled() {
                let job = AssertUnwindSafe(run(shutdown.clone())).catch_unwind();
                if job.await.is_ok() {
                    return;
                }
                // Nothing that goes wrong in telling of it ends the job for good.
                let told = || tracing::error!(job = name, "a job panicked and will be started again");
                let _panicked_again = std::panic::catch_unwind(AssertUnwindSafe(told));
                pause(RESTART_AFTER, &shutdown).await;
            }
        });
    }
}

/// Runs one round of a job. Every wait in it has an end of its own; this is the end of all of them together, so that a
/// database that answers each time at the last moment does not hold the job up for long.
async fn round<T>(app: &App, work: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    let longest = round_limit(&app.config.database);
    let ended = tokio::time::timeout(longest, work).await;
    ended.unwrap_or_else(|_elapsed| Err(Error::internal(format!("the round of a job took longer than {longest:?}"))))
}

/// How long a round may take: a connection, and some statements.
fn round_limit(settings: &Database) -> Duration {
    let statements = settings.statement_timeout.saturating_mul(STATEMENTS);
    settings.acquire_timeout.saturating_add(statements).saturating_add(ROUND_MARGIN)
}

/// Rests until the time is over or the service stops.
async fn pause(time: Duration, shutdown: &CancellationToken) {
    tokio::select! {
        () = tokio::time::sleep(time) => {}
        () = shutdown.cancelled() => {}
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::{CancellationToken, Jobs, TaskTracker};

    #[tokio::test]
    async fn a_job_that_panics_is_started_again_and_one_that_ends_is_not() {
        let jobs = Jobs { tracker: TaskTracker::new(), shutdown: CancellationToken::new() };
        let runs = Arc::new(AtomicU32::new(0));
        let counted = runs.clone();
        jobs.supervise("test", move |_| {
            let run = counted.fetch_add(1, Ordering::Relaxed);
            async move { assert!(run > 0, "the first run panics") }
        });
        jobs.stopped().await;
        assert_eq!(runs.load(Ordering::Relaxed), 2);
    }
}
