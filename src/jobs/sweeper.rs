//! Cleans up every `cleanup.interval`: whichever replica comes first does, and the others see that it is done.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::pause;
use crate::app::App;
use crate::error::causes;
use crate::flows::cleanup;

/// The first cleanup begins within this time of the start, or within the interval where that is shorter.
const FIRST_WITHIN: Duration = Duration::from_secs(30);

/// When to try again after the database failed.
const RETRY: Duration = Duration::from_mins(1);

/// Cleans up whenever it is due, unless that is switched off. Stops between two batches.
pub(super) async fn run(app: Arc<App>, shutdown: CancellationToken) {
    let settings = &app.config.cleanup;
    if !settings.enabled {
        return;
    }
    let go_on = |_| if shutdown.is_cancelled() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) };
    pause(part_of(settings.interval.min(FIRST_WITHIN)), &shutdown).await;
    while !shutdown.is_cancelled() {
        let wait = match cleanup::run_if_due(&app, &go_on).await {
            Ok(wait) => wait,
            Err(error) => {
                tracing::warn!(error = causes(&error), "the cleanup is put off");
                settings.interval.min(RETRY)
            }
        };
        // Not all replicas at once.
        pause(wait + part_of(settings.interval / 10), &shutdown).await;
    }
}

/// Any part of a time, by chance.
fn part_of(time: Duration) -> Duration {
    let mut byte = [u8::MAX];
    // Without chance it is all of it.
    let _ = aws_lc_rs::rand::fill(&mut byte);
    byte.iter().fold(time, |time, byte| time * u32::from(*byte) / 255)
}
