//! RevokeRefreshToken: the session that a refresh token names ends, and anything else changes nothing.

use std::time::Duration;

use keyward::proto::keyward::v1::RevokeRefreshTokenRequest;
use tonic::Code;

use super::{ALICE, count};
use crate::harness::{Device, Refusal, TestApp, answer, refused};

async fn revoke(device: &Device, refresh_token: &str) -> Result<(), Refusal> {
    let refresh_token = refresh_token.to_owned();
    answer(device.auth().revoke_refresh_token(RevokeRefreshTokenRequest { refresh_token }).await).map(drop)
}

#[tokio::test]
async fn a_token_of_any_generation_ends_its_session_from_any_device() {
    let app = TestApp::start().await;
    let alice = app.user(ALICE).await;
    let (mut phone, tablet, laptop) =
        (alice.sign_in("phone").await, alice.sign_in("tablet").await, alice.sign_in("laptop").await);
    let first = phone.tokens.refresh_token.clone();
    for _ in 0..3 {
        phone.renew().await.unwrap();
    }
    // An old token, without a device, long after the access token has ended.
    app.advance(Duration::from_mins(30));
    let events = count(&app, "audit_events WHERE kind = 'LOGGED_OUT'").await;
    revoke(&app.stranger(), &first).await.unwrap();
    refused(phone.refresh(&phone.tokens.refresh_token).await).with(Code::Unauthenticated, "TOKEN_REVOKED");
    assert_eq!(count(&app, "audit_events WHERE kind = 'LOGGED_OUT'").await, events + 1);
    assert_eq!(count(&app, "audit_events WHERE kind = 'TOKEN_REUSED'").await, 0);
    assert_eq!(count(&app, "sessions WHERE end_reason = 'LOGOUT'").await, 1);

    // Another device may do it, too.
    revoke(&app.device("somewhere"), &tablet.tokens.refresh_token).await.unwrap();
    refused(tablet.refresh(&tablet.tokens.refresh_token).await).with(Code::Unauthenticated, "TOKEN_REVOKED");

    let mut laptop = laptop;
    laptop.renew().await.unwrap();
    assert_eq!(laptop.list_sessions().await.unwrap().len(), 1);
}

#[tokio::test]
async fn its_access_token_is_refused_at_once() {
    let app = TestApp::start().await;
    let phone = app.user(ALICE).await.sign_in("phone").await;
    phone.get_account().await.unwrap();
    revoke(&app.stranger(), &phone.tokens.refresh_token).await.unwrap();
    refused(phone.get_account().await).with(Code::Unauthenticated, "TOKEN_REVOKED");
}

#[tokio::test]
async fn what_is_no_token_of_a_live_session_changes_nothing() {
    let app = TestApp::start().await;
    let phone = app.user(ALICE).await.sign_in("phone").await;
    let token = phone.tokens.refresh_token.clone();
    let forged = format!("{}{}", &token[..token.len() - 1], if token.ends_with('A') { 'B' } else { 'A' });
    let long = "x".repeat(10_000);
    for nothing in ["garbage", "kwr_", &phone.tokens.access_token, &forged, &token[1..], &long] {
        revoke(&app.stranger(), nothing).await.unwrap();
    }
    phone.get_account().await.unwrap();
    refused(revoke(&app.stranger(), "").await).with(Code::InvalidArgument, "FIELD_INVALID").naming(&["refresh_token"]);

    phone.logout().await.unwrap();
    let events = count(&app, "audit_events").await;
    for _ in 0..2 {
        revoke(&app.stranger(), &token).await.unwrap();
    }
    assert_eq!(count(&app, "audit_events").await, events);
}
