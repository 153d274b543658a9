//! Attempts in flight: they hold others up where a guess can succeed, and only as long as a call can take.

use std::time::Duration;

use tonic::Code;

use super::{device_at, locking};
use crate::harness::{RedisServer, TestApp, refused, within_patience};

const ALICE: &str = "alice@example.com";

#[tokio::test(flavor = "multi_thread")]
async fn attempts_whose_conclusion_was_lost_do_not_count_as_failed_for_long() {
    let redis = RedisServer::start().await;
    let settings = locking()
        .set("redis.url", &redis.url())
        .set("lockout.operations.login.device_failures", "3")
        .set("server.request_timeout", "30s");
    let mut app = TestApp::with(settings).await;
    app.user(ALICE).await;
    let mut client = app.database.client().await;
    let tx = client.transaction().await.unwrap();
    tx.batch_execute("LOCK TABLE users IN ACCESS EXCLUSIVE MODE").await.unwrap();
    let logins: Vec<_> = (0..3)
        .map(|_| {
            let phone = device_at(&app, "phone", "198.51.100.7");
            tokio::spawn(async move { phone.login(ALICE).await })
        })
        .collect();
    // The address is never used up: what holds the fourth up is its device.
    let held_up = async {
        loop {
            let other = device_at(&app, "phone", "198.51.100.7");
            let answer = tokio::time::timeout(Duration::from_millis(200), other.login(ALICE)).await;
            if let Ok(Err(refusal)) = answer {
                let refusal = refusal.with(Code::ResourceExhausted, "LOCKED_OUT");
                assert_eq!(
                    (refusal.metadata("scope"), refusal.retry_after()),
                    (Some("device"), Duration::from_secs(1))
                );
                return;
            }
        }
    };
    within_patience("attempts in flight to hold others up", held_up).await;
    app.kill().await;
    for login in logins {
        login.abort();
    }
    tx.rollback().await.unwrap();
    app.start_again().await;
    refused(device_at(&app, "phone", "198.51.100.7").login(ALICE).await).with(Code::ResourceExhausted, "LOCKED_OUT");
    app.advance(Duration::from_mins(1));
    device_at(&app, "phone", "198.51.100.7").login(ALICE).await.unwrap();
}
