//! What an [`Error`] looks like on the wire: a canonical code and the standard details (AIP-193, `google.rpc`).

use std::collections::HashMap;
use std::time::Duration;

use tonic::metadata::{MetadataMap, MetadataValue};
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt};

use super::attempts;
use super::interceptors::trace::request_id;
use crate::error::{Error, TokenRefusal, Violation, causes};
use crate::proto::keyward::v1::ErrorReason;

/// The domain of every [`ErrorReason`].
const DOMAIN: &str = "keyward.v1";

/// The language of the texts below.
const LOCALE: &str = "en";

/// The most violations that a status lists.
const MAX_VIOLATIONS: usize = 20;

/// The most bytes of a status's details. Clients refuse metadata beyond 8 KiB, and base64 adds a third to the details.
const MAX_DETAILS_BYTES: usize = 4096;

/// The most bytes of a text in the details that a request may have determined.
const MAX_TEXT_BYTES: usize = 256;

/// The end of a text that was cut.
const CUT: &str = "...";

/// The metadata that says how many violations are not listed.
const VIOLATIONS_OMITTED: &str = "violations_omitted";

/// When to try again while the database is away.
const DATABASE_RETRY: Duration = Duration::from_secs(1);

impl From<Error> for Status {
    fn from(error: Error) -> Self {
        log(&error);
        let violations = violations(&error);
        let most = violations.len().min(MAX_VIOLATIONS);
        // As many as fit. With none of them the details always fit, because every other text in them is cut.
        let mut statuses = (0..=most).rev().map(|listed| status(&error, violations.split_at(listed)));
        let fits = |status: &Self| status.details().len() <= MAX_DETAILS_BYTES;
        let mut status = statuses.find(fits).unwrap_or_else(|| status(&error, (&[], &violations)));
        attempts::mark(&mut status, error.is_failed_attempt(), None);
        status
    }
}

/// The status of an error that lists some of its violations and counts the others.
fn status(error: &Error, (listed, omitted): (&[Violation], &[Violation])) -> Status {
    let (code, reason, text) = kind(error);
    let mut metadata = metadata(error);
    let text = match omitted.len() {
        0 => text.to_owned(),
        count => {
            metadata.insert(VIOLATIONS_OMITTED.to_owned(), count.to_string());
            format!("{text} Violations that are not listed: {count}.")
        }
    };
    let mut details = ErrorDetails::new();
    details.set_error_info(reason_name(reason), DOMAIN, metadata);
    details.set_request_info(request_id(), "");
    details.set_localized_message(LOCALE, &text);
    for violation in listed {
        details.add_bad_request_violation(cut(&violation.field), cut(&violation.description));
    }
    let mut trailers = MetadataMap::new();
    if let Some(delay) = retry_after(error) {
        details.set_retry_info(Some(delay));
        // Whole seconds, as the header of that name in HTTP has them; rounded up, so that it is never too early.
        let seconds = delay.as_secs() + u64::from(delay.subsec_nanos() > 0);
        trailers.insert("retry-after", MetadataValue::from(seconds));
    }
    Status::with_error_details_and_metadata(code, text, details, trailers)
}

/// A text that a request may have determined, or its beginning.
fn cut(text: &str) -> String {
    if text.len() <= MAX_TEXT_BYTES {
        return text.to_owned();
    }
    let room = MAX_TEXT_BYTES.saturating_sub(CUT.len());
    let end = text.char_indices().map(|(at, _)| at).take_while(|at| *at <= room).last().unwrap_or_default();
    format!("{}{CUT}", text.get(..end).unwrap_or_default())
}

/// The reason as it travels: the enum value without its prefix.
fn reason_name(reason: ErrorReason) -> &'static str {
    reason.as_str_name().trim_start_matches("ERROR_REASON_")
}

