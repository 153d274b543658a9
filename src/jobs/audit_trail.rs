//! Looks how far the audit trail can be followed, for all who watch it through this replica.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::pause;
use crate::app::App;
use crate::error::causes;
use crate::flows::audit;

/// How often it looks, and so how late an event is streamed.
const INTERVAL: Duration = Duration::from_millis(250);

/// Looks at every interval.
pub(super) async fn run(app: Arc<App>, shutdown: CancellationToken) {
    let mut failing = false;
    while !shutdown.is_cancelled() {
        match audit::follow(&app).await {
            Ok(()) => failing = false,
            Err(error) if !failing => {
                failing = true;
                tracing::warn!(error = causes(&error), "the audit trail cannot be followed; those who watch it wait");
            }
            Err(_) => {}
        }
        pause(INTERVAL, &shutdown).await;
    }
}
