//! Network rules: who is let in by address, as operators change their minds.

mod changes;
mod operator;

use std::time::Duration;

use keyward::error::Error;
use keyward::model::network::NetworkAction::{Allow, Block};
use keyward::model::network::NetworkRule;
use tonic::{Code, Status};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;
use tonic_reflection::pb::v1::server_reflection_client::ServerReflectionClient;
use tonic_types::StatusExt;

use crate::harness::{Device, Refusal, Replica, Settings, TestApp, answer, refused};
pub(crate) use operator::Operator;

/// A service behind a proxy on this machine, so that tests can call it from anywhere.
async fn behind_a_proxy() -> TestApp {
    TestApp::with(Settings::default().set("server.trusted_proxies", "127.0.0.0/8, ::1/128")).await
}

/// A client at this address.
fn client(replica: &Replica, address: &str) -> Device {
    replica.stranger().with("x-forwarded-for", address)
}

/// Whether a client at this address may call. If not, it must be for its network.
async fn may_call(replica: &Replica, address: &str) -> bool {
    match client(replica, address).get_origin().await {
        Ok(_) => true,
        Err(refusal) => {
            blocked(refusal);
            false
        }
    }
}

#[track_caller]
fn blocked(refusal: Refusal) {
    let refusal = refusal.with(Code::PermissionDenied, "NETWORK_BLOCKED");
    assert!(!refusal.status().message().contains("ticket 7"), "the reason is for operators: {refusal:?}");
}

/// Why an operator's order is refused. It comes from the command line, so nothing but the reason is of interest.
fn reason(outcome: Result<NetworkRule, Error>) -> String {
    Status::from(outcome.unwrap_err()).get_details_error_info().unwrap().reason
}

#[tokio::test]
async fn a_blocked_network_reaches_no_method_but_health() {
    let app = behind_a_proxy().await;
    app.user("alice@example.com").await;
    let operator = Operator::of(&app).await;
    operator.make(Block, "203.0.113.0/24").await.unwrap();
    operator.make(Block, "2001:db8::/32").await.unwrap();
    operator.obeyed_by(app.first()).await;

    for address in ["203.0.113.9", "::ffff:203.0.113.9", "2001:db8:1::9"] {
        let client = client(app.first(), address);
        blocked(refused(client.get_origin().await));
        blocked(refused(client.get_account().await));
        // Nothing is asked of it first: no device, no address, no password.
        blocked(refused(client.login("alice@example.com").await));
        blocked(refused(client.clone().with("device-id", "desk").login("alice@example.com").await));
        let reflection = ServerReflectionClient::new(client.wire()).server_reflection_info(tokio_stream::empty()).await;
        blocked(refused(answer(reflection)));

        let health = HealthClient::new(client.wire()).check(HealthCheckRequest::default()).await.unwrap();
        assert_eq!(health.into_inner().status(), ServingStatus::Serving);
    }
    assert!(may_call(app.first(), "203.0.114.9").await);
    assert!(may_call(app.first(), "2001:db9::9").await);
    assert!(app.stranger().get_origin().await.is_ok());
}

#[tokio::test]
async fn a_stranger_cannot_talk_itself_out_of_its_network() {
    let app = TestApp::start().await;
    let operator = Operator::of(&app).await;
    operator.make(Block, "127.0.0.1").await.unwrap();
    operator.obeyed_by(app.first()).await;
    blocked(refused(app.stranger().get_origin().await));
    blocked(refused(client(app.first(), "192.0.2.1").get_origin().await));
}

#[tokio::test]
async fn the_most_specific_rule_wins() {
    let app = behind_a_proxy().await;
    let operator = Operator::of(&app).await;
    for (action, network) in [
        (Allow, "198.51.100.128/25"),
        (Block, "198.51.100.0/24"),
        (Block, "198.51.100.200"),
        (Block, "2001:db8::/32"),
        (Allow, "2001:db8:1::/48"),
    ] {
        operator.make(action, network).await.unwrap();
    }
    operator.obeyed_by(app.first()).await;

    assert!(!may_call(app.first(), "198.51.100.7").await);
    assert!(may_call(app.first(), "198.51.100.199").await);
    assert!(!may_call(app.first(), "198.51.100.200").await);
    assert!(!may_call(app.first(), "2001:db8:2::1").await);
    assert!(may_call(app.first(), "2001:db8:1::1").await);
}

#[tokio::test]
async fn a_rule_ends_the_moment_it_expires_and_makes_room_for_another() {
    let app = behind_a_proxy().await;
    let operator = Operator::of(&app).await;
    let minute = Duration::from_mins(1);
    operator.make_for(minute, Block, "203.0.113.0/24").await.unwrap();
    operator.make_for(minute, Allow, "203.0.113.9").await.unwrap();
    operator.make(Block, "203.0.0.0/16").await.unwrap();
    operator.obeyed_by(app.first()).await;

    app.advance(Duration::from_micros(59_999_999));
    assert!(!may_call(app.first(), "203.0.113.1").await);
    assert!(may_call(app.first(), "203.0.113.9").await);
    app.advance(Duration::from_micros(1));
    assert!(!may_call(app.first(), "203.0.113.9").await, "the wider rule has not expired");
    let expired = operator.remove("203.0.113.9").await;
    assert_eq!(reason(expired), "NETWORK_RULE_NOT_FOUND");

    operator.make(Allow, "203.0.113.0/24").await.unwrap();
    operator.obeyed_by(app.first()).await;
    assert!(may_call(app.first(), "203.0.113.1").await);
}
