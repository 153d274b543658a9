//! Register: an account is staged, and nobody learns whether the address had one.

use std::time::Duration;

use tonic::Code;
use unicode_normalization::UnicodeNormalization;
use uuid::Uuid;

use super::{ALICE, ANOTHER_PASSWORD, count, other_than, plant_code, time};
use crate::harness::{PASSWORD, TestApp, refused};

#[tokio::test]
async fn a_registration_waits_for_the_code_in_the_mail() {
    let app = TestApp::start().await;
    let phone = app.device("phone").with("accept-language", "tlh, *;q=0.1");
    let registration = phone.register_as("Alice@Example.COM", PASSWORD, "Cheap pills").await.unwrap();
    assert_eq!(registration.registration_id.parse::<Uuid>().unwrap().get_version_num(), 7);
    assert_eq!(time(registration.code_expire_time), app.now() + Duration::from_mins(3));
    assert_eq!(time(registration.resend_available_time), app.now() + Duration::from_mins(1));

    // The mail is in English where there is no better language, and holds not a word that a stranger chose.
    let mail = app.mailbox.next_to(ALICE).await;
    assert!(mail.subject.starts_with("Confirm your e-mail address"), "{mail:?}");
    assert!(!mail.subject.contains(&mail.code()));
    assert!(!mail.text.contains("pills") && !mail.html.contains("pills"), "{mail:?}");
    assert_eq!(count(&app, "users").await, 0);
    let stored = app.database.client().await.query_one("SELECT r::text FROM registrations r", &[]).await.unwrap();
    let stored: String = stored.get(0);
    assert!(!stored.contains(PASSWORD) && !stored.contains(&mail.code()));
}

#[tokio::test]
async fn fields_that_are_not_valid_are_named_and_leave_nothing() {
    let app = TestApp::start().await;
    let phone = app.device("phone");
    let (long_email, long_name) = (format!("alice@{}.example", "d.".repeat(121)), "n".repeat(101));
    let (long_password, email) = ("p".repeat(1025), &["email"]);
    for (address, password, name, fields) in [
        ("", PASSWORD, "Alice", email.as_slice()),
        ("alice", PASSWORD, "Alice", email),
        ("alice@localhost", PASSWORD, "Alice", email),
        ("alice@[127.0.0.1]", PASSWORD, "Alice", email),
        ("alice@example.com\r\nBcc: eve@example.com", PASSWORD, "Alice", email),
        (&long_email, PASSWORD, "Alice", email),
        (ALICE, "", "Alice", &["password"]),
        (ALICE, &long_password, "Alice", &["password"]),
        (ALICE, PASSWORD, "", &["display_name"]),
        (ALICE, PASSWORD, " \u{a0} ", &["display_name"]),
        (ALICE, PASSWORD, "Al\nice", &["display_name"]),
        (ALICE, PASSWORD, "Al\u{202e}ice", &["display_name"]),
        (ALICE, PASSWORD, &long_name, &["display_name"]),
        ("", "", "", &["email", "password", "display_name"]),
    ] {
        let refusal = refused(phone.register_as(address, password, name).await);
        refusal.with(Code::InvalidArgument, "FIELD_INVALID").naming(fields);
    }
    for table in ["registrations", "code_quotas", "mail_outbox"] {
        assert_eq!(count(&app, table).await, 0, "{table}");
    }
    phone.register_as(ALICE, PASSWORD, &"ß".repeat(100)).await.unwrap();
}

#[tokio::test]
async fn a_password_is_judged_by_its_length_and_by_who_would_guess_it() {
    let app = TestApp::start().await;
    let phone = app.device("phone");
    // Syllables that are one character each, and two or three before they are normalised.
    let syllables = |count: u32| (0..count).filter_map(|n| char::from_u32(0xAC00 + n * 37)).collect::<String>();
    for password in [
        "1234567",
        &syllables(7),
        &syllables(7).nfd().collect::<String>(),
        &syllables(129),
        "line\nfeed in it",
        "password",
        "P4$$w0rd",
        "qwertyuiop",
        "aaaaaaaaaaaa",
        "alice.liddell@example.com",
        "alice-liddell",
        "Ecila2030",
        "keyward-2030",
    ] {
        let refusal = refused(phone.register_as("alice.liddell@example.com", password, "Alice Liddell").await);
        refusal.with(Code::InvalidArgument, "PASSWORD_REJECTED").naming(&["password"]);
    }
    assert_eq!(count(&app, "registrations").await + count(&app, "code_quotas").await, 0);

    let good = ["jvnqzkfw", "correct horse battery staple", &syllables(8), &syllables(128).nfd().collect::<String>()];
    for (number, password) in good.iter().enumerate() {
        phone.register_as(&format!("reader-{number}@example.com"), password, "Reader").await.unwrap();
    }
}

