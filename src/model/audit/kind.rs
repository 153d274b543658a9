//! What can happen.

macro_rules! kinds {
    ($($(#[$meta:meta])* $kind:ident => $name:literal,)+) => {
        /// What happened.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum EventKind {
            $($(#[$meta])* $kind,)+
        }

        impl EventKind {
            /// Every kind there is.
            pub const ALL: &[Self] = &[$(Self::$kind),+];

            /// The name under which it is stored and shown.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$kind => $name,)+
                }
            }

            /// The kind of that name.
            #[must_use]
            pub fn from_name(name: &str) -> Option<Self> {
                match name {
                    $($name => Some(Self::$kind),)+
                    _ => None,
                }
            }
        }
    };
}

kinds! {
    /// A registration was begun.
    RegistrationCreated => "REGISTRATION_CREATED",
    /// A registration's address was proved and its user created.
    EmailVerified => "EMAIL_VERIFIED",
    /// A user logged in.
    LoginSucceeded => "LOGIN_SUCCEEDED",
    /// A login failed. The subject is the user, where there is one.
    LoginFailed => "LOGIN_FAILED",
    /// A user logged out.
    LoggedOut => "LOGGED_OUT",
    /// A session was revoked.
    SessionRevoked => "SESSION_REVOKED",
    /// A session made room for a login on another device.
    SessionEvicted => "SESSION_EVICTED",
    /// An outdated refresh token was presented, and its session ended.
    TokenReused => "TOKEN_REUSED",
    /// A password reset was requested.
    PasswordResetRequested => "PASSWORD_RESET_REQUESTED",
    /// A password was reset by a mailed code.
    PasswordReset => "PASSWORD_RESET",
    /// A user changed its password.
    PasswordChanged => "PASSWORD_CHANGED",
    /// A user changed its own name or language.
    AccountUpdated => "ACCOUNT_UPDATED",
    /// A user deleted its own account.
    AccountDeleted => "ACCOUNT_DELETED",
    /// A device, an address or an account was locked out.
    LockedOut => "LOCKED_OUT",
    /// A lockout was lifted before its time.
    LockoutCleared => "LOCKOUT_CLEARED",
    /// A user was created by administration.
    UserCreated => "USER_CREATED",
    /// A user was changed by administration.
    UserUpdated => "USER_UPDATED",
    /// A user was suspended.
    UserSuspended => "USER_SUSPENDED",
    /// A user was reinstated.
    UserReinstated => "USER_REINSTATED",
    /// A user was deleted by administration.
    UserDeleted => "USER_DELETED",
    /// A user was given other roles.
    UserRolesSet => "USER_ROLES_SET",
    /// All sessions of a user were ended by administration.
    UserSessionsRevoked => "USER_SESSIONS_REVOKED",
    /// An import of users came to its end.
    UsersImported => "USERS_IMPORTED",
    /// Users were exported.
    UsersExported => "USERS_EXPORTED",
    /// A role was created.
    RoleCreated => "ROLE_CREATED",
    /// A role was changed.
    RoleUpdated => "ROLE_UPDATED",
    /// A role was deleted.
    RoleDeleted => "ROLE_DELETED",
    /// A network rule was created.
    NetworkRuleCreated => "NETWORK_RULE_CREATED",
    /// A network rule was deleted.
    NetworkRuleDeleted => "NETWORK_RULE_DELETED",
    /// A service key was created.
    ServiceKeyCreated => "SERVICE_KEY_CREATED",
    /// A service key was revoked.
    ServiceKeyRevoked => "SERVICE_KEY_REVOKED",
    /// A service key was used for administration.
    ServiceKeyUsed => "SERVICE_KEY_USED",
    /// The signing keys were rotated.
    SigningKeysRotated => "SIGNING_KEYS_ROTATED",
    /// A cleanup was started by hand.
    CleanupRun => "CLEANUP_RUN",
    /// A signed-in user gave a wrong password for a change that asks for it, or was locked out from giving one.
    ReauthenticationFailed => "REAUTHENTICATION_FAILED",
    /// A code that was not good was presented for a registration.
    EmailVerificationFailed => "EMAIL_VERIFICATION_FAILED",
    /// The code of a registration was replaced and mailed anew.
    VerificationCodeResent => "VERIFICATION_CODE_RESENT",
    /// A right code for a password reset was exchanged for the token that sets a password.
    PasswordResetCodeVerified => "PASSWORD_RESET_CODE_VERIFIED",
    /// A code that was not good was presented for a password reset. The subject is the user, where there is one.
    PasswordResetCodeFailed => "PASSWORD_RESET_CODE_FAILED",
    /// A method of administration was refused to a caller without the permission for it.
    AccessDenied => "ACCESS_DENIED",
    /// Events that strangers can cause at will were too many to be on record one by one, and were counted.
    AuditEventsOmitted => "AUDIT_EVENTS_OMITTED",
}
