//! Follows the network rules, so that a network blocked anywhere is refused here within a second.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::{pause, round};
use crate::app::App;
use crate::flows::networks;

/// How often it is asked whether the rules have changed, and so how late a change is felt.
const INTERVAL: Duration = Duration::from_millis(250);

/// Reads the rules whenever they have changed. Goes on while calls are drained.
pub(super) async fn run(app: Arc<App>, shutdown: CancellationToken) {
    let mut failing = false;
    while !shutdown.is_cancelled() {
        match round(&app, networks::follow(&app)).await {
            Ok(()) => failing = false,
            Err(error) if !failing => {
                failing = true;
                tracing::warn!(error = %error, "the network rules cannot be read; the ones read last stay in force");
            }
            Err(_) => {}
        }
        pause(INTERVAL, &shutdown).await;
    }
}
