//! The lockout of an account: strangers who guess lock strangers out, and the owner gets in.

use std::time::Duration;

use tonic::Code;

use super::{device_at, locking};
use crate::harness::{PASSWORD, Person, RedisServer, Refusal, Settings, TestApp, at_once, because, refused, sort};

const ALICE: &str = "alice@example.com";
const NOBODY: &str = "nobody@example.com";
const NEW_PASSWORD: &str = "nine herons under the bridge";

/// Nothing but this rule in the way.
fn alone() -> Settings {
    locking()
        .set("lockout.operations.login.ip_failures", "1000")
        .set("lockout.operations.login.device_failures", "1000")
        .set("lockout.credential_stuffing.accounts", "1000")
}

async fn guess(app: &TestApp, device_id: &str, email: &str) -> Refusal {
    refused(app.device(device_id).login_with(email, "a guess").await)
}

#[track_caller]
fn wrong(refusal: Refusal) {
    refusal.with(Code::Unauthenticated, "INVALID_CREDENTIALS");
}

#[track_caller]
fn locked(refusal: Refusal, wait: Duration) {
    let refusal = refusal.with(Code::ResourceExhausted, "LOCKED_OUT");
    assert_eq!((refusal.metadata("operation"), refusal.metadata("scope")), (Some("login"), Some("account")));
    assert_eq!((refusal.metadata("until"), refusal.retry_after()), (None, wait));
}

#[track_caller]
fn locked_until_reset(refusal: Refusal) {
    let refusal = refusal.with(Code::ResourceExhausted, "LOCKED_OUT");
    assert_eq!((refusal.metadata("scope"), refusal.metadata("until")), (Some("account"), Some("password_reset")));
}

/// Fails until the account is locked for this long, ten times from the last lock on.
async fn fail_until_locked(app: &TestApp, device_id: &str, email: &str, wait: Duration) {
    for _ in 0..10 {
        wrong(guess(app, device_id, email).await);
    }
    locked(guess(app, device_id, email).await, wait);
}

async fn reset(app: &TestApp, person: &Person) {
    let device = app.device("somewhere-new");
    let requested = device.request_password_reset(person.email()).await.unwrap();
    let code = loop {
        let mail = app.mailbox.next_to(person.email()).await;
        if mail.subject.contains("password") {
            break mail.code();
        }
    };
    let allowed = device.verify_reset_code(&requested.reset_id, &code).await.unwrap();
    device.reset_password(&allowed.reset_token, NEW_PASSWORD).await.unwrap();
}

#[tokio::test]
async fn ten_failures_lock_strangers_out_and_not_the_devices_of_the_owner() {
    let app = TestApp::with(alone()).await;
    let alice = app.user(ALICE).await;
    let laptop = alice.sign_in("laptop").await;
    app.device("desk").login(ALICE).await.unwrap();
    for n in 0..10 {
        wrong(guess(&app, &format!("stranger-{n}"), ALICE).await);
    }
    locked(guess(&app, "stranger", ALICE).await, Duration::from_mins(5));
    // The right password makes no difference to a device that the account does not know.
    locked(refused(app.device("new-phone").login(ALICE).await), Duration::from_mins(5));
    laptop.get_account().await.unwrap();
    app.device("laptop").login(ALICE).await.unwrap();
    app.device("desk").login(ALICE).await.unwrap();
    // That the owner logged in tells nothing of the strangers.
    locked(guess(&app, "stranger", ALICE).await, Duration::from_mins(5));
    app.advance(Duration::from_mins(5));
    app.device("new-phone").login(ALICE).await.unwrap();
}

#[tokio::test]
async fn a_known_device_has_failures_of_its_own_and_locks_itself_out_alone() {
    let app = TestApp::with(alone()).await;
    app.user(ALICE).await.sign_in("laptop").await;
    fail_until_locked(&app, "laptop", ALICE, Duration::from_mins(5)).await;
    locked(refused(app.device("laptop").login(ALICE).await), Duration::from_mins(5));
    app.device("desk").login(ALICE).await.unwrap();
    app.device("new-phone").login(ALICE).await.unwrap();
}

