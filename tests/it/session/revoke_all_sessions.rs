//! RevokeAllSessions: all of the caller's sessions end, or all but the one that calls.

use tonic::Code;

use crate::harness::{TestApp, refused};

#[tokio::test]
async fn alice_keeps_the_device_in_her_hand() {
    let app = TestApp::start().await;
    let alice = app.user("alice@example.com").await;
    let mut bob = app.user("bob@example.com").await.sign_in("laptop").await;
    let (mut phone, mut laptop, mut tablet) =
        (alice.sign_in("phone").await, alice.sign_in("laptop").await, alice.sign_in("tablet").await);

    assert_eq!(phone.revoke_all_sessions(true).await.unwrap(), 2);
    for gone in [&mut laptop, &mut tablet] {
        refused(gone.get_account().await).with(Code::Unauthenticated, "TOKEN_REVOKED");
        refused(gone.renew().await).with(Code::Unauthenticated, "TOKEN_REVOKED");
    }
    assert_eq!(phone.list_sessions().await.unwrap(), std::slice::from_ref(&phone.session));
    assert_eq!(phone.revoke_all_sessions(true).await.unwrap(), 0);
    phone.renew().await.unwrap();

    // Nobody else's session was touched, not even on a device of the same id.
    bob.get_account().await.unwrap();
    bob.renew().await.unwrap();
}

#[tokio::test]
async fn by_default_the_session_that_calls_ends_too() {
    let app = TestApp::start().await;
    let alice = app.user("alice@example.com").await;
    let (mut phone, mut laptop) = (alice.sign_in("phone").await, alice.sign_in("laptop").await);

    assert_eq!(phone.revoke_all_sessions(false).await.unwrap(), 2);
    for gone in [&mut phone, &mut laptop] {
        refused(gone.list_sessions().await).with(Code::Unauthenticated, "TOKEN_REVOKED");
        refused(gone.renew().await).with(Code::Unauthenticated, "TOKEN_REVOKED");
    }
    // She can come back.
    let phone = alice.sign_in("phone").await;
    assert_eq!(phone.list_sessions().await.unwrap(), std::slice::from_ref(&phone.session));
}
