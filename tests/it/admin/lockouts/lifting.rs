//! ClearLockout where something goes wrong, or there is nothing to lift.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use keyward::proto::keyward::v1::clear_lockout_request::Target;
use tonic::Code;

use super::{ALICE, NO_ID, at, clear, list, locking};
use crate::admin::{administrator, kinds, service};
use crate::harness::{Device, RedisServer, TestApp, refused};

const CLEARED: &str = "LOCKOUT_CLEARED";

fn lockout(id: &str) -> Target {
    Target::LockoutId(id.to_owned())
}

async fn lock(noisy: &Device) {
    for _ in 0..2 {
        refused(noisy.resend_code(NO_ID).await).with(Code::NotFound, "REGISTRATION_NOT_FOUND");
    }
}

async fn is_locked_out(noisy: &Device) -> bool {
    refused(noisy.resend_code(NO_ID).await).reason() == "LOCKED_OUT"
}

#[tokio::test]
async fn what_cannot_be_put_on_record_is_not_lifted() {
    let redis = RedisServer::start().await;
    for settings in [locking(), locking().set("redis.url", &redis.url())] {
        let app = TestApp::with(settings).await;
        let root = administrator(&app).await;
        let noisy = at(&app, "noisy", "203.0.113.1");
        lock(&noisy).await;
        let lockout_id = list(&root).await[0].lockout_id.clone();
        let client = app.database.client().await;
        client.batch_execute("ALTER TABLE audit_events RENAME TO elsewhere").await.unwrap();
        refused(clear(&root, lockout(&lockout_id)).await).with(Code::Internal, "INTERNAL");
        assert!(is_locked_out(&noisy).await, "lifted without a record");
        client.batch_execute("ALTER TABLE elsewhere RENAME TO audit_events").await.unwrap();
        clear(&root, lockout(&lockout_id)).await.unwrap();
        assert!(!is_locked_out(&noisy).await);
        assert_eq!(kinds(&app, &lockout_id).await, ["LOCKED_OUT", CLEARED]);
    }
}

#[tokio::test]
async fn what_redis_does_not_lift_is_answered_so_and_is_on_record() {
    let redis = RedisServer::start().await;
    let app = TestApp::with(locking().set("redis.url", &redis.url())).await;
    let root = administrator(&app).await;
    let noisy = at(&app, "noisy", "203.0.113.1");
    lock(&noisy).await;
    let lockout_id = list(&root).await[0].lockout_id.clone();
    let mut client = redis.client().await;
    let mut permit = async |rule: &str| {
        let mut order = redis::cmd("ACL");
        order.arg("SETUSER").arg("default").arg(rule).query_async::<()>(&mut client).await.unwrap();
    };
    permit("-del").await;
    refused(clear(&root, lockout(&lockout_id)).await).with(Code::Internal, "INTERNAL");
    permit("+del").await;
    assert!(is_locked_out(&noisy).await);
    clear(&root, lockout(&lockout_id)).await.unwrap();
    assert!(!is_locked_out(&noisy).await);
    assert_eq!(kinds(&app, &lockout_id).await, ["LOCKED_OUT", CLEARED, CLEARED]);
}

#[tokio::test]
async fn an_account_that_is_not_locked_has_no_lockout_to_lift() {
    let app = TestApp::with(locking().set("lockout.account.failures", "3")).await;
    let root = service(&app, &["lockouts.read", "lockouts.write"]).await;
    let alice = app.user(ALICE).await;
    let user = || Target::UserId(alice.user.user_id.clone());
    let fail = async || refused(app.device("stranger").login_with(ALICE, "wrong").await);
    for _ in 0..3 {
        fail().await.with(Code::Unauthenticated, "INVALID_CREDENTIALS");
    }
    let lockout_id = list(&root).await[0].lockout_id.clone();
    clear(&root, user()).await.unwrap();
    assert_eq!(kinds(&app, &alice.user.user_id).await.iter().filter(|kind| *kind == CLEARED).count(), 1);
    refused(clear(&root, lockout(&lockout_id)).await).with(Code::NotFound, "LOCKOUT_NOT_FOUND");

    // Two failures lock nothing, and nobody forgets them who lifts nothing.
    for _ in 0..2 {
        fail().await.with(Code::Unauthenticated, "INVALID_CREDENTIALS");
    }
    refused(clear(&root, lockout(&lockout_id)).await).with(Code::NotFound, "LOCKOUT_NOT_FOUND");
    clear(&root, user()).await.unwrap();
    assert_eq!(kinds(&app, &alice.user.user_id).await.iter().filter(|kind| *kind == CLEARED).count(), 1);
    assert!(!kinds(&app, &lockout_id).await.contains(&CLEARED.to_owned()));
    fail().await.with(Code::Unauthenticated, "INVALID_CREDENTIALS");
    fail().await.with(Code::ResourceExhausted, "LOCKED_OUT");
}

#[tokio::test]
async fn an_identifier_with_no_device_in_the_place_of_one_is_that_of_no_lockout() {
    let app = TestApp::with(locking()).await;
    let root = administrator(&app).await;
    for device_id in ["a\0b", "\0", "a/b", &"x".repeat(129)] {
        let text = format!("a {} {device_id}", URL_SAFE_NO_PAD.encode([7; 32]));
        let outcome = clear(&root, Target::LockoutId(URL_SAFE_NO_PAD.encode(text))).await;
        refused(outcome).with(Code::NotFound, "LOCKOUT_NOT_FOUND");
    }
}
