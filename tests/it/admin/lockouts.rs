//! Who is locked out, and how it is lifted: on every replica, and on record.

mod lifting;
mod order;
mod paging;
mod telling;

use keyward::proto::keyward::v1::clear_lockout_request::Target;
use keyward::proto::keyward::v1::lockout::{Cause, Scope};
use keyward::proto::keyward::v1::{ClearLockoutRequest, ListLockoutsRequest, Lockout};
use tonic::Code;
use uuid::Uuid;

use super::{administrator, kinds};
use crate::harness::{Device, RedisServer, Refusal, Settings, TestApp, answer, refused};

const ALICE: &str = "alice@example.com";

/// The id of no registration.
const NO_ID: &str = "0190b6c0-1d5f-7a3c-8f00-4b2f6f1c9d11";

/// A service that locks, behind a proxy on this machine.
fn locking() -> Settings {
    let settings = Settings::default().set("server.trusted_proxies", "127.0.0.0/8").set("lockout.enabled", "true");
    let settings = settings.set("lockout.operations.resend_code.device_failures", "2");
    settings.set("lockout.operations.login.device_failures", "1000").set("lockout.operations.login.ip_failures", "1000")
}

async fn list(device: &Device) -> Vec<Lockout> {
    let (mut all, mut page_token) = (Vec::new(), String::new());
    loop {
        // Small pages, so that every list has several.
        let request = ListLockoutsRequest { page_size: 1, page_token };
        let page = answer(device.admin().list_lockouts(request).await).unwrap();
        all.extend(page.lockouts);
        if page.next_page_token.is_empty() {
            return all;
        }
        page_token = page.next_page_token;
    }
}

async fn clear(device: &Device, target: Target) -> Result<(), Refusal> {
    answer(device.admin().clear_lockout(ClearLockoutRequest { target: Some(target) }).await).map(drop)
}

fn at(app: &TestApp, device_id: &str, address: &str) -> Device {
    app.device(device_id).with("x-forwarded-for", address)
}

/// Locks a device out of asking for codes, an account, and an address for trying many.
async fn lock_all(app: &TestApp) {
    for _ in 0..2 {
        refused(at(app, "noisy", "203.0.113.1").resend_code(NO_ID).await);
    }
    for n in 0..10 {
        refused(at(app, &format!("stranger-{n}"), &format!("2001:db8:{n}::1")).login_with(ALICE, "wrong").await);
    }
    for n in 0..15 {
        let device = at(app, &format!("stuffer-{n}"), &format!("2001:db8:ffff:1:{n}::1"));
        refused(device.login(&format!("somebody-{n}@example.com")).await);
    }
}

async fn what_is_locked_is_listed_and_can_be_lifted(settings: Settings) {
    let app = TestApp::with(settings).await;
    let root = administrator(&app).await;
    app.user(ALICE).await;
    let bob = app.user("bob@example.com").await;
    assert_eq!(list(&root).await, []);
    let before = app.now();
    lock_all(&app).await;

    let locked = list(&root).await;
    let scopes: Vec<_> = locked.iter().map(|lockout| (lockout.scope(), lockout.operation.as_str())).collect();
    assert_eq!(scopes, [(Scope::Device, "resend_code"), (Scope::IpAddress, "login"), (Scope::Account, "login")]);
    assert_eq!((locked[0].subject.as_str(), locked[0].failure_count), ("noisy", 2));
    assert_eq!((locked[1].subject.as_str(), locked[1].failure_count), ("2001:db8:ffff:1::/64", 15));
    let causes: Vec<_> = locked.iter().map(Lockout::cause).collect();
    assert_eq!(causes, [Cause::Failures, Cause::ManyAccounts, Cause::WrongPasswords]);
    assert_eq!(locked[0].create_time.unwrap().seconds, before.timestamp());
    assert_eq!(locked[0].expire_time.unwrap().seconds, before.timestamp() + 30 * 60);

    let (device, network) = (locked[0].lockout_id.clone(), locked[1].lockout_id.clone());
    clear(&root, Target::LockoutId(device.clone())).await.unwrap();
    let again = refused(at(&app, "noisy", "203.0.113.1").resend_code(NO_ID).await);
    again.with(Code::NotFound, "REGISTRATION_NOT_FOUND");
    clear(&root, Target::LockoutId(network.clone())).await.unwrap();
    at(&app, "desk", "2001:db8:ffff:1::9").login(bob.email()).await.unwrap();
    assert_eq!(list(&root).await, locked[2..]);
    for gone in [device.as_str(), network.as_str(), "nonsense"] {
        refused(clear(&root, Target::LockoutId(gone.to_owned())).await).with(Code::NotFound, "LOCKOUT_NOT_FOUND");
    }
    assert_eq!(kinds(&app, &device).await, ["LOCKED_OUT", "LOCKOUT_CLEARED"]);
    assert_eq!(kinds(&app, &network).await, ["LOCKED_OUT", "LOCKOUT_CLEARED"]);
}

