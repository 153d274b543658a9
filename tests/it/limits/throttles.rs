//! Throttles: N means N, however fast they come, and a refusal says how long to wait.

use std::time::Duration;

use tonic::Code;

use super::{OPERATIONS, client, device_at, guess, throttled, was_let_through};
use crate::harness::{Device, RedisServer, Refusal, Settings, TestApp, at_once, refused};

/// Requests allowed in 30 seconds, and the seconds that one waits after one too many.
type Quota = (usize, u64);

/// Requests allowed in 30 seconds from one device, and from one address, and the seconds that each waits after one too many.
pub(super) const QUOTAS: [(&str, Quota, Quota); 9] = [
    ("register", (4, 300), (10, 600)),
    ("resend_code", (3, 300), (15, 600)),
    ("verify_email", (5, 300), (15, 600)),
    ("login", (4, 300), (60, 60)),
    ("refresh", (30, 30), (600, 30)),
    ("request_password_reset", (3, 300), (15, 600)),
    ("verify_password_reset", (5, 300), (15, 600)),
    ("reset_password", (4, 300), (15, 600)),
    ("standard", (60, 30), (600, 30)),
];

const DEVICE_COOLDOWN: Duration = Duration::from_mins(5);
const IP_COOLDOWN: Duration = Duration::from_mins(10);

/// Makes calls at once, and tells how many were let through. The others must have been refused for this scope and time.
async fn let_through(
    operation: &'static str,
    devices: impl IntoIterator<Item = Device>,
    scope: &str,
    wait: Duration,
) -> usize {
    let calls = devices.into_iter().enumerate();
    let calls = calls.map(|(number, device)| async move { guess(operation, &device, number).await });
    let (passed, refused): (Vec<_>, Vec<_>) = at_once(calls).await.into_iter().partition(was_let_through);
    for refusal in refused {
        throttled_by(refusal.unwrap_err(), operation, scope, wait);
    }
    passed.len()
}

#[track_caller]
fn throttled_by(refusal: Refusal, operation: &str, scope: &str, wait: Duration) {
    let refusal = refusal.with(Code::ResourceExhausted, "THROTTLED");
    assert_eq!((refusal.metadata("operation"), refusal.metadata("scope")), (Some(operation), Some(scope)));
    assert_eq!(refusal.retry_after(), wait, "{operation} by {scope}");
}

async fn n_from_one_device_pass_then_wait_then_n_again(settings: Settings) {
    let app = TestApp::with(settings).await;
    for (operation, (quota, cooldown), _) in QUOTAS {
        let cooldown = Duration::from_secs(cooldown);
        for _ in 0..2 {
            let devices = (0..quota + 20).map(|_| device_at(&app, "phone", "198.51.100.7"));
            let count = let_through(operation, devices.collect::<Vec<_>>(), "device", cooldown).await;
            assert_eq!(count, quota, "{operation}");
            // The same device id elsewhere is another device, as who knows it is not its owner.
            assert!(was_let_through(&guess(operation, &device_at(&app, "phone", "198.51.100.8"), 0).await));
            app.advance(cooldown.checked_sub(Duration::from_micros(1)).unwrap());
            let early = guess(operation, &device_at(&app, "phone", "198.51.100.7"), 99).await;
            throttled_by(early.unwrap_err(), operation, "device", Duration::from_micros(1));
            app.advance(Duration::from_micros(1));
        }
        app.advance(IP_COOLDOWN);
    }
}

