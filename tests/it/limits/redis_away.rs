//! Redis stopped, killed, frozen and back again: no call fails for that, limits go on in the memory of each replica, everybody
//! is told, and everything is as before once it is back.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use futures::future::join;
use redis::AsyncCommands;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;

use super::{device_at, guess, was_let_through};
use crate::harness::{RedisServer, Settings, TestApp, within_patience};
use crate::interceptors::{body, get};

/// Throttles alone, and the time-out of production.
fn throttled() -> Settings {
    super::throttled().set("redis.timeout", "100ms")
}

pub(super) async fn redis_is(app: &TestApp, expected: ServingStatus) {
    let asked = async || {
        let request = HealthCheckRequest { service: "keyward.redis".to_owned() };
        HealthClient::new(app.first().channel()).check(request).await.map(|answer| answer.into_inner().status())
    };
    let told = async { while asked().await.ok() != Some(expected) {} };
    within_patience(&format!("keyward.redis to be {expected:?}"), told).await;
}

/// Three from one device pass, and no more: Redis or not.
async fn the_limit_holds(app: &TestApp, device_id: &str) {
    // Each story from an address of its own, so that none is in the way.
    let address = format!(
        "2001:db8:{:x}::1",
        device_id.bytes().fold(0_u16, |sum, byte| sum.wrapping_mul(31).wrapping_add(byte.into()))
    );
    for n in 0..6 {
        let outcome = guess("resend_code", &device_at(app, device_id, &address), 0).await;
        assert_eq!(was_let_through(&outcome), n < 3, "{device_id}, call {n}: {outcome:?}");
    }
}

async fn keys(redis: &RedisServer) -> usize {
    redis.client().await.keys::<_, Vec<String>>("*{resend_code}:throttle*").await.unwrap().len()
}

async fn metric(app: &TestApp) -> bool {
    let text = body(app.first().http_address, "/metrics").await;
    let up = text.lines().find_map(|line| line.strip_prefix("keyward_redis_up ")).expect("no metric of Redis");
    up == "1"
}

/// Calls go on at full speed while something is done to Redis; every one of them must be served.
async fn under_load(app: &TestApp, story: impl Future<Output = ()>) {
    let (going_on, served) = (AtomicBool::new(true), AtomicU64::new(0));
    let load = async |worker: u32| {
        let mut n: u32 = 0;
        while going_on.load(Ordering::Relaxed) {
            n += 1;
            // Everybody new, so that nobody meets a limit.
            let address = format!("2001:{worker:x}:{:x}:{:x}::1", n >> 16, n & 0xffff);
            device_at(app, &format!("load-{worker}-{n}"), &address).get_origin().await.unwrap();
            served.fetch_add(1, Ordering::Relaxed);
        }
    };
    let workers = futures::future::join_all((1..=8).map(load));
    let story = async {
        story.await;
        going_on.store(false, Ordering::Relaxed);
    };
    join(workers, story).await;
    assert!(served.load(Ordering::Relaxed) > 0);
}

async fn degraded_and_back(app: &TestApp, redis: &mut RedisServer, name: &str, away: impl Fn(&mut RedisServer)) {
    let http = app.first().http_address;
    the_limit_holds(app, &format!("{name}-before")).await;
    away(redis);
    the_limit_holds(app, &format!("{name}-at-once")).await;
    redis_is(app, ServingStatus::NotServing).await;
    the_limit_holds(app, &format!("{name}-while")).await;
    assert_eq!(get(http, "/readyz").await, "HTTP/1.1 200 OK");
    assert!(body(http, "/readyz").await.contains("degraded"));
    assert!(!metric(app).await);
}

async fn back(app: &TestApp, redis: &RedisServer, name: &str) {
    redis_is(app, ServingStatus::Serving).await;
    assert!(metric(app).await);
    assert_eq!(body(app.first().http_address, "/readyz").await, "ready\n");
    let before = keys(redis).await;
    the_limit_holds(app, &format!("{name}-after")).await;
    assert!(keys(redis).await > before, "nothing is counted in Redis");
}

#[tokio::test(flavor = "multi_thread")]
async fn stopped_killed_frozen_and_restarted_under_load() {
    let mut redis = RedisServer::start().await;
    let app = TestApp::with(throttled().set("redis.url", &redis.url())).await;
    redis_is(&app, ServingStatus::Serving).await;
    let story = async {
        degraded_and_back(&app, &mut redis, "stopped", RedisServer::stop).await;
        redis.start_again().await;
        back(&app, &redis, "stopped").await;

        degraded_and_back(&app, &mut redis, "killed", RedisServer::kill).await;
        redis.start_again().await;
        back(&app, &redis, "killed").await;

        degraded_and_back(&app, &mut redis, "frozen", |redis| redis.freeze()).await;
        redis.thaw();
        back(&app, &redis, "frozen").await;
    };
    under_load(&app, story).await;

    // Too short for anybody to notice but the calls of that moment, which are counted in memory.
    let restarted = async {
        redis.kill();
        redis.start_again().await;
    };
    under_load(&app, restarted).await;
    // All of these are done. They may have been enough in a row for none to ask Redis until a probe finds it back, while health
    // still tells what it told before: readiness alone says when that is over.
    let ready = async { while body(app.first().http_address, "/readyz").await != "ready\n" {} };
    within_patience("the service to be ready again", ready).await;
    under_load(&app, back(&app, &redis, "restarted")).await;
}

