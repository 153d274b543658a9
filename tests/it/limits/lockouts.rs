//! Lockouts of devices and addresses: wrong guesses count, before they are looked at, and nothing else does.

use std::time::Duration;

use tonic::Code;

use super::{device_at, guess, locking, was_let_through};
use crate::harness::{RedisServer, Refusal, Settings, TestApp, at_once, because, refused, sort, within_patience};

/// Failures that lock a device out, and an address, with how long.
const LIMITS: [(&str, usize, usize); 5] = [
    ("resend_code", 5, 15),
    ("verify_email", 6, 20),
    ("login", 7, 15),
    ("verify_password_reset", 5, 15),
    ("reset_password", 4, 10),
];

const DEVICE_LOCK: Duration = Duration::from_mins(30);
const IP_LOCK: Duration = Duration::from_hours(3);

#[track_caller]
fn locked_out(refusal: Refusal, operation: &str, scope: &str, wait: Duration) {
    let refusal = refusal.with(Code::ResourceExhausted, "LOCKED_OUT");
    assert_eq!((refusal.metadata("operation"), refusal.metadata("scope")), (Some(operation), Some(scope)));
    assert_eq!(refusal.retry_after(), wait, "{operation} by {scope}");
}

/// Lockouts, without that of networks which try many accounts, which has tests of its own.
fn but_for_networks() -> Settings {
    locking().set("lockout.credential_stuffing.accounts", "1000")
}

async fn wrong_guesses_lock_the_device_and_the_address_out(settings: Settings) {
    let app = TestApp::with(settings).await;
    for (operation, of_device, of_address) in LIMITS {
        for _ in 0..2 {
            let device = device_at(&app, "phone", "203.0.113.9");
            for n in 0..of_device {
                assert!(was_let_through(&guess(operation, &device, n).await), "{operation}, guess {n}");
            }
            // Who knows the id of the device has locked nobody out elsewhere.
            assert!(was_let_through(&guess(operation, &device_at(&app, "phone", "203.0.113.10"), 98).await));
            locked_out(guess(operation, &device, 99).await.unwrap_err(), operation, "device", DEVICE_LOCK);
            app.advance(DEVICE_LOCK);
        }
        for n in 0..of_address {
            let device = device_at(&app, &format!("{operation}-{n}"), "198.51.100.7");
            assert!(was_let_through(&guess(operation, &device, 100 + n).await), "{operation}, guess {n}");
        }
        let device = device_at(&app, "one-more", "198.51.100.7");
        locked_out(guess(operation, &device, 999).await.unwrap_err(), operation, "ip_address", IP_LOCK);
        assert!(was_let_through(&guess(operation, &device_at(&app, "one-more", "198.51.100.8"), 998).await));
        app.advance(IP_LOCK);
        assert!(was_let_through(&guess(operation, &device, 997).await));
    }
}

#[tokio::test]
async fn in_memory_wrong_guesses_lock_the_device_and_the_address_out() {
    wrong_guesses_lock_the_device_and_the_address_out(but_for_networks()).await;
}

#[tokio::test]
async fn in_redis_wrong_guesses_lock_the_device_and_the_address_out() {
    let redis = RedisServer::start().await;
    wrong_guesses_lock_the_device_and_the_address_out(but_for_networks().set("redis.url", &redis.url())).await;
}

