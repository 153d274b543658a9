//! `[audit]`: the audit trail.

use std::time::Duration;

use serde::Deserialize;

use super::duration::{self, days};
use super::problems::Problems;

/// The audit trail.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Audit {
    /// How long events stay on record.
    #[serde(deserialize_with = "duration::deserialize")]
    pub retention: Duration,
}

impl Audit {
    pub(super) fn check(&self, problems: &mut Problems) {
        problems.span("audit.retention", self.retention, days(1)..=days(36_500));
    }
}
