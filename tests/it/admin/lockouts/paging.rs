//! Long lists of lockouts: each is told once, whatever comes and goes.

use std::collections::BTreeSet;
use std::time::Duration;

use keyward::proto::keyward::v1::{ListLockoutsRequest, Lockout};

use super::{NO_ID, at, list, locking};
use crate::admin::service;
use crate::harness::{Device, RedisServer, Settings, TestApp, answer, refused};

/// Locks devices out of two operations, each with a number.
async fn lock(app: &TestApp, numbers: std::ops::Range<usize>) {
    for n in numbers {
        let device = at(app, &format!("device-{n}"), &format!("2001:db8:{n:x}::1"));
        for _ in 0..2 {
            refused(device.resend_code(NO_ID).await);
            refused(device.verify_email(NO_ID, "123456").await);
        }
    }
}

fn settings() -> Settings {
    locking().set("lockout.operations.verify_email.device_failures", "2")
}

async fn page(device: &Device, page_token: &str) -> (Vec<Lockout>, String) {
    let request = ListLockoutsRequest { page_size: 7, page_token: page_token.to_owned() };
    let page = answer(device.admin().list_lockouts(request).await).unwrap();
    (page.lockouts, page.next_page_token)
}

fn places(lockouts: &[Lockout]) -> BTreeSet<(String, String)> {
    lockouts.iter().map(|lockout| (lockout.operation.clone(), lockout.subject.clone())).collect()
}

async fn each_is_told_once(settings: Settings) {
    let app = TestApp::with(settings).await;
    let root = service(&app, &["lockouts.read"]).await;
    lock(&app, 0..20).await;
    let all = list(&root).await;
    assert_eq!((all.len(), places(&all).len()), (40, 40));

    // What comes and goes in the meantime moves nothing else.
    let (mut told, mut token) = page(&root, "").await;
    app.advance(Duration::from_secs(1));
    lock(&app, 20..25).await;
    while !token.is_empty() {
        let (more, next) = page(&root, &token).await;
        told.extend(more);
        token = next;
    }
    assert_eq!(places(&told).len(), told.len(), "told twice");
    assert!(places(&told).is_superset(&places(&all)), "not told");
    app.advance(Duration::from_mins(30) - Duration::from_secs(1));
    assert_eq!(list(&root).await.len(), 10);
}

#[tokio::test]
async fn in_memory_each_lockout_is_told_once() {
    each_is_told_once(settings()).await;
}

#[tokio::test]
async fn in_redis_each_lockout_is_told_once() {
    let redis = RedisServer::start().await;
    each_is_told_once(settings().set("redis.url", &redis.url())).await;
}
