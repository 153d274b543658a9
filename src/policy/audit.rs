//! How much of what strangers cause goes on record.
//!
//! Rows of the audit trail may not be deleted before their time. Events that cost a stranger one call and change nothing are
//! therefore merged by what they are about, and held below a ceiling for each network and one for all.

mod ceilings;
mod largest;
mod merging;

pub use ceilings::{Ceiling, CeilingRule, Ceilings, Counted, Omissions};
pub use merging::{MergeKey, Merged, Merging};

use chrono::{DateTime, Utc};

use crate::model::audit::EventKind;

/// Whether events of a kind may be left out of the trail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recording {
    /// Every event is on record.
    Always,
    /// Events are on record as far as the ceilings allow; the rest are counted.
    Limited,
}

/// How events of a kind are recorded.
///
/// Limited are the kinds that anybody causes with one call and that leave accounts, sessions and limits as they are. A
/// registration or a reset that is merely requested is one: what it leads to is on record by itself. `ACCESS_DENIED` is none,
/// since refused administration is never left out; it is merged alone.
#[must_use]
pub const fn recording(kind: EventKind) -> Recording {
    match kind {
        EventKind::RegistrationCreated
        | EventKind::VerificationCodeResent
        | EventKind::EmailVerificationFailed
        | EventKind::LoginFailed
        | EventKind::ReauthenticationFailed
        | EventKind::PasswordResetRequested
        | EventKind::PasswordResetCodeFailed => Recording::Limited,
        EventKind::EmailVerified
        | EventKind::LoginSucceeded
        | EventKind::LoggedOut
        | EventKind::SessionRevoked
        | EventKind::SessionEvicted
        | EventKind::TokenReused
        | EventKind::PasswordResetCodeVerified
        | EventKind::PasswordReset
        | EventKind::PasswordChanged
        | EventKind::AccountUpdated
        | EventKind::AccountDeleted
        | EventKind::LockedOut
        | EventKind::LockoutCleared
        | EventKind::UserCreated
        | EventKind::UserUpdated
        | EventKind::UserSuspended
        | EventKind::UserReinstated
        | EventKind::UserDeleted
        | EventKind::UserRolesSet
        | EventKind::UserSessionsRevoked
        | EventKind::UsersImported
        | EventKind::UsersExported
        | EventKind::RoleCreated
        | EventKind::RoleUpdated
        | EventKind::RoleDeleted
        | EventKind::NetworkRuleCreated
        | EventKind::NetworkRuleDeleted
        | EventKind::ServiceKeyCreated
        | EventKind::ServiceKeyRevoked
        | EventKind::ServiceKeyUsed
        | EventKind::SigningKeysRotated
        | EventKind::CleanupRun
        | EventKind::AccessDenied
        | EventKind::AuditEventsOmitted => Recording::Always,
    }
}

/// The number of the minute that a time lies in.
const fn minute(at: DateTime<Utc>) -> i64 {
    at.timestamp().div_euclid(60)
}

/// Whether `now` begins another minute than `current`. Calls read the clock before they get here, so one may come from the
/// minute before; a clock that is set back further begins another minute too.
const fn is_over(current: i64, now: i64) -> bool {
    now > current || now < current.saturating_sub(1)
}

#[cfg(test)]
mod tests {
    use super::{EventKind, Recording, is_over, recording};

    #[test]
    fn what_changes_state_or_tells_of_an_intrusion_is_never_left_out() {
        let limited = EventKind::ALL.iter().filter(|kind| recording(**kind) == Recording::Limited);
        let names: Vec<_> = limited.map(|kind| kind.as_str()).collect();
        assert_eq!(
            names,
            [
                "REGISTRATION_CREATED",
                "LOGIN_FAILED",
                "PASSWORD_RESET_REQUESTED",
                "REAUTHENTICATION_FAILED",
                "EMAIL_VERIFICATION_FAILED",
                "VERIFICATION_CODE_RESENT",
                "PASSWORD_RESET_CODE_FAILED",
            ]
        );
    }

    #[test]
    fn a_call_from_the_minute_before_begins_no_other_and_a_clock_that_is_set_back_does() {
        assert!(is_over(10, 11));
        assert!(!is_over(10, 10));
        assert!(!is_over(10, 9));
        assert!(is_over(10, 8));
    }
}
