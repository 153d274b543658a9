//! Identifiers: UUID version 7 (RFC 9562), so that they sort by creation and index well; one type for each noun.

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, Utc};
use uuid::{Timestamp, Uuid};

/// A UUIDv7 made at `now`: 48 bits of milliseconds, the rest from the system's CSPRNG.
fn uuid_at(now: DateTime<Utc>) -> Uuid {
    let seconds = u64::try_from(now.timestamp()).unwrap_or_default();
    Uuid::new_v7(Timestamp::from_unix(uuid::NoContext, seconds, now.timestamp_subsec_nanos()))
}

macro_rules! identifiers {
    ($($(#[$meta:meta])* $name:ident;)+) => {$(
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
        #[serde(transparent)]
        pub struct $name(Uuid);

        impl $name {
            /// A new one, made at `now`.
            #[must_use]
            pub fn new(now: DateTime<Utc>) -> Self {
                Self(uuid_at(now))
            }

            /// The UUID itself.
            #[must_use]
            pub const fn uuid(self) -> Uuid {
                self.0
            }
        }

        impl From<Uuid> for $name {
            fn from(uuid: Uuid) -> Self {
                Self(uuid)
            }
        }

        impl From<$name> for Uuid {
            fn from(id: $name) -> Self {
                id.0
            }
        }

        impl FromStr for $name {
            type Err = uuid::Error;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                text.parse().map(Self)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    )+};
}

identifiers! {
    /// A user: the account holder.
    UserId;
    /// A session: one signed-in device.
    SessionId;
    /// A registration that is not verified yet.
    RegistrationId;
    /// A password reset under way.
    ResetId;
    /// A mail in the outbox.
    MailId;
    /// A network that is blocked or allowed.
    NetworkRuleId;
    /// A key that an internal service authenticates with.
    ServiceKeyId;
    /// Something on record in the audit trail.
    AuditEventId;
}

impl AuditEventId {
    /// A bound that is not above any identifier made at `time` or later, and above all that were made a millisecond before.
    #[must_use]
    pub fn first_at(time: DateTime<Utc>) -> Self {
        Self(Uuid::from_u128(u128::try_from(time.timestamp_millis()).unwrap_or_default() << 80))
    }
}