/// The one place that decides code, reason and text.
fn kind(error: &Error) -> (Code, ErrorReason, &'static str) {
    use ErrorReason as Reason;
    match error {
        Error::Invalid(_) => (Code::InvalidArgument, Reason::FieldInvalid, "The request is not valid."),
        Error::DeviceIdRequired => {
            (Code::InvalidArgument, Reason::DeviceIdRequired, "The metadata key device-id is missing.")
        }
        Error::DeviceIdInvalid => {
            (Code::InvalidArgument, Reason::DeviceIdInvalid, "The metadata key device-id is malformed.")
        }
        Error::PasswordRejected { .. } => {
            (Code::InvalidArgument, Reason::PasswordRejected, "The password cannot be accepted.")
        }
        Error::CodeInvalid => (Code::InvalidArgument, Reason::CodeInvalid, "The code is wrong."),
        Error::PageTokenInvalid => (Code::InvalidArgument, Reason::PageTokenInvalid, "The page token is not valid."),
        Error::CursorInvalid => (Code::InvalidArgument, Reason::CursorInvalid, "The cursor is not valid."),
        Error::MessageTooLarge => (Code::InvalidArgument, Reason::MessageTooLarge, "The request is too large."),
        Error::MessageMalformed => (Code::InvalidArgument, Reason::MessageMalformed, "The request is malformed."),
        Error::CodeExpired => (Code::FailedPrecondition, Reason::CodeExpired, "The code has expired or was used."),
        Error::CodeAttemptsExhausted => {
            (Code::FailedPrecondition, Reason::CodeAttemptsExhausted, "The code has been tried too often.")
        }
        Error::ResetTokenExpired => {
            (Code::FailedPrecondition, Reason::ResetTokenExpired, "The reset token has expired or was used.")
        }
        Error::LastAdmin => (Code::FailedPrecondition, Reason::LastAdmin, "The last administrator cannot be removed."),
        Error::CleanupRunning { .. } => {
            (Code::FailedPrecondition, Reason::CleanupRunning, "Another cleanup is running. Please try again later.")
        }
        Error::InvalidCredentials => {
            (Code::Unauthenticated, Reason::InvalidCredentials, "The e-mail address or the password is wrong.")
        }
        Error::Token(refusal) => token_kind(*refusal),
        Error::PermissionMissing { .. } => {
            (Code::PermissionDenied, Reason::PermissionMissing, "You do not have the permission for this.")
        }
        Error::UserRequired => {
            (Code::PermissionDenied, Reason::UserRequired, "This is for signed-in users, not for service keys.")
        }
        Error::NetworkBlocked => {
            (Code::PermissionDenied, Reason::NetworkBlocked, "Calls from your network are not accepted.")
        }
        Error::UserSuspended => (Code::PermissionDenied, Reason::UserSuspended, "The account is suspended."),
        Error::Throttled { .. } => {
            (Code::ResourceExhausted, Reason::Throttled, "Too many requests. Please try again later.")
        }
        Error::LockedOut { until_reset: false, .. } => {
            (Code::ResourceExhausted, Reason::LockedOut, "Too many failures. Please try again later.")
        }
        Error::LockedOut { until_reset: true, .. } => {
            (Code::ResourceExhausted, Reason::LockedOut, "Too many failures. The password must be reset.")
        }
        Error::Overloaded { .. } => {
            (Code::ResourceExhausted, Reason::Overloaded, "The service is busy. Please try again shortly.")
        }
        Error::DeadlineExceeded => (Code::DeadlineExceeded, Reason::DeadlineExceeded, "The call took too long."),
        Error::RegistrationNotFound => (Code::NotFound, Reason::RegistrationNotFound, "There is no such registration."),
        Error::ResetNotFound => (Code::NotFound, Reason::ResetNotFound, "There is no such password reset."),
        Error::SessionNotFound => (Code::NotFound, Reason::SessionNotFound, "There is no such session."),
        Error::UserNotFound => (Code::NotFound, Reason::UserNotFound, "There is no such user."),
        Error::RoleNotFound { .. } => (Code::NotFound, Reason::RoleNotFound, "There is no such role."),
        Error::RoleExists => (Code::AlreadyExists, Reason::RoleExists, "There is a role of this name already."),
        Error::RoleInUse => (Code::FailedPrecondition, Reason::RoleInUse, "Users still have the role."),
        Error::RoleStanding => (Code::FailedPrecondition, Reason::RoleStanding, "The role is one that always exists."),
        Error::EmailTaken => (Code::AlreadyExists, Reason::EmailTaken, "A user has this e-mail address."),
        Error::NetworkRuleNotFound => (Code::NotFound, Reason::NetworkRuleNotFound, "There is no such network rule."),
        Error::ServiceKeyNotFound => (Code::NotFound, Reason::ServiceKeyNotFound, "There is no such service key."),
        Error::LockoutNotFound => (Code::NotFound, Reason::LockoutNotFound, "There is no such lockout."),
        Error::NetworkRuleExists => {
            (Code::AlreadyExists, Reason::NetworkRuleExists, "There is a rule for this network already.")
        }
        Error::MethodUnknown => (Code::Unimplemented, Reason::MethodUnknown, "There is no such method."),
        Error::NotImplemented => (Code::Unimplemented, Reason::NotImplemented, "This is not available yet."),
        Error::DatabaseUnavailable(_) => {
            (Code::Unavailable, Reason::DatabaseUnavailable, "The service is unavailable. Please try again shortly.")
        }
        Error::Internal(_) => (Code::Internal, Reason::Internal, "An internal error occurred."),
    }
}

