//! What the limits cost: one round trip of Redis before a call, and at most one after it.

use std::time::Duration;

use redis::{FromRedisValue, InfoDict};
use tonic::Code;

use super::behind_a_proxy;
use crate::harness::{RedisServer, TestApp, refused};

/// How many scripts Redis has run.
async fn scripts(redis: &RedisServer) -> u64 {
    let mut client = redis.client().await;
    let info: InfoDict = redis::cmd("INFO").arg("commandstats").query_async(&mut client).await.unwrap();
    let calls = |command: &str| {
        let line: String = info.get(&format!("cmdstat_{command}")).unwrap_or_default();
        let count = line.split(',').find_map(|part| part.strip_prefix("calls=").map(str::to_owned));
        count.map_or(0, |count| u64::from_redis_value(redis::Value::BulkString(count.into_bytes())).unwrap())
    };
    // A probe is not one of them.
    calls("evalsha")
}

#[tokio::test]
async fn a_call_costs_one_round_trip_before_and_one_after_only_where_something_can_be_guessed() {
    let redis = RedisServer::start().await;
    let app = TestApp::with(behind_a_proxy().limited().set("redis.url", &redis.url())).await;
    let alice = app.user("alice@example.com").await;
    let phone = alice.sign_in("phone").await;

    let mut before = scripts(&redis).await;
    let mut spent = async || {
        let now = scripts(&redis).await;
        now - std::mem::replace(&mut before, now)
    };
    phone.list_sessions().await.unwrap();
    assert_eq!(spent().await, 1, "nothing is guessed at");
    app.device("desk").login(alice.email()).await.unwrap();
    assert_eq!(spent().await, 2, "the attempt did not fail and is given back");
    refused(app.device("desk").login_with(alice.email(), "wrong").await);
    assert_eq!(spent().await, 2, "the attempt failed, which may begin a lockout");
    let noisy = app.device("noisy");
    while noisy.register("bob@example.com").await.is_ok() {}
    app.advance(Duration::from_secs(1));
    spent().await;
    for _ in 0..50 {
        refused(noisy.register("bob@example.com").await).with(Code::ResourceExhausted, "THROTTLED");
    }
    assert_eq!(spent().await, 0, "who is throttled already is told so from memory");
}
