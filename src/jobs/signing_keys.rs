//! Follows the signing keys, so that every replica has a new one within a second, and lets them take turns.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::{pause, round};
use crate::app::App;
use crate::error::{Error, causes};
use crate::flows::signing_keys::{self, Keeping};

/// How often it is asked whether the keys have changed, and so how late a change is felt.
const INTERVAL: Duration = Duration::from_millis(250);

/// Reads the keys whenever they have changed, and changes them when it is time to. Goes on while calls are drained.
pub(super) async fn run(app: Arc<App>, shutdown: CancellationToken) {
    let (mut starting, mut failing) = (true, false);
    while !shutdown.is_cancelled() {
        match round(&app, turn(&app, starting)).await {
            Ok(()) => (starting, failing) = (false, false),
            Err(error) if !failing => {
                failing = true;
                tracing::warn!(error = causes(&error), "the signing keys cannot be read or changed; they stay in use");
            }
            Err(_) => {}
        }
        pause(INTERVAL, &shutdown).await;
    }
}

/// One look. The first one sees to it that the keys are of the algorithm that this replica is told to use.
async fn turn(app: &App, insist: bool) -> Result<(), Error> {
    signing_keys::follow(app).await?;
    if insist || signing_keys::is_due(app) {
        let keeping = Keeping { pool: &app.job_pool, master: &app.master, settings: &app.config.tokens, insist };
        signing_keys::keep(keeping, app.clock.now()).await?;
        signing_keys::follow(app).await?;
    }
    Ok(())
}
