//! `[codes]`: mailed codes, and what they are exchanged for.

use std::num::NonZeroU16;
use std::time::Duration;

use serde::Deserialize;

use super::duration::{self, days};
use super::problems::Problems;

/// Mailed codes, and what they are exchanged for.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Codes {
    /// How long a code is valid.
    #[serde(deserialize_with = "duration::deserialize")]
    pub ttl: Duration,
    /// How many guesses a code allows.
    pub attempts: NonZeroU16,
    /// How long to wait before a code may be sent again.
    #[serde(deserialize_with = "duration::deserialize")]
    pub resend_after: Duration,
    /// How many codes one address is sent in `per_address_window` at the request of one network.
    pub per_network: NonZeroU16,
    /// How many codes one address is sent at the request of strangers together.
    pub per_address: NonZeroU16,
    /// How many networks that have not asked are sent one code each beyond `per_address`.
    pub reserve: u16,
    /// How many codes one address is sent at the request of one device that its account knows.
    pub per_known_device: NonZeroU16,
    /// The window of these numbers.
    #[serde(deserialize_with = "duration::deserialize")]
    pub per_address_window: Duration,
    /// How long the token lives that a reset code is exchanged for.
    #[serde(deserialize_with = "duration::deserialize")]
    pub reset_token_ttl: Duration,
    /// How long the code of an invitation is valid.
    #[serde(deserialize_with = "duration::deserialize")]
    pub invitation_ttl: Duration,
    /// How long a registration waits for its proof.
    #[serde(deserialize_with = "duration::deserialize")]
    pub registration_ttl: Duration,
}

impl Codes {
    pub(super) fn check(&self, problems: &mut Problems) {
        let (second, hour) = (Duration::from_secs(1), Duration::from_hours(1));
        problems.span("codes.ttl", self.ttl, second..=hour);
        problems.number("codes.attempts", self.attempts.get(), 1..=10);
        problems.span("codes.resend_after", self.resend_after, Duration::ZERO..=hour);
        problems.number("codes.per_network", self.per_network.get(), 1..=1000);
        problems.number("codes.per_address", self.per_address.get(), 1..=1000);
        problems.number("codes.reserve", self.reserve, 0..=1000);
        problems.number("codes.per_known_device", self.per_known_device.get(), 1..=1000);
        problems.span("codes.per_address_window", self.per_address_window, second..=days(7));
        problems.span("codes.reset_token_ttl", self.reset_token_ttl, second..=hour);
        problems.span("codes.invitation_ttl", self.invitation_ttl, Duration::from_mins(1)..=days(30));
        problems.span("codes.registration_ttl", self.registration_ttl, second..=days(30));
        problems.require(self.ttl <= self.registration_ttl, "codes.registration_ttl", "must be at least codes.ttl");
    }
}
