//! Known devices: an account knows a device on the network that it logged in or refreshed from, for 90 days after the last time.

use std::time::Duration;

use keyward::model::device::DeviceId;
use keyward::model::email::Email;
use keyward::model::operation::counted_network;
use keyward::store::pg::{Pool, user_devices};
use tonic::Code;

use super::{client, device_at, locking};
use crate::harness::{PASSWORD, SignedIn, TestApp, refused};

const ALICE: &str = "alice@example.com";
const DAY: Duration = Duration::from_hours(24);

async fn is_known(app: &TestApp, email: &str, device_id: &str, address: &str) -> bool {
    let config = app.settings().load();
    let pool = Pool::new(&app.database.url().into(), &config.database, 1).unwrap();
    let (email, device_id) = (Email::parse(email).unwrap(), DeviceId::parse(device_id).unwrap());
    let network = counted_network(address.parse().unwrap());
    user_devices::is_known(&mut pool.get().await.unwrap(), &email, &device_id, network, app.now()).await.unwrap()
}

/// Locks the account for strangers.
async fn lock(app: &TestApp) {
    for n in 0..10 {
        let stranger = device_at(app, &format!("stranger-{n}"), &format!("2001:db8:{n:x}::1"));
        refused(stranger.login_with(ALICE, "wrong").await).with(Code::Unauthenticated, "INVALID_CREDENTIALS");
    }
}

#[tokio::test]
async fn a_device_is_known_where_it_logged_in_or_refreshed_and_nowhere_else() {
    let app = TestApp::with(locking()).await;
    app.user(ALICE).await;
    let home = device_at(&app, "laptop", "2001:db8:0:1::1");
    let mut laptop = SignedIn::new(home.clone(), home.login(ALICE).await.unwrap());
    assert!(is_known(&app, ALICE, "laptop", "2001:db8:0:1:ffff::9").await, "the /64 counts");
    for (email, device_id, address) in [
        (ALICE, "laptop", "198.51.100.7"),
        (ALICE, "phone", "2001:db8:0:1::1"),
        ("nobody@example.com", "laptop", "2001:db8:0:1::1"),
    ] {
        assert!(!is_known(&app, email, device_id, address).await, "{email} {device_id} {address}");
    }
    // A refresh from elsewhere, by a forged token first.
    let away = client(app.first(), "laptop", "198.51.100.7");
    refused(away.refresh("kwr_forged").await);
    assert!(!is_known(&app, ALICE, "laptop", "198.51.100.7").await);
    laptop.tokens = away.refresh(&laptop.tokens.refresh_token).await.unwrap().tokens.unwrap();
    assert!(is_known(&app, ALICE, "laptop", "198.51.100.7").await);
    assert!(is_known(&app, ALICE, "laptop", "2001:db8:0:1::1").await);
}

#[tokio::test]
async fn only_a_device_on_its_own_network_gets_past_a_lock_of_strangers() {
    let app = TestApp::with(locking()).await;
    app.user(ALICE).await;
    device_at(&app, "laptop", "198.51.100.7").login(ALICE).await.unwrap();
    lock(&app).await;
    // Who knows somebody's device id is a stranger all the same.
    refused(device_at(&app, "laptop", "203.0.113.9").login(ALICE).await).with(Code::ResourceExhausted, "LOCKED_OUT");
    device_at(&app, "laptop", "198.51.100.7").login(ALICE).await.unwrap();
}

#[tokio::test]
async fn a_device_is_forgotten_90_days_after_its_last_refresh() {
    let app = TestApp::with(locking().set("tokens.refresh_absolute_ttl", "365d")).await;
    app.user(ALICE).await;
    let home = device_at(&app, "laptop", "198.51.100.7");
    let mut laptop = SignedIn::new(home.clone(), home.login(ALICE).await.unwrap());
    let uses = async || {
        let sql = "SELECT extract(epoch FROM max(last_used_at))::bigint FROM user_devices WHERE device_id = 'laptop'";
        app.database.client().await.query_one(sql, &[]).await.unwrap().get::<_, i64>(0)
    };
    let first = uses().await;
    app.advance(DAY.checked_sub(Duration::from_secs(1)).unwrap());
    laptop.renew().await.unwrap();
    assert_eq!(uses().await, first, "not every refresh writes a row");
    for _ in 0..8 {
        app.advance(DAY * 15);
        laptop.renew().await.unwrap();
    }
    app.advance((DAY * 90).checked_sub(Duration::from_secs(1)).unwrap());
    assert!(is_known(&app, ALICE, "laptop", "198.51.100.7").await);
    app.advance(Duration::from_secs(1));
    assert!(!is_known(&app, ALICE, "laptop", "198.51.100.7").await);
}

#[tokio::test]
async fn a_reset_leaves_the_device_that_did_it() {
    let app = TestApp::with(locking()).await;
    app.user(ALICE).await;
    device_at(&app, "laptop", "198.51.100.7").login(ALICE).await.unwrap();
    app.mailbox.next_to(ALICE).await;
    let phone = device_at(&app, "phone", "203.0.113.9");
    let reset = phone.request_password_reset(ALICE).await.unwrap();
    let code = app.mailbox.next_to(ALICE).await.code();
    let token = phone.verify_reset_code(&reset.reset_id, &code).await.unwrap().reset_token;
    phone.reset_password(&token, &format!("{PASSWORD} again")).await.unwrap();
    assert!(!is_known(&app, ALICE, "laptop", "198.51.100.7").await);
    assert!(is_known(&app, ALICE, "phone", "203.0.113.9").await);
}
