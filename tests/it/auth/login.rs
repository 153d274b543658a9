//! Login: a password becomes a session, and nothing else does.

use std::time::Duration;

use http::HeaderMap;
use keyward::proto::keyward::v1::LoginRequest;
use tonic::Code;

use super::{ALICE, ANOTHER_PASSWORD, count, plant_old_hash, set_state, time};
use crate::harness::{PASSWORD, Refusal, SignedIn, TestApp, answer, refused};

#[tokio::test]
async fn the_answer_holds_user_session_and_tokens() {
    let app = TestApp::start().await;
    let alice = app.user(ALICE).await;
    app.advance(Duration::from_hours(1));
    let phone = app.device("phone");
    let login = phone.login("ALICE@Example.Com").await.unwrap();
    let (user, session, tokens) = (login.user.unwrap(), login.session.unwrap(), login.tokens.unwrap());
    assert_eq!((user.user_id, time(user.last_login_time)), (alice.user.user_id.clone(), app.now()));

    assert_eq!((session.device_id.as_str(), session.device_name.as_str()), ("phone", "keyward-tests 1"));
    assert_eq!((session.ip_address.as_str(), session.current), ("127.0.0.1", true));
    assert!(session.user_agent.starts_with("keyward-tests/1 "), "{session:?}");
    assert_eq!((time(session.create_time), time(session.last_used_time)), (app.now(), app.now()));
    let idle_end = app.now() + Duration::from_hours(18 * 24);
    assert_eq!((time(session.expire_time), time(tokens.refresh_token_expire_time)), (idle_end, idle_end));

    assert_eq!((tokens.token_type.as_str(), tokens.expires_in.unwrap().seconds), ("Bearer", 180));
    assert_eq!(time(tokens.access_token_expire_time), app.now() + Duration::from_mins(3));
    assert!(tokens.refresh_token.starts_with("kwr_") && login.evicted_sessions.is_empty());

    let (email, password, device_name) = (ALICE.to_owned(), PASSWORD.to_owned(), " Alice's\n phone ".to_owned());
    let login = answer(phone.auth().login(LoginRequest { email, password, device_name }).await).unwrap();
    assert_eq!(login.session.unwrap().device_name, "Alice's phone");
}

#[tokio::test]
async fn wrong_passwords_and_unknown_addresses_are_the_same() {
    let app = TestApp::start().await;
    app.user(ALICE).await;
    app.user("invited@example.com").await;
    app.user("suspended@example.com").await;
    set_state(&app, "suspended@example.com", "SUSPENDED").await;
    let client = app.database.client().await;
    client.execute("UPDATE users SET password_hash = NULL WHERE email LIKE 'invited@%'", &[]).await.unwrap();
    let guesser = app.device("guesser").with("x-request-id", "a-guess");
    let mut seen = Vec::new();
    for (email, password) in [
        ("nobody@example.com", PASSWORD),
        (ALICE, ANOTHER_PASSWORD),
        (ALICE, "SEVEN LAMPS OVER THE CANAL"),
        (ALICE, "short\n"),
        ("invited@example.com", PASSWORD),
        ("suspended@example.com", ANOTHER_PASSWORD),
    ] {
        let refusal = refused(guesser.login_with(email, password).await);
        seen.push(all_that_shows(&refusal.with(Code::Unauthenticated, "INVALID_CREDENTIALS").naming(&[])));
    }
    assert!(seen.iter().all(|shown| *shown == seen[0]), "{seen:#?}");
    assert_eq!(count(&app, "sessions").await, 0);
    app.all_mail_delivered().await;
    assert!(app.mailbox.unread_of(ALICE).is_empty());
}

/// All of a refusal that a client sees, to the byte, but for the hour at which it was sent.
fn all_that_shows(refusal: &Refusal) -> (Code, String, Vec<u8>, HeaderMap) {
    let status = refusal.status();
    let mut metadata = status.metadata().clone().into_headers();
    metadata.remove("date");
    (status.code(), status.message().to_owned(), status.details().to_vec(), metadata)
}

#[tokio::test]
async fn fields_that_are_not_valid_are_named() {
    let app = TestApp::start().await;
    app.user(ALICE).await;
    let phone = app.device("phone");
    let (too_long, long_name) = ("p".repeat(1025), "n".repeat(101));
    for (email, password, device_name, fields) in [
        ("", PASSWORD, "", ["email"].as_slice()),
        ("alice", PASSWORD, "", &["email"]),
        (&format!("{}@example.com", "a".repeat(243)), PASSWORD, "", &["email"]),
        (ALICE, "", "", &["password"]),
        (ALICE, &too_long, "", &["password"]),
        (ALICE, PASSWORD, &long_name, &["device_name"]),
        ("", "", &long_name, &["email", "password", "device_name"]),
    ] {
        let (email, password, device_name) = (email.to_owned(), password.to_owned(), device_name.to_owned());
        let refusal = refused(answer(phone.auth().login(LoginRequest { email, password, device_name }).await));
        refusal.with(Code::InvalidArgument, "FIELD_INVALID").naming(fields);
    }
    assert_eq!(count(&app, "sessions").await, 0);
}

