//! `[cleanup]`: when what has expired is deleted, and how long it is kept before.

use std::num::NonZeroU16;
use std::time::Duration;

use serde::Deserialize;

use super::duration::{self, days};
use super::problems::Problems;

/// When what has expired is deleted, and how long it is kept before.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cleanup {
    /// Whether the service cleans up by itself.
    pub enabled: bool,
    /// How long after one cleanup the next one begins.
    #[serde(deserialize_with = "duration::deserialize")]
    pub interval: Duration,
    /// How many rows are deleted at once.
    pub batch: NonZeroU16,
    /// How long a registration is kept once it is over.
    #[serde(deserialize_with = "duration::deserialize")]
    pub keep_registrations: Duration,
    /// How long a password reset is kept once it is over.
    #[serde(deserialize_with = "duration::deserialize")]
    pub keep_password_resets: Duration,
    /// How long a session is kept once it has ended or expired.
    #[serde(deserialize_with = "duration::deserialize")]
    pub keep_sessions: Duration,
    /// How long a mail is kept that was delivered or given up.
    #[serde(deserialize_with = "duration::deserialize")]
    pub keep_mail: Duration,
    /// How long a service key is kept once it has expired or was revoked.
    #[serde(deserialize_with = "duration::deserialize")]
    pub keep_service_keys: Duration,
}

impl Cleanup {
    pub(super) fn check(&self, problems: &mut Problems) {
        problems.span("cleanup.interval", self.interval, Duration::from_secs(1)..=days(30));
        problems.number("cleanup.batch", self.batch.get(), 1..=10_000);
        let any = Duration::ZERO..=days(3650);
        problems.span("cleanup.keep_registrations", self.keep_registrations, any.clone());
        problems.span("cleanup.keep_password_resets", self.keep_password_resets, any.clone());
        problems.span("cleanup.keep_sessions", self.keep_sessions, Duration::from_hours(1)..=days(3650));
        problems.span("cleanup.keep_mail", self.keep_mail, any.clone());
        problems.span("cleanup.keep_service_keys", self.keep_service_keys, any);
    }
}
