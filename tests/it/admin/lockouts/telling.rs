//! What ListLockouts tells of each: who, by which name, and why.

use keyward::proto::keyward::v1::lockout::{Cause, Scope};

use super::{ALICE, NO_ID, at, list, locking};
use crate::admin::service;
use crate::harness::{RedisServer, Settings, TestApp, refused};

async fn whoever_guesses_too_often_is_named(settings: Settings) {
    let app = TestApp::with(settings.set("lockout.operations.resend_code.ip_failures", "3")).await;
    let root = service(&app, &["lockouts.read"]).await;
    let guess = async |device_id: &str, address: &str| {
        refused(at(&app, device_id, address).resend_code(NO_ID).await);
    };
    for address in ["203.0.113.1", "2001:db8:1:2:3:4:5:6"] {
        for n in 0..3 {
            guess(&format!("{n}.of.{address}"), address).await;
        }
    }
    for address in ["198.51.100.1", "2001:db8:9::1", "198.51.100.1", "2001:db8:9::1"] {
        guess("noisy", address).await;
    }
    let found = list(&root).await;
    let mut told: Vec<_> =
        found.iter().map(|it| (it.scope(), it.cause(), it.subject.as_str(), it.network.as_str())).collect();
    told.sort_by_key(|told| (told.2, told.3));
    let expected = [
        (Scope::IpAddress, Cause::Failures, "2001:db8:1:2::/64", ""),
        (Scope::IpAddress, Cause::Failures, "203.0.113.1", ""),
        // The device is named with the network that it is locked out on.
        (Scope::Device, Cause::Failures, "noisy", "198.51.100.1"),
        (Scope::Device, Cause::Failures, "noisy", "2001:db8:9::/64"),
    ];
    assert_eq!(told, expected);
}

#[tokio::test]
async fn whoever_is_locked_out_in_memory_is_named() {
    whoever_guesses_too_often_is_named(locking()).await;
}

#[tokio::test]
async fn whoever_is_locked_out_in_redis_is_named() {
    let redis = RedisServer::start().await;
    whoever_guesses_too_often_is_named(locking().set("redis.url", &redis.url())).await;
}

#[tokio::test]
async fn what_was_locked_out_under_another_master_key_is_listed_without_its_name() {
    let redis = RedisServer::start().await;
    let settings = || locking().set("redis.url", &redis.url()).set("redis.key_prefix", "shared");
    let before = TestApp::with(settings()).await;
    for _ in 0..2 {
        refused(at(&before, "noisy", "203.0.113.1").resend_code(NO_ID).await);
    }
    let app = TestApp::with(settings()).await;
    let locked = list(&service(&app, &["lockouts.read"]).await).await;
    assert_eq!((locked.len(), locked[0].scope(), locked[0].subject.as_str()), (1, Scope::Device, ""));
}

#[tokio::test]
async fn the_two_lockouts_of_one_address_from_logging_in_say_what_each_is_for() {
    let app = TestApp::with(locking().set("lockout.operations.login.ip_failures", "15")).await;
    let root = service(&app, &["lockouts.read"]).await;
    for n in 0..15 {
        let device = at(&app, &format!("stuffer-{n}"), "198.51.100.7");
        refused(device.login(&format!("somebody-{n}@example.com")).await);
    }
    let told: Vec<_> = list(&root).await.into_iter().map(|it| (it.subject.clone(), it.cause())).collect();
    assert_eq!(told, [Cause::Failures, Cause::ManyAccounts].map(|cause| ("198.51.100.7".to_owned(), cause)));
}

#[tokio::test]
async fn the_lockout_of_a_device_that_an_account_knows_names_it() {
    let settings = locking().set("lockout.account.failures_in_a_row", "12");
    let app = TestApp::with(settings).await;
    let root = service(&app, &["lockouts.read"]).await;
    app.user(ALICE).await.sign_in("laptop").await;
    for device_id in ["laptop", "stranger"] {
        while refused(app.device(device_id).login_with(ALICE, "wrong").await).reason() == "INVALID_CREDENTIALS" {}
    }
    let told = async || {
        let mut told: Vec<_> =
            list(&root).await.into_iter().map(|it| (it.device_id.clone(), it.cause(), it.subject)).collect();
        told.sort_by(|one, other| one.0.cmp(&other.0));
        told
    };
    let locked = |device_id: &str, cause| (device_id.to_owned(), cause, ALICE.to_owned());
    assert_eq!(told().await, ["", "laptop"].map(|device_id| locked(device_id, Cause::WrongPasswords)));

    app.advance(std::time::Duration::from_mins(5));
    for _ in 0..2 {
        refused(app.device("laptop").login_with(ALICE, "wrong").await);
    }
    assert_eq!(told().await, [locked("laptop", Cause::WrongPasswordsInARow)]);
}
