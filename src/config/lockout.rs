//! `[lockout]`: limits on failures. How they are kept is for `policy` and `store`.

use std::num::NonZeroU32;
use std::time::Duration;

use serde::Deserialize;

use super::duration::{self, days};
use super::problems::Problems;

/// Limits on failures.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lockout {
    /// Whether failures are counted at all.
    pub enabled: bool,
    /// The rule of each operation that counts failures.
    pub operations: LockoutOperations,
    /// The rule for one session, whose refresh token was used twice or on another device.
    pub session: SessionLockout,
    /// The rule for one account, whoever fails to log in to it.
    pub account: AccountLockout,
    /// The rule for one address that tries many accounts.
    pub credential_stuffing: CredentialStuffing,
}

/// The rule of each operation that counts failures.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LockoutOperations {
    /// Of `ResendVerificationCode`.
    pub resend_code: LockoutRule,
    /// Of `VerifyEmail`.
    pub verify_email: LockoutRule,
    /// Of `Login`.
    pub login: LockoutRule,
    /// Of `VerifyPasswordResetCode`.
    pub verify_password_reset: LockoutRule,
    /// Of `ResetPassword`.
    pub reset_password: LockoutRule,
}

/// How many failures lock a device or an address out, and for how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LockoutRule {
    /// The window in which failures are counted.
    #[serde(deserialize_with = "duration::deserialize")]
    pub window: Duration,
    /// The failures that lock a device out; 0 for none.
    pub device_failures: u32,
    /// How long a device is locked out.
    #[serde(deserialize_with = "duration::deserialize")]
    pub device_lock: Duration,
    /// The failures that lock an IP address, or an IPv6 /64, out; 0 for none.
    pub ip_failures: u32,
    /// How long an address is locked out.
    #[serde(deserialize_with = "duration::deserialize")]
    pub ip_lock: Duration,
}

/// How many failed refreshes of one session lock it, and for how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SessionLockout {
    /// The failures that lock it; 0 for none.
    pub failures: u32,
    /// The window in which they are counted.
    #[serde(deserialize_with = "duration::deserialize")]
    pub window: Duration,
    /// How long it is locked.
    #[serde(deserialize_with = "duration::deserialize")]
    pub lock: Duration,
}

/// How many failed logins lock an account, and for how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AccountLockout {
    /// The failures that lock it.
    pub failures: NonZeroU32,
    /// The window in which they are counted.
    #[serde(deserialize_with = "duration::deserialize")]
    pub window: Duration,
    /// How long the first lock lasts; each further one lasts twice as long.
    #[serde(deserialize_with = "duration::deserialize")]
    pub lock: Duration,
    /// The longest that a lock gets.
    #[serde(deserialize_with = "duration::deserialize")]
    pub max_lock: Duration,
    /// The failures in a row after which the password must be set anew.
    pub failures_in_a_row: NonZeroU32,
}

/// How many accounts one address may fail to log in to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CredentialStuffing {
    /// The different accounts that lock the address out.
    pub accounts: NonZeroU32,
    /// The window in which they are counted.
    #[serde(deserialize_with = "duration::deserialize")]
    pub window: Duration,
    /// How long the address is locked out.
    #[serde(deserialize_with = "duration::deserialize")]
    pub lock: Duration,
}

const WINDOWS: std::ops::RangeInclusive<Duration> = Duration::from_secs(1)..=days(1);
const LOCKS: std::ops::RangeInclusive<Duration> = Duration::from_secs(1)..=days(30);

impl Lockout {
    pub(super) fn check(&self, problems: &mut Problems) {
        for (name, rule) in self.operations.named() {
            let key = format!("lockout.operations.{name}");
            problems.span(&format!("{key}.window"), rule.window, WINDOWS);
            problems.number(&format!("{key}.device_failures"), rule.device_failures, 0..=1_000_000);
            problems.span(&format!("{key}.device_lock"), rule.device_lock, LOCKS);
            problems.number(&format!("{key}.ip_failures"), rule.ip_failures, 0..=1_000_000);
            problems.span(&format!("{key}.ip_lock"), rule.ip_lock, LOCKS);
        }
        let SessionLockout { failures, window, lock } = self.session;
        problems.number("lockout.session.failures", failures, 0..=1000);
        problems.span("lockout.session.window", window, WINDOWS);
        problems.span("lockout.session.lock", lock, LOCKS);
        let AccountLockout { failures, window, lock, max_lock, failures_in_a_row } = self.account;
        problems.number("lockout.account.failures", failures.get(), 1..=1_000_000);
        problems.span("lockout.account.window", window, WINDOWS);
        problems.span("lockout.account.lock", lock, LOCKS);
        problems.span("lockout.account.max_lock", max_lock, Duration::from_secs(1)..=days(365));
        problems.require(lock <= max_lock, "lockout.account.max_lock", "must be at least lockout.account.lock");
        problems.number("lockout.account.failures_in_a_row", failures_in_a_row.get(), 1..=1_000_000);
        let CredentialStuffing { accounts, window, lock } = self.credential_stuffing;
        problems.number("lockout.credential_stuffing.accounts", accounts.get(), 1..=1000);
        problems.span("lockout.credential_stuffing.window", window, WINDOWS);
        problems.span("lockout.credential_stuffing.lock", lock, LOCKS);
    }
}

impl LockoutOperations {
    /// Every operation's rule, by its name.
    #[must_use]
    pub fn named(&self) -> [(&'static str, LockoutRule); 5] {
        [
            ("resend_code", self.resend_code),
            ("verify_email", self.verify_email),
            ("login", self.login),
            ("verify_password_reset", self.verify_password_reset),
            ("reset_password", self.reset_password),
        ]
    }
}