#[tokio::test]
async fn a_service_that_starts_without_its_redis_serves_and_finds_it_later() {
    let mut redis = RedisServer::start().await;
    redis.stop();
    let app = TestApp::with(throttled().set("redis.url", &redis.url())).await;
    the_limit_holds(&app, "phone").await;
    redis_is(&app, ServingStatus::NotServing).await;
    redis.start_again().await;
    redis_is(&app, ServingStatus::Serving).await;
    let alice = app.user("alice@example.com").await;
    alice.sign_in("laptop").await.renew().await.unwrap();
    the_limit_holds(&app, "later").await;
    assert!(keys(&redis).await > 0);
}

#[tokio::test]
async fn scripts_that_redis_has_forgotten_are_loaded_again() {
    let redis = RedisServer::start().await;
    let app = TestApp::with(throttled().set("redis.url", &redis.url())).await;
    the_limit_holds(&app, "before").await;
    let flushed: () = redis::cmd("SCRIPT").arg("FLUSH").query_async(&mut redis.client().await).await.unwrap();
    let before = keys(&redis).await;
    the_limit_holds(&app, "after").await;
    assert!(keys(&redis).await > before, "{flushed:?}");
    redis_is(&app, ServingStatus::Serving).await;
}

#[tokio::test]
async fn where_there_is_no_redis_nobody_asks_after_it() {
    let app = TestApp::with(throttled()).await;
    let request = HealthCheckRequest { service: "keyward.redis".to_owned() };
    let status = HealthClient::new(app.first().channel()).check(request).await.unwrap_err();
    assert_eq!(status.code(), tonic::Code::NotFound);
    assert_eq!(body(app.first().http_address, "/readyz").await, "ready\n");
}

#[tokio::test]
async fn a_redis_that_is_given_and_not_wanted_is_left_alone() {
    let redis = RedisServer::start().await;
    let settings = throttled().set("redis.url", &redis.url()).set("throttle.store", "memory");
    let app = TestApp::with(settings).await;
    the_limit_holds(&app, "phone").await;
    assert_eq!(keys(&redis).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redis_that_answers_nothing_but_errors_is_away() {
    let redis = RedisServer::start().await;
    let app = TestApp::with(throttled().set("redis.url", &redis.url())).await;
    redis_is(&app, ServingStatus::Serving).await;
    let mut client = redis.client().await;
    for (spoil, mend) in
        [("CONFIG SET maxmemory 1", "CONFIG SET maxmemory 0"), ("REPLICAOF 127.0.0.1 1", "REPLICAOF NO ONE")]
    {
        let mut order = async |text: &str| {
            let mut words = text.split(' ');
            let mut command = redis::cmd(words.next().unwrap());
            for word in words {
                command.arg(word);
            }
            command.query_async::<()>(&mut client).await.unwrap();
        };
        order(spoil).await;
        the_limit_holds(&app, &format!("{}-at-once", &spoil[..6])).await;
        redis_is(&app, ServingStatus::NotServing).await;
        the_limit_holds(&app, &format!("{}-while", &spoil[..6])).await;
        order(mend).await;
        redis_is(&app, ServingStatus::Serving).await;
        the_limit_holds(&app, &format!("{}-after", &spoil[..6])).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lockout_outlives_a_redis_that_has_lost_everything() {
    let mut redis = RedisServer::start().await;
    let settings = super::locking().set("redis.url", &redis.url()).set("redis.timeout", "100ms");
    let app = TestApp::with(settings).await;
    let phone = device_at(&app, "phone", "198.51.100.7");
    for _ in 0..5 {
        assert!(was_let_through(&guess("resend_code", &phone, 0).await));
    }
    redis.kill();
    redis_is(&app, ServingStatus::NotServing).await;
    redis.start_again().await;
    redis_is(&app, ServingStatus::Serving).await;
    app.advance(std::time::Duration::from_mins(29));
    assert!(!was_let_through(&guess("resend_code", &phone, 0).await), "the lockout was lost");
    app.advance(std::time::Duration::from_mins(1));
    assert!(was_let_through(&guess("resend_code", &phone, 0).await));
}