#[tokio::test]
async fn an_address_with_an_account_is_told_by_mail_alone() {
    let app = TestApp::start().await;
    app.user(ALICE).await;
    let mallory = app.device("mallory");
    let registration = mallory.register_as("ALICE@example.com", ANOTHER_PASSWORD, "Mallory").await.unwrap();
    assert_eq!(registration.registration_id.parse::<Uuid>().unwrap().get_version_num(), 7);
    assert_eq!(time(registration.code_expire_time), app.now() + Duration::from_mins(3));
    assert_eq!(time(registration.resend_available_time), app.now() + Duration::from_mins(1));
    let mail = app.mailbox.next_to(ALICE).await;
    assert!(mail.subject.starts_with("You already have an account"), "{mail:?}");
    assert!(mail.text.split(|char: char| !char.is_ascii_digit()).all(|number| number.len() != 6), "{mail:?}");

    // To Mallory it behaves as any other registration: five guesses, then none until there is another code.
    let id = &registration.registration_id;
    plant_code(&app, "registrations", "registration_id", id, "424242").await;
    for _ in 0..5 {
        let refusal = refused(mallory.verify_email(id, &other_than("424242")).await);
        refusal.with(Code::InvalidArgument, "CODE_INVALID").naming(&["code"]);
    }
    let refusal = refused(mallory.verify_email(id, "424242").await);
    refusal.with(Code::FailedPrecondition, "CODE_ATTEMPTS_EXHAUSTED");
    app.advance(Duration::from_mins(1));
    mallory.resend_code(id).await.unwrap();
    assert!(app.mailbox.next_to(ALICE).await.subject.starts_with("You already have an account"));

    // Not even the code that nobody was mailed makes it one.
    plant_code(&app, "registrations", "registration_id", id, "424242").await;
    refused(mallory.verify_email(id, "424242").await);
    assert_eq!(count(&app, "users").await, 1);
    refused(mallory.login_with(ALICE, ANOTHER_PASSWORD).await).with(Code::Unauthenticated, "INVALID_CREDENTIALS");
    let user = mallory.login(ALICE).await.unwrap().user.unwrap();
    assert_eq!(user.display_name, "Somebody");
}

#[tokio::test]
async fn an_address_is_sent_ten_codes_an_hour_whoever_asks_and_for_whatever() {
    let app = TestApp::start().await;
    app.user(ALICE).await;
    app.advance(Duration::from_secs(1));
    let mut last = String::new();
    for device in ["one", "two", "three"] {
        last = app.device(device).register("Alice@example.com").await.unwrap().registration_id;
        app.device(device).request_password_reset("aLICE@example.com").await.unwrap();
    }
    let desk = app.device("four");
    for _ in 0..3 {
        app.advance(Duration::from_mins(1));
        desk.resend_code(&last).await.unwrap();
    }

    // Ten it is, and the first of them will be an hour old in so long.
    app.advance(Duration::from_mins(1));
    let second = Duration::from_secs(1);
    let almost = Duration::from_secs(3600 - 242);
    for (operation, outcome) in [
        ("register", desk.register(ALICE).await.map(drop)),
        ("resend_code", desk.resend_code(&last).await.map(drop)),
        ("request_password_reset", desk.request_password_reset(ALICE).await.map(drop)),
    ] {
        let refusal = refused(outcome).with(Code::ResourceExhausted, "THROTTLED");
        assert_eq!((refusal.metadata("operation"), refusal.metadata("scope")), (Some(operation), Some("email")));
        assert_eq!(refusal.retry_after(), almost + second);
    }
    desk.register("bob@example.com").await.unwrap();
    // Counted where they are caused: a mail that is on its way when the clock jumps may come twice. Alice's first code and
    // welcome, nine mails, and Bob's code.
    assert_eq!(count(&app, "mail_outbox").await, 2 + 9 + 1);

    // What RetryInfo said is true to the second: one place is free then, and the next a second later.
    app.advance(almost);
    assert_eq!(refused(desk.register(ALICE).await).retry_after(), second);
    app.advance(second);
    desk.register(ALICE).await.unwrap();
    assert_eq!(refused(desk.request_password_reset(ALICE).await).retry_after(), second);
    app.advance(Duration::from_hours(1));
    desk.request_password_reset(ALICE).await.unwrap();
}
