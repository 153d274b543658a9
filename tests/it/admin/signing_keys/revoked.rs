//! Signing keys that are gone, by time or by order: what they sign is believed by no replica and from no cache.

use std::time::Duration;

use keyward::proto::keyward::v1::signing_key::State;
use keyward::proto::keyward::v1::{RotateSigningKeysRequest, WatchRevocationsRequest};
use serde_json::json;
use tonic::Code;
use tonic_types::StatusExt;

use super::{list, published, rotate, states};
use crate::admin::{administrator, recorded, service};
use crate::harness::{Device, Replica, TestApp, answer, refused, within_patience};
use crate::interceptors::Forgery;

/// Waits until a replica refuses the device's token, which is none of ours from then on. A call that is under way when the key
/// goes may be told that it has been revoked.
async fn refused_at(replica: &Replica, device: &Device) {
    let device = device.clone().at(replica);
    let refused_once = async { while device.get_account().await.is_ok() {} };
    within_patience("the replica to refuse the token", refused_once).await;
    refused(device.get_account().await).with(Code::Unauthenticated, "TOKEN_INVALID");
}

#[tokio::test]
async fn a_leaked_key_is_worth_nothing_once_it_has_retired() {
    let app = TestApp::start().await;
    let replica = app.replica().await;
    let keeper = service(&app, &["signing_keys.read", "signing_keys.write"]).await;
    let phone = app.user("alice@example.com").await.sign_in("phone").await;
    let leaked = app.first().app.keys.current();
    let forge = || {
        let mut forgery = Forgery::of(&phone.tokens.access_token);
        let now = app.now().timestamp();
        (forgery.claims["iat"], forgery.claims["exp"]) = (json!(now), json!(now + 3600));
        app.device("phone").bearing(&forgery.signed_with(&leaked.active.key))
    };
    let old = forge();
    // Either replica has verified it, and remembers that.
    for device in [old.clone(), old.clone().at(&replica)] {
        device.get_account().await.unwrap();
    }
    rotate(&keeper).await;
    let heard = async {
        while replica.app.keys.current().active.key_id == leaked.active.key_id {
            tokio::task::yield_now().await;
        }
    };
    within_patience("the other replica to hear of the rotation", heard).await;
    old.get_account().await.unwrap();
    app.advance(Duration::from_mins(5));
    for device in [old.clone(), old.clone().at(&replica), forge(), forge().at(&replica)] {
        refused(device.get_account().await).with(Code::Unauthenticated, "TOKEN_INVALID");
    }
    // The key is off either ring, though nothing has changed in the table.
    for replica in [app.first(), &replica] {
        let dropped = async {
            while replica.app.keys.current().verifying.contains_key(&leaked.active.key_id) {
                tokio::task::yield_now().await;
            }
        };
        within_patience("the retired key to be off the ring", dropped).await;
    }
    for device in [forge(), forge().at(&replica)] {
        refused(device.get_account().await).with(Code::Unauthenticated, "TOKEN_INVALID");
    }
}

#[tokio::test]
async fn an_order_to_revoke_ends_every_token_at_once_and_no_session() {
    let app = TestApp::start().await;
    let replica = app.replica().await;
    let keeper = service(&app, &["signing_keys.read", "signing_keys.write"]).await;
    let alice = app.user("alice@example.com").await;
    rotate(&keeper).await;
    let mut phone = alice.sign_in("phone").await;
    let old = Device::clone(&phone);
    for device in [old.clone(), old.clone().at(&replica)] {
        device.get_account().await.unwrap();
    }
    let watcher = administrator(&app).await;
    let mut stream =
        watcher.sessions().watch_revocations(WatchRevocationsRequest::default()).await.unwrap().into_inner();
    let before = list(&keeper).await;
    assert_eq!(states(&before), [State::Next, State::Active, State::Retiring]);

    let request = RotateSigningKeysRequest { revoke_existing: true };
    let after = answer(keeper.admin().rotate_signing_keys(request).await).unwrap().signing_keys;
    refused(old.get_account().await).with(Code::Unauthenticated, "TOKEN_INVALID");
    refused_at(&replica, &old).await;
    let ended = async {
        loop {
            if let Err(status) = stream.message().await {
                return status;
            }
        }
    };
    let ended = within_patience("the stream of a caller with such a token to end", ended).await;
    assert_eq!(ended.get_details_error_info().unwrap().reason, "TOKEN_REVOKED");
    assert_eq!(states(&after), [State::Next, State::Active]);
    assert_eq!(after, list(&keeper).await);
    assert!(after.iter().all(|key| before.iter().all(|gone| gone.key_id != key.key_id)), "{before:?} {after:?}");
    let mut kept: Vec<_> = after.iter().map(|key| key.key_id.clone()).collect();
    kept.sort();
    for stranger in [app.stranger(), replica.stranger()] {
        assert_eq!(published(&stranger).await, kept);
    }
    let (kind, _, details) = recorded(&app, &after[1].key_id).await.swap_remove(0);
    assert_eq!(kind, "SIGNING_KEYS_ROTATED");
    let told = details["revoked_key_ids"].as_str().unwrap();
    assert!(before.iter().all(|gone| told.contains(&gone.key_id)), "{told}");

    // The sessions live on, and their new tokens are good everywhere.
    phone.renew().await.unwrap();
    for device in [Device::clone(&phone), Device::clone(&phone).at(&replica)] {
        device.get_account().await.unwrap();
    }
}
