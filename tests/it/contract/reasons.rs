//! The reasons of `error_reason.proto`: each can be given, means what its comment says, and is asserted by a test.

use std::collections::BTreeSet;
use std::time::Duration;

use keyward::error::{Error, TokenRefusal};
use keyward::proto::DESCRIPTORS;
use keyward::store::pg::StoreError;
use prost_reflect::DescriptorPool;
use tonic::{Code, Status};
use tonic_types::StatusExt;

use super::sources::rust_files;

/// Reasons of what is declared and not built. None of them can be given.
const NOT_BUILT: [&str; 0] = [];

#[test]
fn every_reason_can_be_given() {
    let given: BTreeSet<_> = every_error().map(|error| reason(&error.into())).collect();
    let not_built = NOT_BUILT.map(str::to_owned).into();
    assert!(given.is_disjoint(&not_built), "built by now: {:?}", given.intersection(&not_built));
    let declared: BTreeSet<_> = declared().into_iter().map(|(name, _)| name).collect();
    assert_eq!(given.union(&not_built).cloned().collect::<BTreeSet<_>>(), declared);
}

#[test]
fn every_reason_comes_with_the_code_that_its_comment_names() {
    let declared = declared();
    for status in every_error().map(Status::from) {
        let (_, comment) = declared.iter().find(|(name, _)| *name == reason(&status)).unwrap();
        let (code, _) = comment.split_once(':').unwrap();
        assert_eq!(status.code(), Code::from_i32(number_of(code)), "{} says {code}", reason(&status));
    }
}

#[test]
fn every_reason_that_can_be_given_is_asserted_by_a_test() {
    let mut tests = rust_files("tests/it");
    tests.retain(|file| !file.path.contains("/contract/"));
    let is_asserted = |reason: &&String| tests.iter().any(|file| file.code.contains(&format!("\"{reason}\"")));
    let given: BTreeSet<_> = every_error().map(|error| reason(&error.into())).collect();
    let unseen: Vec<_> = given.iter().filter(|reason| !is_asserted(reason)).collect();
    assert!(unseen.is_empty(), "no test over the network meets {unseen:?}");
}

/// The number of a canonical code.
fn number_of(code: &str) -> i32 {
    let codes = DescriptorPool::decode(DESCRIPTORS).unwrap().get_enum_by_name("google.rpc.Code").unwrap();
    codes.get_value_by_name(code).unwrap_or_else(|| panic!("{code} is no canonical code")).number()
}

/// The declared reasons as they travel, with their comments.
fn declared() -> Vec<(String, String)> {
    let reasons = DescriptorPool::decode(DESCRIPTORS).unwrap().get_enum_by_name("keyward.v1.ErrorReason").unwrap();
    let file = reasons.parent_file();
    let locations = &file.file_descriptor_proto().source_code_info.as_ref().unwrap().location;
    let comment = |path: &[i32]| {
        locations.iter().find(|location| location.path == path).unwrap().leading_comments().trim().to_owned()
    };
    let name = |value: &str| value.strip_prefix("ERROR_REASON_").unwrap().to_owned();
    let values = reasons.values().filter(|value| value.number() != 0);
    values.map(|value| (name(value.name()), comment(value.path()))).collect()
}

fn reason(status: &Status) -> String {
    status.get_details_error_info().unwrap().reason
}

fn every_error() -> impl Iterator<Item = Error> {
    let errors = std::iter::successors(Some(Error::invalid("field", "is wrong")), after);
    let tokens = std::iter::successors(Some(TokenRefusal::Missing), |refusal| after_refusal(*refusal));
    errors.chain(tokens.map(Error::from))
}

/// One error after the other, so that the compiler asks for a place for every new one.
fn after(error: &Error) -> Option<Error> {
    let retry_after = Duration::from_secs(1);
    Some(match error {
        Error::Invalid(_) => Error::DeviceIdRequired,
        Error::DeviceIdRequired => Error::DeviceIdInvalid,
        Error::DeviceIdInvalid => Error::PasswordRejected { field: "password", description: String::new() },
        Error::PasswordRejected { .. } => Error::CodeInvalid,
        Error::CodeInvalid => Error::CodeExpired,
        Error::CodeExpired => Error::CodeAttemptsExhausted,
        Error::CodeAttemptsExhausted => Error::ResetTokenExpired,
        Error::ResetTokenExpired => Error::InvalidCredentials,
        Error::InvalidCredentials => Error::Token(TokenRefusal::Missing),
        Error::Token(_) => Error::PermissionMissing { permission: String::new() },
        Error::PermissionMissing { .. } => Error::UserRequired,
        Error::UserRequired => Error::NetworkBlocked,
        Error::NetworkBlocked => Error::UserSuspended,
        Error::UserSuspended => Error::Throttled { operation: "login", scope: "email", retry_after },
        Error::Throttled { .. } => {
            Error::LockedOut { operation: "login", scope: "device", retry_after, until_reset: false }
        }
        Error::LockedOut { .. } => Error::Overloaded { retry_after },
        Error::Overloaded { .. } => Error::DeadlineExceeded,
        Error::DeadlineExceeded => Error::RegistrationNotFound,
        Error::RegistrationNotFound => Error::ResetNotFound,
        Error::ResetNotFound => Error::SessionNotFound,
        Error::SessionNotFound => Error::UserNotFound,
        Error::UserNotFound => Error::NetworkRuleNotFound,
        Error::NetworkRuleNotFound => Error::LockoutNotFound,
        Error::LockoutNotFound => Error::ServiceKeyNotFound,
        Error::ServiceKeyNotFound => Error::NetworkRuleExists,
        Error::NetworkRuleExists => Error::RoleExists,
        Error::RoleExists => Error::RoleNotFound { role: "support".to_owned() },
        Error::RoleNotFound { .. } => Error::RoleInUse,
        Error::RoleInUse => Error::RoleStanding,
        Error::RoleStanding => Error::EmailTaken,
        Error::EmailTaken => Error::LastAdmin,
        Error::LastAdmin => Error::CleanupRunning { retry_after },
        Error::CleanupRunning { .. } => Error::PageTokenInvalid,
        Error::PageTokenInvalid => Error::CursorInvalid,
        Error::CursorInvalid => Error::MessageTooLarge,
        Error::MessageTooLarge => Error::MessageMalformed,
        Error::MessageMalformed => Error::MethodUnknown,
        Error::MethodUnknown => Error::NotImplemented,
        Error::NotImplemented => Error::DatabaseUnavailable(StoreError::Unavailable("away".into())),
        Error::DatabaseUnavailable(_) => Error::internal("broken"),
        Error::Internal(_) => return None,
    })
}

fn after_refusal(refusal: TokenRefusal) -> Option<TokenRefusal> {
    Some(match refusal {
        TokenRefusal::Missing => TokenRefusal::Invalid,
        TokenRefusal::Invalid => TokenRefusal::Expired,
        TokenRefusal::Expired => TokenRefusal::Revoked,
        TokenRefusal::Revoked => TokenRefusal::Reused,
        TokenRefusal::Reused => TokenRefusal::DeviceMismatch,
        TokenRefusal::DeviceMismatch => return None,
    })
}
