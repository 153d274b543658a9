//! Revocation is felt: at once where it happened, soon at every other replica, and without asking the database.

use std::time::Duration;

use keyward::proto::keyward::v1::ListSessionsRequest;
use tonic::Code;
use uuid::Uuid;

use crate::harness::{Device, PASSWORD, Refusal, Settings, TestApp, answer, refused, within_patience};

const OTHER_PASSWORD: &str = "eleven herons on a barge";

/// Calls until the service refuses; a replica may serve until the feed tells it.
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

/// A signed-in call that the database has no part in: its page token is judged before any session is read.
async fn call_without_queries(device: &Device) -> Refusal {
    let request = ListSessionsRequest { page_size: 0, page_token: "garbage".to_owned() };
    refused(answer(device.sessions().list_sessions(request).await))
}

#[tokio::test]
async fn every_way_to_end_a_session_is_felt_by_another_replica() {
    let app = TestApp::with(Settings::default().set("sessions.max_devices", "6")).await;
    let replica = app.replica().await;
    let alice = app.user("alice@example.com").await;
    let keeper = alice.sign_in("keeper").await;

    let logged_out = alice.sign_in("logged-out").await;
    logged_out.logout().await.unwrap();
    let revoked = alice.sign_in("revoked").await;
    keeper.revoke_session(&revoked.session.session_id).await.unwrap();
    let replaced = alice.sign_in("replaced").await;
    alice.sign_in("replaced").await;
    let revoked_with_all = alice.sign_in("revoked-with-all").await;
    keeper.revoke_all_sessions(true).await.unwrap();
    let password_changed = alice.sign_in("password-changed").await;
    keeper.change_password(PASSWORD, OTHER_PASSWORD).await.unwrap();
    for gone in [logged_out, revoked, replaced, revoked_with_all, password_changed] {
        // Here at once, there soon.
        refused(gone.get_account().await).with(Code::Unauthenticated, "TOKEN_REVOKED");
        refusal_in_time(&Device::clone(&gone).at(&replica)).await.with(Code::Unauthenticated, "TOKEN_REVOKED");
    }
    Device::clone(&keeper).at(&replica).get_account().await.unwrap();

    keeper.delete_account(OTHER_PASSWORD).await.unwrap();
    refused(keeper.get_account().await).with(Code::Unauthenticated, "TOKEN_REVOKED");
    let refusal = refusal_in_time(&Device::clone(&keeper).at(&replica)).await;
    // The account is gone at once; that the token is, too, is what the feed brings.
    let told = ["USER_NOT_FOUND", "TOKEN_REVOKED"].contains(&refusal.reason());
    assert!(told, "{refusal:?}");
    let known =
        async { while call_without_queries(&Device::clone(&keeper).at(&replica)).await.reason() != "TOKEN_REVOKED" {} };
    within_patience("the other replica to learn of the deletion", known).await;
}

#[tokio::test]
async fn eviction_and_a_password_reset_are_felt_by_another_replica() {
    let app = TestApp::with(Settings::default().set("sessions.max_devices", "1")).await;
    let replica = app.replica().await;
    let alice = app.user("alice@example.com").await;
    let evicted = alice.sign_in("old").await;
    let latest = alice.sign_in("new").await;
    assert_eq!(latest.evicted.len(), 1);
    refused(evicted.get_account().await).with(Code::Unauthenticated, "TOKEN_REVOKED");
    refusal_in_time(&Device::clone(&evicted).at(&replica)).await.with(Code::Unauthenticated, "TOKEN_REVOKED");

    let device = app.device("elsewhere");
    app.all_mail_delivered().await;
    for mail in app.mailbox.unread_of(alice.email()) {
        assert!(mail.text.contains("for the first time"), "{mail:?}");
        app.mailbox.next_to(alice.email()).await;
    }
    let reset = device.request_password_reset(alice.email()).await.unwrap();
    let code = app.mailbox.next_to(alice.email()).await.code();
    let allowed = device.verify_reset_code(&reset.reset_id, &code).await.unwrap();
    device.reset_password(&allowed.reset_token, OTHER_PASSWORD).await.unwrap();
    refused(latest.get_account().await).with(Code::Unauthenticated, "TOKEN_REVOKED");
    refusal_in_time(&Device::clone(&latest).at(&replica)).await.with(Code::Unauthenticated, "TOKEN_REVOKED");
}

