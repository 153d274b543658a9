//! What is on record of a key's life and use.

use std::time::Duration;

use tonic::Code;

use super::{create, introspect, list, request, revoke};
use crate::admin::administrator;
use crate::harness::{Device, TestApp, refused, within_patience};

/// What the audit trail has of service keys, in order: what happened, who did it, and which method was called.
async fn trail(app: &TestApp) -> Vec<(String, String, String)> {
    let events =
        "SELECT kind, coalesce(actor_id::text, actor_type), coalesce(details ->> 'method', '') FROM audit_events
        WHERE subject_type = 'SERVICE_KEY' ORDER BY sequence";
    let rows = app.database.client().await.query(events, &[]).await.unwrap();
    rows.iter().map(|row| (row.get(0), row.get(1), row.get(2))).collect()
}

/// When the only key was last used, in seconds from now.
async fn last_used(app: &TestApp, admin: &Device) -> Option<i64> {
    let page = list(admin, 0, "").await.unwrap();
    let [key] = page.service_keys.as_slice() else { panic!("{page:?}") };
    key.last_used_time.map(|time| app.now().timestamp() - time.seconds)
}

/// Waits until the use of a key is on record as having been this many seconds ago.
async fn used(app: &TestApp, admin: &Device, ago: i64) {
    let recorded = async { while last_used(app, admin).await != Some(ago) {} };
    within_patience("the use of the key to be on record", recorded).await;
}

#[tokio::test]
async fn the_last_use_is_on_record_true_to_a_minute() {
    let app = TestApp::start().await;
    let mut admin = administrator(&app).await;
    let created = create(&admin, request("orders", &["tokens.introspect"])).await.unwrap();
    let holder = app.stranger().bearing(&created.key);
    assert_eq!(last_used(&app, &admin).await, None);
    introspect(&holder).await.unwrap();
    used(&app, &admin, 0).await;

    app.advance(Duration::from_secs(59));
    introspect(&holder).await.unwrap();
    app.advance(Duration::from_secs(1));
    introspect(&holder).await.unwrap();
    used(&app, &admin, 0).await;
    app.advance(Duration::from_secs(150));
    admin.renew().await.unwrap();
    introspect(&holder).await.unwrap();
    used(&app, &admin, 0).await;
    // Asking about tokens is no administration.
    let kinds: Vec<_> = trail(&app).await.into_iter().map(|(kind, ..)| kind).collect();
    assert_eq!(kinds, ["SERVICE_KEY_CREATED"]);
}

#[tokio::test]
async fn what_is_administered_with_a_key_is_on_record_once_a_minute() {
    let app = TestApp::start().await;
    let admin = administrator(&app).await;
    let admin_id = admin.get_account().await.unwrap().user_id;
    let created = create(&admin, request("console", &["service_keys.read", "service_keys.write"])).await.unwrap();
    let id = created.service_key.unwrap().service_key_id;
    let holder = app.stranger().bearing(&created.key);
    for _ in 0..3 {
        list(&holder, 0, "").await.unwrap();
    }
    refused(introspect(&holder).await).with(Code::PermissionDenied, "PERMISSION_MISSING");
    let written = async { while trail(&app).await.len() < 2 {} };
    within_patience("the use of the key to be on record", written).await;

    app.advance(Duration::from_mins(1));
    list(&holder, 0, "").await.unwrap();
    let written = async { while trail(&app).await.len() < 3 {} };
    within_patience("the use of the key to be on record again", written).await;
    // It can end itself, and what it does is on record as done by it.
    revoke(&holder, &id).await.unwrap();
    let written = async { while trail(&app).await.len() < 5 {} };
    within_patience("the end of the key to be on record", written).await;
    let mut told = trail(&app).await;
    // The change is on record when it is made, its call when the job comes by.
    assert_eq!(told.remove(0), ("SERVICE_KEY_CREATED".to_owned(), admin_id, String::new()));
    let used = |method: &str| ("SERVICE_KEY_USED".to_owned(), id.clone(), method.to_owned());
    let listed = used("ListServiceKeys");
    assert_eq!(told[..2], [listed.clone(), listed]);
    assert_eq!(told[2], ("SERVICE_KEY_REVOKED".to_owned(), id.clone(), String::new()));
    assert_eq!(told[3], used("RevokeServiceKey"));
}
