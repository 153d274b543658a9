//! Codes that are sent again because the reply to the right one was lost.

use std::time::Duration;

use keyward::proto::keyward::v1::User;
use tonic::Code;

use super::{ALICE, ANOTHER_PASSWORD, count, just_before, other_than};
use crate::harness::{PASSWORD, Settings, TestApp, refused};

const TTL: Duration = Duration::from_mins(3);

#[tokio::test]
async fn a_registration_verified_again_answers_with_its_user_as_it_is_now() {
    let app = TestApp::start().await;
    let phone = app.device("phone");
    let id = phone.register(ALICE).await.unwrap().registration_id;
    let code = app.mailbox.next_to(ALICE).await.code();
    let user = phone.verify_email(&id, &code).await.unwrap().user.unwrap();
    assert!(app.mailbox.next_to(ALICE).await.subject.starts_with("Welcome"));
    let events = count(&app, "audit_events").await;
    assert_eq!(phone.verify_email(&id, &code).await.unwrap().user.unwrap(), user);

    // Neither another device nor another code is a reply that was lost.
    let laptop = app.device("laptop");
    refused(laptop.verify_email(&id, &code).await).with(Code::FailedPrecondition, "CODE_EXPIRED");
    refused(phone.verify_email(&id, &other_than(&code)).await).with(Code::FailedPrecondition, "CODE_EXPIRED");

    let desk = phone.login(ALICE).await.unwrap();
    let desk = phone.clone().bearing(&desk.tokens.unwrap().access_token);
    desk.update_account(User { display_name: "Alice".to_owned(), ..User::default() }, &[]).await.unwrap();
    let changed = phone.verify_email(&id, &code).await.unwrap().user.unwrap();
    assert_eq!((changed.user_id.as_str(), changed.display_name.as_str()), (user.user_id.as_str(), "Alice"));

    // Nothing was done again.
    assert!(app.mailbox.unread_of(ALICE).iter().all(|mail| !mail.subject.starts_with("Welcome")));
    assert_eq!(count(&app, "users").await, 1);
    assert_eq!(count(&app, "audit_events WHERE kind = 'EMAIL_VERIFIED'").await, 1);
    assert_eq!(count(&app, "audit_events WHERE kind = 'EMAIL_VERIFICATION_FAILED'").await, 2);
    assert!(count(&app, "audit_events").await >= events + 2);

    app.advance(TTL);
    refused(phone.verify_email(&id, &code).await).with(Code::FailedPrecondition, "CODE_EXPIRED");
}

#[tokio::test]
async fn a_user_who_is_gone_is_no_answer_to_its_code() {
    let app = TestApp::start().await;
    let phone = app.device("phone");
    let id = phone.register(ALICE).await.unwrap().registration_id;
    let code = app.mailbox.next_to(ALICE).await.code();
    phone.verify_email(&id, &code).await.unwrap();
    let login = phone.login(ALICE).await.unwrap();
    let reset_id = phone.request_password_reset(ALICE).await.unwrap().reset_id;
    let mails = [app.mailbox.next_to(ALICE).await, app.mailbox.next_to(ALICE).await];
    let reset_code = mails.iter().find(|mail| mail.subject.starts_with("Reset")).unwrap().code();
    phone.verify_reset_code(&reset_id, &reset_code).await.unwrap();
    phone.clone().bearing(&login.tokens.unwrap().access_token).delete_account(PASSWORD).await.unwrap();

    refused(phone.verify_email(&id, &code).await).with(Code::FailedPrecondition, "CODE_EXPIRED");
    refused(phone.verify_reset_code(&reset_id, &reset_code).await).with(Code::FailedPrecondition, "CODE_EXPIRED");
    // Nothing is kept that tells of the person, and nothing of it comes back with a namesake.
    assert_eq!(count(&app, &format!("registrations WHERE email = '{ALICE}' OR display_name <> ''")).await, 0);
    app.user(ALICE).await;
    refused(phone.verify_email(&id, &code).await).with(Code::FailedPrecondition, "CODE_EXPIRED");
}