#[tokio::test]
async fn what_is_locked_in_memory_is_listed_and_can_be_lifted() {
    what_is_locked_is_listed_and_can_be_lifted(locking()).await;
}

#[tokio::test]
async fn what_is_locked_in_redis_is_listed_and_can_be_lifted() {
    let redis = RedisServer::start().await;
    what_is_locked_is_listed_and_can_be_lifted(locking().set("redis.url", &redis.url())).await;
}

#[tokio::test]
async fn an_account_is_unlocked_by_its_user_or_by_its_lockout() {
    let app = TestApp::with(locking()).await;
    let root = administrator(&app).await;
    let alice = app.user(ALICE).await;
    let user_id = alice.user.user_id.clone();
    for by_user in [true, false] {
        while refused(app.device("stranger").login_with(ALICE, "wrong").await).reason() == "INVALID_CREDENTIALS" {}
        let locked = list(&root).await;
        assert_eq!((locked.len(), locked[0].scope()), (1, Scope::Account));
        assert_eq!((locked[0].subject.as_str(), locked[0].user_id.as_str()), (ALICE, user_id.as_str()));
        assert_eq!((locked[0].operation.as_str(), locked[0].failure_count), ("login", 10));
        refused(app.device("new-phone").login(ALICE).await).with(Code::ResourceExhausted, "LOCKED_OUT");
        let lockout_id = locked[0].lockout_id.clone();
        let target = if by_user { Target::UserId(user_id.clone()) } else { Target::LockoutId(lockout_id.clone()) };
        clear(&root, target).await.unwrap();
        assert_eq!(list(&root).await, []);
        refused(app.device("stranger").login_with(ALICE, "wrong").await)
            .with(Code::Unauthenticated, "INVALID_CREDENTIALS");
        let lifted = app.database.client().await;
        lifted.execute("DELETE FROM account_lockouts", &[]).await.unwrap();
        assert!(kinds(&app, &lockout_id).await.contains(&"LOCKED_OUT".to_owned()));
    }
    assert!(kinds(&app, &user_id).await.contains(&"LOCKOUT_CLEARED".to_owned()));
    let nobody = clear(&root, Target::UserId(Uuid::new_v4().to_string())).await;
    refused(nobody).with(Code::NotFound, "USER_NOT_FOUND");
}

#[tokio::test]
async fn a_lockout_that_is_lifted_anywhere_is_lifted_on_every_replica() {
    let redis = RedisServer::start().await;
    let app = TestApp::with(locking().set("redis.url", &redis.url())).await;
    let (root, second) = (administrator(&app).await, app.replica().await);
    let noisy = app.device("noisy");
    for _ in 0..2 {
        refused(noisy.resend_code(NO_ID).await);
        refused(noisy.clone().at(&second).resend_code(NO_ID).await);
    }
    for device in [noisy.clone(), noisy.clone().at(&second)] {
        refused(device.resend_code(NO_ID).await).with(Code::ResourceExhausted, "LOCKED_OUT");
    }
    let lockout_id = list(&root).await[0].lockout_id.clone();
    clear(&Device::clone(&root).at(&second), Target::LockoutId(lockout_id.clone())).await.unwrap();
    refused(clear(&root, Target::LockoutId(lockout_id)).await).with(Code::NotFound, "LOCKOUT_NOT_FOUND");
    refused(noisy.resend_code(NO_ID).await).with(Code::NotFound, "REGISTRATION_NOT_FOUND");
}
