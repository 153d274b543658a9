//! Structured logs on standard error, as the configuration wants them.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, fmt};

use super::Failure;
use crate::config::{Log, LogFormat};

/// Sends the log to standard error from here on.
pub(super) fn start(settings: &Log) -> Result<(), Failure> {
    let filter = EnvFilter::try_new(&settings.filter)?;
    let lines = fmt::layer().with_writer(std::io::stderr);
    let lines = match settings.format {
        LogFormat::Json => lines.json().flatten_event(true).with_current_span(true).with_span_list(false).boxed(),
        LogFormat::Pretty => lines.compact().with_target(false).with_ansi(std::io::stderr().is_terminal()).boxed(),
    };
    tracing_subscriber::registry().with(lines.with_filter(filter)).try_init()?;
    Ok(())
}
