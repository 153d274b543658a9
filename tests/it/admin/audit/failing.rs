//! What is tried and fails is on record too: passwords, codes, and calls without the permission for them.

use std::time::Duration;

use keyward::proto::keyward::v1::audit_event::{ActorType, Kind, SubjectType};
use keyward::proto::keyward::v1::{AuditEvent, ListRolesRequest, ListUsersRequest};
use tonic::Code;

use super::{details, of_kind};
use crate::admin::administrator;
use crate::harness::{Settings, SignedIn, TestApp, answer, refused, within_patience};

const ALICE: &str = "alice@example.com";
const OTHER_PASSWORD: &str = "eleven herons on a barge";

/// A code that is not this one.
fn other_than(code: &str) -> &'static str {
    if code == "000000" { "111111" } else { "000000" }
}

/// The reasons of events of the desk, the oldest first, with what they are about.
fn reasons(events: &[AuditEvent]) -> Vec<(&str, SubjectType, &str)> {
    assert!(events.iter().all(|event| event.device_id == "desk"), "{events:?}");
    events.iter().rev().map(reason).collect()
}

fn reason(event: &AuditEvent) -> (&str, SubjectType, &str) {
    (event.details["reason"].as_str(), event.subject_type(), event.subject_id.as_str())
}

#[tokio::test]
async fn a_password_that_was_to_prove_who_is_signed_in() {
    let settings = Settings::default().set("lockout.enabled", "true").set("lockout.account.failures", "2");
    let app = TestApp::with(settings).await;
    let root = administrator(&app).await;
    let alice = app.user(ALICE).await;
    let user_id = alice.user.user_id.as_str();
    let phone = alice.sign_in("phone").await;
    refused(phone.change_password("wrong", OTHER_PASSWORD).await).with(Code::Unauthenticated, "INVALID_CREDENTIALS");
    app.advance(Duration::from_secs(1));
    refused(phone.delete_account("wrong").await).with(Code::Unauthenticated, "INVALID_CREDENTIALS");
    app.advance(Duration::from_secs(1));
    refused(phone.change_password("wrong", OTHER_PASSWORD).await).with(Code::ResourceExhausted, "LOCKED_OUT");

    let failed = of_kind(&root, Kind::ReauthenticationFailed).await;
    let told: Vec<_> = failed.iter().rev().map(details).collect();
    assert_eq!(told[0], [("method", "ChangePassword"), ("reason", "INVALID_CREDENTIALS")]);
    assert_eq!(told[1], [("method", "DeleteAccount"), ("reason", "INVALID_CREDENTIALS")]);
    assert_eq!(told[2], [("method", "ChangePassword"), ("reason", "LOCKED_OUT"), ("scope", "account")]);
    for event in &failed {
        assert_eq!((event.actor_type(), event.actor_id.as_str()), (ActorType::User, user_id));
        assert_eq!((event.subject_type(), event.subject_id.as_str()), (SubjectType::User, user_id));
        assert_eq!(event.device_id, "phone");
    }
}

#[tokio::test]
async fn a_login_that_is_refused_because_the_account_is_locked() {
    let settings = Settings::default().set("lockout.enabled", "true").set("lockout.account.failures", "1");
    let app = TestApp::with(settings).await;
    let root = administrator(&app).await;
    let user_id = app.user(ALICE).await.user.user_id;
    let desk = app.device("desk");
    for email in [ALICE, "nobody@example.com"] {
        refused(desk.login_with(email, "wrong").await).with(Code::Unauthenticated, "INVALID_CREDENTIALS");
        app.advance(Duration::from_secs(1));
        refused(desk.login_with(email, "wrong").await).with(Code::ResourceExhausted, "LOCKED_OUT");
        app.advance(Duration::from_secs(1));
    }
    let failed = of_kind(&root, Kind::LoginFailed).await;
    let (user, nothing) = ((SubjectType::User, user_id.as_str()), (SubjectType::Unspecified, ""));
    let expected = [
        ("INVALID_CREDENTIALS", user),
        ("LOCKED_OUT", user),
        ("INVALID_CREDENTIALS", nothing),
        ("LOCKED_OUT", nothing),
    ];
    assert_eq!(reasons(&failed), expected.map(|(reason, (subject_type, id))| (reason, subject_type, id)));
    assert_eq!(details(&failed[0]), [("reason", "LOCKED_OUT"), ("scope", "account")]);
}

#[tokio::test]
async fn a_login_that_is_refused_because_its_network_is_locked() {
    let settings = Settings::default().set("lockout.enabled", "true").set("lockout.credential_stuffing.accounts", "1");
    let app = TestApp::with(settings).await;
    let root = administrator(&app).await;
    let user_id = app.user(ALICE).await.user.user_id;
    let desk = app.device("desk");
    refused(desk.login_with("nobody@example.com", "wrong").await);
    app.advance(Duration::from_secs(1));
    refused(desk.login(ALICE).await).with(Code::ResourceExhausted, "LOCKED_OUT");
    let failed = of_kind(&root, Kind::LoginFailed).await;
    assert_eq!(reasons(&failed)[1], ("LOCKED_OUT", SubjectType::User, user_id.as_str()));
    assert_eq!(details(&failed[0]), [("reason", "LOCKED_OUT"), ("scope", "ip_address")]);
}

