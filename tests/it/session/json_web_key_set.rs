//! GetJsonWebKeySet and `/.well-known/jwks.json`: what others verify access tokens with.

use jsonwebtoken::jwk::JwkSet;
use jsonwebtoken::{DecodingKey, Validation, decode, decode_header};
use keyward::proto::keyward::v1::{GetJsonWebKeySetRequest, JsonWebKey};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::harness::{Settings, TestApp, answer};

async fn published(app: &TestApp) -> Vec<JsonWebKey> {
    // It asks for neither a device nor a token.
    let request = GetJsonWebKeySetRequest {};
    answer(app.stranger().sessions().get_json_web_key_set(request).await).unwrap().keys
}

/// The headers and the body of the answer over plain HTTP.
async fn fetched(app: &TestApp) -> (String, Value) {
    let mut stream = TcpStream::connect(app.first().http_address).await.unwrap();
    let request = "GET /.well-known/jwks.json HTTP/1.1\r\nHost: keyward\r\nConnection: close\r\n\r\n";
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let (headers, body) = answer.split_once("\r\n\r\n").unwrap();
    (headers.to_lowercase(), serde_json::from_str(body).unwrap())
}

#[tokio::test]
async fn whoever_has_the_set_can_verify_a_token_of_any_algorithm() {
    for (algorithm, kty, crv) in [("ES256", "EC", "P-256"), ("EdDSA", "OKP", "Ed25519"), ("RS256", "RSA", "")] {
        let app = TestApp::with(Settings::default().set("tokens.algorithm", algorithm)).await;
        let phone = app.user("alice@example.com").await.sign_in("phone").await;
        let token = &phone.tokens.access_token;
        let header = decode_header(token).unwrap();

        let keys = published(&app).await;
        assert_eq!(keys.len(), 2, "the one that signs and the next one");
        for key in &keys {
            assert_eq!(
                (key.kty.as_str(), key.crv.as_str(), key.alg.as_str(), key.r#use.as_str()),
                (kty, crv, algorithm, "sig")
            );
            let set = [&key.x, &key.y, &key.n, &key.e].map(|member| !member.is_empty());
            assert_eq!(set, [kty != "RSA", kty == "EC", kty == "RSA", kty == "RSA"], "{key:?}");
        }

        let (headers, body) = fetched(&app).await;
        assert!(headers.starts_with("http/1.1 200 ok"), "{headers}");
        assert!(headers.contains("content-type: application/jwk-set+json"), "{headers}");
        assert!(headers.contains("cache-control: public, max-age=300"), "{headers}");
        for (key, published) in body["keys"].as_array().unwrap().iter().zip(&keys) {
            let members: Vec<_> = key.as_object().unwrap().keys().map(String::as_str).collect();
            let public = ["alg", "crv", "e", "kid", "kty", "n", "use", "x", "y"];
            assert!(members.iter().all(|member| public.contains(member)), "{members:?}");
            assert_eq!(key["kid"].as_str(), Some(published.kid.as_str()));
        }

        let set: JwkSet = serde_json::from_value(body).unwrap();
        let key = set.find(header.kid.as_ref().unwrap()).unwrap();
        let mut validation = Validation::new(header.alg);
        validation.set_audience(&["keyward"]);
        validation.set_issuer(&["keyward"]);
        let claims = decode::<Value>(token, &DecodingKey::from_jwk(key).unwrap(), &validation).unwrap().claims;
        assert_eq!(claims["sid"].as_str(), Some(phone.session.session_id.as_str()));
    }
}

#[tokio::test]
async fn a_shared_secret_is_not_published() {
    let app = TestApp::with(Settings::default().set("tokens.algorithm", "HS256")).await;
    assert_eq!(published(&app).await, []);
    assert_eq!(fetched(&app).await.1, serde_json::json!({ "keys": [] }));
}

#[tokio::test]
async fn the_set_is_there_while_the_database_is_away() {
    let app = TestApp::start().await;
    app.database.go_away().await;
    assert_eq!(published(&app).await.len(), 2);
    assert!(fetched(&app).await.0.starts_with("http/1.1 200 ok"));
}
