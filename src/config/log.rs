//! `[log]`: which log lines are written, and how they look.

use serde::Deserialize;
use tracing_subscriber::EnvFilter;

use super::problems::Problems;

/// Which log lines are written, and how they look.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Log {
    /// How they look.
    pub format: LogFormat,
    /// Which are written: directives of [`EnvFilter`], known to be valid.
    pub filter: String,
}

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// One JSON object a line.
    Json,
    /// For people.
    Pretty,
}

impl Log {
    pub(super) fn check(&self, problems: &mut Problems) {
        let valid = !self.filter.trim().is_empty() && EnvFilter::try_new(&self.filter).is_ok();
        problems.require(valid, "log.filter", "must be directives such as `info` or `info,keyward=debug`");
    }
}
