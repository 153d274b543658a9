//! ListUserSessions and RevokeUserSessions.

use std::time::Duration;

use tonic::Code;

use super::kinds;
use crate::harness::{Device, TestApp, refused, within_patience};

#[tokio::test]
async fn a_users_sessions_are_listed_page_by_page() {
    let app = TestApp::start().await;
    let admin = app.administrator("root@example.com").await;
    let alice = app.user("alice@example.com").await;
    let bob = app.user("bob@example.com").await;
    bob.sign_in("phone").await;
    for device_id in ["phone", "laptop", "tablet"] {
        alice.sign_in(device_id).await;
        app.advance(Duration::from_secs(1));
    }
    let user_id = alice.user.user_id.as_str();
    let all = admin.list_user_sessions(user_id, 0, "").await.unwrap().sessions;
    let devices: Vec<_> = all.iter().map(|session| session.device_id.as_str()).collect();
    assert_eq!(devices, ["tablet", "laptop", "phone"]);
    assert!(all.iter().all(|session| !session.current));

    let first = admin.list_user_sessions(user_id, 2, "").await.unwrap();
    let second = admin.list_user_sessions(user_id, 2, &first.next_page_token).await.unwrap();
    assert_eq!([first.sessions, second.sessions].concat(), all);
    assert_eq!(second.next_page_token, "");
    // The token is good for this user's list alone.
    refused(admin.list_user_sessions(&bob.user.user_id, 2, &first.next_page_token).await)
        .with(Code::InvalidArgument, "PAGE_TOKEN_INVALID")
        .naming(&["page_token"]);
}

#[tokio::test]
async fn all_sessions_of_a_user_end_on_every_replica() {
    let app = TestApp::start().await;
    let replica = app.replica().await;
    let admin = app.administrator("root@example.com").await;
    let alice = app.user("alice@example.com").await;
    let (mut phone, laptop) = (alice.sign_in("phone").await, alice.sign_in("laptop").await);
    let bob = app.user("bob@example.com").await.sign_in("phone").await;
    assert_eq!(admin.revoke_user_sessions(&alice.user.user_id).await.unwrap(), 2);
    assert_eq!(admin.revoke_user_sessions(&alice.user.user_id).await.unwrap(), 0);
    refused(phone.renew().await).with(Code::Unauthenticated, "TOKEN_REVOKED");
    refused(phone.get_account().await).with(Code::Unauthenticated, "TOKEN_REVOKED");
    let there = Device::clone(&laptop).at(&replica);
    let known = async { while there.get_account().await.is_ok() {} };
    within_patience("the other replica to learn of it", known).await;
    refused(there.get_account().await).with(Code::Unauthenticated, "TOKEN_REVOKED");
    bob.get_account().await.unwrap();
    // She may log in again.
    alice.sign_in("phone").await.get_account().await.unwrap();
    assert!(kinds(&app, &alice.user.user_id).await.contains(&"USER_SESSIONS_REVOKED".to_owned()));
}
