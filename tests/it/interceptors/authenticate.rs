//! Access tokens: what is taken for one, and what is not, whoever made it.

mod forgery;

use std::time::Duration;

use tonic::Code;

pub(crate) use self::forgery::Forgery;
use crate::harness::{Device, Settings, TestApp, refused};

#[tokio::test]
async fn the_token_comes_once_as_a_bearer_token() {
    let app = TestApp::start().await;
    let phone = app.user("alice@example.com").await.sign_in("phone").await;
    let (device, token) = (app.device("phone"), phone.tokens.access_token.as_str());

    for good in [format!("Bearer {token}"), format!("bearer {token}"), format!("BEARER {token}")] {
        device.clone().with("authorization", &good).get_account().await.unwrap();
    }
    refused(device.get_account().await).with(Code::Unauthenticated, "TOKEN_MISSING");
    let bad = [
        String::new(),
        "Bearer".to_owned(),
        "Bearer ".to_owned(),
        token.to_owned(),
        format!("Basic {token}"),
        format!("Token {token}"),
        format!("Bearer,{token}"),
        format!("Bearer {token}, Bearer {token}"),
        format!("Bearer Bearer {token}"),
        format!("Bearer \"{token}\""),
        "Bearer garbage".to_owned(),
        "Bearer a.b.c".to_owned(),
        "Bearer ä".to_owned(),
        format!("Bearer {}", "x".repeat(8000)),
        format!("Bearer {}", phone.tokens.refresh_token),
        "Bearer kws_0123456789abcdef0123456789abcdef0123456789a".to_owned(),
    ];
    for bad in bad {
        let refusal = refused(device.clone().with("authorization", &bad).get_account().await);
        assert_eq!((refusal.status().code(), refusal.reason()), (Code::Unauthenticated, "TOKEN_INVALID"), "{bad}");
    }
    let twice = device.clone().bearing(token).with_another("authorization", &format!("Bearer {token}"));
    refused(twice.get_account().await).with(Code::Unauthenticated, "TOKEN_INVALID");
}

#[tokio::test]
async fn it_lives_for_three_minutes_on_its_own_device() {
    let app = TestApp::start().await;
    let mut phone = app.user("alice@example.com").await.sign_in("phone").await;
    let token = phone.tokens.access_token.clone();
    refused(app.device("laptop").bearing(&token).get_account().await)
        .with(Code::Unauthenticated, "TOKEN_DEVICE_MISMATCH");
    refused(app.device("Phone").bearing(&token).get_account().await)
        .with(Code::Unauthenticated, "TOKEN_DEVICE_MISMATCH");
    let nowhere = Device::clone(&phone).without("device-id");
    refused(nowhere.get_account().await).with(Code::InvalidArgument, "DEVICE_ID_REQUIRED");

    app.advance(Duration::from_secs(179));
    phone.get_account().await.unwrap();
    // A second is forgiven, since clocks differ.
    app.advance(Duration::from_secs(2));
    refused(phone.get_account().await).with(Code::Unauthenticated, "TOKEN_EXPIRED");
    phone.renew().await.unwrap();
    phone.get_account().await.unwrap();
}

#[tokio::test]
async fn what_a_public_method_is_sent_is_not_looked_at() {
    let app = TestApp::start().await;
    let alice = app.user("alice@example.com").await;
    let device = app.device("phone").bearing("garbage").with_another("authorization", "Basic Zm9v");
    device.login(alice.email()).await.unwrap();
}

#[tokio::test]
async fn a_token_of_every_algorithm_works() {
    for algorithm in ["ES256", "EdDSA", "RS256", "HS256"] {
        let app = TestApp::with(Settings::default().set("tokens.algorithm", algorithm)).await;
        let phone = app.user("alice@example.com").await.sign_in("phone").await;
        phone.get_account().await.unwrap();
        let header = jsonwebtoken::decode_header(&phone.tokens.access_token).unwrap();
        assert_eq!((format!("{:?}", header.alg).as_str(), header.typ.as_deref()), (algorithm, Some("at+jwt")));
        let mut forgery = Forgery::of(&phone.tokens.access_token);
        forgery.claims["sub"] = "01890f5e-0000-7000-8000-000000000000".into();
        let device = app.device("phone").bearing(&forgery.with_the_same_signature());
        refused(device.get_account().await).with(Code::Unauthenticated, "TOKEN_INVALID");
    }
}

#[tokio::test]
async fn the_token_of_another_deployment_is_foreign() {
    let (here, there) = (TestApp::start().await, TestApp::start().await);
    let phone = there.user("alice@example.com").await.sign_in("phone").await;
    let device = here.device("phone").bearing(&phone.tokens.access_token);
    refused(device.get_account().await).with(Code::Unauthenticated, "TOKEN_INVALID");
}

