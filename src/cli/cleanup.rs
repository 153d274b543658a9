//! `keyward cleanup`: deletes what has expired, now.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use tokio_util::sync::CancellationToken;

use super::stopping::StopSignals;
use super::{Failure, logging, print};
use crate::app::App;
use crate::clock::SystemClock;
use crate::config::Config;
use crate::flows::cleanup;
use crate::model::audit::Act;
use crate::model::cleanup::{Cleanup, CleanupCount};

/// How often the display moves while a batch is under way.
const TICK: Duration = Duration::from_millis(120);

/// How to tell the outcome.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Print the counts as a JSON array, for programs.
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(config: Config, arguments: Arguments) -> Result<(), Failure> {
    logging::start(&config.log)?;
    let app = App::for_command(config, Arc::new(SystemClock)).await?;
    // Shown on a terminal only; elsewhere it draws nothing.
    let spinner = ProgressBar::new_spinner().with_style(ProgressStyle::with_template("{spinner} {elapsed} {msg}")?);
    spinner.enable_steady_tick(TICK);
    let told_to_stop = stop_between_batches()?;
    let show = |count: CleanupCount| {
        spinner.set_message(format!("{}: {} deleted", count.leftovers.as_str(), count.deleted));
        if told_to_stop.is_cancelled() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    let cleanup = cleanup::run(&app, &Act::operator(), &show).await;
    spinner.finish_and_clear();
    let Cleanup { counts, complete } = cleanup?;
    print(&if arguments.json { as_json(&counts)? } else { as_table(&counts) })?;
    if !complete {
        Err("stopped before all was cleaned up; the next cleanup goes on from there".into())
    } else if counts.iter().any(|count| count.failed) {
        Err("not everything could be cleaned up; see the log".into())
    } else {
        Ok(())
    }
}

/// Cancelled by SIGINT or SIGTERM: what is half done is finished, and others may clean up at once.
fn stop_between_batches() -> Result<CancellationToken, Failure> {
    let mut signals = StopSignals::listen()?;
    let token = CancellationToken::new();
    let told = token.clone();
    tokio::spawn(async move {
        signals.next().await;
        told.cancel();
        // A second one does not wait for the batch.
        signals.next().await;
        std::process::exit(1);
    });
    Ok(token)
}

fn as_table(counts: &[CleanupCount]) -> String {
    let line = |count: &CleanupCount| {
        let failed = if count.failed { "  failed before all were gone" } else { "" };
        format!("{:16} {:>10}{failed}\n", count.leftovers.as_str(), count.deleted)
    };
    counts.iter().map(line).collect()
}

/// Under the names that the API has for the same.
fn as_json(counts: &[CleanupCount]) -> Result<String, serde_json::Error> {
    let counts: Vec<_> = counts
        .iter()
        .map(|count| {
            let target = count.leftovers.as_str().to_uppercase().replace(' ', "_");
            serde_json::json!({ "target": target, "deleted_count": count.deleted, "failed": count.failed })
        })
        .collect();
    Ok(serde_json::to_string_pretty(&counts)? + "\n")
}