#[tokio::test]
async fn the_owner_is_told_of_a_new_device_once() {
    let app = TestApp::start().await;
    let alice = app.user(ALICE).await;
    alice.sign_in("desk").await;
    alice.sign_in("phone").await;
    let mail = app.mailbox.next_to(ALICE).await;
    assert!(mail.subject.starts_with("A new device logged in") && mail.text.contains("Hello Somebody"), "{mail:?}");
    assert!(mail.text.contains("127.0.0.1") && mail.text.contains("keyward-tests"), "{mail:?}");
    alice.sign_in("phone").await.logout().await.unwrap();
    alice.sign_in("phone").await;
    // Another account of the same phone is another matter.
    app.user("bob@example.com").await.sign_in("phone").await;
    app.mailbox.next_to("bob@example.com").await;
    app.all_mail_delivered().await;
    assert!(app.mailbox.unread_of(ALICE).is_empty());
}

#[tokio::test]
async fn a_device_has_one_session_of_a_user() {
    let app = TestApp::start().await;
    let alice = app.user(ALICE).await;
    let bob = app.user("bob@example.com").await.sign_in("phone").await;
    let mut before = alice.sign_in("phone").await;
    let after = alice.sign_in("phone").await;
    assert!(after.evicted.is_empty());
    refused(before.get_account().await).with(Code::Unauthenticated, "TOKEN_REVOKED");
    refused(before.renew().await).with(Code::Unauthenticated, "TOKEN_REVOKED");
    let sessions = after.list_sessions().await.unwrap();
    assert_eq!(sessions.iter().map(|session| &session.session_id).collect::<Vec<_>>(), [&after.session.session_id]);
    bob.get_account().await.unwrap();
}

#[tokio::test]
async fn a_sixth_device_evicts_the_least_recently_used() {
    let app = TestApp::start().await;
    let alice = app.user(ALICE).await;
    let mut devices = Vec::new();
    for device_id in ["first", "second", "third", "fourth", "fifth"] {
        devices.push(alice.sign_in(device_id).await);
        app.advance(Duration::from_secs(1));
    }
    assert!(devices.iter().all(|device| device.evicted.is_empty()));
    // The first is the oldest, but not the longest unused; and to log in again on the fifth takes no room.
    devices[0].renew().await.unwrap();
    devices[4] = alice.sign_in("fifth").await;
    assert!(devices[4].evicted.is_empty());
    let sixth = alice.sign_in("sixth").await;
    let [evicted] = sixth.evicted.as_slice() else { panic!("{:?}", sixth.evicted) };
    assert_eq!((evicted.device_id.as_str(), evicted.current), ("second", false));
    assert_eq!(evicted.session_id, devices[1].session.session_id);

    let mut second = devices.remove(1);
    refused(second.get_account().await).with(Code::Unauthenticated, "TOKEN_REVOKED");
    refused(second.renew().await).with(Code::Unauthenticated, "TOKEN_REVOKED");
    for device in &devices {
        device.get_account().await.unwrap();
    }
    assert_eq!(sixth.list_sessions().await.unwrap().len(), 5);
}

#[tokio::test]
async fn a_suspended_user_is_told_so_only_with_the_right_password() {
    let app = TestApp::start().await;
    app.user(ALICE).await;
    set_state(&app, ALICE, "SUSPENDED").await;
    let phone = app.device("phone");
    refused(phone.login_with(ALICE, ANOTHER_PASSWORD).await).with(Code::Unauthenticated, "INVALID_CREDENTIALS");
    refused(phone.login(ALICE).await).with(Code::PermissionDenied, "USER_SUSPENDED");
    assert_eq!(count(&app, "sessions").await + count(&app, "users WHERE last_login_at IS NOT NULL").await, 0);
    set_state(&app, ALICE, "ACTIVE").await;
    // That was no login: the phone is new to the account still.
    phone.login(ALICE).await.unwrap();
    assert!(app.mailbox.next_to(ALICE).await.subject.starts_with("A new device logged in"));
}

#[tokio::test]
async fn a_hash_of_other_parameters_is_replaced_by_the_right_password() {
    let app = TestApp::start().await;
    app.user(ALICE).await;
    let hash = plant_old_hash(&app).await;
    let client = app.database.client().await;
    let stored = async || client.query_one("SELECT password_hash FROM users", &[]).await.unwrap().get::<_, String>(0);

    let phone = app.device("phone");
    refused(phone.login_with(ALICE, ANOTHER_PASSWORD).await).with(Code::Unauthenticated, "INVALID_CREDENTIALS");
    assert_eq!(stored().await, hash);
    phone.login(ALICE).await.unwrap();
    let rehashed = stored().await;
    assert!(rehashed.starts_with("$argon2id$v=19$m=8,t=1,p=1$"), "{rehashed}");
    let phone = SignedIn::new(phone.clone(), phone.login(ALICE).await.unwrap());
    assert_eq!(stored().await, rehashed);
    phone.get_account().await.unwrap();
}

#[tokio::test]
async fn one_password_typed_on_two_keyboards_is_one_password() {
    let app = TestApp::start().await;
    let phone = app.device("phone");
    let id = phone.register_as(ALICE, "caf\u{e9} noir \u{e0} sept", "Alice").await.unwrap().registration_id;
    let code = app.mailbox.next_to(ALICE).await.code();
    phone.verify_email(&id, &code).await.unwrap();
    phone.login_with(ALICE, "cafe\u{301}\u{a0}noir a\u{300}\u{3000}sept").await.unwrap();
}
