//! `[sessions]`: the sessions of an account.

use std::num::NonZeroU16;

use serde::Deserialize;

use super::problems::Problems;

/// The sessions of an account.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sessions {
    /// How many devices may be signed in to one account.
    pub max_devices: NonZeroU16,
}

impl Sessions {
    pub(super) fn check(&self, problems: &mut Problems) {
        problems.number("sessions.max_devices", self.max_devices.get(), 1..=1000);
    }
}
