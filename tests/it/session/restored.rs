//! A database that has gone back, restored from a backup or failed over with commits lost: what is revoked from then on is felt
//! as before, and whoever follows the feed is told everything again.

use std::time::Duration;

use keyward::proto::keyward::v1::{Role, WatchRevocationsRequest, WatchRevocationsResponse};
use keyward::token::master::{Master, Purpose};
use tonic::{Code, Streaming};
use uuid::Uuid;

use crate::admin::{administrator, service};
use crate::harness::{Device, Refusal, TestApp, refused, within_patience};

/// Revokes sessions that never were, after whatever has been revoked so far.
async fn later_revocations(app: &TestApp) {
    let flood = "INSERT INTO revocations (session_id, created_at, expires_at)
        SELECT gen_random_uuid(), $1, $2 FROM generate_series(1, 100)";
    let until = app.now() + Duration::from_mins(5);
    app.database.client().await.execute(flood, &[&app.now(), &until]).await.unwrap();
}

/// How far a replica knows the feed to go.
fn known(app: &keyward::app::App) -> i64 {
    app.revocations.fed().unwrap().extent.last
}

/// Takes the feed back to where it was at a sequence number.
async fn restore(app: &TestApp, to: i64) {
    let mut client = app.database.client().await;
    let tx = client.transaction().await.unwrap();
    tx.execute("DELETE FROM revocations WHERE sequence > $1", &[&to]).await.unwrap();
    tx.execute("DELETE FROM stale_users WHERE sequence > $1", &[&to]).await.unwrap();
    tx.execute("SELECT setval('revocations_sequence_seq', $1)", &[&to]).await.unwrap();
    tx.commit().await.unwrap();
}

async fn watch(device: &Device, cursor: &str) -> Streaming<WatchRevocationsResponse> {
    let request = WatchRevocationsRequest { cursor: cursor.to_owned() };
    device.sessions().watch_revocations(request).await.unwrap().into_inner()
}

/// Reads until this session has been told.
async fn told(stream: &mut Streaming<WatchRevocationsResponse>, session_id: &str) {
    let telling = async {
        while !stream.message().await.unwrap().unwrap().revoked_session_ids.iter().any(|told| told == session_id) {}
    };
    within_patience("the session to be told", telling).await;
}

async fn refusal_in_time(device: &Device) -> Refusal {
    let refusal = async {
        loop {
            if let Err(refusal) = device.get_account().await {
                return refusal;
            }
        }
    };
    within_patience("the other replica to learn of the revocation", refusal).await
}

#[tokio::test]
async fn what_is_revoked_after_a_restore_is_felt_and_everything_is_told_again() {
    let app = TestApp::start().await;
    let replica = app.replica().await;
    let key = service(&app, &["tokens.introspect"]).await;
    let alice = app.user("alice@example.com").await;
    let (before, after) = (alice.sign_in("before").await, alice.sign_in("after").await);
    before.logout().await.unwrap();
    let last = known(&app.first().app).max(1);
    let mut streams = [watch(&key, "").await, watch(&key.clone().at(&replica), "").await];
    for stream in &mut streams {
        told(stream, &before.session.session_id).await;
    }
    later_revocations(&app).await;
    for replica in [&app.first().app, &replica.app] {
        let followed = async {
            while known(replica) < last + 100 {
                tokio::task::yield_now().await;
            }
        };
        within_patience("the replica to follow", followed).await;
    }

    restore(&app, last).await;
    // Every follower hears again of what matters still.
    for stream in &mut streams {
        told(stream, &before.session.session_id).await;
    }
    after.logout().await.unwrap();
    refusal_in_time(&Device::clone(&after).at(&replica)).await.with(Code::Unauthenticated, "TOKEN_REVOKED");
    for stream in &mut streams {
        told(stream, &after.session.session_id).await;
    }
    // What had ended before stays so.
    refused(Device::clone(&before).at(&replica).get_account().await).with(Code::Unauthenticated, "TOKEN_REVOKED");
}

