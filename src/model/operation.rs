//! What requests and failures are counted by: the operations that share a limit, and what a limit consists of.

use std::net::IpAddr;
use std::time::Duration;

use chrono::{DateTime, Utc};
use ipnet::{IpNet, Ipv6Net};

/// An operation, named by the throttle of its methods.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Operation {
    /// Register.
    Register,
    /// ResendVerificationCode.
    ResendCode,
    /// VerifyEmail.
    VerifyEmail,
    /// Login.
    Login,
    /// RefreshTokens.
    Refresh,
    /// RequestPasswordReset.
    RequestPasswordReset,
    /// VerifyPasswordResetCode.
    VerifyPasswordReset,
    /// ResetPassword.
    ResetPassword,
    /// Signed-in and administrative methods, and public ones that only inform.
    Standard,
}

impl Operation {
    /// Every operation.
    pub const ALL: [Self; 9] = [
        Self::Register,
        Self::ResendCode,
        Self::VerifyEmail,
        Self::Login,
        Self::Refresh,
        Self::RequestPasswordReset,
        Self::VerifyPasswordReset,
        Self::ResetPassword,
        Self::Standard,
    ];

    /// Whether a guess can succeed: at a password or a mailed code, and not at what has 64 random bits or more.
    #[must_use]
    pub const fn can_be_guessed(self) -> bool {
        matches!(self, Self::Login | Self::VerifyEmail | Self::VerifyPasswordReset)
    }

    /// Its name in the configuration, in errors and in keys.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Register => "register",
            Self::ResendCode => "resend_code",
            Self::VerifyEmail => "verify_email",
            Self::Login => "login",
            Self::Refresh => "refresh",
            Self::RequestPasswordReset => "request_password_reset",
            Self::VerifyPasswordReset => "verify_password_reset",
            Self::ResetPassword => "reset_password",
            Self::Standard => "standard",
        }
    }

    /// The operation of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|operation| operation.as_str() == name)
    }
}

/// Whom something is counted against.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scope {
    /// A device, by the id that it sends.
    Device,
    /// An IPv4 address or an IPv6 /64.
    IpAddress,
}

impl Scope {
    /// The scope of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Device, Self::IpAddress].into_iter().find(|scope| scope.as_str() == name)
    }

    /// Its name in errors and in keys.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Device => "device",
            Self::IpAddress => "ip_address",
        }
    }
}

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LimitKind {
    /// Requests: one beyond the limit is refused, and begins the wait.
    Throttle,
    /// Failures: the one that reaches the limit begins the wait. An attempt counts as one until it has succeeded.
    Lockout,
}

impl LimitKind {
    /// Its name in keys.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Throttle => "throttle",
            Self::Lockout => "lockout",
        }
    }
}

/// A limit: its kind, whom it counts against, and its numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit {
    /// What is counted.
    pub kind: LimitKind,
    /// Against whom.
    pub scope: Scope,
    /// How many are allowed within any one `window`.
    pub count: usize,
    /// How far back one counts.
    pub window: Duration,
    /// How long everything is refused once the limit has been hit.
    pub wait: Duration,
    /// How long an attempt in flight counts like a failure; none where no guess can succeed.
    pub in_flight: Option<Duration>,
    /// Whether a device that the account knows is spared, so that the flow decides.
    pub spares_known: bool,
}

/// An attempt in flight, by which it is found again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct AttemptId {
    /// When it was made.
    pub at: DateTime<Utc>,
    /// A random number, since many attempts may be made at the same time.
    pub number: u64,
}

/// Keyed hash of an e-mail address and a device, never of a network: the mark of their failures, by which a completed login of
/// theirs takes back its own failures and no others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct AttemptTag(pub [u8; 8]);

/// A lockout of the client's address that does not hold for a device which the account knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AddressLockout {
    /// Until when it lasts.
    pub until: DateTime<Utc>,
}

/// What an address is counted by: IPv6 by its /64, which is what a single customer is given (RFC 6177), IPv4 as it is.
#[must_use]
pub fn counted_network(address: IpAddr) -> IpNet {
    const PREFIX: u8 = 64;
    match address.to_canonical() {
        IpAddr::V6(v6) => Ipv6Net::new_assert(v6, PREFIX).trunc().into(),
        v4 @ IpAddr::V4(_) => v4.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::{Operation, counted_network};

    #[test]
    fn v6_is_counted_by_its_64_and_v4_by_itself() {
        let counted = |text: &str| text.parse().map(counted_network).map(|network| network.to_string());
        assert_eq!(counted("2001:db8:1:2:3:4:5:6").as_deref(), Ok("2001:db8:1:2::/64"));
        assert_eq!(counted("2001:db8:1:2::").as_deref(), Ok("2001:db8:1:2::/64"));
        assert_eq!(counted("198.51.100.7").as_deref(), Ok("198.51.100.7/32"));
        assert_eq!(counted("::ffff:198.51.100.7").as_deref(), Ok("198.51.100.7/32"));
    }

    #[test]
    fn names_lead_back_to_their_operations() {
        for operation in Operation::ALL {
            assert_eq!(Operation::from_name(operation.as_str()), Some(operation));
        }
        assert_eq!(Operation::from_name("logout"), None);
    }
}
