//! Credential stuffing: an address that tries many accounts is locked out of logging in, on every device.

use std::time::Duration;

use tonic::Code;

use super::{device_at, locking};
use crate::harness::{Refusal, Settings, TestApp, at_once, because, refused, sort};

/// Nothing but this rule in the way.
fn alone() -> Settings {
    locking()
        .set("lockout.operations.login.ip_failures", "1000")
        .set("lockout.operations.login.device_failures", "1000")
}

async fn try_account(app: &TestApp, number: usize, address: &str) -> Refusal {
    let device = device_at(app, &format!("device-{number}"), address);
    refused(device.login(&format!("somebody-{number}@example.com")).await)
}

#[track_caller]
fn wrong(refusal: Refusal) {
    refusal.with(Code::Unauthenticated, "INVALID_CREDENTIALS");
}

#[track_caller]
fn locked(refusal: Refusal, wait: Duration) {
    let refusal = refusal.with(Code::ResourceExhausted, "LOCKED_OUT");
    assert_eq!((refusal.metadata("operation"), refusal.metadata("scope")), (Some("login"), Some("ip_address")));
    assert_eq!(refusal.retry_after(), wait);
}

#[tokio::test]
async fn fifteen_accounts_tried_in_vain_lock_the_address_for_a_day() {
    let app = TestApp::with(alone()).await;
    let alice = app.user("alice@example.com").await;
    for n in 0..15 {
        wrong(try_account(&app, n, &format!("2001:db8:0:1:{n:x}::1")).await);
    }
    let day = Duration::from_hours(24);
    locked(try_account(&app, 15, "2001:db8:0:1::ffff").await, day);
    // Also with the right password, and on the owner's own device.
    locked(refused(device_at(&app, "desk", "2001:db8:0:1::1").login(alice.email()).await), day);
    device_at(&app, "desk", "2001:db8:0:2::1").login(alice.email()).await.unwrap();
    app.advance(day);
    device_at(&app, "desk", "2001:db8:0:1::1").login(alice.email()).await.unwrap();
}

#[tokio::test]
async fn one_account_tried_often_is_one_account() {
    let app = TestApp::with(alone().set("lockout.account.failures", "1000")).await;
    for n in 0..14 {
        for _ in 0..3 {
            wrong(try_account(&app, n, "198.51.100.7").await);
        }
    }
    for _ in 0..3 {
        wrong(try_account(&app, 3, "198.51.100.7").await);
    }
}

#[tokio::test]
async fn accounts_tried_more_than_three_hours_ago_count_no_more() {
    let app = TestApp::with(alone()).await;
    for n in 0..40 {
        wrong(try_account(&app, n, "198.51.100.7").await);
        app.advance(Duration::from_mins(13));
    }
}

#[tokio::test]
async fn a_house_full_of_people_who_know_their_passwords_is_not_locked() {
    let app = TestApp::with(alone().set("sessions.max_devices", "100")).await;
    let mut people = Vec::new();
    for n in 0..20 {
        people.push(app.user(&format!("person-{n}@example.com")).await);
    }
    for person in &people {
        let device = device_at(&app, "kiosk", "198.51.100.7");
        wrong(refused(device.login_with(person.email(), "mistyped").await));
        device.login(person.email()).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn accounts_tried_at_once_do_not_slip_past_the_limit() {
    let app = TestApp::with(alone()).await;
    let second = app.replica().await;
    let tries = (0..60).map(|n| {
        let device = device_at(&app, &format!("device-{n}"), "198.51.100.7");
        let device = if n % 2 == 0 { device } else { device.at(&second) };
        async move { device.login(&format!("somebody-{n}@example.com")).await }
    });
    let (_, refusals) = sort(at_once(tries).await);
    assert_eq!((because("INVALID_CREDENTIALS", &refusals), because("LOCKED_OUT", &refusals)), (15, 45));
}

#[tokio::test]
async fn who_is_locked_out_cannot_use_up_the_attempts_at_an_account() {
    let app = TestApp::with(alone()).await;
    let alice = app.user("alice@example.com").await;
    for n in 0..15 {
        wrong(try_account(&app, n, "198.51.100.7").await);
    }
    for n in 0..20 {
        let device = device_at(&app, &format!("other-{n}"), "198.51.100.7");
        locked(refused(device.login(alice.email()).await), Duration::from_hours(24));
    }
    device_at(&app, "new", "203.0.113.9").login(alice.email()).await.unwrap();
}

#[tokio::test]
async fn a_failure_is_not_washed_away_by_a_later_attempt_at_the_same_account() {
    let app = TestApp::with(alone()).await;
    for n in 0..14 {
        // Locked accounts, too: what their lock refuses is given back, and what failed before is not.
        while try_account(&app, n, "198.51.100.7").await.reason() == "INVALID_CREDENTIALS" {
            app.advance(Duration::from_millis(1));
        }
    }
    wrong(try_account(&app, 14, "198.51.100.7").await);
    assert_eq!(try_account(&app, 15, "198.51.100.7").await.metadata("scope"), Some("ip_address"));
}