#[tokio::test]
async fn a_reset_code_sent_again_gives_the_same_token_whose_end_does_not_move() {
    let app = TestApp::start().await;
    app.user(ALICE).await;
    let phone = app.device("phone");
    let reset_id = phone.request_password_reset(ALICE).await.unwrap().reset_id;
    let code = app.mailbox.next_to(ALICE).await.code();
    let allowed = phone.verify_reset_code(&reset_id, &code).await.unwrap();
    app.advance(just_before(TTL));
    assert_eq!(phone.verify_reset_code(&reset_id, &code).await.unwrap(), allowed);
    let refusal = refused(app.device("laptop").verify_reset_code(&reset_id, &code).await);
    refusal.with(Code::FailedPrecondition, "CODE_EXPIRED");
    assert_eq!(count(&app, "audit_events WHERE kind = 'PASSWORD_RESET_CODE_VERIFIED'").await, 1);

    phone.reset_password(&allowed.reset_token, ANOTHER_PASSWORD).await.unwrap();
    refused(phone.verify_reset_code(&reset_id, &code).await).with(Code::FailedPrecondition, "CODE_EXPIRED");
    refused(phone.reset_password(&allowed.reset_token, PASSWORD).await)
        .with(Code::FailedPrecondition, "RESET_TOKEN_EXPIRED");
    phone.login_with(ALICE, ANOTHER_PASSWORD).await.unwrap();
}

#[tokio::test]
async fn a_right_fifth_attempt_can_be_sent_again_and_wrong_ones_after_it_count() {
    let app = TestApp::start().await;
    app.user(ALICE).await;
    let phone = app.device("phone");
    let reset_id = phone.request_password_reset(ALICE).await.unwrap().reset_id;
    let code = app.mailbox.next_to(ALICE).await.code();
    let id = phone.register("bob@example.com").await.unwrap().registration_id;
    let bobs_code = app.mailbox.next_to("bob@example.com").await.code();
    for _ in 0..4 {
        refused(phone.verify_reset_code(&reset_id, &other_than(&code)).await)
            .with(Code::InvalidArgument, "CODE_INVALID");
        refused(phone.verify_email(&id, &other_than(&bobs_code)).await).with(Code::InvalidArgument, "CODE_INVALID");
    }
    let allowed = phone.verify_reset_code(&reset_id, &code).await.unwrap();
    let user = phone.verify_email(&id, &bobs_code).await.unwrap();
    for _ in 0..6 {
        assert_eq!(phone.verify_reset_code(&reset_id, &code).await.unwrap(), allowed);
        assert_eq!(phone.verify_email(&id, &bobs_code).await.unwrap(), user);
    }
    // One wrong one is the fifth. After it not even the right one is looked at.
    for code in [&other_than(&code), &code] {
        refused(phone.verify_reset_code(&reset_id, code).await).with(Code::FailedPrecondition, "CODE_EXPIRED");
    }
    for code in [&other_than(&bobs_code), &bobs_code] {
        refused(phone.verify_email(&id, code).await).with(Code::FailedPrecondition, "CODE_EXPIRED");
    }
    // The token is good all the same.
    phone.reset_password(&allowed.reset_token, ANOTHER_PASSWORD).await.unwrap();
}

#[tokio::test]
async fn replays_are_no_failures_to_a_lockout() {
    let settings = Settings::default()
        .set("lockout.enabled", "true")
        .set("lockout.operations.verify_email.device_failures", "2")
        .set("lockout.operations.verify_password_reset.device_failures", "2");
    let app = TestApp::with(settings).await;
    let phone = app.device("phone");
    let id = phone.register(ALICE).await.unwrap().registration_id;
    let code = app.mailbox.next_to(ALICE).await.code();
    for _ in 0..8 {
        phone.verify_email(&id, &code).await.unwrap();
    }
    assert!(app.mailbox.next_to(ALICE).await.subject.starts_with("Welcome"));
    let reset_id = phone.request_password_reset(ALICE).await.unwrap().reset_id;
    let code = app.mailbox.next_to(ALICE).await.code();
    for _ in 0..8 {
        phone.verify_reset_code(&reset_id, &code).await.unwrap();
    }
}
