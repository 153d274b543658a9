//! The age of a connection: its client is told to open another one, and what it has begun is finished.

use futures::future::join;
use keyward::proto::keyward::v1::session_service_client::SessionServiceClient;
use keyward::proto::keyward::v1::{GetOriginRequest, WatchAuditEventsRequest, WatchRevocationsRequest};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;

use super::wire::Wire;
use crate::admin::service;
use crate::harness::{Settings, TestApp, within_patience};

fn ageing() -> Settings {
    Settings::default().set("server.max_connection_age", "1s")
}

#[tokio::test]
async fn an_old_connection_is_told_to_go_and_its_calls_are_finished() {
    let app = TestApp::with(ageing()).await;
    let phone = app.user("alice@example.com").await.sign_in("phone").await;
    let mut client = app.database.client().await;
    let tx = client.transaction().await.unwrap();
    tx.batch_execute("LOCK TABLE sessions IN ACCESS EXCLUSIVE MODE").await.unwrap();
    let story = async {
        // Older than whatever is in flight, by the time that these two have had theirs.
        for _ in 0..2 {
            let mut wire = Wire::shake("127.0.0.2", app.first().address).await.unwrap();
            wire.goaway().await.expect("it was closed without a word");
        }
        tx.rollback().await.unwrap();
    };
    let (sessions, ()) = join(phone.list_sessions(), story).await;
    assert_eq!(sessions.unwrap().len(), 1);
    // A client that goes on calling notices nothing.
    let mut sessions = SessionServiceClient::new(app.first().channel());
    for _ in 0..3 {
        let mut wire = Wire::shake("127.0.0.2", app.first().address).await.unwrap();
        let served = async { while sessions.get_origin(GetOriginRequest {}).await.is_err() {} };
        within_patience("a call", served).await;
        wire.goaway().await.unwrap();
    }
}

#[tokio::test]
async fn what_outlasts_the_grace_of_an_old_connection_is_cut_off() {
    let app = TestApp::with(ageing().set("server.max_connection_age_grace", "0s")).await;
    let mut client = HealthClient::new(app.first().channel());
    let mut watch = client.watch(HealthCheckRequest::default()).await.unwrap().into_inner();
    let end = async { while let Ok(Some(_)) = watch.message().await {} };
    within_patience("the stream to be cut off", end).await;
}

#[tokio::test]
async fn streams_that_can_be_resumed_end_with_the_age_of_their_connection() {
    let app = TestApp::with(ageing().set("server.max_connection_age_grace", "10m")).await;
    let service = service(&app, &["tokens.introspect", "audit.read"]).await;
    let mut revocations = service.sessions().watch_revocations(WatchRevocationsRequest::default()).await.unwrap();
    let mut events = service.admin().watch_audit_events(WatchAuditEventsRequest::default()).await.unwrap();
    let end = async {
        while revocations.get_mut().message().await.unwrap().is_some() {}
        while events.get_mut().message().await.unwrap().is_some() {}
    };
    within_patience("the streams to end without an error", end).await;
}