#[tokio::test]
async fn codes_of_a_registration() {
    let app = TestApp::with(Settings::default().set("codes.attempts", "1").set("codes.resend_after", "0s")).await;
    administrator(&app).await;
    let desk = app.device("desk");
    let id = desk.register(ALICE).await.unwrap().registration_id;
    let wrong = other_than(&app.mailbox.next_to(ALICE).await.code());
    refused(desk.verify_email(&id, wrong).await).with(Code::InvalidArgument, "CODE_INVALID");
    app.advance(Duration::from_secs(1));
    refused(desk.verify_email(&id, wrong).await).with(Code::FailedPrecondition, "CODE_ATTEMPTS_EXHAUSTED");
    desk.resend_code(&id).await.unwrap();
    app.advance(Duration::from_secs(200));
    refused(desk.verify_email(&id, wrong).await).with(Code::FailedPrecondition, "CODE_EXPIRED");
    // What there is not is not on record.
    let unknown = "0198b0d0-0000-7000-8000-00000000ada0";
    refused(desk.verify_email(unknown, wrong).await).with(Code::NotFound, "REGISTRATION_NOT_FOUND");

    let console = app.device("console");
    let root = SignedIn::new(console.clone(), console.login("root@example.com").await.unwrap());
    let failed = of_kind(&root, Kind::EmailVerificationFailed).await;
    let expected = ["CODE_INVALID", "CODE_ATTEMPTS_EXHAUSTED", "CODE_EXPIRED"];
    assert_eq!(reasons(&failed), expected.map(|reason| (reason, SubjectType::Registration, id.as_str())));
    let [resent] = of_kind(&root, Kind::VerificationCodeResent).await.try_into().unwrap();
    assert_eq!((resent.subject_id.as_str(), resent.device_id.as_str()), (id.as_str(), "desk"));
}

#[tokio::test]
async fn codes_of_a_reset() {
    let app = TestApp::with(Settings::default().set("codes.attempts", "2")).await;
    let root = administrator(&app).await;
    let user_id = app.user(ALICE).await.user.user_id;
    app.all_mail_delivered().await;
    for _ in app.mailbox.unread_of(ALICE) {
        app.mailbox.next_to(ALICE).await;
    }
    let desk = app.device("desk");
    let of_nobody = desk.request_password_reset("nobody@example.com").await.unwrap().reset_id;
    refused(desk.verify_reset_code(&of_nobody, "000000").await).with(Code::InvalidArgument, "CODE_INVALID");
    app.advance(Duration::from_secs(1));
    let reset_id = desk.request_password_reset(ALICE).await.unwrap().reset_id;
    let code = app.mailbox.next_to(ALICE).await.code();
    refused(desk.verify_reset_code(&reset_id, other_than(&code)).await).with(Code::InvalidArgument, "CODE_INVALID");
    app.advance(Duration::from_secs(1));
    desk.verify_reset_code(&reset_id, &code).await.unwrap();
    app.advance(Duration::from_secs(1));
    refused(desk.verify_reset_code(&reset_id, other_than(&code)).await).with(Code::FailedPrecondition, "CODE_EXPIRED");

    let failed = of_kind(&root, Kind::PasswordResetCodeFailed).await;
    let of_alice = |reason| (reason, SubjectType::User, user_id.as_str());
    let nobody = ("CODE_INVALID", SubjectType::Unspecified, "");
    assert_eq!(reasons(&failed), [nobody, of_alice("CODE_INVALID"), of_alice("CODE_EXPIRED")]);
    let [verified] = of_kind(&root, Kind::PasswordResetCodeVerified).await.try_into().unwrap();
    assert_eq!((verified.subject_id.as_str(), verified.device_id.as_str()), (user_id.as_str(), "desk"));
}

#[tokio::test]
async fn calls_of_administration_without_the_permission() {
    let app = TestApp::start().await;
    let root = administrator(&app).await;
    let alice = app.user(ALICE).await;
    let phone = alice.sign_in("phone").await;
    for _ in 0..3 {
        refused(answer(phone.admin().list_users(ListUsersRequest::default()).await))
            .with(Code::PermissionDenied, "PERMISSION_MISSING");
    }
    refused(answer(phone.admin().list_roles(ListRolesRequest::default()).await));
    let denied = async {
        loop {
            let denied = of_kind(&root, Kind::AccessDenied).await;
            if denied.len() >= 2 {
                return denied;
            }
        }
    };
    let mut denied = within_patience("the denials to be on record", denied).await;
    denied.sort_by_key(|event| event.details["method"].clone());
    assert_eq!(denied.len(), 2, "one of each method: {denied:?}");
    assert_eq!(details(&denied[0]), [("method", "ListRoles"), ("permission", "roles.read")]);
    assert_eq!(details(&denied[1]), [("method", "ListUsers"), ("permission", "users.read")]);
    for event in denied {
        assert_eq!((event.actor_type(), event.actor_id.as_str()), (ActorType::User, alice.user.user_id.as_str()));
        assert_eq!((event.ip_address.as_str(), event.device_id.as_str()), ("127.0.0.1", "phone"));
    }
}
