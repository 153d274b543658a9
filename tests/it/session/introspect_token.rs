//! IntrospectToken: what an internal service is told of a user's access token.

use std::time::Duration;

use keyward::proto::keyward::v1::introspect_token_response::InactiveReason;
use keyward::proto::keyward::v1::{IntrospectTokenRequest, IntrospectTokenResponse, SetUserRolesRequest};
use tonic::Code;

use crate::admin::{administrator, service};
use crate::harness::{Device, Refusal, Settings, TestApp, answer, refused, within_patience};

async fn introspect(device: &Device, access_token: &str) -> Result<IntrospectTokenResponse, Refusal> {
    let access_token = access_token.to_owned();
    answer(device.sessions().introspect_token(IntrospectTokenRequest { access_token }).await)
}

/// Asserts that a token is not active for this reason, and that nothing else is told.
#[track_caller]
fn inactive(told: &IntrospectTokenResponse, reason: InactiveReason) {
    assert_eq!(told, &IntrospectTokenResponse { inactive_reason: reason.into(), ..Default::default() });
}

/// Asks until the token is not active any more.
async fn end_in_time(device: &Device, access_token: &str) -> IntrospectTokenResponse {
    let end = async {
        loop {
            let told = introspect(device, access_token).await.unwrap();
            if !told.active {
                return told;
            }
        }
    };
    within_patience("the token to be known as revoked", end).await
}

#[tokio::test]
async fn a_good_token_is_told_all_about() {
    let app = TestApp::start().await;
    let replica = app.replica().await;
    let service = service(&app, &["tokens.introspect"]).await;
    let alice = app.user("alice@example.com").await;
    let sql = format!(
        "INSERT INTO role_permissions (role, permission) VALUES ('education_user', 'courses.read'), ('normal_user', 'a.b');
        INSERT INTO user_roles (user_id, role) VALUES ('{}', 'education_user');
        INSERT INTO feed_versions (feed, version) VALUES ('roles', gen_random_uuid())
            ON CONFLICT (feed) DO UPDATE SET version = gen_random_uuid()",
        alice.user.user_id
    );
    app.database.client().await.batch_execute(&sql).await.unwrap();
    let phone = alice.sign_in("phone").await;
    let token = &phone.tokens.access_token;
    for device in [service.clone(), service.at(&replica)] {
        let known = async { while introspect(&device, token).await.is_ok_and(|told| told.permissions.is_empty()) {} };
        within_patience("the permissions to be known", known).await;
        let told = introspect(&device, token).await.unwrap();
        assert!(told.active && told.inactive_reason() == InactiveReason::Unspecified, "{told:?}");
        assert_eq!((&told.user_id, &told.session_id), (&alice.user.user_id, &phone.session.session_id));
        assert_eq!(
            (told.device_id.as_str(), told.roles.as_slice()),
            ("phone", ["education_user", "normal_user"].map(str::to_owned).as_slice())
        );
        assert_eq!(told.permissions, ["a.b", "courses.read"]);
        assert_eq!(told.issue_time.unwrap().seconds, app.now().timestamp());
        assert_eq!(told.expire_time, phone.tokens.access_token_expire_time);
    }
}

#[tokio::test]
async fn whatever_is_no_good_token_is_answered_and_not_refused() {
    let (app, elsewhere) = (TestApp::start().await, TestApp::start().await);
    let service = service(&app, &["tokens.introspect"]).await;
    let phone = app.user("alice@example.com").await.sign_in("phone").await;
    let foreign = elsewhere.user("alice@example.com").await.sign_in("phone").await;
    let token = &phone.tokens.access_token;
    let cut = &token[..token.len() - 4];
    let key = format!("kws_{}", "A".repeat(43));
    let long = "x".repeat(60_000);
    let bearer = format!("Bearer {token}");
    let bad = [
        "",
        "garbage",
        "a.b.c",
        " ",
        "ä",
        cut,
        &key,
        &long,
        &bearer,
        &phone.tokens.refresh_token,
        &foreign.tokens.access_token,
    ];
    for bad in bad {
        inactive(&introspect(&service, bad).await.unwrap(), InactiveReason::Invalid);
    }
    app.advance(Duration::from_secs(179));
    assert!(introspect(&service, token).await.unwrap().active);
    app.advance(Duration::from_secs(2));
    inactive(&introspect(&service, token).await.unwrap(), InactiveReason::Expired);
    refused(introspect(&phone, token).await).with(Code::Unauthenticated, "TOKEN_EXPIRED");
}

#[tokio::test]
async fn a_revoked_token_is_inactive_at_every_replica() {
    let app = TestApp::start().await;
    let replica = app.replica().await;
    let service = service(&app, &["tokens.introspect"]).await;
    let there = service.clone().at(&replica);
    let heard = async { while introspect(&there, "").await.is_err() {} };
    within_patience("the other replica to hear of the key", heard).await;
    let alice = app.user("alice@example.com").await;
    let (phone, laptop) = (alice.sign_in("phone").await, alice.sign_in("laptop").await);
    let token = &phone.tokens.access_token;
    assert!(introspect(&there, token).await.unwrap().active);
    phone.logout().await.unwrap();
    inactive(&introspect(&service, token).await.unwrap(), InactiveReason::Revoked);
    inactive(&end_in_time(&there, token).await, InactiveReason::Revoked);

    // So is one with roles that are not the user's any more.
    let token = &laptop.tokens.access_token;
    assert!(introspect(&there, token).await.unwrap().active);
    let admin = administrator(&app).await;
    let roles = vec!["normal_user".to_owned(), "business_user".to_owned()];
    let request = SetUserRolesRequest { user_id: alice.user.user_id.clone(), roles };
    answer(admin.admin().set_user_roles(request).await).unwrap();
    inactive(&introspect(&service, token).await.unwrap(), InactiveReason::Revoked);
    inactive(&end_in_time(&there, token).await, InactiveReason::Revoked);
}

#[tokio::test]
async fn asking_asks_no_database_while_what_is_in_memory_is_fresh() {
    let app = TestApp::with(Settings::default().set("revocations.max_age", "1m")).await;
    let service = service(&app, &["tokens.introspect"]).await;
    let alice = app.user("alice@example.com").await;
    let (phone, laptop) = (alice.sign_in("phone").await, alice.sign_in("laptop").await);
    laptop.logout().await.unwrap();
    app.database.go_away().await;
    assert!(introspect(&service, &phone.tokens.access_token).await.unwrap().active);
    inactive(&introspect(&service, &laptop.tokens.access_token).await.unwrap(), InactiveReason::Revoked);
    inactive(&introspect(&service, &phone.tokens.refresh_token).await.unwrap(), InactiveReason::Invalid);
}

#[tokio::test]
async fn an_administrator_may_ask_too_and_holds_every_permission() {
    let app = TestApp::start().await;
    let admin = administrator(&app).await;
    let told = introspect(&admin, &admin.tokens.access_token).await.unwrap();
    assert_eq!(told.roles, ["admin", "normal_user"]);
    for permission in ["users.read", "tokens.introspect", "maintenance.run"] {
        assert!(told.permissions.iter().any(|held| held == permission), "{permission}");
    }
    assert!(told.permissions.is_sorted());
    let alice = app.user("alice@example.com").await.sign_in("phone").await;
    let refusal = refused(introspect(&alice, &alice.tokens.access_token).await);
    refusal.with(Code::PermissionDenied, "PERMISSION_MISSING");
}
