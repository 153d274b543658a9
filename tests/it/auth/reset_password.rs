//! ResetPassword: a new password, and an end to everything that the old one had opened.

use std::time::Duration;

use tonic::Code;

use super::{ALICE, ANOTHER_PASSWORD, count, just_before, reset_token, set_state};
use crate::harness::{PASSWORD, TestApp, refused};

#[tokio::test]
async fn a_new_password_ends_what_the_old_one_opened() {
    let app = TestApp::start().await;
    let alice = app.user(ALICE).await;
    let mut bob = app.user("bob@example.com").await.sign_in("phone").await;
    let mut sessions = [alice.sign_in("desk").await, alice.sign_in("phone").await];
    app.mailbox.next_to(ALICE).await;

    // Under way besides: a reset with its code, another with its token, and somebody's registration of the address.
    let phone = app.device("phone");
    let pending = phone.request_password_reset(ALICE).await.unwrap().reset_id;
    let pending_code = app.mailbox.next_to(ALICE).await.code();
    let spare = reset_token(&app, ALICE).await;
    let registration = phone.register(ALICE).await.unwrap().registration_id;
    app.mailbox.next_to(ALICE).await;

    let token = reset_token(&app, ALICE).await;
    phone.reset_password(&token, ANOTHER_PASSWORD).await.unwrap();
    for session in &mut sessions {
        refused(session.get_account().await).with(Code::Unauthenticated, "TOKEN_REVOKED");
        refused(session.renew().await).with(Code::Unauthenticated, "TOKEN_REVOKED");
    }
    refused(phone.verify_reset_code(&pending, &pending_code).await).with(Code::FailedPrecondition, "CODE_EXPIRED");
    for used in [&spare, &token] {
        let refusal = refused(phone.reset_password(used, "yet another password").await);
        refusal.with(Code::FailedPrecondition, "RESET_TOKEN_EXPIRED");
    }
    // Whoever began it learns nothing from it: its code was never any good, and goes on to be none.
    refused(phone.verify_email(&registration, "123456").await).with(Code::InvalidArgument, "CODE_INVALID");
    let notice = app.mailbox.next_to(ALICE).await;
    assert!(notice.subject.contains("was changed") && notice.text.contains("127.0.0.1"), "{notice:?}");
    assert!(!notice.text.contains(ANOTHER_PASSWORD));

    // Nobody is signed in by it; the new password does that, and the old one no longer does.
    assert_eq!(count(&app, "sessions WHERE ended_at IS NULL").await, 1);
    refused(phone.login(ALICE).await).with(Code::Unauthenticated, "INVALID_CREDENTIALS");
    phone.login_with(ALICE, ANOTHER_PASSWORD).await.unwrap();
    bob.renew().await.unwrap();
    app.all_mail_delivered().await;
    assert!(app.mailbox.unread_of(ALICE).is_empty());
}

#[tokio::test]
async fn a_refused_password_keeps_the_token() {
    let app = TestApp::start().await;
    let alice = app.user(ALICE).await.sign_in("desk").await;
    let token = reset_token(&app, ALICE).await;
    let phone = app.device("phone");
    for password in
        ["seven c", &"長い".repeat(65), "password", "alice@example.com", "Somebody-2030", "bell\u{7}bell bell"]
    {
        let refusal = refused(phone.reset_password(&token, password).await);
        refusal.with(Code::InvalidArgument, "PASSWORD_REJECTED").naming(&["new_password"]);
    }
    alice.get_account().await.unwrap();
    phone.login(ALICE).await.unwrap();
    phone.reset_password(&token, ANOTHER_PASSWORD).await.unwrap();
}

#[tokio::test]
async fn a_token_is_good_for_ten_minutes() {
    let app = TestApp::start().await;
    app.user(ALICE).await;
    let phone = app.device("phone");
    let (in_time, late) = (reset_token(&app, ALICE).await, reset_token(&app, ALICE).await);
    app.advance(Duration::from_mins(10));
    let refusal = refused(phone.reset_password(&late, ANOTHER_PASSWORD).await);
    refusal.with(Code::FailedPrecondition, "RESET_TOKEN_EXPIRED");
    // Even a password that would be refused does not show that it was one.
    refused(phone.reset_password(&in_time, "password").await).with(Code::FailedPrecondition, "RESET_TOKEN_EXPIRED");
    phone.login(ALICE).await.unwrap();

    let in_time = reset_token_after_the_notice(&app).await;
    app.advance(just_before(Duration::from_mins(10)));
    phone.reset_password(&in_time, ANOTHER_PASSWORD).await.unwrap();
}

/// A reset token for Alice, whose mailbox holds the notice of a login.
async fn reset_token_after_the_notice(app: &TestApp) -> String {
    assert!(app.mailbox.next_to(ALICE).await.subject.starts_with("A new device logged in"));
    reset_token(app, ALICE).await
}

#[tokio::test]
async fn fields_that_are_not_valid_are_named() {
    let (app, elsewhere) = tokio::join!(TestApp::start(), TestApp::start());
    app.user(ALICE).await;
    let token = reset_token(&app, ALICE).await;
    elsewhere.user(ALICE).await;
    let unknown = reset_token(&elsewhere, ALICE).await;
    let phone = app.device("phone");
    let (too_long, long_password) = ("x".repeat(513), "p".repeat(1025));
    for (token, password, fields) in [
        ("", ANOTHER_PASSWORD, ["reset_token"].as_slice()),
        ("garbage", ANOTHER_PASSWORD, &["reset_token"]),
        (&token[..token.len() - 1], ANOTHER_PASSWORD, &["reset_token"]),
        (&token.replacen("kwp_", "kwr_", 1), ANOTHER_PASSWORD, &["reset_token"]),
        (&too_long, ANOTHER_PASSWORD, &["reset_token"]),
        (&token, "", &["new_password"]),
        (&token, &long_password, &["new_password"]),
        ("", "", &["reset_token", "new_password"]),
    ] {
        let refusal = refused(phone.reset_password(token, password).await);
        refusal.with(Code::InvalidArgument, "FIELD_INVALID").naming(fields);
    }
    // One that was made with another master key is none of ours.
    let refusal = refused(phone.reset_password(&unknown, ANOTHER_PASSWORD).await);
    refusal.with(Code::InvalidArgument, "FIELD_INVALID").naming(&["reset_token"]);
    phone.login(ALICE).await.unwrap();
    phone.reset_password(&token, ANOTHER_PASSWORD).await.unwrap();
}

#[tokio::test]
async fn it_neither_brings_back_the_deleted_nor_frees_the_suspended() {
    let app = TestApp::start().await;
    let alice = app.user(ALICE).await.sign_in("desk").await;
    let phone = app.device("phone");
    let token = reset_token(&app, ALICE).await;
    set_state(&app, ALICE, "SUSPENDED").await;
    phone.reset_password(&token, ANOTHER_PASSWORD).await.unwrap();
    refused(phone.login_with(ALICE, ANOTHER_PASSWORD).await).with(Code::PermissionDenied, "USER_SUSPENDED");
    refused(alice.get_account().await).with(Code::Unauthenticated, "TOKEN_REVOKED");

    let bob = app.user("bob@example.com").await.sign_in("desk").await;
    let token = reset_token(&app, "bob@example.com").await;
    bob.delete_account(PASSWORD).await.unwrap();
    let refusal = refused(phone.reset_password(&token, ANOTHER_PASSWORD).await);
    refusal.with(Code::FailedPrecondition, "RESET_TOKEN_EXPIRED");
}