#[tokio::test]
async fn a_cursor_of_before_a_restore_or_of_an_earlier_version_leads_to_the_beginning() {
    let app = TestApp::start().await;
    let key = service(&app, &["tokens.introspect"]).await;
    let phone = app.user("alice@example.com").await.sign_in("phone").await;
    phone.logout().await.unwrap();
    let master = Master::new(app.settings().load().master_keys().unwrap()).unwrap();
    let cursor = |place: &[u8]| {
        use base64::Engine;
        let mac = master.mac(Purpose::PageToken, &[b"WatchRevocations", place]);
        base64::engine::general_purpose::URL_SAFE_NO_PAD.encode([place, &mac].concat())
    };
    let started_at = app.first().app.revocations.fed().unwrap().extent.server_started_at.timestamp_micros();
    let place = |started_at: i64, sequence: i64| [started_at.to_be_bytes(), sequence.to_be_bytes()].concat();
    // Further than the feed goes; of another run of the server; without any.
    for cursor in
        [place(started_at, 1_000), place(started_at - 1, 1), 1_000_i64.to_be_bytes().to_vec()].map(|it| cursor(&it))
    {
        told(&mut watch(&key, &cursor).await, &phone.session.session_id).await;
    }
}

#[tokio::test]
async fn roles_that_a_restore_took_back_shut_nobody_out() {
    let app = TestApp::start().await;
    let replica = app.replica().await;
    let admin = administrator(&app).await;
    let alice = app.user("alice@example.com").await;
    let user_id: Uuid = alice.user.user_id.parse().unwrap();
    later_revocations(&app).await;
    let client = app.database.client().await;
    let row = client.query_one("SELECT revision FROM users WHERE user_id = $1", &[&user_id]).await;
    let revision: i64 = row.unwrap().get(0);
    let followed = async {
        while known(&app.first().app) < 100 {
            tokio::task::yield_now().await;
        }
    };
    within_patience("the replica to follow", followed).await;
    admin.set_user_roles(&alice.user.user_id, &["normal_user", "education_user"]).await.unwrap();
    for replica in [&app.first().app, &replica.app] {
        let stale = async {
            while known(replica) < 101 {
                tokio::task::yield_now().await;
            }
        };
        within_patience("the replica to follow the change of roles", stale).await;
    }

    client.execute("UPDATE users SET revision = $2 WHERE user_id = $1", &[&user_id, &revision]).await.unwrap();
    client.execute("DELETE FROM user_roles WHERE user_id = $1 AND role = 'education_user'", &[&user_id]).await.unwrap();
    restore(&app, 100).await;
    let phone = alice.sign_in("phone").await;
    for device in [Device::clone(&phone), Device::clone(&phone).at(&replica)] {
        let served = async { while device.get_account().await.is_err() {} };
        within_patience("the user to be served again", served).await;
    }
}

#[tokio::test]
async fn a_copied_table_of_an_earlier_version_is_read_again() {
    let app = TestApp::start().await;
    let replica = app.replica().await;
    let admin = administrator(&app).await;
    let alice = app.user("alice@example.com").await;
    let role = admin.create_role("support", &[]).await.unwrap();
    admin.set_user_roles(&alice.user.user_id, &["normal_user", "support"]).await.unwrap();
    let client = app.database.client().await;
    let version = "SELECT version FROM feed_versions WHERE feed = 'roles'";
    let version: Uuid = client.query_one(version, &[]).await.unwrap().get(0);
    admin
        .update_role("support", Role { permissions: vec!["roles.read".to_owned()], ..role }, &["permissions"])
        .await
        .unwrap();
    let phone = alice.sign_in("phone").await;
    let there = Device::clone(&phone).at(&replica);
    for device in [&phone, &there] {
        device.list_roles(0, "").await.unwrap();
    }

    client.execute("DELETE FROM role_permissions WHERE role = 'support'", &[]).await.unwrap();
    client.execute("UPDATE feed_versions SET version = $1 WHERE feed = 'roles'", &[&version]).await.unwrap();
    for device in [&phone, &there] {
        let forgotten = async { while device.list_roles(0, "").await.is_ok() {} };
        within_patience("the replica to forget the permission", forgotten).await;
        refused(device.list_roles(0, "").await).with(Code::PermissionDenied, "PERMISSION_MISSING");
    }
}
