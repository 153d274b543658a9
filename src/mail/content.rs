//! The mails that there are, and what each of them tells. No wording: that is in the templates.

use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::model::code::Code;
use crate::model::id::ResetId;

/// What a mail tells. Names and user agents may be what the client sent: they are made harmless when the mail is
/// rendered, and an empty one counts as unknown.
///
/// It serialises with its codes, for an outbox that seals what it stores, and is never printed with them.
#[derive(Clone, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Content {
    /// The code that proves the address of a registration.
    VerificationCode {
        /// What the reader is to enter.
        #[serde(with = "digits")]
        code: Code,
        /// How long the code is good from when the mail is sent.
        expires_in: Duration,
    },
    /// Somebody tried to register with an address that has an account.
    AccountExists,
    /// The address is proven, and the account exists.
    Welcome,
    /// The code that lets the reader choose a new password.
    ResetCode {
        /// What the reader is to enter.
        #[serde(with = "digits")]
        code: Code,
        /// How long the code is good from when the mail is sent.
        expires_in: Duration,
    },
    /// An administrator has made an account for the reader, who is to set its password.
    Invitation {
        /// The reset that the code is for.
        reset_id: ResetId,
        /// What the reader is to enter.
        #[serde(with = "digits")]
        code: Code,
        /// How long the code is good from when the mail is sent.
        expires_in: Duration,
        /// Where to enter it, if there is a page for that.
        link: Option<String>,
    },
    /// The password was changed or reset.
    PasswordChanged {
        /// When it was changed.
        at: DateTime<Utc>,
        /// Where the change came from.
        ip_address: IpAddr,
        /// What the device calls itself.
        device_name: Option<String>,
    },
    /// A device that was never seen with this account logged in.
    NewDevice {
        /// What the device calls itself.
        device_name: Option<String>,
        /// Where it logged in from.
        ip_address: IpAddr,
        /// What its program calls itself.
        user_agent: Option<String>,
        /// When it logged in.
        at: DateTime<Utc>,
    },
    /// A refresh token was used twice, so its session was ended.
    SessionEnded {
        /// What the session's device calls itself.
        device_name: Option<String>,
        /// When it was ended.
        at: DateTime<Utc>,
    },
    /// The password was tried too often, so the account is locked.
    AccountLocked {
        /// When the lock ends by itself.
        until: DateTime<Utc>,
    },
    /// Wrong reset codes were entered too often, so strangers are sent fewer of them.
    ResetCodesGuessed,
}

impl Content {
    /// A stable name for logs and the outbox, which is that of the template folder too.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::VerificationCode { .. } => "verification_code",
            Self::AccountExists => "account_exists",
            Self::Welcome => "welcome",
            Self::ResetCode { .. } => "reset_code",
            Self::Invitation { .. } => "invitation",
            Self::PasswordChanged { .. } => "password_changed",
            Self::NewDevice { .. } => "new_device",
            Self::SessionEnded { .. } => "session_ended",
            Self::AccountLocked { .. } => "account_locked",
            Self::ResetCodesGuessed => "reset_codes_guessed",
        }
    }

    /// How long the code in it is good for from when the mail is put into the outbox; `None` when there is no code in it.
    #[must_use]
    pub const fn valid_for(&self) -> Option<Duration> {
        match self {
            Self::VerificationCode { expires_in, .. }
            | Self::ResetCode { expires_in, .. }
            | Self::Invitation { expires_in, .. } => Some(*expires_in),
            Self::AccountExists
            | Self::Welcome
            | Self::PasswordChanged { .. }
            | Self::NewDevice { .. }
            | Self::SessionEnded { .. }
            | Self::AccountLocked { .. }
            | Self::ResetCodesGuessed => None,
        }
    }

    /// Whether a stranger can have this mail sent to an address of their choice, with a display name of their choice.
    /// Such a mail must not carry a word of theirs.
    pub(super) const fn is_for_strangers(&self) -> bool {
        matches!(self, Self::VerificationCode { .. } | Self::AccountExists)
    }
}

impl fmt::Debug for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Content").field(&self.kind()).finish()
    }
}

/// A code as its digits: the one place where it leaves its type, to be sealed.
mod digits {
    use serde::de::{Deserialize, Deserializer, Error};
    use serde::ser::Serializer;
    use zeroize::Zeroizing;

    use crate::model::code::Code;

    pub(super) fn serialize<S: Serializer>(code: &Code, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(code.as_str())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Code, D::Error> {
        let digits = Zeroizing::new(String::deserialize(deserializer)?);
        Code::parse(&digits).map_err(D::Error::custom)
    }
}
