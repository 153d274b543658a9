//! SetUserRoles: felt by every replica, by the tokens issued before and not by those issued after.

use std::time::Duration;

use serde_json::json;
use tonic::Code;

use super::recorded;
use crate::harness::{Device, Refusal, SignedIn, TestApp, refused, within_patience};

/// Calls until the service refuses; a replica may serve until the feed tells it.
async fn refusal_in_time(device: &Device) -> Refusal {
    let refusal = async {
        loop {
            if let Err(refusal) = device.get_account().await {
                return refusal;
            }
        }
    };
    within_patience("the other replica to learn of the roles", refusal).await
}

/// What an access token says of itself.
fn claim(signed_in: &SignedIn, name: &str) -> serde_json::Value {
    use base64::Engine;
    let claims = signed_in.tokens.access_token.split('.').nth(1).unwrap();
    let claims = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(claims).unwrap();
    serde_json::from_slice::<serde_json::Value>(&claims).unwrap()[name].clone()
}

#[tokio::test]
async fn a_role_taken_away_is_felt_on_every_replica_with_a_token_issued_before() {
    let app = TestApp::start().await;
    let replica = app.replica().await;
    let admin = app.administrator("root@example.com").await;
    let alice = app.user("alice@example.com").await;
    let bob = app.user("bob@example.com").await.sign_in("phone").await;
    admin.create_role("support", &["users.read"]).await.unwrap();
    admin.set_user_roles(&alice.user.user_id, &["normal_user", "support"]).await.unwrap();
    app.advance(Duration::from_secs(1));
    let (mut phone, mut laptop) = (alice.sign_in("phone").await, alice.sign_in("laptop").await);
    assert_eq!(claim(&phone, "roles"), json!(["normal_user", "support"]));
    Device::clone(&phone).at(&replica).get_account().await.unwrap();

    app.advance(Duration::from_secs(10));
    let user = admin.set_user_roles(&alice.user.user_id, &["normal_user", "education_user"]).await.unwrap();
    assert_eq!(user.roles, ["education_user", "normal_user"]);
    assert!(user.update_time.unwrap().seconds >= user.create_time.unwrap().seconds + 10);
    // Here at once, there soon.
    refused(phone.get_account().await).with(Code::Unauthenticated, "TOKEN_REVOKED");
    refused(laptop.get_account().await).with(Code::Unauthenticated, "TOKEN_REVOKED");
    refusal_in_time(&Device::clone(&phone).at(&replica)).await.with(Code::Unauthenticated, "TOKEN_REVOKED");
    // A replica that starts later knows it from its first call on.
    let third = app.replica().await;
    let later = Device::clone(&phone).at(&third);
    refused(later.get_account().await).with(Code::Unauthenticated, "TOKEN_REVOKED");

    // The sessions live on: a refresh gives tokens with the new roles, which are good everywhere.
    app.advance(Duration::from_secs(1));
    for device in [&mut phone, &mut laptop] {
        device.renew().await.unwrap();
        assert_eq!(claim(device, "roles"), json!(["education_user", "normal_user"]));
        device.get_account().await.unwrap();
        Device::clone(device).at(&replica).get_account().await.unwrap();
        refused(device.get_user(&alice.user.user_id).await).with(Code::PermissionDenied, "PERMISSION_MISSING");
    }
    bob.get_account().await.unwrap();
    Device::clone(&bob).at(&replica).get_account().await.unwrap();
}

#[tokio::test]
async fn within_one_second_tokens_of_before_and_after_are_told_apart() {
    let app = TestApp::start().await;
    let replica = app.replica().await;
    let admin = app.administrator("root@example.com").await;
    let alice = app.user("alice@example.com").await;
    let mut phone = alice.sign_in("phone").await;
    let before = Device::clone(&phone);
    // The clock stands still: login, change, refresh and another login happen in the same microsecond.
    admin.set_user_roles(&alice.user.user_id, &["business_user"]).await.unwrap();
    phone.renew().await.unwrap();
    let laptop = alice.sign_in("laptop").await;
    refused(before.get_account().await).with(Code::Unauthenticated, "TOKEN_REVOKED");
    refusal_in_time(&before.clone().at(&replica)).await.with(Code::Unauthenticated, "TOKEN_REVOKED");
    for after in [&phone, &laptop] {
        assert_eq!(claim(after, "roles"), json!(["business_user"]));
        after.get_account().await.unwrap();
        Device::clone(after).at(&replica).get_account().await.unwrap();
        // For those who have only `iat`, too: the feed says what is stale by time.
        let issued_before = "SELECT extract(epoch FROM max(issued_before))::bigint FROM stale_users";
        let issued_before: i64 = app.database.client().await.query_one(issued_before, &[]).await.unwrap().get(0);
        assert!(claim(after, "iat").as_i64().unwrap() >= issued_before);
    }
}

#[tokio::test]
async fn a_token_with_roles_read_before_the_change_is_refused_whatever_its_time() {
    let app = TestApp::start().await;
    let admin = app.administrator("root@example.com").await;
    let alice = app.user("alice@example.com").await;
    let mut phone = alice.sign_in("phone").await;
    // A replica whose clock is ahead issues tokens that look newer than the change.
    app.advance(Duration::from_secs(30));
    phone.renew().await.unwrap();
    let ahead = Device::clone(&phone);
    let sql = "UPDATE users SET tokens_issued_from = tokens_issued_from - interval '1 minute'";
    admin.set_user_roles(&alice.user.user_id, &["business_user"]).await.unwrap();
    app.database.client().await.execute(sql, &[]).await.unwrap();
    let stale = "UPDATE stale_users SET issued_before = issued_before - interval '1 minute'";
    app.database.client().await.execute(stale, &[]).await.unwrap();
    let replica = app.replica().await;
    refused(ahead.clone().at(&replica).get_account().await).with(Code::Unauthenticated, "TOKEN_REVOKED");
}

