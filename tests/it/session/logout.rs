//! Logout: the session that calls ends.

use std::time::Duration;

use tonic::Code;

use crate::harness::{TestApp, refused};

#[tokio::test]
async fn the_session_ends_at_once_and_no_other() {
    let app = TestApp::start().await;
    let alice = app.user("alice@example.com").await;
    let (mut phone, mut laptop) = (alice.sign_in("phone").await, alice.sign_in("laptop").await);

    phone.logout().await.unwrap();
    refused(phone.logout().await).with(Code::Unauthenticated, "TOKEN_REVOKED");
    refused(phone.get_account().await).with(Code::Unauthenticated, "TOKEN_REVOKED");
    refused(phone.renew().await).with(Code::Unauthenticated, "TOKEN_REVOKED");

    assert_eq!(laptop.list_sessions().await.unwrap(), std::slice::from_ref(&laptop.session));
    laptop.renew().await.unwrap();
}

#[tokio::test]
async fn whoever_logs_in_again_on_the_device_gets_another_session() {
    let app = TestApp::start().await;
    let alice = app.user("alice@example.com").await;
    let before = alice.sign_in("phone").await;
    before.logout().await.unwrap();
    let after = alice.sign_in("phone").await;
    assert_ne!(after.session.session_id, before.session.session_id);
    after.get_account().await.unwrap();
    // The tokens of the old one do not come back to life with it.
    refused(before.get_account().await).with(Code::Unauthenticated, "TOKEN_REVOKED");
}

#[tokio::test]
async fn an_expired_access_token_ends_nothing() {
    let app = TestApp::start().await;
    let mut phone = app.user("alice@example.com").await.sign_in("phone").await;
    app.advance(Duration::from_mins(4));
    refused(phone.logout().await).with(Code::Unauthenticated, "TOKEN_EXPIRED");
    phone.renew().await.unwrap();
    phone.logout().await.unwrap();
}

#[tokio::test]
async fn the_last_access_token_of_a_session_is_refused_like_the_ones_before() {
    let app = TestApp::start().await;
    let mut phone = app.user("alice@example.com").await.sign_in("phone").await;
    let first = phone.tokens.access_token.clone();
    phone.renew().await.unwrap();
    app.device("phone").bearing(&first).get_account().await.unwrap();
    phone.logout().await.unwrap();
    for token in [&first, &phone.tokens.access_token] {
        let refusal = refused(app.device("phone").bearing(token).get_account().await);
        refusal.with(Code::Unauthenticated, "TOKEN_REVOKED");
    }
}
