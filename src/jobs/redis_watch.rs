//! Watches Redis, so that it is known to be away without a call that needs it, and to be back without a call that waits; and
//! tells health and metrics.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tonic_health::ServingStatus;
use tonic_health::server::HealthReporter;

use super::pause;
use crate::app::App;
use crate::flows::health::{REDIS, limits_degraded};

/// How often Redis is asked for an answer.
const INTERVAL: Duration = Duration::from_millis(500);

/// Asks and tells, until the service drains. Where there is no Redis there is nothing to watch, nor to tell.
pub(super) async fn run(app: Arc<App>, reporter: HealthReporter, draining: CancellationToken) {
    let mut last = None;
    while !draining.is_cancelled() {
        app.limits.probe(app.clock.now()).await;
        let Some(degraded) = limits_degraded(&app) else { return };
        app.metrics.redis_up(!degraded);
        let status = if degraded { ServingStatus::NotServing } else { ServingStatus::Serving };
        if last != Some(status) && !draining.is_cancelled() {
            reporter.set_service_status(REDIS, status).await;
            last = Some(status);
        }
        pause(INTERVAL, &draining).await;
    }
}
