//! Every way in which a call can fail, each one something that a client, or an operator, can act on.
//!
//! Flows and interceptors return these; `rpc::status` alone knows what they look like on the wire.

use std::time::Duration;

use crate::hashing::HashingError;
use crate::model::password::PasswordInvalid;
use crate::policy::password::PasswordRejected;
use crate::store::pg::StoreError;
use crate::token::access::AccessTokenError;
use crate::token::master::CryptoError;

/// A field of the request, or a key of its metadata, and what is wrong with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// The field's path, or `metadata.` and the key.
    pub field: String,
    /// What it ought to be, in a sentence; never its value.
    pub description: String,
}

impl Violation {
    /// What is wrong with `field`.
    #[must_use]
    pub fn new(field: impl Into<String>, description: impl Into<String>) -> Self {
        Self { field: field.into(), description: description.into() }
    }
}

/// Why an access token, a refresh token or a service key is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenRefusal {
    /// There is none.
    Missing,
    /// It is not one of ours, or was changed.
    Invalid,
    /// Its time is over.
    Expired,
    /// Its session has ended, or the key was revoked.
    Revoked,
    /// It was used before; its session has ended for that.
    Reused,
    /// It belongs to another device.
    DeviceMismatch,
}

/// The outcome of a call that did not succeed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Fields that are not valid.
    #[error("the request is not valid")]
    Invalid(Vec<Violation>),
    /// No `device-id` where one is needed.
    #[error("the method needs a device-id")]
    DeviceIdRequired,
    /// A `device-id` that is not one.
    #[error("the device-id is malformed")]
    DeviceIdInvalid,
    /// A new password that nobody should have.
    #[error("the password is refused")]
    PasswordRejected {
        /// The field that held it.
        field: &'static str,
        /// Why, in a sentence.
        description: String,
    },
    /// The wrong code.
    #[error("the code is wrong")]
    CodeInvalid,
    /// A code that has expired, was used, or was dropped.
    #[error("the code has expired")]
    CodeExpired,
    /// A code that was guessed at too often.
    #[error("the code has no attempts left")]
    CodeAttemptsExhausted,
    /// A reset token that has expired or was used.
    #[error("the reset token has expired")]
    ResetTokenExpired,
    /// Wrong password or unknown address.
    #[error("wrong credentials")]
    InvalidCredentials,
    /// A token that is not taken.
    #[error("the token is refused")]
    Token(TokenRefusal),
    /// Who is signed in may not do this.
    #[error("the permission is missing")]
    PermissionMissing {
        /// The permission that the method asks for.
        permission: String,
    },
    /// A service key where a user is needed.
    #[error("the method is for signed-in users")]
    UserRequired,
    /// An operator has blocked the network that the call comes from.
    #[error("the network is blocked")]
    NetworkBlocked,
    /// The right password of a suspended user.
    #[error("the user is suspended")]
    UserSuspended,
    /// Too fast.
    #[error("too many requests")]
    Throttled {
        /// The operation, by the name of its throttle.
        operation: &'static str,
        /// What was counted: `device`, `ip_address`, `email` or `registration`.
        scope: &'static str,
        /// When it is worth trying again.
        retry_after: Duration,
    },
    /// Too many failures.
    #[error("locked out")]
    LockedOut {
        /// The operation, by the name of its throttle.
        operation: &'static str,
        /// What is locked out: `device`, `ip_address`, `account` or `session`.
        scope: &'static str,
        /// When it is worth trying again.
        retry_after: Duration,
        /// Whether that is only a guess, since nothing but another password helps.
        until_reset: bool,
    },
    /// The service has too much to do.
    #[error("overloaded")]
    Overloaded {
        /// When it is worth trying again.
        retry_after: Duration,
    },
    /// The call took longer than it may.
    #[error("the deadline has passed")]
    DeadlineExceeded,
    /// No such registration.
    #[error("no such registration")]
    RegistrationNotFound,
    /// No such reset.
    #[error("no such password reset")]
    ResetNotFound,
    /// No such session, or another user's.
    #[error("no such session")]
    SessionNotFound,
    /// No such user.
    #[error("no such user")]
    UserNotFound,
    /// No such network rule, or one that has expired.
    #[error("no such network rule")]
    NetworkRuleNotFound,
    /// No such service key, or one that was revoked already.
    #[error("no such service key")]
    ServiceKeyNotFound,
    /// No such lockout, or one that has ended.
    #[error("no such lockout")]
    LockoutNotFound,
    /// There is a rule for this very network.
    #[error("there is a rule for exactly this network; remove it first")]
    NetworkRuleExists,
    /// There is a role of this name.
    #[error("there is such a role already")]
    RoleExists,
    /// No such role.
    #[error("there is no role {role}")]
    RoleNotFound {
        /// The name that was asked for.
        role: String,
    },
    /// Users have the role.
    #[error("users still have the role")]
    RoleInUse,
    /// A role that always exists, or the permissions of `admin`.
    #[error("the role is one of those that always exist")]
    RoleStanding,
    /// A user has the address; told to administrators alone.
    #[error("a user has this address")]
    EmailTaken,
    /// The last administrator cannot go.
    #[error("the last administrator cannot be removed")]
    LastAdmin,
    /// Another cleanup is running.
    #[error("another cleanup is running")]
    CleanupRunning {
        /// When it is worth trying again.
        retry_after: Duration,
    },
    /// A page token that this list did not give out.
    #[error("the page token is not valid")]
    PageTokenInvalid,
    /// A cursor that this stream did not give out.
    #[error("the cursor is not valid")]
    CursorInvalid,
    /// A message beyond the limit.
    #[error("the message is too large")]
    MessageTooLarge,
    /// Bytes that are not the message that the method takes.
    #[error("the message is malformed")]
    MessageMalformed,
    /// No such method.
    #[error("no such method")]
    MethodUnknown,
    /// A method, or an encoding, that this version does not have.
    #[error("not implemented")]
    NotImplemented,
    /// The database is away.
    #[error("the database is unavailable")]
    DatabaseUnavailable(#[source] StoreError),
    /// A failure of ours.
    #[error("an internal error")]
    Internal(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl Error {
    /// Whether a guess was wrong, and the guesser learns nothing more than that. Not for a slip of the caller, which says nothing of
    /// any secret, and never for a failure of ours.
    #[must_use]
    pub const fn is_failed_attempt(&self) -> bool {
        matches!(
            self,
            Self::InvalidCredentials
                | Self::CodeInvalid
                | Self::CodeAttemptsExhausted
                | Self::RegistrationNotFound
                | Self::ResetNotFound
                | Self::ResetTokenExpired
        )
    }

    /// One field that is not valid.
    #[must_use]
    pub fn invalid(field: impl Into<String>, description: impl Into<String>) -> Self {
        Self::Invalid(vec![Violation::new(field, description)])
    }

    /// A failure of ours, with its cause for the log.
    #[must_use]
    pub fn internal(cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::Internal(cause.into())
    }

    /// A password that does not fit its form.
    #[must_use]
    pub fn password(field: &'static str, cause: PasswordInvalid) -> Self {
        Self::PasswordRejected { field, description: cause.to_string() }
    }

    /// A password that anyone would guess.
    #[must_use]
    pub fn weak_password(field: &'static str, cause: PasswordRejected) -> Self {
        Self::PasswordRejected { field, description: cause.to_string() }
    }
}

impl From<TokenRefusal> for Error {
    fn from(refusal: TokenRefusal) -> Self {
        Self::Token(refusal)
    }
}

impl From<StoreError> for Error {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Unavailable(_) | StoreError::ReadOnly => Self::DatabaseUnavailable(error),
            _ => Self::internal(error),
        }
    }
}

impl From<HashingError> for Error {
    fn from(error: HashingError) -> Self {
        match error {
            HashingError::Overloaded { retry_after } => Self::Overloaded { retry_after },
            _ => Self::internal(error),
        }
    }
}

impl From<CryptoError> for Error {
    fn from(error: CryptoError) -> Self {
        Self::internal(error)
    }
}

impl From<AccessTokenError> for Error {
    /// Only for tokens that we make; one that is presented and does not verify is [`TokenRefusal::Invalid`].
    fn from(error: AccessTokenError) -> Self {
        Self::internal(error)
    }
}

/// An error with its causes, for the log: each says what it was about, the last one why.
#[must_use]
pub fn causes(error: &Error) -> String {
    chain(error)
}

/// Any error with its causes, for the log.
#[must_use]
pub fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}
