//! Service keys: made, listed and revoked by administrators, and what they open.

mod command_line;
mod uses;

use std::time::Duration;

use keyward::clock;
use keyward::proto::keyward::v1::{
    CreateServiceKeyRequest, CreateServiceKeyResponse, IntrospectTokenRequest, ListServiceKeysRequest,
    ListServiceKeysResponse, RevokeServiceKeyRequest,
};
use prost_types::Timestamp;
use tonic::Code;

use super::access::PERMISSIONS;
use super::{administrator, service};
use crate::harness::{Device, Refusal, Settings, TestApp, answer, refused, within_patience};
use crate::interceptors::call;

type Answer<T> = Result<T, Refusal>;

fn request(name: &str, permissions: &[&str]) -> CreateServiceKeyRequest {
    let permissions = permissions.iter().map(|permission| (*permission).to_owned()).collect();
    CreateServiceKeyRequest { name: name.to_owned(), permissions, expire_time: None }
}

async fn create(device: &Device, request: CreateServiceKeyRequest) -> Answer<CreateServiceKeyResponse> {
    answer(device.admin().create_service_key(request).await)
}

async fn list(device: &Device, page_size: i32, page_token: &str) -> Answer<ListServiceKeysResponse> {
    let page_token = page_token.to_owned();
    answer(device.admin().list_service_keys(ListServiceKeysRequest { page_size, page_token }).await)
}

async fn revoke(device: &Device, service_key_id: &str) -> Answer<()> {
    let service_key_id = service_key_id.to_owned();
    answer(device.admin().revoke_service_key(RevokeServiceKeyRequest { service_key_id }).await).map(drop)
}

/// A call with a key that no table has a part in.
async fn introspect(device: &Device) -> Answer<bool> {
    let access_token = "garbage".to_owned();
    Ok(answer(device.sessions().introspect_token(IntrospectTokenRequest { access_token }).await)?.active)
}

fn after(app: &TestApp, span: Duration) -> Timestamp {
    Timestamp { seconds: clock::add(app.now(), span).timestamp(), nanos: 0 }
}

#[tokio::test]
async fn a_key_is_shown_once_and_lets_its_holder_in_everywhere() {
    let app = TestApp::start().await;
    let replica = app.replica().await;
    let admin = administrator(&app).await;
    let in_an_hour = Some(after(&app, Duration::from_hours(1)));
    let wanted = request(" orders ", &["tokens.introspect", "courses.read"]);
    let wanted = CreateServiceKeyRequest { expire_time: in_an_hour, ..wanted };
    let created = create(&admin, wanted).await.unwrap();
    let (shown, key) = (created.service_key.unwrap(), created.key);
    assert!(key.starts_with("kws_") && key.len() == 47 && key.starts_with(&shown.key_prefix), "{shown:?}");
    assert_eq!((shown.name.as_str(), shown.key_prefix.len()), ("orders", 10));
    assert_eq!(shown.permissions, ["courses.read", "tokens.introspect"]);
    assert_eq!((shown.expire_time, shown.last_used_time), (in_an_hour, None));
    assert_eq!(list(&admin, 0, "").await.unwrap().service_keys, [shown]);

    // Here at once, there soon; and no device is asked for.
    let holder = app.stranger().bearing(&key);
    assert!(!introspect(&holder).await.unwrap());
    let there = holder.at(&replica);
    let heard = async { while introspect(&there).await.is_err() {} };
    within_patience("the other replica to hear of the key", heard).await;
    assert!(!introspect(&app.replica().await.stranger().bearing(&key)).await.unwrap());

    // The database does not hold the key.
    let rows = "SELECT (SELECT string_agg(k::text, '') FROM service_keys k) || (SELECT string_agg(e::text, '') FROM audit_events e)";
    let stored: String = app.database.client().await.query_one(rows, &[]).await.unwrap().get(0);
    assert!(stored.contains("orders") && !stored.contains(&key[10..]), "{stored}");
}

