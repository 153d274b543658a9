//! VerifyPasswordResetCode: a mailed code is exchanged for a reset token, once.

use std::time::Duration;

use tonic::Code;

use super::{ALICE, ANOTHER_PASSWORD, NO_ID, count, just_before, other_than, time};
use crate::harness::{TestApp, refused};

#[tokio::test]
async fn a_code_is_exchanged_once() {
    let app = TestApp::start().await;
    let alice = app.user(ALICE).await.sign_in("desk").await;
    let phone = app.device("phone");
    let reset_id = phone.request_password_reset(ALICE).await.unwrap().reset_id;
    let code = app.mailbox.next_to(ALICE).await.code();
    app.advance(just_before(Duration::from_mins(3)));
    let allowed = app.device("laptop").verify_reset_code(&reset_id, &code).await.unwrap();
    assert!(allowed.reset_token.starts_with("kwp_"));
    assert_eq!(time(allowed.expire_time), app.now() + Duration::from_mins(10));
    let stored = app.database.client().await.query_one("SELECT r::text FROM password_resets r", &[]).await.unwrap();
    let stored: String = stored.get(0);
    assert!(!stored.contains(&allowed.reset_token) && !stored.contains(&code));

    // Again it is a used one, and the token that it gave stays good, beyond the code's own time.
    refused(phone.verify_reset_code(&reset_id, &code).await).with(Code::FailedPrecondition, "CODE_EXPIRED");
    let refusal = refused(phone.verify_reset_code(&reset_id, &other_than(&code)).await);
    refusal.with(Code::FailedPrecondition, "CODE_EXPIRED");
    app.advance(Duration::from_mins(5));
    let mut alice = alice;
    alice.renew().await.unwrap();
    phone.reset_password(&allowed.reset_token, ANOTHER_PASSWORD).await.unwrap();
}

#[tokio::test]
async fn a_code_has_five_attempts() {
    let app = TestApp::start().await;
    app.user(ALICE).await;
    let phone = app.device("phone");
    let reset_id = phone.request_password_reset(ALICE).await.unwrap().reset_id;
    let code = app.mailbox.next_to(ALICE).await.code();
    for _ in 0..5 {
        let refusal = refused(phone.verify_reset_code(&reset_id, &other_than(&code)).await);
        refusal.with(Code::InvalidArgument, "CODE_INVALID").naming(&["code"]);
    }
    for device in ["phone", "laptop"] {
        let refusal = refused(app.device(device).verify_reset_code(&reset_id, &code).await);
        refusal.with(Code::FailedPrecondition, "CODE_ATTEMPTS_EXHAUSTED");
    }
    assert_eq!(count(&app, "password_resets WHERE token_expires_at IS NOT NULL").await, 0);

    // The next reset has its own, and the fifth may be the right one.
    let reset_id = phone.request_password_reset(ALICE).await.unwrap().reset_id;
    let code = app.mailbox.next_to(ALICE).await.code();
    for _ in 0..4 {
        refused(phone.verify_reset_code(&reset_id, &other_than(&code)).await)
            .with(Code::InvalidArgument, "CODE_INVALID");
    }
    phone.verify_reset_code(&reset_id, &code).await.unwrap();
}

#[tokio::test]
async fn a_code_is_good_in_time_and_for_its_own_reset() {
    let app = TestApp::start().await;
    app.user(ALICE).await;
    app.user("bob@example.com").await;
    let phone = app.device("phone");
    let hers = phone.request_password_reset(ALICE).await.unwrap().reset_id;
    let her_code = app.mailbox.next_to(ALICE).await.code();
    let his = phone.request_password_reset("bob@example.com").await.unwrap().reset_id;
    let his_code = app.mailbox.next_to("bob@example.com").await.code();
    assert_ne!(her_code, his_code);
    refused(phone.verify_reset_code(&hers, &his_code).await).with(Code::InvalidArgument, "CODE_INVALID");

    // Nor is a registration's a reset's.
    let registration_id = phone.register("carol@example.com").await.unwrap().registration_id;
    let code = app.mailbox.next_to("carol@example.com").await.code();
    refused(phone.verify_reset_code(&registration_id, &code).await).with(Code::NotFound, "RESET_NOT_FOUND");
    refused(phone.verify_email(&hers, &her_code).await).with(Code::NotFound, "REGISTRATION_NOT_FOUND");

    phone.verify_reset_code(&his, &his_code).await.unwrap();
    app.advance(Duration::from_mins(3));
    refused(phone.verify_reset_code(&hers, &her_code).await).with(Code::FailedPrecondition, "CODE_EXPIRED");
}

#[tokio::test]
async fn what_names_no_reset_or_is_no_code_is_refused() {
    let app = TestApp::start().await;
    app.user(ALICE).await;
    let phone = app.device("phone");
    let reset_id = phone.request_password_reset(ALICE).await.unwrap().reset_id;
    let code = app.mailbox.next_to(ALICE).await.code();
    refused(phone.verify_reset_code(NO_ID, &code).await).with(Code::NotFound, "RESET_NOT_FOUND");
    for (reset_id, code, fields) in [
        ("", code.as_str(), ["reset_id"].as_slice()),
        ("last", &code, &["reset_id"]),
        (&reset_id, "", &["code"]),
        (&reset_id, "12345", &["code"]),
        (&reset_id, "1234567", &["code"]),
        (&reset_id, "12 456", &["code"]),
        ("", "", &["reset_id", "code"]),
    ] {
        let refusal = refused(phone.verify_reset_code(reset_id, code).await);
        refusal.with(Code::InvalidArgument, "FIELD_INVALID").naming(fields);
    }
    assert_eq!(count(&app, "password_resets WHERE code_attempts > 0").await, 0);
    phone.verify_reset_code(&reset_id, &code).await.unwrap();
}
