//! `[throttle]`: limits on requests. How they are kept is for `policy` and `store`.

use std::num::NonZeroU32;
use std::time::Duration;

use serde::Deserialize;

use super::Redis;
use super::duration::{self, days};
use super::problems::Problems;

/// Limits on requests.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Throttle {
    /// Whether requests are counted at all.
    pub enabled: bool,
    /// Where they are counted.
    pub store: ThrottleStore,
    /// The period in which the requests of `operations` are allowed.
    #[serde(deserialize_with = "duration::deserialize")]
    pub period: Duration,
    /// How long a device waits after one request too many.
    #[serde(deserialize_with = "duration::deserialize")]
    pub device_cooldown: Duration,
    /// How long an address waits after one request too many.
    #[serde(deserialize_with = "duration::deserialize")]
    pub ip_cooldown: Duration,
    /// The quota of each operation.
    pub operations: ThrottleOperations,
}

/// Where requests are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ThrottleStore {
    /// Redis when `redis.url` is set, else memory.
    Auto,
    /// Redis, for all replicas together.
    Redis,
    /// The memory of this process.
    Memory,
}

/// The quota of each operation.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ThrottleOperations {
    /// Of `Register`.
    pub register: Quota,
    /// Of `ResendVerificationCode`.
    pub resend_code: Quota,
    /// Of `VerifyEmail`.
    pub verify_email: Quota,
    /// Of `Login`.
    pub login: Quota,
    /// Of `RefreshTokens`.
    pub refresh: Quota,
    /// Of `RequestPasswordReset`.
    pub request_password_reset: Quota,
    /// Of `VerifyPasswordResetCode`.
    pub verify_password_reset: Quota,
    /// Of `ResetPassword`.
    pub reset_password: Quota,
    /// What the signed-in and the administrative methods draw from.
    pub standard: Quota,
}

/// The requests allowed in one period.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Quota {
    /// From one device.
    pub device: NonZeroU32,
    /// From one IP address, or one IPv6 /64.
    pub ip: NonZeroU32,
    /// How long a device waits, if not as long as elsewhere.
    #[serde(deserialize_with = "duration::deserialize_own")]
    pub device_cooldown: Option<Duration>,
    /// How long an address waits, if not as long as elsewhere.
    #[serde(deserialize_with = "duration::deserialize_own")]
    pub ip_cooldown: Option<Duration>,
}

impl Throttle {
    pub(super) fn check(&self, redis: &Redis, problems: &mut Problems) {
        let possible = self.store != ThrottleStore::Redis || redis.url.is_some();
        problems.require(possible, "throttle.store", "is redis, and redis.url is not set");
        let second = Duration::from_secs(1);
        problems.span("throttle.period", self.period, second..=days(1));
        problems.span("throttle.device_cooldown", self.device_cooldown, second..=days(30));
        problems.span("throttle.ip_cooldown", self.ip_cooldown, second..=days(30));
        for (name, quota) in self.operations.named() {
            let key = format!("throttle.operations.{name}");
            problems.number(&format!("{key}.device"), quota.device.get(), 1..=1_000_000);
            problems.number(&format!("{key}.ip"), quota.ip.get(), 1..=1_000_000);
            for (name, own) in [("device_cooldown", quota.device_cooldown), ("ip_cooldown", quota.ip_cooldown)] {
                problems.span(&format!("{key}.{name}"), own.unwrap_or(second), second..=days(30));
            }
        }
    }
}

impl ThrottleOperations {
    /// Every operation's quota, by its name.
    #[must_use]
    pub fn named(&self) -> [(&'static str, Quota); 9] {
        [
            ("register", self.register),
            ("resend_code", self.resend_code),
            ("verify_email", self.verify_email),
            ("login", self.login),
            ("refresh", self.refresh),
            ("request_password_reset", self.request_password_reset),
            ("verify_password_reset", self.verify_password_reset),
            ("reset_password", self.reset_password),
            ("standard", self.standard),
        ]
    }
}