#[tokio::test]
async fn failures_older_than_the_window_are_forgotten() {
    let app = TestApp::with(locking()).await;
    let phone = device_at(&app, "phone", "198.51.100.7");
    for _ in 0..20 {
        assert!(was_let_through(&guess("verify_email", &phone, 0).await));
        app.advance(Duration::from_mins(1));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn guesses_at_once_do_not_slip_past_the_limit() {
    let redis = RedisServer::start().await;
    for settings in [locking(), locking().set("redis.url", &redis.url())] {
        let app = TestApp::with(settings).await;
        let guesses = (0..40).map(|_| {
            let phone = device_at(&app, "phone", "198.51.100.7");
            async move { phone.verify_email(super::NO_ID, "123456").await }
        });
        let (_, refusals) = sort(at_once(guesses).await);
        assert_eq!((because("REGISTRATION_NOT_FOUND", &refusals), because("LOCKED_OUT", &refusals)), (6, 34));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_success_is_given_back_however_many_there_are() {
    let redis = RedisServer::start().await;
    for settings in [locking(), locking().set("redis.url", &redis.url())] {
        let app = TestApp::with(settings).await;
        let alice = app.user("alice@example.com").await;
        for _ in 0..20 {
            app.device("phone").login(alice.email()).await.unwrap();
        }
        // What failed at other accounts still counts: nobody is to wash wrong guesses with an account of their own.
        for n in 0..7 {
            refused(app.device("phone").login(&format!("somebody-{n}@example.com")).await)
                .with(Code::Unauthenticated, "INVALID_CREDENTIALS");
            if n < 6 {
                app.device("phone").login(alice.email()).await.unwrap();
            }
        }
        locked_out(refused(app.device("phone").login(alice.email()).await), "login", "device", DEVICE_LOCK);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn good_refreshes_at_once_hold_nobody_up_and_garbage_locks_nobody_out() {
    let redis = RedisServer::start().await;
    for settings in [locking().limited(), locking().limited().set("redis.url", &redis.url())] {
        let app = TestApp::with(settings).await;
        let tabs = app.user("alice@example.com").await.sign_in("phone").await;
        for _ in 0..20 {
            let stranger = device_at(&app, "stranger", "127.0.0.1");
            refused(stranger.refresh("kwr_forged").await).with(Code::Unauthenticated, "TOKEN_INVALID");
        }
        // Thirty tabs with one token.
        let refreshes = (0..30).map(|_| {
            let (phone, token) = (app.device("phone"), tabs.tokens.refresh_token.clone());
            async move { phone.refresh(&token).await }
        });
        let (answers, refusals) = sort(at_once(refreshes).await);
        assert_eq!((answers.len(), refusals.len()), (30, 0), "{refusals:?}");
    }
}

#[tokio::test]
async fn zero_failures_are_no_lockout() {
    let settings = locking()
        .set("lockout.operations.login.device_failures", "0")
        .set("lockout.operations.login.ip_failures", "0")
        .set("lockout.account.failures", "1000")
        .set("lockout.credential_stuffing.accounts", "1000");
    let app = TestApp::with(settings).await;
    let phone = device_at(&app, "phone", "198.51.100.7");
    for n in 0..40 {
        assert!(was_let_through(&guess("login", &phone, n).await));
    }
}

#[tokio::test]
async fn slips_of_the_caller_and_ended_sessions_are_no_guesses() {
    let app = TestApp::with(locking()).await;
    let phone = app.user("alice@example.com").await.sign_in("phone").await;
    for _ in 0..10 {
        refused(phone.verify_email(super::NO_ID, "12345").await).with(Code::InvalidArgument, "FIELD_INVALID");
        refused(phone.verify_email("nonsense", "123456").await).with(Code::InvalidArgument, "FIELD_INVALID");
        refused(phone.login("not an address").await).with(Code::InvalidArgument, "FIELD_INVALID");
        refused(phone.reset_password("nonsense", "nine herons under the bridge").await)
            .with(Code::InvalidArgument, "FIELD_INVALID");
        refused(phone.refresh("").await).with(Code::InvalidArgument, "FIELD_INVALID");
    }
    let registration = phone.register("bob@example.com").await.unwrap();
    let code = app.mailbox.next_to("bob@example.com").await.code();
    app.advance(Duration::from_mins(3));
    for _ in 0..10 {
        refused(phone.verify_email(&registration.registration_id, &code).await)
            .with(Code::FailedPrecondition, "CODE_EXPIRED");
    }
    let fresh = app.device("phone").login("alice@example.com").await.unwrap().tokens.unwrap();
    for _ in 0..10 {
        refused(phone.refresh(&phone.tokens.refresh_token).await).with(Code::Unauthenticated, "TOKEN_REVOKED");
    }
    phone.refresh(&fresh.refresh_token).await.unwrap();
}

#[tokio::test]
async fn a_failure_of_ours_is_nobodys_guess() {
    let settings = locking().set("database.acquire_timeout", "1s").set("lockout.operations.login.device_failures", "2");
    let app = TestApp::with(settings).await;
    let alice = app.user("alice@example.com").await;
    let phone = app.device("phone");
    app.database.go_away().await;
    for _ in 0..3 {
        refused(phone.login_with(alice.email(), "wrong").await).with(Code::Unavailable, "DATABASE_UNAVAILABLE");
    }
    app.database.come_back().await;
    let recovered = async { while phone.login(alice.email()).await.is_err() {} };
    within_patience("the service to recover", recovered).await;
    refused(phone.login_with(alice.email(), "wrong").await).with(Code::Unauthenticated, "INVALID_CREDENTIALS");
    phone.login(alice.email()).await.unwrap();
}

#[tokio::test]
async fn an_attempt_that_the_hashing_queue_refuses_is_given_back() {
    // One hash takes most of a second, and nobody waits for it longer than a moment.
    let settings = locking()
        .set("passwords.workers", "1")
        .set("passwords.deadline", "10ms")
        .set("passwords.memory_kib", "19456")
        .set("passwords.iterations", "100")
        .set("lockout.operations.login.device_failures", "3")
        .set("lockout.account.failures", "3");
    let app = TestApp::with(settings).await;
    let alice = app.user("alice@example.com").await;
    let logins = (0..5).map(|_| {
        let (phone, email) = (app.device("desk"), alice.email().to_owned());
        async move { phone.login(&email).await }
    });
    let (answers, refusals) = sort(at_once(logins).await);
    assert_eq!(because("OVERLOADED", &refusals) + because("LOCKED_OUT", &refusals), refusals.len(), "{refusals:?}");
    assert!(!answers.is_empty() && because("OVERLOADED", &refusals) > 0, "{refusals:?}");
    // As many as there can be; none of the others was a failure.
    for _ in 0..2 {
        refused(app.device("desk").login_with(alice.email(), "wrong").await)
            .with(Code::Unauthenticated, "INVALID_CREDENTIALS");
    }
    app.device("desk").login(alice.email()).await.unwrap();
}

#[tokio::test]
async fn register_and_request_password_reset_have_nothing_that_could_be_guessed() {
    let app = TestApp::with(locking().set("codes.per_address", "100")).await;
    app.user("alice@example.com").await;
    let phone = device_at(&app, "phone", "198.51.100.7");
    for n in 0..20 {
        // With an account and without: whoever sees a difference knows who has one.
        phone.register("alice@example.com").await.unwrap();
        phone.request_password_reset("alice@example.com").await.unwrap();
        phone.request_password_reset(&format!("nobody-{n}@example.com")).await.unwrap();
    }
}
