//! `grpc.health.v1`, and what the platform asks over HTTP: whether calls can be served.

use std::net::SocketAddr;

use keyward::rpc::HEALTH_NAMES;
use tonic::{Code, Status};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;

use super::get;
use crate::harness::{Settings, TestApp, within_patience};

async fn check(app: &TestApp, service: &str) -> Result<ServingStatus, Status> {
    let request = HealthCheckRequest { service: service.to_owned() };
    // It asks for neither a device nor a token.
    Ok(HealthClient::new(app.first().channel()).check(request).await?.into_inner().status())
}

/// Readiness follows the last probe of the database, and so some time after it.
pub(crate) async fn becomes_ready(http: SocketAddr, ready: bool) {
    let expected = if ready { "HTTP/1.1 200 OK" } else { "HTTP/1.1 503 Service Unavailable" };
    let told = async { while get(http, "/readyz").await != expected {} };
    within_patience(&format!("readiness to be {ready}"), told).await;
}

pub(crate) async fn becomes(app: &TestApp, expected: ServingStatus) {
    for name in HEALTH_NAMES {
        // Until the first report there is one for the server as a whole only.
        let told = async { while !check(app, name).await.is_ok_and(|status| status == expected) {} };
        within_patience(&format!("{name:?} to be {expected:?}"), told).await;
    }
}

fn impatient() -> Settings {
    Settings::default().set("database.acquire_timeout", "2s")
}

#[tokio::test]
async fn every_service_follows_the_database() {
    let app = TestApp::with(impatient()).await;
    becomes(&app, ServingStatus::Serving).await;
    app.database.go_away().await;
    becomes(&app, ServingStatus::NotServing).await;
    app.database.come_back().await;
    becomes(&app, ServingStatus::Serving).await;
}

#[tokio::test]
async fn a_service_that_is_not_there_is_not_found() {
    let app = TestApp::start().await;
    for service in ["keyward.v1.NoSuchService", "keyward.v1", "AuthService", "grpc.health.v1.Health/Check"] {
        let status = check(&app, service).await.unwrap_err();
        assert_eq!(status.code(), Code::NotFound, "{service}: {status:?}");
    }
}

#[tokio::test]
async fn whoever_watches_is_told_of_each_change() {
    let app = TestApp::with(impatient()).await;
    let request = HealthCheckRequest::default();
    let mut watch = HealthClient::new(app.first().channel()).watch(request).await.unwrap().into_inner();
    let mut next = async |expected: ServingStatus| {
        // The same may be reported twice.
        let told = async { while watch.message().await.unwrap().unwrap().status() != expected {} };
        within_patience(&format!("health to be reported as {expected:?}"), told).await;
    };
    next(ServingStatus::Serving).await;
    app.database.go_away().await;
    next(ServingStatus::NotServing).await;
    app.database.come_back().await;
    next(ServingStatus::Serving).await;
}

#[tokio::test]
async fn the_platform_is_told_over_http() {
    let app = TestApp::with(impatient()).await;
    let http = app.first().http_address;
    assert_eq!(get(http, "/healthz").await, "HTTP/1.1 200 OK");
    assert_eq!(get(http, "/readyz").await, "HTTP/1.1 200 OK");
    app.database.go_away().await;
    // The process runs, and restarting it would help nobody.
    assert_eq!(get(http, "/healthz").await, "HTTP/1.1 200 OK");
    becomes_ready(http, false).await;
    app.database.come_back().await;
    becomes_ready(http, true).await;
    assert_eq!(get(http, "/").await, "HTTP/1.1 404 Not Found");
}

#[tokio::test]
async fn a_service_that_is_not_there_can_be_watched_and_one_connection_holds_a_few_streams() {
    let app = TestApp::start().await;
    let mut client = HealthClient::new(app.first().channel());
    let request = || HealthCheckRequest { service: "keyward.v1.NoSuchService".to_owned() };
    let mut watches = Vec::new();
    for _ in 0..8 {
        let mut watch = client.watch(request()).await.unwrap().into_inner();
        assert_eq!(watch.message().await.unwrap().unwrap().status(), ServingStatus::ServiceUnknown);
        watches.push(watch);
    }
    let refused = client.watch(request()).await.unwrap_err();
    assert_eq!(refused.code(), Code::ResourceExhausted, "{refused:?}");
    watches.clear();
    let again = async { while client.watch(request()).await.is_err() {} };
    within_patience("a place for a stream", again).await;
}

#[tokio::test]
async fn whoever_watches_an_unknown_service_is_told_when_the_service_stops() {
    let app = TestApp::start().await;
    let replica = app.replica().await;
    let mut client = HealthClient::new(replica.channel());
    let request = HealthCheckRequest { service: "keyward.redis".to_owned() };
    let mut watch = client.watch(request).await.unwrap().into_inner();
    assert_eq!(watch.message().await.unwrap().unwrap().status(), ServingStatus::ServiceUnknown);
    replica.stop().await;
    let end = within_patience("the end of the stream", watch.message()).await.unwrap_err();
    assert_eq!(end.code(), Code::Unavailable, "{end:?}");
}
