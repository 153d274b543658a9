//! Signing keys: they take turns by the clock or when told to, and no good token is refused for it.

mod command_line;
mod revoked;

use std::time::Duration;

use futures::future::join_all;
use keyward::app::App;
use keyward::proto::keyward::v1::signing_key::{Algorithm, State};
use keyward::proto::keyward::v1::{
    GetJsonWebKeySetRequest, ListSessionsRequest, ListSigningKeysRequest, ListSigningKeysResponse,
    RotateSigningKeysRequest, SigningKey,
};
use tonic::Code;

use super::{administrator, service};
use crate::harness::{Device, Refusal, Settings, TestApp, answer, refused, within_patience};

const DAY: Duration = Duration::from_hours(24);
const SECOND: Duration = Duration::from_secs(1);

async fn page(device: &Device, page_size: i32, page_token: &str) -> Result<ListSigningKeysResponse, Refusal> {
    let page_token = page_token.to_owned();
    answer(device.admin().list_signing_keys(ListSigningKeysRequest { page_size, page_token }).await)
}

async fn list(device: &Device) -> Vec<SigningKey> {
    page(device, 0, "").await.unwrap().signing_keys
}

async fn rotate(device: &Device) -> Vec<SigningKey> {
    answer(device.admin().rotate_signing_keys(RotateSigningKeysRequest::default()).await).unwrap().signing_keys
}

/// The keys that anybody is given.
async fn published(device: &Device) -> Vec<String> {
    let set = answer(device.sessions().get_json_web_key_set(GetJsonWebKeySetRequest {}).await).unwrap();
    set.keys.into_iter().map(|key| key.kid).collect()
}

fn states(keys: &[SigningKey]) -> Vec<State> {
    keys.iter().map(SigningKey::state).collect()
}

fn key_of(token: &str) -> String {
    jsonwebtoken::decode_header(token).unwrap().kid.unwrap()
}

fn from_now(app: &TestApp, time: Option<prost_types::Timestamp>) -> i64 {
    time.unwrap().seconds - app.now().timestamp()
}

/// Who did the rotations on record, and which key signs since.
async fn rotations(app: &TestApp) -> Vec<(String, String)> {
    let events =
        "SELECT actor_type, subject_id FROM audit_events WHERE kind = 'SIGNING_KEYS_ROTATED' ORDER BY sequence";
    let rows = app.database.client().await.query(events, &[]).await.unwrap();
    rows.iter().map(|row| (row.get(0), row.get(1))).collect()
}

#[tokio::test]
async fn one_key_signs_and_one_is_published_to_sign_next() {
    let app = TestApp::start().await;
    let replica = app.replica().await;
    let device = service(&app, &["signing_keys.read"]).await;
    let keys = list(&device).await;
    assert_eq!(states(&keys), [State::Next, State::Active]);
    assert!(keys.iter().all(|key| key.algorithm() == Algorithm::Es256 && key.expire_time.is_none()), "{keys:?}");
    assert_eq!(from_now(&app, keys[0].activate_time), 30 * 24 * 3600);
    assert_eq!((from_now(&app, keys[0].create_time), from_now(&app, keys[1].activate_time)), (0, 0));
    let alice = app.user("alice@example.com").await.sign_in("phone").await;
    assert_eq!(key_of(&alice.tokens.access_token), keys[1].key_id);
    for device in [app.stranger(), replica.stranger()] {
        let mut published = published(&device).await;
        published.sort();
        let mut expected: Vec<_> = keys.iter().map(|key| key.key_id.clone()).collect();
        expected.sort();
        assert_eq!(published, expected);
    }
    let refusal = refused(answer(device.admin().rotate_signing_keys(RotateSigningKeysRequest::default()).await));
    refusal.with(Code::PermissionDenied, "PERMISSION_MISSING");
}

