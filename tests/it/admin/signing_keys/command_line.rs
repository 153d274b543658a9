//! `keyward signing-keys`, as an operator types it.

use serde_json::Value;

use super::list;
use crate::admin::program::keyward;
use crate::admin::service;
use crate::harness::{Device, TestApp, refused, within_patience};

#[tokio::test]
async fn leaked_keys_are_revoked_from_the_command_line() {
    let app = TestApp::start().await;
    let replica = app.replica().await;
    let reader = service(&app, &["signing_keys.read"]).await;
    let phone = app.user("alice@example.com").await.sign_in("phone").await;
    let before = list(&reader).await;
    let shown = keyward(app.settings(), &["signing-keys", "list", "--json"], "").await;
    let shown: Value = serde_json::from_str(&shown.out).unwrap();
    let ids: Vec<_> = shown.as_array().unwrap().iter().map(|key| key["key_id"].as_str().unwrap().to_owned()).collect();
    assert_eq!(ids, before.iter().map(|key| key.key_id.clone()).collect::<Vec<_>>());
    assert_eq!(shown[0]["state"], "NEXT");
    assert_eq!(shown[1]["state"], "ACTIVE");

    let rotated = keyward(app.settings(), &["signing-keys", "rotate", "--revoke-existing"], "").await;
    assert_eq!(rotated.code, Some(0), "{rotated:?}");
    assert!(rotated.out.contains("ACTIVE") && ids.iter().all(|id| !rotated.out.contains(id)), "{}", rotated.out);
    for device in [Device::clone(&phone), Device::clone(&phone).at(&replica)] {
        let heard = async { while device.get_account().await.is_ok() {} };
        within_patience("the replica to hear of it", heard).await;
        refused(device.get_account().await).with(tonic::Code::Unauthenticated, "TOKEN_INVALID");
    }
    assert!(list(&reader).await.iter().all(|key| !ids.contains(&key.key_id)));
    let by = "SELECT count(*) FROM audit_events WHERE kind = 'SIGNING_KEYS_ROTATED' AND actor_type = 'OPERATOR'";
    let count: i64 = app.database.client().await.query_one(by, &[]).await.unwrap().get(0);
    assert_eq!(count, 1);
}
