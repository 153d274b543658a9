//! RevokeSession: one session of the caller's ends, by its id or by its device.

use std::time::Duration;

use futures::future::join_all;
use keyward::proto::keyward::v1::RevokeSessionRequest;
use tonic::Code;
use uuid::Uuid;

use crate::harness::{TestApp, answer, refused};

#[tokio::test]
async fn alice_ends_her_other_sessions_by_id_and_by_device() {
    let app = TestApp::start().await;
    let alice = app.user("alice@example.com").await;
    let (phone, mut laptop, mut tablet) =
        (alice.sign_in("phone").await, alice.sign_in("laptop").await, alice.sign_in("tablet").await);

    phone.revoke_session(&laptop.session.session_id).await.unwrap();
    phone.revoke_device("tablet").await.unwrap();
    for gone in [&mut laptop, &mut tablet] {
        refused(gone.get_account().await).with(Code::Unauthenticated, "TOKEN_REVOKED");
        refused(gone.renew().await).with(Code::Unauthenticated, "TOKEN_REVOKED");
    }
    assert_eq!(phone.list_sessions().await.unwrap(), std::slice::from_ref(&phone.session));

    // What has ended cannot end again.
    refused(phone.revoke_session(&laptop.session.session_id).await).with(Code::NotFound, "SESSION_NOT_FOUND");
    refused(phone.revoke_device("tablet").await).with(Code::NotFound, "SESSION_NOT_FOUND");
}

#[tokio::test]
async fn it_may_be_the_session_that_calls() {
    let app = TestApp::start().await;
    let alice = app.user("alice@example.com").await;
    let (mut phone, laptop) = (alice.sign_in("phone").await, alice.sign_in("laptop").await);
    phone.revoke_device("phone").await.unwrap();
    refused(phone.revoke_device("laptop").await).with(Code::Unauthenticated, "TOKEN_REVOKED");
    refused(phone.renew().await).with(Code::Unauthenticated, "TOKEN_REVOKED");
    assert_eq!(laptop.list_sessions().await.unwrap(), std::slice::from_ref(&laptop.session));
}

#[tokio::test]
async fn another_users_session_is_not_found_and_stays() {
    let app = TestApp::start().await;
    let mallory = app.user("mallory@example.com").await.sign_in("shared").await;
    let mut alice = app.user("alice@example.com").await.sign_in("phone").await;

    refused(mallory.revoke_session(&alice.session.session_id).await).with(Code::NotFound, "SESSION_NOT_FOUND");
    refused(mallory.revoke_device("phone").await).with(Code::NotFound, "SESSION_NOT_FOUND");
    // It is told apart from one that never was by nothing.
    refused(mallory.revoke_session(&Uuid::new_v4().to_string()).await).with(Code::NotFound, "SESSION_NOT_FOUND");

    assert_eq!(alice.list_sessions().await.unwrap(), std::slice::from_ref(&alice.session));
    alice.renew().await.unwrap();
}

#[tokio::test]
async fn two_people_on_one_device_do_not_meet() {
    let app = TestApp::start().await;
    let alice = app.user("alice@example.com").await.sign_in("shared").await;
    let mut bob = app.user("bob@example.com").await.sign_in("shared").await;
    alice.revoke_device("shared").await.unwrap();
    refused(alice.get_account().await).with(Code::Unauthenticated, "TOKEN_REVOKED");
    bob.get_account().await.unwrap();
    bob.renew().await.unwrap();
}

#[tokio::test]
async fn an_expired_session_is_not_there() {
    let app = TestApp::start().await;
    let alice = app.user("alice@example.com").await;
    let forgotten = alice.sign_in("laptop").await;
    app.advance(Duration::from_hours(18 * 24));
    let phone = alice.sign_in("phone").await;
    refused(phone.revoke_session(&forgotten.session.session_id).await).with(Code::NotFound, "SESSION_NOT_FOUND");
    refused(phone.revoke_device("laptop").await).with(Code::NotFound, "SESSION_NOT_FOUND");
}

#[tokio::test]
async fn the_target_must_be_whole() {
    let app = TestApp::start().await;
    let phone = app.user("alice@example.com").await.sign_in("phone").await;
    for session_id in ["", "phone", "01890f5e-0000-7000-8000-00000000000g"] {
        refused(phone.revoke_session(session_id).await)
            .with(Code::InvalidArgument, "FIELD_INVALID")
            .naming(&["session_id"]);
    }
    for device_id in ["", "a b", "phone/1", "ä", &"x".repeat(129)] {
        refused(phone.revoke_device(device_id).await)
            .with(Code::InvalidArgument, "FIELD_INVALID")
            .naming(&["device_id"]);
    }
    refused(answer(phone.sessions().revoke_session(RevokeSessionRequest { target: None }).await))
        .with(Code::InvalidArgument, "FIELD_INVALID")
        .naming(&["target"]);
    phone.get_account().await.unwrap();
}

#[tokio::test]
async fn of_twenty_at_once_one_ends_the_session() {
    let app = TestApp::start().await;
    let alice = app.user("alice@example.com").await;
    let (phone, laptop) = (alice.sign_in("phone").await, alice.sign_in("laptop").await);
    let results = join_all((0..20).map(|_| phone.revoke_session(&laptop.session.session_id))).await;
    let (ended, refusals): (Vec<_>, Vec<_>) = results.into_iter().partition(Result::is_ok);
    assert_eq!(ended.len(), 1);
    for refusal in refusals {
        refused(refusal).with(Code::NotFound, "SESSION_NOT_FOUND");
    }
    let row = app.database.client().await.query_one("SELECT count(*) FROM revocations", &[]).await.unwrap();
    assert_eq!(row.get::<_, i64>(0), 1);
}
