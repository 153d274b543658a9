//! ChangePassword: another password, and an end to the sessions of whoever knew the old one.

use futures::future::{join, join_all};
use tonic::Code;

use crate::harness::{Device, PASSWORD, Person, Settings, TestApp, refused};

const NEW: &str = "eleven herons on a barge";
const OTHER: &str = "nine lanterns under a bridge";

/// Reads what has come to somebody so far.
async fn read_mail(app: &TestApp, person: &Person) {
    app.all_mail_delivered().await;
    for _ in app.mailbox.unread_of(person.email()) {
        app.mailbox.next_to(person.email()).await;
    }
}

#[tokio::test]
async fn the_other_sessions_end_and_this_one_stays() {
    let app = TestApp::start().await;
    let alice = app.user("alice@example.com").await;
    let (mut phone, mut laptop) = (alice.sign_in("phone").await, alice.sign_in("laptop").await);
    let mut bob = app.user("bob@example.com").await.sign_in("laptop").await;
    read_mail(&app, &alice).await;

    phone.change_password(PASSWORD, NEW).await.unwrap();
    refused(laptop.get_account().await).with(Code::Unauthenticated, "TOKEN_REVOKED");
    refused(laptop.renew().await).with(Code::Unauthenticated, "TOKEN_REVOKED");
    assert_eq!(phone.list_sessions().await.unwrap(), std::slice::from_ref(&phone.session));
    phone.renew().await.unwrap();
    bob.renew().await.unwrap();

    let device = app.device("laptop");
    refused(device.login(alice.email()).await).with(Code::Unauthenticated, "INVALID_CREDENTIALS");
    device.login_with(alice.email(), NEW).await.unwrap();

    // She is told, and the mail does not say what the password is.
    let mail = app.mailbox.next_to(alice.email()).await;
    assert!(mail.subject.to_lowercase().contains("password"), "{mail:?}");
    assert!(!mail.text.contains(NEW) && !mail.html.contains(NEW), "{mail:?}");
    app.all_mail_delivered().await;
    assert!(app.mailbox.unread_of(alice.email()).is_empty());
}

/// Asserts that nothing has changed and nobody was told.
async fn assert_unchanged(app: &TestApp, alice: &Person, devices: &[&Device]) {
    for device in devices {
        device.get_account().await.unwrap();
    }
    app.all_mail_delivered().await;
    assert!(app.mailbox.unread_of(alice.email()).is_empty());
    app.device(devices.len().to_string().as_str()).login(alice.email()).await.unwrap();
}

#[tokio::test]
async fn whoever_does_not_know_the_password_cannot_change_it() {
    let app = TestApp::start().await;
    let alice = app.user("alice@example.com").await;
    let (phone, laptop) = (alice.sign_in("phone").await, alice.sign_in("laptop").await);
    read_mail(&app, &alice).await;
    for wrong in ["wrong", NEW, &format!("{PASSWORD} "), &PASSWORD.to_uppercase(), &"x".repeat(1024)] {
        refused(phone.change_password(wrong, NEW).await).with(Code::Unauthenticated, "INVALID_CREDENTIALS");
    }
    assert_unchanged(&app, &alice, &[&phone, &laptop]).await;
}

#[tokio::test]
async fn a_password_that_anyone_would_guess_is_refused() {
    let app = TestApp::start().await;
    let alice = app.user("alice@example.com").await;
    let (phone, laptop) = (alice.sign_in("phone").await, alice.sign_in("laptop").await);
    read_mail(&app, &alice).await;
    let long = "x y".repeat(43);
    for bad in
        ["short12", "password123", "alice@example.com", "alice@example.com1", "somebody2024", "1234567890", &long]
    {
        refused(phone.change_password(PASSWORD, bad).await)
            .with(Code::InvalidArgument, "PASSWORD_REJECTED")
            .naming(&["new_password"]);
    }
    for (current, new, field) in [
        ("", NEW, "current_password"),
        (PASSWORD, "", "new_password"),
        (&"x".repeat(1025), NEW, "current_password"),
        (PASSWORD, &"x".repeat(1025), "new_password"),
    ] {
        refused(phone.change_password(current, new).await)
            .with(Code::InvalidArgument, "FIELD_INVALID")
            .naming(&[field]);
    }
    assert_unchanged(&app, &alice, &[&phone, &laptop]).await;
}

#[tokio::test]
async fn it_drops_a_reset_that_is_under_way() {
    let app = TestApp::start().await;
    let alice = app.user("alice@example.com").await;
    let phone = alice.sign_in("phone").await;
    read_mail(&app, &alice).await;
    let thief = app.device("thief");
    let coded = thief.request_password_reset(alice.email()).await.unwrap();
    let code = app.mailbox.next_to(alice.email()).await.code();
    let exchanged = thief.request_password_reset(alice.email()).await.unwrap();
    let other_code = app.mailbox.next_to(alice.email()).await.code();
    let allowed = thief.verify_reset_code(&exchanged.reset_id, &other_code).await.unwrap();

    phone.change_password(PASSWORD, NEW).await.unwrap();
    refused(thief.verify_reset_code(&coded.reset_id, &code).await).with(Code::FailedPrecondition, "CODE_EXPIRED");
    let refusal = refused(thief.reset_password(&allowed.reset_token, OTHER).await);
    refusal.with(Code::FailedPrecondition, "RESET_TOKEN_EXPIRED");
    thief.login_with(alice.email(), NEW).await.unwrap();
}

#[tokio::test]
async fn of_two_changes_at_once_one_wins() {
    let app = TestApp::start().await;
    let alice = app.user("alice@example.com").await;
    let (phone, laptop) = (alice.sign_in("phone").await, alice.sign_in("laptop").await);
    let (one, other) = join(phone.change_password(PASSWORD, NEW), laptop.change_password(PASSWORD, OTHER)).await;
    assert!(one.is_ok() != other.is_ok(), "{one:?} {other:?}");
    let (winner, loser, password) = if one.is_ok() { (phone, laptop, NEW) } else { (laptop, phone, OTHER) };
    assert_eq!(winner.list_sessions().await.unwrap().len(), 1);
    refused(loser.get_account().await).with(Code::Unauthenticated, "TOKEN_REVOKED");
    app.device("tablet").login_with(alice.email(), password).await.unwrap();
}

#[tokio::test]
async fn no_login_with_the_old_password_slips_through() {
    let app = TestApp::with(Settings::default().set("sessions.max_devices", "100")).await;
    let alice = app.user("alice@example.com").await;
    let phone = alice.sign_in("phone").await;
    let thieves: Vec<_> = (0..20).map(|number| app.device(&format!("thief-{number}"))).collect();
    let logins = join_all(thieves.iter().map(|thief| thief.login(alice.email())));
    let (changed, logins) = join(phone.change_password(PASSWORD, NEW), logins).await;
    changed.unwrap();
    for login in logins {
        if let Err(refusal) = login {
            refusal.with(Code::Unauthenticated, "INVALID_CREDENTIALS");
        }
    }
    assert_eq!(phone.list_sessions().await.unwrap(), std::slice::from_ref(&phone.session));
}