#[tokio::test]
async fn each_lock_is_twice_as_long_and_a_right_password_ends_the_series() {
    let app = TestApp::with(alone()).await;
    app.user(ALICE).await;
    for minutes in [5, 10, 20, 40] {
        fail_until_locked(&app, "stranger", ALICE, Duration::from_mins(minutes)).await;
        app.advance(Duration::from_mins(minutes));
    }
    app.device("new-phone").login(ALICE).await.unwrap();
    fail_until_locked(&app, "stranger", ALICE, Duration::from_mins(5)).await;
}

#[tokio::test]
async fn the_longest_lock_is_the_configured_one() {
    let app = TestApp::with(alone().set("lockout.account.max_lock", "7m")).await;
    for minutes in [5, 7, 7] {
        fail_until_locked(&app, "stranger", NOBODY, Duration::from_mins(minutes)).await;
        app.advance(Duration::from_mins(minutes));
    }
}

#[tokio::test]
async fn an_address_without_an_account_locks_alike() {
    let app = TestApp::with(alone()).await;
    app.user(ALICE).await;
    for email in [ALICE, NOBODY] {
        for minutes in [5, 10] {
            fail_until_locked(&app, "stranger", email, Duration::from_mins(minutes)).await;
            app.advance(Duration::from_mins(minutes));
        }
    }
}

#[tokio::test]
async fn failures_more_than_a_quarter_of_an_hour_apart_lock_nothing() {
    let app = TestApp::with(alone()).await;
    app.user(ALICE).await;
    for _ in 0..30 {
        wrong(guess(&app, "stranger", ALICE).await);
        app.advance(Duration::from_secs(100));
    }
}

#[tokio::test]
async fn the_owner_is_told_once_until_the_password_is_right_again() {
    let app = TestApp::with(alone()).await;
    app.user(ALICE).await;
    let notices = async |app: &TestApp| {
        app.all_mail_delivered().await;
        app.mailbox.unread_of(ALICE).iter().filter(|mail| mail.subject.contains("locked")).count()
    };
    for n in 0..9 {
        wrong(guess(&app, &format!("stranger-{n}"), ALICE).await);
    }
    assert_eq!(notices(&app).await, 0);
    for minutes in [5, 10, 20] {
        while guess(&app, "stranger", ALICE).await.reason() == "INVALID_CREDENTIALS" {}
        app.advance(Duration::from_mins(minutes));
    }
    assert_eq!(notices(&app).await, 1);
    let mail = app.mailbox.next_to(ALICE).await;
    assert!(mail.text.contains("2030-01-01 12:05 UTC"), "{}", mail.text);
    app.device("new-phone").login(ALICE).await.unwrap();
    fail_until_locked(&app, "stranger", ALICE, Duration::from_mins(5)).await;
    assert_eq!(notices(&app).await, 1);
    // Nobody is told of an address without an account.
    fail_until_locked(&app, "stranger", NOBODY, Duration::from_mins(5)).await;
    app.all_mail_delivered().await;
    assert!(app.mailbox.unread_of(NOBODY).is_empty());
}

#[tokio::test]
async fn a_reset_is_possible_while_locked_and_lifts_the_lock() {
    let app = TestApp::with(alone()).await;
    let alice = app.user(ALICE).await;
    app.device("desk").login(ALICE).await.unwrap();
    fail_until_locked(&app, "stranger", ALICE, Duration::from_mins(5)).await;
    fail_until_locked(&app, "desk", ALICE, Duration::from_mins(5)).await;
    reset(&app, &alice).await;
    app.device("new-phone").login_with(ALICE, NEW_PASSWORD).await.unwrap();
    app.device("desk").login_with(ALICE, NEW_PASSWORD).await.unwrap();
    fail_until_locked(&app, "stranger", ALICE, Duration::from_mins(5)).await;
}