#[tokio::test]
async fn a_token_signed_with_our_own_key_must_say_all_that_ours_say() {
    let app = TestApp::start().await;
    let phone = app.user("alice@example.com").await.sign_in("phone").await;
    let keys = app.first().app.keys.current();
    let ours = || Forgery::of(&phone.tokens.access_token);
    let device = app.device("phone");
    // Signing anew works, so that what is refused below is refused for what it says.
    device.clone().bearing(&ours().signed_with(&keys.active.key)).get_account().await.unwrap();

    let mut forged = Vec::new();
    for claim in ["iss", "aud", "sub", "sid", "did", "roles", "iat", "exp", "jti"] {
        let mut forgery = ours();
        forgery.claims.as_object_mut().unwrap().remove(claim).unwrap();
        forged.push((format!("no {claim}"), forgery));
    }
    for (claim, value) in [
        ("iss", serde_json::json!("somebody")),
        ("aud", serde_json::json!("somebody")),
        ("aud", serde_json::json!([])),
        ("sub", serde_json::json!("alice")),
        ("sid", serde_json::json!(1)),
        ("did", serde_json::json!("a b")),
        ("exp", serde_json::json!("never")),
        ("exp", serde_json::json!(i64::MAX)),
        ("roles", serde_json::json!("admin")),
        // Longer than any token of ours can live, and issued in the future.
        ("exp", serde_json::json!(app.now().timestamp() + 3602)),
        ("exp", serde_json::json!(4_102_444_800_i64)),
        ("iat", serde_json::json!(app.now().timestamp() + 2)),
        ("iat", serde_json::json!(i64::MIN)),
    ] {
        let mut forgery = ours();
        forgery.claims[claim] = value.clone();
        forged.push((format!("{claim}: {value}"), forgery));
    }
    for (key, value) in [
        ("typ", serde_json::json!("JWT")),
        ("typ", serde_json::Value::Null),
        ("kid", serde_json::json!("another")),
        ("kid", serde_json::Value::Null),
        ("alg", serde_json::json!("none")),
        ("alg", serde_json::json!("ES384")),
        ("crit", serde_json::json!(["exp"])),
    ] {
        let mut forgery = ours();
        forgery.header[key] = value.clone();
        forged.push((format!("{key}: {value}"), forgery));
    }
    for (what, forgery) in forged {
        let refusal = refused(device.clone().bearing(&forgery.signed_with(&keys.active.key)).get_account().await);
        assert_eq!((refusal.status().code(), refusal.reason()), (Code::Unauthenticated, "TOKEN_INVALID"), "{what}");
    }
}

#[tokio::test]
async fn a_token_that_we_did_not_sign_is_refused_however_it_is_signed() {
    let app = TestApp::start().await;
    let phone = app.user("alice@example.com").await.sign_in("phone").await;
    let keys = app.first().app.keys.current();
    let token = &phone.tokens.access_token;
    let mut admin = Forgery::of(token);
    admin.claims["roles"] = serde_json::json!(["admin"]);
    let public = keys.verifying[&keys.active.key_id].public.clone().unwrap();
    let (signed, signature) = token.rsplit_once('.').unwrap();
    let forged = [
        ("claims changed", admin.with_the_same_signature()),
        ("signature missing", format!("{signed}.")),
        ("signature and its dot missing", signed.to_owned()),
        ("signature cut", format!("{signed}.{}", &signature[..40])),
        ("signature twice", format!("{signed}.{signature}.{signature}")),
        ("signature of zeros", format!("{signed}.{}", "A".repeat(86))),
        ("alg none", admin.unsigned("none")),
        ("alg None", admin.unsigned("None")),
        ("alg none, unchanged", Forgery::of(token).unsigned("none")),
        ("another key", admin.signed_with(&Forgery::another_key())),
        ("another key, unchanged", Forgery::of(token).signed_with(&Forgery::another_key())),
    ];
    let as_secrets = Forgery::public_key_as_secrets(&public).into_iter();
    let confused = as_secrets.map(|secret| ("HS256 with the public key", admin.signed_with_secret(&secret)));
    for (what, token) in forged.into_iter().chain(confused) {
        let refusal = refused(app.device("phone").bearing(&token).get_account().await);
        assert_eq!((refusal.status().code(), refusal.reason()), (Code::Unauthenticated, "TOKEN_INVALID"), "{what}");
    }
    phone.get_account().await.unwrap();
}
