//! What a replica's memory does not know is looked up once, for everybody who waits for it, and so seldom that nobody can make
//! it a burden.

use std::time::Duration;

use futures::future::join_all;
use keyward::proto::keyward::v1::{IntrospectTokenRequest, IntrospectTokenResponse};
use tokio::time::Instant;
use tonic::Code;
use uuid::Uuid;

use crate::admin::{administrator, service};
use crate::harness::{Device, Refusal, Settings, TestApp, answer, refused, within_patience};

async fn introspect(device: &Device, access_token: &str) -> Result<IntrospectTokenResponse, Refusal> {
    let access_token = access_token.to_owned();
    answer(device.sessions().introspect_token(IntrospectTokenRequest { access_token }).await)
}

/// A service key that was never made.
fn unknown_key() -> String {
    use base64::Engine;
    let bytes = [Uuid::new_v4(), Uuid::new_v4()].map(Uuid::into_bytes).concat();
    format!("kws_{}", base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(bytes))
}

#[tokio::test]
async fn a_service_key_made_on_one_replica_is_good_on_another_at_once() {
    let app = TestApp::start().await;
    let replica = app.replica().await;
    // So often that no feed comes in between.
    for _ in 0..5 {
        let there = service(&app, &["tokens.introspect"]).await.at(&replica);
        let asked = join_all((0..20).map(|_| introspect(&there, "garbage"))).await;
        assert!(asked.into_iter().all(|told| told.is_ok_and(|told| !told.active)));
    }
}

#[tokio::test]
async fn what_a_role_is_given_on_one_replica_is_permitted_on_another_at_once() {
    let app = TestApp::start().await;
    let replica = app.replica().await;
    let admin = administrator(&app).await;
    let alice = app.user("alice@example.com").await;
    let key = service(&app, &["tokens.introspect"]).await.at(&replica);
    for turn in 0..5 {
        let role = format!("support_{turn}");
        admin.create_role(&role, &["networks.read", "orders.read"]).await.unwrap();
        admin.set_user_roles(&alice.user.user_id, &["normal_user", &role]).await.unwrap();
        let phone = alice.sign_in("phone").await;
        let told = introspect(&key, &phone.tokens.access_token).await.unwrap();
        assert_eq!(told.permissions, ["networks.read", "orders.read"]);
        let rules = Device::clone(&phone).at(&replica).list_network_rules(0, "").await;
        assert!(rules.unwrap().network_rules.is_empty());
    }
    // A role that is known there is given one permission more.
    let phone = alice.sign_in("phone").await;
    let there = Device::clone(&phone).at(&replica);
    refused(there.list_roles(0, "").await).with(Code::PermissionDenied, "PERMISSION_MISSING");
    let mut role = admin.list_roles(0, "").await.unwrap().roles.into_iter().find(|it| it.name == "support_4").unwrap();
    role.permissions.push("roles.read".to_owned());
    admin.update_role("support_4", role, &["permissions"]).await.unwrap();
    there.list_roles(0, "").await.unwrap();
}

#[tokio::test]
async fn unknown_keys_are_refused_without_waiting_for_their_turn() {
    let app = TestApp::start().await;
    let replica = app.replica().await;
    let began = Instant::now();
    let flood = (0..500).map(|_| {
        let stranger = replica.stranger().bearing(&unknown_key());
        async move { refused(introspect(&stranger, "garbage").await).with(Code::Unauthenticated, "TOKEN_INVALID") }
    });
    join_all(flood).await;
    // One look in a tenth of a second for each would take 50 s.
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
    let good = service(&app, &["tokens.introspect"]).await.at(&replica);
    let known = async { while introspect(&good, "garbage").await.is_err() {} };
    within_patience("the key to be known after the flood", known).await;
}

#[tokio::test]
async fn callers_who_wait_for_the_same_look_share_its_failure() {
    let settings = Settings::default()
        .set("database.acquire_timeout", "2s")
        .set("revocations.max_age", "300ms")
        .set("server.request_timeout", "10s");
    let app = TestApp::with(settings).await;
    let admin = administrator(&app).await;
    let key = service(&app, &["tokens.introspect"]).await;
    let token = admin.tokens.access_token.clone();
    assert!(introspect(&key, &token).await.unwrap().active);
    app.database.go_away().await;
    let old = async { while introspect(&key, &token).await.is_ok() {} };
    within_patience("the copies to grow old", old).await;

    let began = Instant::now();
    let outcomes = join_all((0..20).map(|_| introspect(&key, &token)));
    let administration = join_all((0..20).map(|_| admin.list_network_rules(0, "")));
    let (outcomes, administration) = futures::future::join(outcomes, administration).await;
    let refusals = outcomes.into_iter().map(refused).chain(administration.into_iter().map(refused));
    for refusal in refusals {
        refusal.with(Code::Unavailable, "DATABASE_UNAVAILABLE");
    }
    // One after another they would take 40 s, and most would see their deadline pass.
    assert!(began.elapsed() < Duration::from_secs(8), "{:?}", began.elapsed());

    app.database.come_back().await;
    let served = async { while introspect(&key, &token).await.is_err() {} };
    within_patience("the service to be as before", served).await;
}
