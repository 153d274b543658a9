//! Follows the service keys, so that one made or revoked anywhere is felt here within a second, and writes down their use.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::{pause, round};
use crate::app::App;
use crate::error::causes;
use crate::flows::service_keys;

/// How often it is asked whether the keys have changed, and so how late a change is felt.
const INTERVAL: Duration = Duration::from_millis(250);

/// Reads the keys whenever they have changed. Goes on while calls are drained, and writes the last uses at the end.
pub(super) async fn run(app: Arc<App>, shutdown: CancellationToken) {
    let mut failing = false;
    loop {
        let ending = shutdown.is_cancelled();
        let followed = round(&app, service_keys::follow(&app)).await;
        // Without the end of a round, which would lose what has been taken out of memory: each statement has an end of its own.
        match followed.and(service_keys::record_uses(&app).await) {
            Ok(()) => failing = false,
            Err(error) if !failing => {
                failing = true;
                tracing::warn!(error = causes(&error), "the service keys cannot be read, or their use be written");
            }
            Err(_) => {}
        }
        if ending {
            return;
        }
        pause(INTERVAL, &shutdown).await;
    }
}