#[tokio::test]
async fn an_order_to_rotate_makes_the_next_key_sign_and_refuses_no_token() {
    let app = TestApp::start().await;
    let replica = app.replica().await;
    let admin = administrator(&app).await;
    let alice = app.user("alice@example.com").await;
    let before = list(&admin).await;
    let mut phone = alice.sign_in("phone").await;
    let after = rotate(&admin).await;
    assert_eq!(after, list(&admin).await);
    assert_eq!(states(&after), [State::Next, State::Active, State::Retiring]);
    assert_eq!((&after[1].key_id, &after[2].key_id), (&before[0].key_id, &before[1].key_id));
    // Until the last token that it signed has expired on every clock.
    assert!((180..300).contains(&from_now(&app, after[2].expire_time)), "{after:?}");
    assert_eq!(rotations(&app).await, [("USER".to_owned(), after[1].key_id.clone())]);

    // The old token is good everywhere, and so is a new one at once, where nobody may have heard of its key.
    let old = Device::clone(&phone);
    phone.renew().await.unwrap();
    assert_eq!(key_of(&phone.tokens.access_token), after[1].key_id);
    Device::clone(&phone).at(&replica).get_account().await.unwrap();
    old.get_account().await.unwrap();
    old.at(&replica).get_account().await.unwrap();
    assert_eq!(published(&app.stranger()).await.len(), 3);

    app.advance(Duration::from_mins(5));
    phone.renew().await.unwrap();
    assert_eq!(published(&app.stranger()).await.len(), 2);
    assert_eq!(published(&replica.stranger()).await.len(), 2);
}

#[tokio::test]
async fn a_replica_looks_for_a_key_that_it_has_not_heard_of() {
    let app = TestApp::start().await;
    let admin = administrator(&app).await;
    let alice = app.user("alice@example.com").await;
    let device = service(&app, &["signing_keys.read"]).await;
    // So often that no feed comes in between.
    for _ in 0..5 {
        let replica = app.replica().await;
        let active = rotate(&admin).await.swap_remove(1);
        let phone = alice.sign_in("phone").await;
        assert_eq!(key_of(&phone.tokens.access_token), active.key_id);
        Device::clone(&phone).at(&replica).get_account().await.unwrap();
    }
    assert_eq!(list(&device).await.len(), 7);
}

#[tokio::test]
async fn keys_take_turns_by_the_clock_and_one_replica_does_it() {
    let app = TestApp::with(Settings::default().set("tokens.signing_key_rotation", "2d")).await;
    let replica = app.replica().await;
    let device = service(&app, &["signing_keys.read"]).await;
    let alice = app.user("alice@example.com").await;
    let mut phone = alice.sign_in("phone").await;
    let mut before = list(&device).await;
    for turn in 1..=3 {
        app.advance((2 * DAY).checked_sub(SECOND).unwrap());
        phone.renew().await.unwrap();
        let old = Device::clone(&phone);
        assert_eq!(key_of(&phone.tokens.access_token), before[1].key_id);
        app.advance(SECOND);
        let turned = async {
            loop {
                let keys = list(&device).await;
                if keys[1].key_id == before[0].key_id && keys[1].state() == State::Active {
                    return keys;
                }
            }
        };
        let after = within_patience("the next key to sign", turned).await;
        assert_eq!(states(&after), [State::Next, State::Active, State::Retiring]);
        assert_eq!(from_now(&app, after[0].activate_time), 2 * 24 * 3600);
        phone.renew().await.unwrap();
        for device in [old.clone(), old.at(&replica), Device::clone(&phone), Device::clone(&phone).at(&replica)] {
            device.get_account().await.unwrap();
        }
        // Of the two replicas, both of which have seen that it was time.
        for stranger in [app.stranger(), replica.stranger()] {
            let heard = async { while !published(&stranger).await.contains(&after[0].key_id) {} };
            within_patience("either replica to hear of the new key", heard).await;
        }
        let told = rotations(&app).await;
        assert_eq!(told.len(), turn, "{told:?}");
        assert_eq!(told.last().unwrap(), &("SYSTEM".to_owned(), after[1].key_id.clone()));
        before = after;
    }
}