#[tokio::test]
async fn a_change_by_a_replica_whose_clock_is_ahead_shuts_nobody_out() {
    let app = TestApp::start().await;
    let admin = app.administrator("root@example.com").await;
    let alice = app.user("alice@example.com").await;
    admin.set_user_roles(&alice.user.user_id, &["business_user"]).await.unwrap();
    let ahead = "UPDATE users SET tokens_issued_from = tokens_issued_from + interval '30 s'";
    app.database.client().await.execute(ahead, &[]).await.unwrap();
    let phone = alice.sign_in("phone").await;
    // The login has waited for this second, by a clock that does not move by itself.
    app.advance(Duration::from_secs(1));
    phone.get_account().await.unwrap();
}

#[tokio::test]
async fn the_same_roles_again_change_nothing() {
    let app = TestApp::start().await;
    let admin = app.administrator("root@example.com").await;
    let alice = app.user("alice@example.com").await;
    let phone = alice.sign_in("phone").await;
    let user = admin.set_user_roles(&alice.user.user_id, &["normal_user"]).await.unwrap();
    assert_eq!(user.update_time, phone.get_account().await.unwrap().update_time);
    phone.get_account().await.unwrap();
    let recorded = recorded(&app, &alice.user.user_id).await;
    assert!(recorded.iter().all(|(kind, ..)| kind != "USER_ROLES_SET"), "{recorded:?}");
}

#[tokio::test]
async fn roles_and_users_that_there_are_not_are_named() {
    let app = TestApp::start().await;
    let admin = app.administrator("root@example.com").await;
    let alice = app.user("alice@example.com").await;
    let refusal = refused(admin.set_user_roles(&alice.user.user_id, &["normal_user", "wizard"]).await);
    assert_eq!(refusal.with(Code::NotFound, "ROLE_NOT_FOUND").metadata("role"), Some("wizard"));
    let nobody = "01890a5d-ac96-774b-bcce-b302099a8057";
    refused(admin.set_user_roles(nobody, &["normal_user"]).await).with(Code::NotFound, "USER_NOT_FOUND");
    refused(admin.set_user_roles("alice", &[]).await).with(Code::InvalidArgument, "FIELD_INVALID").naming(&["user_id"]);
    assert_eq!(admin.get_user(&alice.user.user_id).await.unwrap().roles, ["normal_user"]);
}

#[tokio::test]
async fn the_database_knows_it_while_the_feed_is_old() {
    let settings = crate::harness::Settings::default().set("revocations.max_age", "300ms");
    let app = TestApp::with(settings).await;
    let admin = app.administrator("root@example.com").await;
    let alice = app.user("alice@example.com").await;
    let replica = app.replica().await;
    let phone = alice.sign_in("phone").await.at_replica(&replica);
    let bob = app.user("bob@example.com").await.sign_in("phone").await.at_replica(&replica);

    // Nobody can read the feed, whose other table is locked, and another replica changes the roles.
    let mut client = app.database.client().await;
    let tx = client.transaction().await.unwrap();
    tx.batch_execute("LOCK TABLE revocations IN ACCESS EXCLUSIVE MODE").await.unwrap();
    admin.set_user_roles(&alice.user.user_id, &["business_user"]).await.unwrap();
    refusal_in_time(&phone).await.with(Code::Unauthenticated, "TOKEN_REVOKED");
    bob.get_account().await.unwrap();
    tx.rollback().await.unwrap();
}

#[tokio::test]
async fn old_and_new_roles_are_on_record() {
    let app = TestApp::start().await;
    let admin = app.administrator("root@example.com").await;
    let alice = app.user("alice@example.com").await;
    admin.set_user_roles(&alice.user.user_id, &["normal_user", "business_user"]).await.unwrap();
    let (kind, actor, details) = recorded(&app, &alice.user.user_id).await.pop().unwrap();
    assert_eq!((kind.as_str(), actor), ("USER_ROLES_SET", admin.get_account().await.unwrap().user_id));
    assert_eq!(details, json!({"old_roles": "normal_user", "new_roles": "business_user,normal_user"}));
}

#[tokio::test]
async fn an_operator_who_promotes_is_felt_too() {
    let app = TestApp::start().await;
    app.administrator("root@example.com").await;
    let alice = app.user("alice@example.com").await;
    let mut phone = alice.sign_in("phone").await;
    let (email, name) = ("alice@example.com", "Root");
    let email = keyward::model::email::Email::parse(email).unwrap();
    let name = keyward::model::display_name::DisplayName::parse(name).unwrap();
    let password = keyward::model::password::Password::parse(crate::harness::PASSWORD).unwrap();
    keyward::flows::admins::create(&app.first().app, email, name, password).await.unwrap();
    refusal_in_time(&phone).await.with(Code::Unauthenticated, "TOKEN_REVOKED");
    app.advance(Duration::from_secs(1));
    phone.renew().await.unwrap();
    phone.get_user(&alice.user.user_id).await.unwrap();
}