#[tokio::test]
async fn a_replica_that_starts_later_knows_what_was_revoked_before() {
    let app = TestApp::start().await;
    let phone = app.user("alice@example.com").await.sign_in("phone").await;
    phone.logout().await.unwrap();
    let replica = app.replica().await;
    refused(Device::clone(&phone).at(&replica).get_account().await).with(Code::Unauthenticated, "TOKEN_REVOKED");
}

#[tokio::test]
async fn a_revocation_that_is_committed_late_is_not_missed() {
    let app = TestApp::start().await;
    let alice = app.user("alice@example.com").await;
    let (early, late) = (alice.sign_in("early").await, alice.sign_in("late").await);
    let late_id: Uuid = late.session.session_id.parse().unwrap();

    // It takes its place in the feed before the other one, and shows only after it.
    let mut client = app.database.client().await;
    let tx = client.transaction().await.unwrap();
    let insert = "INSERT INTO revocations (session_id, created_at, expires_at) VALUES ($1, $2, $3)";
    tx.execute(insert, &[&late_id, &app.now(), &(app.now() + Duration::from_mins(5))]).await.unwrap();
    let replica = app.replica().await;
    early.logout().await.unwrap();
    refusal_in_time(&Device::clone(&early).at(&replica)).await.with(Code::Unauthenticated, "TOKEN_REVOKED");
    Device::clone(&late).at(&replica).get_account().await.unwrap();
    tx.commit().await.unwrap();
    refusal_in_time(&Device::clone(&late).at(&replica)).await.with(Code::Unauthenticated, "TOKEN_REVOKED");
}

#[tokio::test]
async fn checking_a_token_asks_no_database_while_the_feed_is_fresh() {
    let app = TestApp::with(Settings::default().set("revocations.max_age", "1m")).await;
    let alice = app.user("alice@example.com").await;
    let (phone, laptop) = (alice.sign_in("phone").await, alice.sign_in("laptop").await);
    laptop.logout().await.unwrap();
    app.database.go_away().await;
    call_without_queries(&phone).await.with(Code::InvalidArgument, "PAGE_TOKEN_INVALID");
    call_without_queries(&laptop).await.with(Code::Unauthenticated, "TOKEN_REVOKED");
}

#[tokio::test]
async fn nothing_is_believed_once_the_feed_is_old_and_the_database_away() {
    let settings = Settings::default().set("database.acquire_timeout", "2s").set("revocations.max_age", "300ms");
    let app = TestApp::with(settings).await;
    let alice = app.user("alice@example.com").await;
    let (phone, laptop) = (alice.sign_in("phone").await, alice.sign_in("laptop").await);
    laptop.logout().await.unwrap();

    app.database.go_away().await;
    let old = async {
        loop {
            match call_without_queries(&phone).await {
                fresh if fresh.reason() == "PAGE_TOKEN_INVALID" => {}
                old => return old,
            }
        }
    };
    let refusal = within_patience("the feed to grow old", old).await;
    refusal.with(Code::Unavailable, "DATABASE_UNAVAILABLE");
    // What is known to be revoked stays so.
    call_without_queries(&laptop).await.with(Code::Unauthenticated, "TOKEN_REVOKED");

    app.database.come_back().await;
    let fresh = async { while call_without_queries(&phone).await.reason() != "PAGE_TOKEN_INVALID" {} };
    within_patience("the feed to be fresh again", fresh).await;
    phone.get_account().await.unwrap();
}

#[tokio::test]
async fn the_database_is_asked_while_the_feed_is_old() {
    let app = TestApp::with(Settings::default().set("revocations.max_age", "300ms")).await;
    let alice = app.user("alice@example.com").await;
    let (phone, laptop) = (alice.sign_in("phone").await, alice.sign_in("laptop").await);

    // Nobody can read the feed, and another replica ends a session.
    let mut client = app.database.client().await;
    let tx = client.transaction().await.unwrap();
    tx.batch_execute("LOCK TABLE revocations IN ACCESS EXCLUSIVE MODE").await.unwrap();
    let end = "UPDATE sessions SET ended_at = created_at, end_reason = 'REVOKED' WHERE device_id = 'laptop'";
    app.database.client().await.execute(end, &[]).await.unwrap();
    refusal_in_time(&laptop).await.with(Code::Unauthenticated, "TOKEN_REVOKED");
    phone.get_account().await.unwrap();
    tx.rollback().await.unwrap();
}
