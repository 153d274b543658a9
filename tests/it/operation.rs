//! The service among the things that it depends on: they go away and come back, it is stopped and killed, and there is more
//! than one of it.

use std::time::Duration;

use tonic::Code;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;

use crate::harness::{Device, Settings, TestApp, refused, within_patience};

const ALICE: &str = "alice@example.com";

#[tokio::test]
async fn while_the_database_is_away_calls_say_so_and_then_they_succeed_again() {
    // How long each of the calls below waits for a connection.
    let app = TestApp::with(Settings::default().set("database.acquire_timeout", "3s")).await;
    let phone = app.user(ALICE).await.sign_in("phone").await;
    let mut health = watch_health(&phone).await;
    until_health(&mut health, ServingStatus::Serving).await;

    app.database.go_away().await;
    let refresh_token = phone.tokens.refresh_token.clone();
    let (login, list, refresh) = tokio::join!(phone.login(ALICE), phone.list_sessions(), phone.refresh(&refresh_token));
    refused(login).with(Code::Unavailable, "DATABASE_UNAVAILABLE");
    refused(list).with(Code::Unavailable, "DATABASE_UNAVAILABLE");
    refused(refresh).with(Code::Unavailable, "DATABASE_UNAVAILABLE");
    until_health(&mut health, ServingStatus::NotServing).await;

    app.database.come_back().await;
    until_health(&mut health, ServingStatus::Serving).await;
    assert_eq!(phone.list_sessions().await.unwrap().len(), 1);
}

#[tokio::test]
async fn connections_that_were_cut_are_replaced() {
    let app = TestApp::start().await;
    let phone = app.user(ALICE).await.sign_in("phone").await;
    for _ in 0..3 {
        app.database.cut_connections().await;
        // A connection may be taken before the service has heard that it is gone; each is taken so but once.
        let answered = async {
            while let Err(refusal) = phone.list_sessions().await {
                refusal.with(Code::Unavailable, "DATABASE_UNAVAILABLE");
            }
        };
        within_patience("the service to have connections again", answered).await;
    }
}

#[tokio::test]
async fn while_the_mail_server_is_away_calls_succeed_and_the_mail_comes_later() {
    let mut app = TestApp::start().await;
    let phone = app.device("phone");
    app.mailbox.go_away().await;
    let registration = phone.register(ALICE).await.unwrap();
    within_patience("the first attempt to fail", mail_put_off(&app)).await;

    app.mailbox.come_back().await;
    app.advance(Duration::from_secs(10));
    let code = app.mailbox.next_to(ALICE).await.code();
    phone.verify_email(&registration.registration_id, &code).await.unwrap();
}

#[tokio::test]
async fn sessions_outlive_the_service_stopped_or_killed() {
    let mut app = TestApp::start().await;
    let mut phone = app.user(ALICE).await.sign_in("phone").await;
    app.stop().await;
    app.start_again().await;
    phone.renew().await.unwrap();
    app.kill().await;
    app.start_again().await;
    phone.renew().await.unwrap();
    assert_eq!(phone.list_sessions().await.unwrap().len(), 1);
}

#[tokio::test]
async fn mail_that_was_caused_is_sent_by_the_next_service_after_a_kill() {
    let mut app = TestApp::start().await;
    app.mailbox.go_away().await;
    app.device("phone").register(ALICE).await.unwrap();
    app.kill().await;
    app.mailbox.come_back().await;
    app.advance(Duration::from_mins(1));
    app.start_again().await;
    app.mailbox.next_to(ALICE).await.code();
}

#[tokio::test]
async fn a_session_that_one_replica_ends_is_refused_by_the_other() {
    let app = TestApp::start().await;
    let other = app.replica().await;
    let alice = app.user(ALICE).await;
    let (phone, laptop) = (alice.sign_in("phone").await, alice.sign_in("laptop").await);
    let laptop_there = (*laptop).clone().at(&other);
    assert_eq!(laptop_there.list_sessions().await.unwrap().len(), 2);

    phone.revoke_device("laptop").await.unwrap();
    let felt = async {
        while let Ok(sessions) = laptop_there.list_sessions().await {
            assert_eq!(sessions.len(), 1);
        }
    };
    tokio::time::timeout(Duration::from_secs(1), felt)
        .await
        .expect("the revocation took more than a second to be felt");
    refused(laptop_there.list_sessions().await).with(Code::Unauthenticated, "TOKEN_REVOKED");
}

#[tokio::test]
async fn a_service_that_is_told_to_stop_says_so_first() {
    let mut app = TestApp::start().await;
    let mut health = watch_health(&app.stranger()).await;
    until_health(&mut health, ServingStatus::Serving).await;
    app.first().drain();
    until_health(&mut health, ServingStatus::NotServing).await;
    drop(health);
    app.stop().await;
}

/// Waits until a mail was tried in vain: its lease has been taken back then.
async fn mail_put_off(app: &TestApp) {
    let database = app.database.client().await;
    let put_off = "SELECT FROM mail_outbox WHERE attempts = 1 AND due_at < created_at + interval '5 s'";
    while database.query(put_off, &[]).await.unwrap().is_empty() {}
}

type HealthUpdates = tonic::Streaming<tonic_health::pb::HealthCheckResponse>;

async fn watch_health(device: &Device) -> HealthUpdates {
    let mut client = HealthClient::new(device.wire());
    client.watch(HealthCheckRequest { service: String::new() }).await.unwrap().into_inner()
}

async fn until_health(updates: &mut HealthUpdates, wanted: ServingStatus) {
    let told = async { while updates.message().await.unwrap().unwrap().status() != wanted {} };
    within_patience(&format!("the service's health to be {wanted:?}"), told).await;
}
