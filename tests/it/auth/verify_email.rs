//! VerifyEmail: a registration becomes a user.

use std::time::Duration;

use keyward::proto::keyward::v1::user::State;
use tonic::Code;

use super::{ALICE, ANOTHER_PASSWORD, NO_ID, count, just_before, other_than, time};
use crate::harness::{PASSWORD, TestApp, refused};

#[tokio::test]
async fn the_right_code_makes_a_user() {
    let app = TestApp::start().await;
    let phone = app.device("phone").with("accept-language", "en;q=0.5, de-ch");
    let id = phone.register_as("Alice@Example.com", PASSWORD, "  Zoe\u{308}  ").await.unwrap().registration_id;
    let code = app.mailbox.next_to(ALICE).await.code();
    app.advance(just_before(Duration::from_mins(3)));
    // The registration speaks for itself, whichever device presents it.
    let user = app.device("laptop").verify_email(&id, &code).await.unwrap().user.unwrap();
    assert_eq!((user.email.as_str(), user.display_name.as_str(), user.locale.as_str()), (ALICE, "Zoë", "de-CH"));
    assert_eq!((user.state(), user.roles.as_slice()), (State::Active, ["normal_user".to_owned()].as_slice()));
    for happened in [user.create_time, user.update_time, user.verify_time] {
        assert_eq!(time(happened), app.now());
    }
    assert_eq!(user.last_login_time, None);
    let welcome = app.mailbox.next_to(ALICE).await;
    assert!(welcome.subject.starts_with("Welcome") && welcome.text.contains("Hello Zoë"), "{welcome:?}");

    // Nobody is signed in by this, and the code is used up.
    assert_eq!(count(&app, "sessions").await, 0);
    refused(phone.verify_email(&id, &code).await).with(Code::FailedPrecondition, "CODE_EXPIRED");
    refused(phone.verify_email(&id, &other_than(&code)).await).with(Code::FailedPrecondition, "CODE_EXPIRED");
    let logged_in = phone.login(ALICE).await.unwrap().user.unwrap();
    assert_eq!(logged_in.user_id, user.user_id);
}

#[tokio::test]
async fn a_code_has_five_attempts() {
    let app = TestApp::start().await;
    let phone = app.device("phone");
    let id = phone.register(ALICE).await.unwrap().registration_id;
    let code = app.mailbox.next_to(ALICE).await.code();
    for _ in 0..5 {
        let refusal = refused(phone.verify_email(&id, &other_than(&code)).await);
        refusal.with(Code::InvalidArgument, "CODE_INVALID").naming(&["code"]);
    }
    for device in ["phone", "laptop"] {
        let refusal = refused(app.device(device).verify_email(&id, &code).await);
        refusal.with(Code::FailedPrecondition, "CODE_ATTEMPTS_EXHAUSTED");
    }
    assert_eq!(count(&app, "users").await, 0);

    // The fifth may be the right one.
    let id = phone.register(ALICE).await.unwrap().registration_id;
    let code = app.mailbox.next_to(ALICE).await.code();
    for _ in 0..4 {
        refused(phone.verify_email(&id, &other_than(&code)).await).with(Code::InvalidArgument, "CODE_INVALID");
    }
    phone.verify_email(&id, &code).await.unwrap();
}

#[tokio::test]
async fn a_late_code_is_no_good_and_a_day_ends_the_registration() {
    let app = TestApp::start().await;
    let phone = app.device("phone");
    let id = phone.register(ALICE).await.unwrap().registration_id;
    let code = app.mailbox.next_to(ALICE).await.code();
    app.advance(Duration::from_mins(3));
    refused(phone.verify_email(&id, &code).await).with(Code::FailedPrecondition, "CODE_EXPIRED");

    // A code mailed in its last minute ends with it.
    app.advance(Duration::from_mins(24 * 60 - 4));
    phone.resend_code(&id).await.unwrap();
    let code = app.mailbox.next_to(ALICE).await.code();
    app.advance(Duration::from_mins(1));
    refused(phone.verify_email(&id, &code).await).with(Code::FailedPrecondition, "CODE_EXPIRED");
    assert_eq!(count(&app, "users").await, 0);
}

#[tokio::test]
async fn what_names_no_registration_or_is_no_code_is_refused() {
    let app = TestApp::start().await;
    let phone = app.device("phone");
    let id = phone.register(ALICE).await.unwrap().registration_id;
    let code = app.mailbox.next_to(ALICE).await.code();
    refused(phone.verify_email(NO_ID, &code).await).with(Code::NotFound, "REGISTRATION_NOT_FOUND");
    for (registration_id, code, fields) in [
        ("", code.as_str(), ["registration_id"].as_slice()),
        ("first", &code, &["registration_id"]),
        (&id, "", &["code"]),
        (&id, "12345", &["code"]),
        (&id, "1234567", &["code"]),
        (&id, "12345a", &["code"]),
        (&id, "١٢٣٤٥٦", &["code"]),
        (&id, "123456\n", &["code"]),
        ("", "", &["registration_id", "code"]),
    ] {
        let refusal = refused(phone.verify_email(registration_id, code).await);
        refusal.with(Code::InvalidArgument, "FIELD_INVALID").naming(fields);
    }
    // None of these was an attempt.
    assert_eq!(count(&app, "registrations WHERE code_attempts > 0").await, 0);
    phone.verify_email(&id, &code).await.unwrap();
}

#[tokio::test]
async fn two_registrations_of_one_address_do_not_touch_each_other() {
    let app = TestApp::start().await;
    let (mallory, alice) = (app.device("mallory"), app.device("alice"));
    let hers = mallory.register_as(ALICE, ANOTHER_PASSWORD, "Mallory").await.unwrap().registration_id;
    let her_code = app.mailbox.next_to(ALICE).await.code();
    let own = alice.register_as(ALICE, PASSWORD, "Alice").await.unwrap().registration_id;
    let own_code = app.mailbox.next_to(ALICE).await.code();

    // Mallory guesses all that she may at either, and with the code of the one at the other.
    assert_ne!(her_code, own_code);
    for _ in 0..4 {
        refused(mallory.verify_email(&hers, &other_than(&her_code)).await).with(Code::InvalidArgument, "CODE_INVALID");
        refused(mallory.verify_email(&own, &her_code).await).with(Code::InvalidArgument, "CODE_INVALID");
    }
    refused(mallory.verify_email(&hers, &own_code).await).with(Code::InvalidArgument, "CODE_INVALID");
    let user = alice.verify_email(&own, &own_code).await.unwrap().user.unwrap();
    assert_eq!(user.display_name, "Alice");

    // The first one verified wins; the other is dropped, with its password.
    refused(mallory.verify_email(&hers, &her_code).await).with(Code::FailedPrecondition, "CODE_EXPIRED");
    refused(mallory.login_with(ALICE, ANOTHER_PASSWORD).await).with(Code::Unauthenticated, "INVALID_CREDENTIALS");
    alice.login(ALICE).await.unwrap();
    assert_eq!(count(&app, "users").await, 1);
    assert_eq!(count(&app, "registrations WHERE password_hash IS NOT NULL").await, 0);
}
