//! `[audit]`: the audit trail.

use std::num::NonZeroU32;
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
    /// How many events that strangers can cause at will a network may have on record in a minute.
    pub events_per_network: NonZeroU32,
    /// How many such events all networks together may have on record in a minute.
    pub events_in_all: NonZeroU32,
}

impl Audit {
    pub(super) fn check(&self, problems: &mut Problems) {
        problems.span("audit.retention", self.retention, days(1)..=days(36_500));
        problems.number("audit.events_per_network", self.events_per_network.get(), 1..=100_000);
        problems.number("audit.events_in_all", self.events_in_all.get(), 1..=100_000);
    }
}
