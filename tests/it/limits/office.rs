//! An office behind one address: its own typing errors do not lock it out, and nobody else's guesses are washed away by them.

use std::time::Duration;

use tonic::Code;

use super::{device_at, locking};
use crate::harness::{Device, PASSWORD, RedisServer, Refusal, Settings, TestApp, refused};

const OFFICE: &str = "198.51.100.7";

fn person(n: usize) -> String {
    format!("person-{n}@example.com")
}

fn desk(app: &TestApp, n: usize) -> Device {
    device_at(app, &format!("desk-{n}"), OFFICE)
}

async fn staff(app: &TestApp, count: usize) {
    for n in 0..count {
        app.user(&person(n)).await;
    }
}

#[track_caller]
fn wrong(refusal: Refusal) {
    refusal.with(Code::Unauthenticated, "INVALID_CREDENTIALS");
}

#[track_caller]
fn address_locked(refusal: Refusal) {
    let refusal = refusal.with(Code::ResourceExhausted, "LOCKED_OUT");
    assert_eq!((refusal.metadata("operation"), refusal.metadata("scope")), (Some("login"), Some("ip_address")));
}

/// In memory and in Redis.
fn both(redis: &RedisServer) -> [Settings; 2] {
    [locking(), locking().set("redis.url", &redis.url())]
}

#[tokio::test(flavor = "multi_thread")]
async fn fifteen_people_with_a_typing_error_each_who_then_log_in_are_not_locked_out() {
    let redis = RedisServer::start().await;
    for settings in both(&redis) {
        let app = TestApp::with(settings).await;
        staff(&app, 20).await;
        for n in 0..20 {
            wrong(refused(desk(&app, n).login_with(&person(n), "mistyped").await));
            desk(&app, n).login(&person(n)).await.unwrap();
        }
        // Nothing of it is left: as many as ever may fail.
        for n in 0..14 {
            wrong(refused(desk(&app, n).login_with(&person(n), "mistyped").await));
        }
        desk(&app, 19).login(&person(19)).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn people_whose_devices_are_known_get_in_although_their_address_is_locked_and_lift_that() {
    let redis = RedisServer::start().await;
    for settings in both(&redis) {
        let app = TestApp::with(settings).await;
        staff(&app, 16).await;
        for n in 0..16 {
            desk(&app, n).login(&person(n)).await.unwrap();
        }
        // All mistype before anybody gets it right.
        for n in 0..15 {
            wrong(refused(desk(&app, n).login_with(&person(n), "mistyped").await));
        }
        address_locked(refused(device_at(&app, "new-desk", OFFICE).login(&person(15)).await));
        // Long after, since what led to the lockouts stays with them.
        app.advance(Duration::from_hours(2));
        for n in 0..15 {
            desk(&app, n).login(&person(n)).await.unwrap();
        }
        device_at(&app, "new-desk", OFFICE).login(&person(15)).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn guesses_at_accounts_whose_password_one_does_not_know_are_not_washed_away() {
    let redis = RedisServer::start().await;
    for settings in both(&redis) {
        let app = TestApp::with(settings.set("lockout.operations.login.device_failures", "1000")).await;
        staff(&app, 1).await;
        let insider = device_at(&app, "insider", OFFICE);
        for n in 1..15 {
            wrong(refused(insider.login(&person(n)).await));
            // Their own account gives back what failed there, and nothing else.
            wrong(refused(insider.login_with(&person(0), "mistyped").await));
            insider.login(&person(0)).await.unwrap();
        }
        wrong(refused(insider.login(&person(15)).await));
        address_locked(refused(device_at(&app, "other", OFFICE).login(&person(0)).await));
        // Whose device the account knows gets in, and leaves the lockout as it is.
        insider.login(&person(0)).await.unwrap();
        address_locked(refused(device_at(&app, "other", OFFICE).login(&person(0)).await));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_password_of_a_spared_device_is_a_wrong_password() {
    let redis = RedisServer::start().await;
    for settings in both(&redis) {
        let app = TestApp::with(settings.set("lockout.account.failures", "1000")).await;
        staff(&app, 1).await;
        desk(&app, 0).login(&person(0)).await.unwrap();
        for n in 1..16 {
            wrong(refused(device_at(&app, &format!("stuffer-{n}"), OFFICE).login(&person(n)).await));
        }
        for _ in 0..7 {
            wrong(refused(desk(&app, 0).login_with(&person(0), "a guess").await));
        }
        let locked = refused(desk(&app, 0).login(&person(0)).await).with(Code::ResourceExhausted, "LOCKED_OUT");
        assert_eq!(locked.metadata("scope"), Some("device"));
        // Another device that names itself so elsewhere is not spared, and has locked nobody out.
        device_at(&app, "desk-0", "203.0.113.9").login(&person(0)).await.unwrap();
    }
}

#[tokio::test]
async fn a_login_takes_back_what_its_device_failed_as_a_stranger() {
    let app = TestApp::with(locking()).await;
    staff(&app, 1).await;
    desk(&app, 0).login(&person(0)).await.unwrap();
    for n in 0..8 {
        wrong(refused(
            device_at(&app, &format!("stranger-{n}"), "203.0.113.9").login_with(&person(0), "a guess").await,
        ));
    }
    // From elsewhere the device is a stranger, too. It locks the account for strangers with these.
    for _ in 0..2 {
        wrong(refused(device_at(&app, "desk-0", "203.0.113.10").login_with(&person(0), "mistyped").await));
    }
    let stranger = || device_at(&app, "stranger", "203.0.113.11");
    refused(stranger().login(&person(0)).await).with(Code::ResourceExhausted, "LOCKED_OUT");
    desk(&app, 0).login_with(&person(0), PASSWORD).await.unwrap();
    wrong(refused(stranger().login_with(&person(0), "a guess").await));
}
