//! What the store in Redis tells of lockouts when there are many, and when many are over.

use std::time::Duration;

use chrono::{DateTime, Utc};
use keyward::config::Config;
use keyward::model::operation::{AttemptId, Limit, LimitKind, Operation, Scope};
use keyward::policy::limits::Conclusion;
use keyward::store::limits::{Question, Subject};
use keyward::store::redis::Redis;

use crate::harness::RedisServer;

const LIMIT: Limit = Limit {
    kind: LimitKind::Lockout,
    scope: Scope::Device,
    count: 1,
    window: Duration::from_secs(10),
    wait: Duration::from_mins(1),
    in_flight: None,
    spares_known: false,
};

async fn lock(redis: &Redis, device: u128, now: DateTime<Utc>) {
    let limits = vec![(LIMIT, Subject(device.to_be_bytes()))];
    let question = Question { operation: Operation::Login, limits, attempt: AttemptId { at: now, number: 0 } };
    redis.admit(&question).await.unwrap().unwrap();
    let name = format!("device {device}").into_bytes();
    assert_eq!(redis.conclude(&question, Conclusion::Failed(None), &[name], now).await.unwrap(), [0]);
}

#[tokio::test]
async fn a_page_is_no_longer_than_asked_and_what_is_over_is_not_in_the_way() {
    let server = RedisServer::start().await;
    let url = [("REDIS_URL".to_owned(), server.url()), ("KEYWARD__REDIS__TIMEOUT".to_owned(), "10s".to_owned())];
    let config = Config::load(None, url).unwrap();
    let redis = Redis::new(config.redis.url.as_ref().unwrap(), &config.redis).unwrap();
    let start: DateTime<Utc> = "2030-01-01T12:00:00Z".parse().unwrap();
    // More than the store forgets in one go.
    for device in 0..1100 {
        lock(&redis, device, start).await;
    }
    let names = async |after: Option<u128>, now| {
        let after = after.map(|device| (Scope::Device, Subject(device.to_be_bytes())));
        let found = redis.locked(Operation::Login, after, 3, now).await.unwrap();
        found.into_iter().map(|locked| String::from_utf8(locked.name).unwrap()).collect::<Vec<_>>()
    };
    assert_eq!(names(None, start).await, ["device 0", "device 1", "device 2"]);
    assert_eq!(names(Some(1097), start).await, ["device 1098", "device 1099"]);

    let later = start + LIMIT.wait;
    assert_eq!(names(None, later - Duration::from_secs(1)).await.len(), 3);
    lock(&redis, 7, later).await;
    assert_eq!(names(None, later).await, ["device 7"]);

    // A name whose end is gone is no lockout, and takes no place of one.
    lock(&redis, 9, later).await;
    let without_end = redis::cmd("ZREM").arg("keyward:{login}:locked").arg(format!("device:{:032x}", 7)).to_owned();
    assert_eq!(without_end.query_async::<i64>(&mut server.client().await).await.unwrap(), 1);
    assert_eq!(names(None, later).await, ["device 9"]);
}
