//! RequestPasswordReset: a code to the owner, and the same answer to everybody.

use std::time::Duration;

use tonic::Code;
use uuid::Uuid;

use super::{ALICE, count, other_than, plant_code, time};
use crate::harness::{PASSWORD, TestApp, refused};

/// Reset codes that were mailed or are still to be. One for nobody is put away without an attempt at it.
const MAILED_RESETS: &str = "mail_outbox WHERE kind = 'reset_code' AND (delivered_at IS NULL OR attempts > 0)";

#[tokio::test]
async fn the_owner_is_mailed_a_code() {
    let app = TestApp::start().await;
    let alice = app.user(ALICE).await.sign_in("desk").await;
    let stranger = app.device("stranger").with("accept-language", "tlh");
    let first = stranger.request_password_reset("Alice@EXAMPLE.com").await.unwrap();
    assert_eq!(first.reset_id.parse::<Uuid>().unwrap().get_version_num(), 7);
    assert_eq!(time(first.code_expire_time), app.now() + Duration::from_mins(3));
    let mail = app.mailbox.next_to(ALICE).await;
    assert!(mail.subject.starts_with("Reset your password") && !mail.subject.contains(&mail.code()), "{mail:?}");
    assert!(mail.text.contains("Hello Somebody"), "{mail:?}");

    assert_eq!(count(&app, MAILED_RESETS).await, 1);

    // Nothing has changed by that, nor does another one replace it.
    alice.get_account().await.unwrap();
    app.device("desk").login(ALICE).await.unwrap();
    let second = stranger.request_password_reset(ALICE).await.unwrap();
    assert_ne!(first.reset_id, second.reset_id);
    let second_code = app.mailbox.next_to(ALICE).await.code();
    stranger.verify_reset_code(&first.reset_id, &mail.code()).await.unwrap();
    stranger.verify_reset_code(&second.reset_id, &second_code).await.unwrap();
}

#[tokio::test]
async fn an_address_without_an_account_gets_the_same_answer_and_no_mail() {
    let app = TestApp::start().await;
    let stranger = app.device("stranger");
    let reset = stranger.request_password_reset("nobody@example.com").await.unwrap();
    assert_eq!(reset.reset_id.parse::<Uuid>().unwrap().get_version_num(), 7);
    assert_eq!(time(reset.code_expire_time), app.now() + Duration::from_mins(3));

    // It has five attempts as any other, and even the code that was made for it is a wrong one.
    plant_code(&app, "password_resets", "reset_id", &reset.reset_id, "424242").await;
    for code in ["424242", &other_than("424242"), "424242", "000000", "424242"] {
        let refusal = refused(stranger.verify_reset_code(&reset.reset_id, code).await);
        refusal.with(Code::InvalidArgument, "CODE_INVALID").naming(&["code"]);
    }
    let refusal = refused(stranger.verify_reset_code(&reset.reset_id, "424242").await);
    refusal.with(Code::FailedPrecondition, "CODE_ATTEMPTS_EXHAUSTED");
    app.advance(Duration::from_mins(3));
    let refusal = refused(stranger.verify_reset_code(&reset.reset_id, "424242").await);
    refusal.with(Code::FailedPrecondition, "CODE_EXPIRED");

    // A registration of the address under way does not make it an account.
    stranger.register("nobody@example.com").await.unwrap();
    assert!(app.mailbox.next_to("nobody@example.com").await.subject.starts_with("Confirm"));
    stranger.request_password_reset("nobody@example.com").await.unwrap();
    assert_eq!(count(&app, MAILED_RESETS).await, 0);
    assert!(app.mailbox.unread_of("nobody@example.com").is_empty());
}

#[tokio::test]
async fn an_address_without_an_account_has_ten_codes_an_hour_too() {
    let app = TestApp::start().await;
    for number in 0..10 {
        app.device(&format!("device-{number}")).request_password_reset("nobody@example.com").await.unwrap();
    }
    let stranger = app.device("stranger");
    let refusal = refused(stranger.request_password_reset("Nobody@example.com").await);
    let refusal = refusal.with(Code::ResourceExhausted, "THROTTLED");
    assert_eq!(refusal.retry_after(), Duration::from_hours(1));
    let told = (refusal.metadata("operation"), refusal.metadata("scope"));
    assert_eq!(told, (Some("request_password_reset"), Some("email")));
    refused(stranger.register("nobody@example.com").await).with(Code::ResourceExhausted, "THROTTLED");
    assert_eq!((count(&app, "password_resets").await, count(&app, "registrations").await), (10, 0));
    app.advance(Duration::from_hours(1));
    stranger.request_password_reset("nobody@example.com").await.unwrap();
}

#[tokio::test]
async fn an_address_that_is_none_is_named() {
    let app = TestApp::start().await;
    let stranger = app.device("stranger");
    for email in ["", "alice", "alice@", "al ice@example.com", &format!("{}@example.com", "a".repeat(243)), PASSWORD] {
        let refusal = refused(stranger.request_password_reset(email).await);
        refusal.with(Code::InvalidArgument, "FIELD_INVALID").naming(&["email"]);
    }
    assert_eq!(count(&app, "password_resets").await + count(&app, "code_quotas").await, 0);
}
