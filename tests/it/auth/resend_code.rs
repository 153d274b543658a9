//! ResendVerificationCode: another code in place of the one before.

use std::time::Duration;

use tonic::Code;

use super::{ALICE, NO_ID, TICK, count, just_before, other_than, time};
use crate::harness::{PASSWORD, TestApp, refused};

const MINUTE: Duration = Duration::from_mins(1);

#[tokio::test]
async fn another_code_replaces_the_one_before() {
    let app = TestApp::start().await;
    let phone = app.device("phone");
    let id = phone.register(ALICE).await.unwrap().registration_id;
    let first = app.mailbox.next_to(ALICE).await.code();
    app.advance(MINUTE);
    let resent = app.device("laptop").resend_code(&id).await.unwrap();
    assert_eq!(time(resent.code_expire_time), app.now() + Duration::from_mins(3));
    assert_eq!(time(resent.resend_available_time), app.now() + MINUTE);
    let mail = app.mailbox.next_to(ALICE).await;
    assert!(mail.subject.starts_with("Confirm your e-mail address") && !mail.subject.contains(&mail.code()));
    assert_ne!(first, mail.code());

    refused(phone.verify_email(&id, &first).await).with(Code::InvalidArgument, "CODE_INVALID").naming(&["code"]);
    // The first would have expired by now; this one has not.
    app.advance(just_before(Duration::from_mins(3)));
    phone.verify_email(&id, &mail.code()).await.unwrap();
}

#[tokio::test]
async fn too_early_is_told_how_much_and_changes_nothing() {
    let app = TestApp::start().await;
    let phone = app.device("phone");
    let id = phone.register(ALICE).await.unwrap().registration_id;
    let code = app.mailbox.next_to(ALICE).await.code();
    for (passed, left) in [(Duration::ZERO, MINUTE), (Duration::from_secs(59), Duration::from_secs(1))] {
        app.advance(passed);
        let refusal = refused(phone.resend_code(&id).await).with(Code::ResourceExhausted, "THROTTLED");
        assert_eq!(refusal.retry_after(), left);
        let told = (refusal.metadata("operation"), refusal.metadata("scope"));
        assert_eq!(told, (Some("resend_code"), Some("registration")));
    }
    app.advance(just_before(Duration::from_secs(1)));
    refused(phone.resend_code(&id).await).with(Code::ResourceExhausted, "THROTTLED");
    app.all_mail_delivered().await;
    assert!(app.mailbox.unread_of(ALICE).is_empty());
    phone.verify_email(&id, &code).await.unwrap();
}

#[tokio::test]
async fn the_new_code_has_all_its_attempts_and_its_whole_time() {
    let app = TestApp::start().await;
    let phone = app.device("phone");
    let id = phone.register(ALICE).await.unwrap().registration_id;
    // The first code is guessed at until nothing is left of it, the second grows old.
    let mut code = app.mailbox.next_to(ALICE).await.code();
    for wait in [MINUTE, Duration::from_mins(5)] {
        for _ in 0..5 {
            refused(phone.verify_email(&id, &other_than(&code)).await).with(Code::InvalidArgument, "CODE_INVALID");
        }
        let refusal = refused(phone.verify_email(&id, &code).await);
        refusal.with(Code::FailedPrecondition, "CODE_ATTEMPTS_EXHAUSTED");
        app.advance(wait);
        phone.resend_code(&id).await.unwrap();
        code = app.mailbox.next_to(ALICE).await.code();
    }
    for _ in 0..4 {
        refused(phone.verify_email(&id, &other_than(&code)).await).with(Code::InvalidArgument, "CODE_INVALID");
    }
    phone.verify_email(&id, &code).await.unwrap();
}

#[tokio::test]
async fn there_is_none_for_a_registration_that_is_not_open() {
    let app = TestApp::start().await;
    let phone = app.device("phone");
    refused(phone.resend_code(NO_ID).await).with(Code::NotFound, "REGISTRATION_NOT_FOUND");
    for malformed in ["", "1", "not-a-registration"] {
        let refusal = refused(phone.resend_code(malformed).await);
        refusal.with(Code::InvalidArgument, "FIELD_INVALID").naming(&["registration_id"]);
    }

    // Completed, dropped by that, and left alone for a day.
    let dropped = phone.register_as(ALICE, PASSWORD, "Alice").await.unwrap().registration_id;
    app.mailbox.next_to(ALICE).await;
    let completed = phone.register(ALICE).await.unwrap().registration_id;
    let code = app.mailbox.next_to(ALICE).await.code();
    phone.verify_email(&completed, &code).await.unwrap();
    let forgotten = phone.register("bob@example.com").await.unwrap().registration_id;
    app.advance(just_before(Duration::from_hours(24)));
    phone.resend_code(&forgotten).await.unwrap();
    app.advance(TICK);
    let mails = count(&app, "mail_outbox").await;
    for id in [&dropped, &completed, &forgotten] {
        refused(phone.resend_code(id).await).with(Code::FailedPrecondition, "CODE_EXPIRED");
    }
    assert_eq!(count(&app, "mail_outbox").await, mails);
}
