//! Looks how far the audit trail can be followed, for all who watch it through this replica, and writes the events that are held
//! in memory.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::{pause, round};
use crate::app::App;
use crate::error::causes;
use crate::flows::audit;

/// How often it looks, and so how late an event is streamed.
const INTERVAL: Duration = Duration::from_millis(250);

/// Looks at every interval. Goes on while calls are drained, and writes all that is held at the end.
pub(super) async fn run(app: Arc<App>, shutdown: CancellationToken) {
    let mut failing = false;
    loop {
        let ending = shutdown.is_cancelled();
        // Without the end of a round, which would lose what has been taken out of memory: each statement has an end of its own.
        let recorded = audit::record_held(&app, ending).await;
        match recorded.and(round(&app, audit::follow(&app)).await) {
            Ok(()) => failing = false,
            Err(error) if !failing => {
                failing = true;
                tracing::warn!(
                    error = causes(&error),
                    "the audit trail cannot be followed or written; those who watch it wait"
                );
            }
            Err(_) => {}
        }
        if ending {
            return;
        }
        pause(INTERVAL, &shutdown).await;
    }
}
