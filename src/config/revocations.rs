//! `[revocations]`: how quickly a replica learns what has been revoked.

use std::time::Duration;

use serde::Deserialize;

use super::duration;
use super::problems::Problems;

/// How quickly a replica learns what has been revoked.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Revocations {
    /// How often it asks Postgres.
    #[serde(deserialize_with = "duration::deserialize")]
    pub poll_interval: Duration,
    /// How old the last answer may be before tokens are checked in Postgres instead.
    #[serde(deserialize_with = "duration::deserialize")]
    pub max_age: Duration,
}

impl Revocations {
    pub(super) fn check(&self, problems: &mut Problems) {
        let polls = Duration::from_millis(10)..=Duration::from_secs(1);
        problems.span("revocations.poll_interval", self.poll_interval, polls);
        let ages = Duration::from_millis(20)..=Duration::from_mins(1);
        problems.span("revocations.max_age", self.max_age, ages);
        let ordered = self.poll_interval < self.max_age;
        problems.require(ordered, "revocations.max_age", "must be more than revocations.poll_interval");
    }
}
