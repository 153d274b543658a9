//! Probes the database, and tells `grpc.health.v1` whether the service can serve.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tonic_health::ServingStatus;
use tonic_health::server::HealthReporter;

use super::pause;
use crate::app::App;
use crate::error::causes;
use crate::flows::health;

/// How often the database is asked.
const INTERVAL: Duration = Duration::from_secs(1);

/// Asks and tells, until the service drains: then whoever drains it has said so.
pub(super) async fn run(
    app: Arc<App>,
    (reporter, names): (HealthReporter, &'static [&'static str]),
    draining: CancellationToken,
) {
    let mut last = None;
    while !draining.is_cancelled() {
        let status = match health::probe(&app).await {
            Ok(()) => ServingStatus::Serving,
            Err(error) => {
                if last != Some(ServingStatus::NotServing) {
                    tracing::warn!(error = causes(&error), "the service cannot serve");
                }
                ServingStatus::NotServing
            }
        };
        if last != Some(status) && !draining.is_cancelled() {
            for name in names {
                reporter.set_service_status(name, status).await;
            }
            last = Some(status);
        }
        pause(INTERVAL, &draining).await;
    }
}
