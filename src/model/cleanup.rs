//! What a cleanup deletes, and what came of it.

/// A kind of leftovers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Leftovers {
    /// Registrations that are over, and the records of codes mailed.
    Registrations,
    /// Password resets that are over.
    PasswordResets,
    /// Sessions that ended or expired, and devices that have not been used for long.
    Sessions,
    /// Revocations of tokens that have expired.
    Revocations,
    /// Audit events past their retention.
    AuditEvents,
    /// Mail that was delivered or given up.
    Mail,
    /// Network rules that expired.
    NetworkRules,
    /// Service keys that expired or were revoked.
    ServiceKeys,
    /// Signing keys whose tokens have expired.
    SigningKeys,
    /// Records of failed logins that matter no more.
    Lockouts,
}

impl Leftovers {
    /// All kinds, in the order in which they are cleaned up.
    pub const ALL: [Self; 10] = [
        Self::Registrations,
        Self::PasswordResets,
        Self::Sessions,
        Self::Revocations,
        Self::AuditEvents,
        Self::Mail,
        Self::NetworkRules,
        Self::ServiceKeys,
        Self::SigningKeys,
        Self::Lockouts,
    ];

    /// What people call them.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Registrations => "registrations",
            Self::PasswordResets => "password resets",
            Self::Sessions => "sessions",
            Self::Revocations => "revocations",
            Self::AuditEvents => "audit events",
            Self::Mail => "mail",
            Self::NetworkRules => "network rules",
            Self::ServiceKeys => "service keys",
            Self::SigningKeys => "signing keys",
            Self::Lockouts => "lockouts",
        }
    }
}

/// What a cleanup did with one kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CleanupCount {
    /// The kind.
    pub leftovers: Leftovers,
    /// How many were deleted.
    pub deleted: u64,
    /// Whether deleting failed before all were gone.
    pub failed: bool,
}

/// What a cleanup did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cleanup {
    /// What it did with each kind that it came to.
    pub counts: Vec<CleanupCount>,
    /// Whether it came to its end; otherwise it was stopped, or goes on.
    pub complete: bool,
}