#[tokio::test]
async fn a_deployment_without_a_next_key_gets_one_that_waits_a_day() {
    let app = TestApp::start().await;
    let device = service(&app, &["signing_keys.read"]).await;
    let client = app.database.client().await;
    client.execute("DELETE FROM signing_keys WHERE state = 'NEXT'", &[]).await.unwrap();
    app.advance(100 * DAY);
    let _replica = app.replica().await;
    let keys = list(&device).await;
    assert_eq!(states(&keys), [State::Next, State::Active]);
    assert_eq!((from_now(&app, keys[0].create_time), from_now(&app, keys[0].activate_time)), (0, 24 * 3600));
    assert!(rotations(&app).await.is_empty());
}

#[tokio::test]
async fn another_algorithm_takes_over_when_a_replica_starts_and_those_of_two_minds_come_to_rest() {
    let app = TestApp::start().await;
    let device = service(&app, &["signing_keys.read"]).await;
    let alice = app.user("alice@example.com").await;
    let phone = alice.sign_in("phone").await;
    let settings = app.settings.clone().set("tokens.algorithm", "EdDSA");
    // A command that somebody runs with other settings changes nothing.
    App::start(settings.load(), app.clock.clone()).await.unwrap();
    assert_eq!(states(&list(&device).await), [State::Next, State::Active]);
    let replica = app.replica_with(&settings).await;
    let turned = async {
        loop {
            let keys = list(&device).await;
            if keys.len() == 3 {
                return keys;
            }
        }
    };
    let keys = within_patience("the keys to change", turned).await;
    assert_eq!(states(&keys), [State::Next, State::Active, State::Retiring]);
    let algorithms: Vec<_> = keys.iter().map(SigningKey::algorithm).collect();
    assert_eq!(algorithms, [Algorithm::Eddsa, Algorithm::Eddsa, Algorithm::Es256]);

    // The first replica is told to use the other algorithm still, and signs with the key that there is.
    let signs = async { while key_of(&alice.sign_in("laptop").await.tokens.access_token) != keys[1].key_id {} };
    within_patience("the running replica to sign with the new key", signs).await;
    phone.get_account().await.unwrap();
    Device::clone(&phone).at(&replica).get_account().await.unwrap();
    assert_eq!(list(&device).await, keys);
    assert_eq!(rotations(&app).await.len(), 1);
}

#[tokio::test]
async fn keys_are_listed_in_pages() {
    let app = TestApp::start().await;
    let admin = administrator(&app).await;
    rotate(&admin).await;
    let every = rotate(&admin).await;
    assert_eq!(states(&every), [State::Next, State::Active, State::Retiring, State::Retiring]);
    let mut seen = Vec::new();
    let mut page_token = String::new();
    loop {
        let page = page(&admin, 1, &page_token).await.unwrap();
        assert_eq!(page.signing_keys.len(), 1);
        seen.extend(page.signing_keys);
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    assert_eq!(seen, every);
    refused(page(&admin, 1, "garbage").await).with(Code::InvalidArgument, "PAGE_TOKEN_INVALID");
}

#[tokio::test]
async fn a_key_that_cannot_be_looked_for_is_not_called_wrong() {
    let settings = Settings::default().set("database.acquire_timeout", "2s").set("revocations.max_age", "1m");
    let (app, elsewhere) = (TestApp::with(settings).await, TestApp::start().await);
    let here = app.user("alice@example.com").await.sign_in("phone").await;
    let there = elsewhere.user("alice@example.com").await.sign_in("phone").await;
    let foreign = app.device("phone").bearing(&there.tokens.access_token);
    refused(foreign.list_sessions().await).with(Code::Unauthenticated, "TOKEN_INVALID");
    app.database.go_away().await;
    // However many ask, they wait for one look together.
    let began = tokio::time::Instant::now();
    for refusal in join_all((0..20).map(|_| foreign.list_sessions())).await {
        refused(refusal).with(Code::Unavailable, "DATABASE_UNAVAILABLE");
    }
    assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
    // What is known is not asked for.
    let request = ListSessionsRequest { page_size: 0, page_token: "garbage".to_owned() };
    let refusal = refused(answer(here.sessions().list_sessions(request).await));
    refusal.with(Code::InvalidArgument, "PAGE_TOKEN_INVALID");
}
