//! A PostgreSQL that falls silent, connections left open: calls end in time, health tells, no connection with an answer
//! outstanding is lent again, and the service is as before once the database is back.

use std::time::{Duration, Instant};

use futures::future::join_all;
use tokio::time::timeout;
use tonic::Code;
use tonic_health::pb::health_check_response::ServingStatus;

use crate::harness::{Database, Settings, TestApp, refused, within_patience};
use crate::interceptors::health::{becomes, becomes_ready};

const ALICE: &str = "alice@example.com";

/// The service has recovered when so much time has passed since the database's return.
const RECOVERY: Duration = Duration::from_secs(15);

/// The waiting times of production, shortened so that a test sees their end.
fn impatient() -> Settings {
    Settings::default().set("database.acquire_timeout", "1s").set("database.statement_timeout", "1s")
}

#[tokio::test]
async fn a_frozen_database_is_told_in_time_and_forgotten_once_it_thaws() {
    let database = Database::on_own_server().await;
    let url = database.url().to_owned();
    let app = TestApp::on(database, &url, impatient()).await;
    let phone = app.user(ALICE).await.sign_in("phone").await;
    let http = app.first().http_address;
    becomes(&app, ServingStatus::Serving).await;

    app.database.freeze();
    let frozen = Instant::now();
    // More than there are connections: those that have one wait for the answer, the others for a connection.
    for answer in join_all((0..16).map(|_| phone.get_account())).await {
        refused(answer).with(Code::Unavailable, "DATABASE_UNAVAILABLE");
    }
    assert!(frozen.elapsed() < Duration::from_secs(6), "{:?}", frozen.elapsed());
    becomes(&app, ServingStatus::NotServing).await;
    becomes_ready(http, false).await;
    assert!(frozen.elapsed() < Duration::from_secs(10), "{:?}", frozen.elapsed());

    app.database.thaw();
    let recovered = async {
        while phone.get_account().await.is_err() {}
        becomes(&app, ServingStatus::Serving).await;
        becomes_ready(http, true).await;
    };
    timeout(RECOVERY, recovered).await.expect("the service recovers");
    for answer in join_all((0..16).map(|_| phone.get_account())).await {
        answer.unwrap();
    }
}

#[tokio::test]
async fn a_service_stops_although_its_database_is_frozen() {
    let database = Database::on_own_server().await;
    let url = database.url().to_owned();
    let mut app = TestApp::on(database, &url, impatient()).await;
    becomes(&app, ServingStatus::Serving).await;
    app.database.freeze();
    let told = Instant::now();
    app.stop().await;
    assert!(told.elapsed() < Duration::from_secs(20), "{:?}", told.elapsed());
    app.database.thaw();
}

#[tokio::test]
async fn a_host_that_vanished_costs_the_calls_that_it_had_and_no_others() {
    let database = Database::create().await;
    let (proxy, url) = database.proxied().await;
    let app = TestApp::on(database, &url, impatient()).await;
    let phone = app.user(ALICE).await.sign_in("phone").await;
    for answer in join_all((0..16).map(|_| phone.get_account())).await {
        answer.unwrap();
    }
    becomes(&app, ServingStatus::Serving).await;

    // Eight connections lie idle, and all are dead. Their successors are let in.
    proxy.silence_open();
    let silent = Instant::now();
    let recovered = async { while phone.get_account().await.is_err() {} };
    timeout(RECOVERY, recovered).await.expect("the service recovers");
    for answer in join_all((0..16).map(|_| phone.get_account())).await {
        answer.unwrap();
    }
    assert!(silent.elapsed() < Duration::from_secs(8), "each dead connection was waited for: {:?}", silent.elapsed());
    becomes(&app, ServingStatus::Serving).await;
}

#[tokio::test]
async fn a_connection_is_not_lent_again_while_an_answer_is_outstanding() {
    let app = TestApp::with(Settings::default().set("database.max_connections", "1")).await;
    let phone = app.user(ALICE).await.sign_in("phone").await;
    let mut client = app.database.client().await;
    let watcher = app.database.client().await;
    let tx = client.transaction().await.unwrap();
    tx.batch_execute("LOCK TABLE users IN ACCESS EXCLUSIVE MODE").await.unwrap();
    let waiting = "SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
    {
        let call = phone.get_account();
        let mut call = std::pin::pin!(call);
        let waits = async {
            while watcher.query(waiting, &[]).await.unwrap().is_empty() {
                assert!(futures::poll!(&mut call).is_pending());
            }
        };
        within_patience("the call to wait for the table", waits).await;
        // The client goes away.
    }
    // Behind the statement that still waits, this would wait for `database.statement_timeout`, which is 30 s.
    let listed = timeout(Duration::from_secs(10), phone.list_sessions()).await.expect("another connection is lent");
    assert_eq!(listed.unwrap().len(), 1);
    tx.rollback().await.unwrap();
    phone.get_account().await.unwrap();
}
