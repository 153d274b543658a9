//! Structured logs on standard error, as the configuration wants them. Nothing waits for whoever reads them.

use std::any::Any;
use std::backtrace::Backtrace;
use std::io::{self, IsTerminal};
use std::panic::PanicHookInfo;
use std::time::Duration;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, fmt};

use super::Failure;
use crate::config::{Log, LogFormat};
use crate::stderr;

/// How long the end of the process waits for the log to be written.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(1);

/// Sends the log to standard error from here on, and panics to the log.
pub(super) fn start(settings: &Log) -> Result<(), Failure> {
    let filter = EnvFilter::try_new(&settings.filter)?;
    let is_terminal = io::stderr().is_terminal();
    stderr::start(|lines| tracing::warn!(lines, "{lines} log lines were dropped, since they could not be written"))?;
    let lines = fmt::layer().with_writer(|| Line).log_internal_errors(false);
    let lines = match settings.format {
        LogFormat::Json => lines.json().flatten_event(true).with_current_span(true).with_span_list(false).boxed(),
        LogFormat::Pretty => lines.compact().with_target(false).with_ansi(is_terminal).boxed(),
    };
    tracing_subscriber::registry().with(lines.with_filter(filter)).try_init()?;
    // The standard hook writes to standard error itself, and waits.
    std::panic::set_hook(Box::new(log_panic));
    Ok(())
}

/// Waits until the log is written, or cannot be.
pub(super) fn flush() {
    stderr::flush(FLUSH_TIMEOUT);
}

/// One line of the log, on its way to standard error.
struct Line;

impl io::Write for Line {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        // It is counted, and the log says so.
        let _dropped = stderr::write(line);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn log_panic(panic: &PanicHookInfo<'_>) {
    let location = panic.location().map(ToString::to_string).unwrap_or_default();
    let thread = std::thread::current().name().unwrap_or_default().to_owned();
    let backtrace = Backtrace::capture();
    tracing::error!(thread, location, reason = message(panic.payload()), %backtrace, "a thread panicked");
}

fn message(payload: &(dyn Any + Send)) -> &str {
    let text = payload.downcast_ref::<&str>().copied();
    text.or_else(|| payload.downcast_ref::<String>().map(String::as_str)).unwrap_or_default()
}
