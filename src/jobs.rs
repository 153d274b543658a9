//! What goes on besides the calls: mail leaves, revocations arrive, health is told.
//!
//! A job runs until the service stops, which it looks for between two pieces of work; one that panics is started again.

mod health;
mod mailer;
mod revocation_feed;

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tonic_health::server::HealthReporter;

use crate::app::App;

/// How long a job that panicked rests before it is started again.
const RESTART_AFTER: Duration = Duration::from_secs(1);

/// The jobs of one process.
#[derive(Debug)]
pub struct Jobs {
    tracker: TaskTracker,
    shutdown: CancellationToken,
}

impl Jobs {
    /// Starts all jobs; they run until `shutdown`. From `draining` on, the service's health is no longer theirs to tell.
    #[must_use]
    pub fn start(
        app: &Arc<App>,
        health: &HealthReporter,
        draining: &CancellationToken,
        shutdown: CancellationToken,
    ) -> Self {
        let jobs = Self { tracker: TaskTracker::new(), shutdown };
        let (app, health, draining) = (app.clone(), health.clone(), draining.clone());
        jobs.supervise("mailer", app.clone(), mailer::run);
        jobs.supervise("revocation feed", app.clone(), revocation_feed::run);
        jobs.supervise("health", app, move |app, _| health::run(app, health.clone(), draining.clone()));
        jobs
    }

    /// Waits until every job has finished the piece of work that it was at.
    pub async fn stopped(self) {
        self.tracker.close();
        self.tracker.wait().await;
    }

    fn supervise<F, R>(&self, name: &'static str, app: Arc<App>, run: F)
    where
        F: Fn(Arc<App>, CancellationToken) -> R + Send + 'static,
        R: Future<Output = ()> + Send,
    {
        let shutdown = self.shutdown.clone();
        self.tracker.spawn(async move {
            while !shutdown.is_cancelled() {
                let job = AssertUnwindSafe(run(app.clone(), shutdown.clone())).catch_unwind();
                if job.await.is_err() {
                    tracing::error!(job = name, "a job panicked and will be started again");
                    pause(RESTART_AFTER, &shutdown).await;
                }
            }
        });
    }
}

/// Rests until the time is over or the service stops.
async fn pause(time: Duration, shutdown: &CancellationToken) {
    tokio::select! {
        () = tokio::time::sleep(time) => {}
        () = shutdown.cancelled() => {}
    }
}