async fn n_from_one_address_pass_whatever_devices_they_invent(settings: Settings) {
    let app = TestApp::with(settings).await;
    for (operation, _, (quota, cooldown)) in QUOTAS {
        for round in 0..2 {
            let devices = (0..quota + 20).map(|n| device_at(&app, &format!("{operation}-{round}-{n}"), "198.51.100.7"));
            let count =
                let_through(operation, devices.collect::<Vec<_>>(), "ip_address", Duration::from_secs(cooldown)).await;
            assert_eq!(count, quota, "{operation}");
            // Elsewhere nobody notices.
            assert!(was_let_through(&guess(operation, &device_at(&app, "other", "198.51.100.8"), 0).await));
            app.advance(IP_COOLDOWN);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn in_memory_n_from_one_device_pass_then_wait_then_n_again() {
    n_from_one_device_pass_then_wait_then_n_again(throttled()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn in_redis_n_from_one_device_pass_then_wait_then_n_again() {
    let redis = RedisServer::start().await;
    n_from_one_device_pass_then_wait_then_n_again(throttled().set("redis.url", &redis.url())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn in_memory_n_from_one_address_pass_whatever_devices_they_invent() {
    n_from_one_address_pass_whatever_devices_they_invent(throttled()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn in_redis_n_from_one_address_pass_whatever_devices_they_invent() {
    let redis = RedisServer::start().await;
    n_from_one_address_pass_whatever_devices_they_invent(throttled().set("redis.url", &redis.url())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_replicas_share_one_limit() {
    let redis = RedisServer::start().await;
    let app = TestApp::with(throttled().set("redis.url", &redis.url())).await;
    let second = app.replica().await;
    let replica = |number: usize| if number.is_multiple_of(2) { app.first() } else { &second };
    let phones = (0..40).map(|n| client(replica(n), "phone", "203.0.113.9"));
    assert_eq!(let_through("reset_password", phones.collect::<Vec<_>>(), "device", DEVICE_COOLDOWN).await, 4);
    let others = (0..40).map(|n| client(replica(n), &format!("device-{n}"), "198.51.100.7"));
    assert_eq!(let_through("reset_password", others.collect::<Vec<_>>(), "ip_address", IP_COOLDOWN).await, 15);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_noisy_device_uses_up_nothing_of_its_address() {
    let redis = RedisServer::start().await;
    for settings in [throttled(), throttled().set("redis.url", &redis.url())] {
        let app = TestApp::with(settings).await;
        let noise = (0..100).map(|_| device_at(&app, "noisy", "198.51.100.7"));
        assert_eq!(let_through("reset_password", noise.collect::<Vec<_>>(), "device", DEVICE_COOLDOWN).await, 4);
        let others = (0..20).map(|n| device_at(&app, &format!("device-{n}"), "198.51.100.7"));
        assert_eq!(let_through("reset_password", others.collect::<Vec<_>>(), "ip_address", IP_COOLDOWN).await, 11);
    }
}

#[tokio::test]
async fn a_device_that_is_spelt_like_an_address_or_a_key_is_a_device() {
    let redis = RedisServer::start().await;
    let app = TestApp::with(throttled().set("redis.url", &redis.url())).await;
    for name in ["198.51.100.7", "2001:db8::", "keyward:resend_code:throttle:ip_address:1", "ip_address", "login"] {
        let impostor = device_at(&app, name, "203.0.113.9");
        while was_let_through(&guess("resend_code", &impostor, 0).await) {}
        app.advance(Duration::from_secs(31));
    }
    for address in ["198.51.100.7", "2001:db8::9"] {
        for n in 0..15 {
            let device = device_at(&app, &format!("device-{n}"), address);
            assert!(was_let_through(&guess("resend_code", &device, 0).await), "{address}, call {n}");
        }
        assert!(!was_let_through(&guess("resend_code", &device_at(&app, "device", address), 0).await));
    }
}

#[tokio::test]
async fn an_ipv6_customer_is_counted_as_one_whatever_addresses_it_takes() {
    let app = TestApp::with(throttled()).await;
    for n in 0..15 {
        let device = device_at(&app, &format!("device-{n}"), &format!("2001:db8:0:1:{n:x}::{n:x}"));
        assert!(was_let_through(&guess("resend_code", &device, 0).await));
    }
    let refusal = guess("resend_code", &device_at(&app, "one-more", "2001:db8:0:1:ffff::1"), 0).await.unwrap_err();
    throttled_by(refusal, "resend_code", "ip_address", IP_COOLDOWN);
    assert!(was_let_through(&guess("resend_code", &device_at(&app, "neighbour", "2001:db8:0:2::1"), 0).await));
    // A v4 address that is mapped into v6 is itself.
    for n in 0..15 {
        guess("resend_code", &device_at(&app, &format!("mapped-{n}"), "::ffff:192.0.2.9"), 0).await.unwrap_err();
    }
    let refusal = guess("resend_code", &device_at(&app, "plain", "192.0.2.9"), 0).await.unwrap_err();
    throttled_by(refusal, "resend_code", "ip_address", IP_COOLDOWN);
}

#[tokio::test]
async fn operations_do_not_share_a_limit() {
    let app = TestApp::with(throttled()).await;
    let phone = device_at(&app, "phone", "198.51.100.7");
    for operation in OPERATIONS {
        while was_let_through(&guess(operation, &phone, 0).await) {}
    }
    phone.get_origin().await.unwrap();
}

#[tokio::test]
async fn quotas_are_configured_by_operation() {
    let settings = throttled()
        .set("throttle.operations.refresh.device", "1")
        .set("throttle.operations.refresh.device_cooldown", "-")
        .set("throttle.operations.login.ip", "2")
        .set("throttle.operations.login.ip_cooldown", "1h")
        .set("throttle.period", "2s")
        .set("throttle.device_cooldown", "7s")
        .set("throttle.ip_cooldown", "2h");
    let app = TestApp::with(settings).await;
    let phone = device_at(&app, "phone", "198.51.100.7");
    assert!(was_let_through(&guess("refresh", &phone, 0).await));
    throttled_by(guess("refresh", &phone, 0).await.unwrap_err(), "refresh", "device", Duration::from_secs(7));
    for _ in 0..2 {
        assert!(was_let_through(&guess("login", &phone, 0).await));
    }
    throttled_by(guess("login", &phone, 0).await.unwrap_err(), "login", "ip_address", Duration::from_hours(1));
    app.advance(Duration::from_secs(7));
    assert!(was_let_through(&guess("refresh", &phone, 0).await));
    app.advance(Duration::from_secs(2));
    assert!(was_let_through(&guess("refresh", &phone, 0).await), "within the quota there is no wait");
}

#[tokio::test]
async fn what_claims_to_be_a_service_is_counted_by_its_address_alone() {
    let app = TestApp::with(throttled()).await;
    let service = device_at(&app, "billing", "198.51.100.7").bearing("kws_unknown");
    for _ in 0..600 {
        refused(super::super::interceptors::call(&service, "/keyward.v1.AdminService/ListUsers").await)
            .with(Code::Unauthenticated, "TOKEN_INVALID");
    }
    let refusal = refused(super::super::interceptors::call(&service, "/keyward.v1.AdminService/ListUsers").await);
    throttled_by(refusal, "standard", "ip_address", Duration::from_secs(30));
    // Where no key is taken, claiming one is no way out.
    let public = device_at(&app, "billing", "198.51.100.8").bearing("kws_unknown");
    while was_let_through(&guess("resend_code", &public, 0).await) {}
    throttled_by(guess("resend_code", &public, 0).await.unwrap_err(), "resend_code", "device", DEVICE_COOLDOWN);
}