#[tokio::test]
async fn a_key_opens_what_it_permits_and_nothing_else() {
    let app = TestApp::start().await;
    let reader = service(&app, &["service_keys.read"]).await;
    assert_eq!(list(&reader, 0, "").await.unwrap().service_keys.len(), 1);
    for (method, permission) in PERMISSIONS.iter().filter(|(_, permission)| *permission != "service_keys.read") {
        let refusal = refused(call(&reader, &format!("/keyward.v1.{method}")).await);
        let refusal = refusal.with(Code::PermissionDenied, "PERMISSION_MISSING");
        assert_eq!(refusal.metadata("permission"), Some(*permission), "{method}");
    }
    // A role's name is no permission.
    let admin = service(&app, &["admin"]).await;
    refused(list(&admin, 0, "").await).with(Code::PermissionDenied, "PERMISSION_MISSING");
}

#[tokio::test]
async fn what_belongs_to_users_is_not_for_keys() {
    let app = TestApp::start().await;
    let every: Vec<_> = PERMISSIONS.iter().map(|(_, permission)| *permission).collect();
    let service = service(&app, &every).await.with("device-id", "server");
    refused(service.get_account().await).with(Code::PermissionDenied, "USER_REQUIRED");
    refused(service.list_sessions().await).with(Code::PermissionDenied, "USER_REQUIRED");
    refused(service.logout().await).with(Code::PermissionDenied, "USER_REQUIRED");
    let unknown = app.device("server").bearing(&format!("kws_{}", "A".repeat(43)));
    refused(unknown.get_account().await).with(Code::Unauthenticated, "TOKEN_INVALID");
    // What is public does not look at it.
    unknown.get_origin().await.unwrap();
}

#[tokio::test]
async fn a_revoked_key_is_refused_by_every_replica() {
    let app = TestApp::start().await;
    let replica = app.replica().await;
    let admin = administrator(&app).await;
    let created = create(&admin, request("orders", &["tokens.introspect"])).await.unwrap();
    let (id, key) = (created.service_key.unwrap().service_key_id, created.key);
    let (here, there) = (app.stranger().bearing(&key), replica.stranger().bearing(&key));
    let heard = async { while introspect(&there).await.is_err() {} };
    within_patience("the other replica to hear of the key", heard).await;

    revoke(&admin, &id).await.unwrap();
    refused(introspect(&here).await).with(Code::Unauthenticated, "TOKEN_REVOKED");
    let refusal = async {
        loop {
            if let Err(refusal) = introspect(&there).await {
                return refusal;
            }
        }
    };
    let refusal = within_patience("the other replica to hear of the end", refusal).await;
    refusal.with(Code::Unauthenticated, "TOKEN_REVOKED");
    assert_eq!(list(&admin, 0, "").await.unwrap().service_keys, []);
    for gone in [id.as_str(), "01890f5e-0000-7000-8000-000000000000"] {
        refused(revoke(&admin, gone).await).with(Code::NotFound, "SERVICE_KEY_NOT_FOUND");
    }
    refused(revoke(&admin, "garbage").await).with(Code::InvalidArgument, "FIELD_INVALID").naming(&["service_key_id"]);
}

#[tokio::test]
async fn a_key_ends_by_itself() {
    let app = TestApp::start().await;
    let admin = administrator(&app).await;
    let expire_time = Some(after(&app, Duration::from_hours(1)));
    let wanted = CreateServiceKeyRequest { expire_time, ..request("orders", &["tokens.introspect"]) };
    let holder = app.stranger().bearing(&create(&admin, wanted).await.unwrap().key);
    app.advance(Duration::from_secs(3599));
    introspect(&holder).await.unwrap();
    app.advance(Duration::from_secs(1));
    refused(introspect(&holder).await).with(Code::Unauthenticated, "TOKEN_EXPIRED");
}

