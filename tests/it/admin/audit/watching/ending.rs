//! When a stream ends: its caller may not have it any more, or the service stops.

use std::time::Duration;

use tonic::{Code, Status, Streaming};
use tonic_types::StatusExt;

use super::{ListAuditEventsRequest, Request, WatchAuditEventsResponse, administrator, list, next, watch};
use crate::harness::{Device, Settings, TestApp, within_patience};

/// The status with which a stream ends.
async fn end(stream: &mut Streaming<WatchAuditEventsResponse>) -> Status {
    let end = async {
        loop {
            match stream.message().await {
                Ok(message) => assert!(message.is_some(), "the stream has ended well"),
                Err(status) => return status,
            }
        }
    };
    within_patience("the end of the stream", end).await
}

#[track_caller]
fn assert_refused(status: &Status, code: Code, reason: &str) {
    assert_eq!((status.code(), status.get_details_error_info().unwrap().reason.as_str()), (code, reason));
    assert_eq!(status.get_details_request_info().unwrap().request_id, "watching");
}

#[tokio::test]
async fn it_ends_with_the_session_at_another_replica_too() {
    let app = TestApp::start().await;
    let replica = app.replica().await;
    let root = administrator(&app).await;
    let watching = Device::clone(&root).with("x-request-id", "watching");
    let mut here = watch(&watching, Request::default()).await.unwrap();
    let mut there = watch(&watching.at(&replica), Request::default()).await.unwrap();
    next(&mut here).await;
    next(&mut there).await;
    root.logout().await.unwrap();
    assert_refused(&end(&mut here).await, Code::Unauthenticated, "TOKEN_REVOKED");
    assert_refused(&end(&mut there).await, Code::Unauthenticated, "TOKEN_REVOKED");
}

#[tokio::test]
async fn it_ends_with_the_access_token() {
    let app = TestApp::start().await;
    let root = administrator(&app).await;
    let watching = Device::clone(&root).with("x-request-id", "watching");
    let mut stream = watch(&watching, Request::default()).await.unwrap();
    next(&mut stream).await;
    app.advance(Duration::from_mins(4));
    assert_refused(&end(&mut stream).await, Code::Unauthenticated, "TOKEN_EXPIRED");
}

#[tokio::test]
async fn it_ends_with_the_permission() {
    let app = TestApp::start().await;
    let replica = app.replica().await;
    let root = app.administrator("root@example.com").await;
    root.create_role("auditor", &["audit.read"]).await.unwrap();
    let alice = app.user("alice@example.com").await;
    root.set_user_roles(&alice.user.user_id, &["auditor"]).await.unwrap();
    app.advance(Duration::from_secs(1));
    let phone = alice.sign_in("phone").await;
    let watching = Device::clone(&phone).with("x-request-id", "watching").at(&replica);
    // The replica learns of the role from its feed.
    let admitted = async { while list(&watching, ListAuditEventsRequest::default()).await.is_err() {} };
    within_patience("the replica to know what the role permits", admitted).await;
    let mut stream = watch(&watching, Request::default()).await.unwrap();
    next(&mut stream).await;
    root.set_permissions("auditor", &["users.read"]).await.unwrap();
    assert_refused(&end(&mut stream).await, Code::PermissionDenied, "PERMISSION_MISSING");
}

#[tokio::test]
async fn it_ends_well_when_the_service_stops_and_does_not_hold_it_up() {
    let mut app = TestApp::start().await;
    let root = administrator(&app).await;
    let mut stream = watch(&root, Request::default()).await.unwrap();
    let cursor = next(&mut stream).await.cursor;
    app.stop().await;
    assert!(within_patience("the end of the stream", stream.message()).await.unwrap().is_none());
    // Another replica goes on where it ended.
    app.start_again().await;
    app.device("desk").login("nobody@example.com").await.unwrap_err();
    let mut stream = watch(&root, Request { cursor, ..Request::default() }).await.unwrap();
    while next(&mut stream).await.audit_events.is_empty() {}
}

#[tokio::test]
async fn it_ends_when_nothing_can_be_known() {
    let app = TestApp::with(Settings::default().set("database.acquire_timeout", "3s")).await;
    let root = administrator(&app).await;
    let watching = Device::clone(&root).with("x-request-id", "watching");
    let mut stream = watch(&watching, Request::default()).await.unwrap();
    next(&mut stream).await;
    app.database.go_away().await;
    assert_refused(&end(&mut stream).await, Code::Unavailable, "DATABASE_UNAVAILABLE");
    app.database.come_back().await;
}