#[tokio::test]
async fn after_a_hundred_failures_in_a_row_only_known_devices_get_in_until_a_reset() {
    let app = TestApp::with(alone()).await;
    let alice = app.user(ALICE).await;
    app.device("desk").login(ALICE).await.unwrap();
    for email in [ALICE, NOBODY] {
        for n in 0..100 {
            wrong(guess(&app, &format!("stranger-{n}"), email).await);
            app.advance(Duration::from_mins(15));
        }
        app.advance(Duration::from_hours(24 * 30));
        locked_until_reset(guess(&app, "stranger", email).await);
    }
    locked_until_reset(refused(app.device("new-phone").login(ALICE).await));
    // A known device has a hundred of its own.
    for _ in 0..99 {
        wrong(guess(&app, "desk", ALICE).await);
        app.advance(Duration::from_mins(15));
    }
    app.device("desk").login(ALICE).await.unwrap();
    for _ in 0..100 {
        wrong(guess(&app, "desk", ALICE).await);
        app.advance(Duration::from_mins(15));
    }
    locked_until_reset(refused(app.device("desk").login(ALICE).await));
    reset(&app, &alice).await;
    app.device("new-phone").login_with(ALICE, NEW_PASSWORD).await.unwrap();
    app.device("desk").login_with(ALICE, NEW_PASSWORD).await.unwrap();
}

#[tokio::test]
async fn whoever_has_a_session_gets_no_more_guesses_at_the_password_than_others() {
    let app = TestApp::with(alone()).await;
    let desk = app.user(ALICE).await.sign_in("desk").await;
    for n in 0..10 {
        let outcome = if n % 2 == 0 {
            desk.change_password("a guess", NEW_PASSWORD).await
        } else {
            desk.delete_account("a guess").await
        };
        wrong(refused(outcome));
    }
    locked(refused(desk.change_password(PASSWORD, NEW_PASSWORD).await), Duration::from_mins(5));
    locked(refused(desk.delete_account(PASSWORD).await), Duration::from_mins(5));
    app.advance(Duration::from_mins(5));
    let desk = app.device("desk").login(ALICE).await.unwrap().tokens.unwrap();
    app.device("desk").bearing(&desk.access_token).change_password(PASSWORD, NEW_PASSWORD).await.unwrap();
}

#[tokio::test]
async fn a_suspended_user_who_knows_the_password_is_no_guesser() {
    let app = TestApp::with(alone()).await;
    app.user(ALICE).await;
    app.database.client().await.execute("UPDATE users SET state = 'SUSPENDED'", &[]).await.unwrap();
    for _ in 0..15 {
        refused(app.device("new-phone").login(ALICE).await).with(Code::PermissionDenied, "USER_SUSPENDED");
    }
}

/// Everything that production has in the way, from three hundred devices at three hundred addresses.
#[tokio::test(flavor = "multi_thread")]
async fn three_hundred_guesses_at_once_get_no_more_than_ten_looks_and_the_owner_gets_in() {
    let redis = RedisServer::start().await;
    let app = TestApp::with(locking().limited().set("redis.url", &redis.url())).await;
    let second = app.replica().await;
    app.user(ALICE).await;
    device_at(&app, "laptop", "198.51.100.7").login(ALICE).await.unwrap();
    let guesses = (0..300).map(|n| {
        let device = device_at(&app, &format!("bot-{n}"), &format!("2001:db8:{:x}:1::1", n + 1));
        let device = if n % 2 == 0 { device } else { device.at(&second) };
        async move { device.login_with(ALICE, &format!("guess number {n}")).await }
    });
    let owner = {
        let device = device_at(&app, "laptop", "198.51.100.7");
        async move { device.login(ALICE).await }
    };
    let (guesses, owner) = (tokio::spawn(at_once(guesses.collect::<Vec<_>>())), tokio::spawn(owner));
    owner.await.unwrap().unwrap();
    let (answers, refusals) = sort(guesses.await.unwrap());
    assert!(answers.is_empty());
    assert_eq!((because("INVALID_CREDENTIALS", &refusals), because("LOCKED_OUT", &refusals)), (10, 290));
    device_at(&app, "laptop", "198.51.100.7").login(ALICE).await.unwrap();
}