const fn token_kind(refusal: TokenRefusal) -> (Code, ErrorReason, &'static str) {
    let (reason, text) = match refusal {
        TokenRefusal::Missing => (ErrorReason::TokenMissing, "The metadata key authorization is missing."),
        TokenRefusal::Invalid => (ErrorReason::TokenInvalid, "The token is not valid."),
        TokenRefusal::Expired => (ErrorReason::TokenExpired, "The token has expired."),
        TokenRefusal::Revoked => {
            (ErrorReason::TokenRevoked, "The session or the key has ended, or the user's roles have changed.")
        }
        TokenRefusal::Reused => (ErrorReason::TokenReused, "The token was used before. Its session has been ended."),
        TokenRefusal::DeviceMismatch => (ErrorReason::TokenDeviceMismatch, "The token was issued to another device."),
    };
    (Code::Unauthenticated, reason, text)
}

fn metadata(error: &Error) -> HashMap<String, String> {
    let pairs: Vec<(&str, String)> = match error {
        Error::PermissionMissing { permission } => vec![("permission", permission.clone())],
        Error::Throttled { operation, scope, .. } => {
            vec![("operation", (*operation).to_owned()), ("scope", (*scope).to_owned())]
        }
        Error::LockedOut { operation, scope, until_reset, .. } => {
            let mut pairs = vec![("operation", (*operation).to_owned()), ("scope", (*scope).to_owned())];
            pairs.extend(until_reset.then(|| ("until", "password_reset".to_owned())));
            pairs
        }
        Error::RoleNotFound { role } => vec![("role", role.clone())],
        Error::Internal(_) => vec![("request_id", request_id())],
        _ => Vec::new(),
    };
    pairs.into_iter().map(|(key, value)| (key.to_owned(), cut(&value))).collect()
}

/// The fields that an error is about.
pub(super) fn violations(error: &Error) -> Vec<Violation> {
    let one = |field: &str, description: &str| vec![Violation::new(field, description)];
    match error {
        Error::Invalid(violations) => violations.clone(),
        Error::DeviceIdRequired => one("metadata.device-id", "is required"),
        Error::DeviceIdInvalid => {
            one("metadata.device-id", "must be 1 to 128 characters of [A-Za-z0-9._:-], given once")
        }
        Error::PasswordRejected { field, description } => one(field, description),
        Error::CodeInvalid => one("code", "is not the code that was mailed last"),
        Error::CursorInvalid => one("cursor", "was not given out by this stream"),
        Error::PageTokenInvalid => one("page_token", "is not the token of the page before"),
        _ => Vec::new(),
    }
}

const fn retry_after(error: &Error) -> Option<Duration> {
    match error {
        Error::Throttled { retry_after, .. }
        | Error::LockedOut { retry_after, .. }
        | Error::Overloaded { retry_after }
        | Error::CleanupRunning { retry_after } => Some(*retry_after),
        Error::DatabaseUnavailable(_) => Some(DATABASE_RETRY),
        _ => None,
    }
}

/// Failures of ours are logged here, once, with their causes; the client's are not worth a line of their own.
fn log(error: &Error) {
    match error {
        Error::Internal(_) => tracing::error!(error = causes(error), "a call failed"),
        Error::DatabaseUnavailable(_) => tracing::warn!(error = causes(error), "the database is unavailable"),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use tonic::{Code, Status};
    use tonic_types::StatusExt;

    use super::{Error, MAX_DETAILS_BYTES, MAX_TEXT_BYTES, Violation, cut};

    #[test]
    fn details_have_a_ceiling_and_say_how_many_violations_they_leave_out() {
        for (count, field) in
            [(20, "permissions"), (21, "permissions"), (20_000, "permissions"), (20, &"x".repeat(300))]
        {
            let violations = (0..count).map(|number| Violation::new(format!("{field}[{number}]"), "is wrong"));
            let status = Status::from(Error::Invalid(violations.collect()));
            assert_eq!(status.code(), Code::InvalidArgument);
            assert!(status.details().len() <= MAX_DETAILS_BYTES && status.message().len() < 200, "{status:?}");
            let details = status.get_error_details();
            let listed = details.bad_request().map_or(0, |it| it.field_violations.len());
            assert!((1..=20).contains(&listed), "{listed}");
            let omitted = details.error_info().and_then(|info| info.metadata.get("violations_omitted"));
            assert_eq!(omitted.map_or(0, |omitted| omitted.parse().unwrap_or_default()) + listed, count);
        }
    }

    #[test]
    fn every_text_that_a_request_determines_is_cut() {
        let long = "ü".repeat(40_000);
        let errors = [
            Error::RoleNotFound { role: long.clone() },
            Error::PermissionMissing { permission: long.clone() },
            Error::PasswordRejected { field: "password", description: long.clone() },
            Error::invalid(long.clone(), long.clone()),
        ];
        for error in errors {
            let status = Status::from(error);
            assert!((1..=2048).contains(&status.details().len()), "{status:?}");
        }
        assert_eq!(cut("short"), "short");
        assert!(cut(&long).len() <= MAX_TEXT_BYTES && cut(&long).ends_with("ü..."));
    }
}