#[tokio::test]
async fn keys_are_listed_in_pages_the_newest_first() {
    let app = TestApp::start().await;
    let admin = administrator(&app).await;
    for name in ["one", "two", "three", "four", "five"] {
        create(&admin, request(name, &["tokens.introspect"])).await.unwrap();
        app.advance(Duration::from_millis(1));
    }
    let mut names = Vec::new();
    let mut page_token = String::new();
    loop {
        let page = list(&admin, 2, &page_token).await.unwrap();
        assert!(page.service_keys.len() <= 2);
        names.extend(page.service_keys.into_iter().map(|key| key.name));
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    assert_eq!(names, ["five", "four", "three", "two", "one"]);
    let page = list(&admin, 2, "").await.unwrap();
    let other = service(&app, &["service_keys.read"]).await;
    for (caller, token) in [(&other, page.next_page_token.as_str()), (&admin, "garbage")] {
        refused(list(caller, 2, token).await).with(Code::InvalidArgument, "PAGE_TOKEN_INVALID");
    }
    refused(list(&admin, -1, "").await).with(Code::InvalidArgument, "FIELD_INVALID").naming(&["page_size"]);
}

#[tokio::test]
async fn a_key_that_makes_no_sense_is_not_made() {
    let app = TestApp::start().await;
    let admin = administrator(&app).await;
    let long = "ß".repeat(101);
    for name in ["", " ", "a\nb", long.as_str()] {
        let refusal = refused(create(&admin, request(name, &["users.read"])).await);
        refusal.with(Code::InvalidArgument, "FIELD_INVALID").naming(&["name"]);
    }
    let refusal = refused(create(&admin, request("orders", &[])).await);
    refusal.with(Code::InvalidArgument, "FIELD_INVALID").naming(&["permissions"]);
    let refusal = refused(create(&admin, request("orders", &["users.read", "users.read"])).await);
    refusal.with(Code::InvalidArgument, "FIELD_INVALID").naming(&["permissions"]);
    let refusal = refused(create(&admin, request("orders", &["Users Read"])).await);
    refusal.with(Code::InvalidArgument, "FIELD_INVALID").naming(&["permissions[0]"]);
    for expire_time in [after(&app, Duration::ZERO), Timestamp { seconds: i64::MAX, nanos: 0 }] {
        let wanted = CreateServiceKeyRequest { expire_time: Some(expire_time), ..request("orders", &["users.read"]) };
        let refusal = refused(create(&admin, wanted).await);
        refusal.with(Code::InvalidArgument, "FIELD_INVALID").naming(&["expire_time"]);
    }
    assert_eq!(list(&admin, 0, "").await.unwrap().service_keys, []);
}

#[tokio::test]
async fn checking_a_key_asks_no_database_while_the_copy_is_fresh() {
    let settings = Settings::default().set("revocations.max_age", "1m").set("database.acquire_timeout", "1s");
    let app = TestApp::with(settings).await;
    let (holder, other) = (service(&app, &["tokens.introspect"]).await, service(&app, &["users.read"]).await);
    app.database.go_away().await;
    introspect(&holder).await.unwrap();
    refused(introspect(&other).await).with(Code::PermissionDenied, "PERMISSION_MISSING");
    // Another replica may have made an unknown key, and that cannot be seen now.
    let unknown = app.stranger().bearing(&format!("kws_{}", "A".repeat(43)));
    refused(introspect(&unknown).await).with(Code::Unavailable, "DATABASE_UNAVAILABLE");
    introspect(&holder).await.unwrap();
}

#[tokio::test]
async fn no_key_is_believed_once_the_copy_is_old_and_the_database_away() {
    let settings = Settings::default().set("database.acquire_timeout", "2s").set("revocations.max_age", "300ms");
    let app = TestApp::with(settings).await;
    let holder = service(&app, &["tokens.introspect"]).await;
    app.database.go_away().await;
    let refusal = async {
        loop {
            if let Err(refusal) = introspect(&holder).await {
                return refusal;
            }
        }
    };
    let refusal = within_patience("the copy to grow old", refusal).await;
    refusal.with(Code::Unavailable, "DATABASE_UNAVAILABLE");
    app.database.come_back().await;
    let again = async { while introspect(&holder).await.is_err() {} };
    within_patience("the copy to be fresh again", again).await;
}
