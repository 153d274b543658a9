//! Follows the revocation feed, so that a session that another replica ended is refused here within a second.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use super::{pause, round};
use crate::app::App;
use crate::error::causes;
use crate::flows::revocations::{self, Position};

/// Reads what is new at every interval. The first reading takes in everything again. Goes on while calls are drained.
pub(super) async fn run(app: Arc<App>, shutdown: CancellationToken) {
    let mut position = Position::default();
    let mut failing = false;
    while !shutdown.is_cancelled() {
        match round(&app, revocations::follow(&app, &mut position)).await {
            Ok(()) => failing = false,
            Err(error) if !failing => {
                failing = true;
                tracing::warn!(
                    error = causes(&error),
                    "the revocation feed cannot be read; checks ask the database meanwhile"
                );
            }
            Err(_) => {}
        }
        pause(app.config.revocations.poll_interval, &shutdown).await;
    }
}
