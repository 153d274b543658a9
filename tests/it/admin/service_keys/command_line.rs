//! `keyward service-key`, as an operator types it.

use std::process::Command;

use serde_json::Value;
use tonic::Code;

use super::introspect;
use crate::harness::{TestApp, refused, within_patience};

/// Runs the program on the service's database; what it prints, and whether it ends well.
async fn keyward(app: &TestApp, arguments: &[&str]) -> (String, bool) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_keyward"));
    command.args(arguments).env_clear().env("DATABASE_URL", app.database.url());
    command.env("KEYWARD_MASTER_KEY", app.master_key());
    let output = tokio::task::spawn_blocking(move || command.output().unwrap());
    let output = within_patience("the program to end", output).await.unwrap();
    (String::from_utf8(output.stdout).unwrap(), output.status.success())
}

#[tokio::test]
async fn keys_are_made_listed_and_revoked_from_the_command_line() {
    let app = TestApp::start().await;
    let permissions = ["--permission", "tokens.introspect,users.read"];
    let (told, _) = keyward(&app, &[&["service-key", "create", "orders"], permissions.as_slice()].concat()).await;
    let key = told.lines().last().unwrap();
    assert!(told.starts_with("created orders kws_") && key.starts_with("kws_") && key.len() == 47, "{told}");
    let holder = app.stranger().bearing(key);
    let heard = async { while introspect(&holder).await.is_err() {} };
    within_patience("the service to hear of the key", heard).await;

    let for_a_day = ["service-key", "create", "billing", "--permission", "users.read", "--for", "1d", "--json"];
    let created: Value = serde_json::from_str(&keyward(&app, &for_a_day).await.0).unwrap();
    assert!(created["key"].as_str().unwrap().starts_with(created["service_key"]["key_prefix"].as_str().unwrap()));
    let (table, _) = keyward(&app, &["service-key", "list"]).await;
    assert_eq!(table.lines().count(), 3);
    assert!(
        table.contains(&key[..10]) && !table.contains(key) && table.contains("tokens.introspect users.read"),
        "{table}"
    );
    let list: Value = serde_json::from_str(&keyward(&app, &["service-key", "list", "--json"]).await.0).unwrap();
    assert_eq!((list[0]["name"].as_str(), list[1]["name"].as_str()), (Some("billing"), Some("orders")));
    assert_eq!(list[1]["expire_time"], Value::Null);
    assert_eq!(list[0], created["service_key"]);

    let id = list[1]["service_key_id"].as_str().unwrap();
    let (told, well) = keyward(&app, &["service-key", "revoke", id]).await;
    assert!(well && told.starts_with("revoked orders"), "{told}");
    let refusal = async {
        loop {
            if let Err(refusal) = introspect(&holder).await {
                return refusal;
            }
        }
    };
    let refusal = within_patience("the service to hear of the end", refusal).await;
    refused::<()>(Err(refusal)).with(Code::Unauthenticated, "TOKEN_REVOKED");
    assert!(!keyward(&app, &["service-key", "revoke", id]).await.1);
    assert!(!keyward(&app, &["service-key", "create", "x", "--permission", "Not One"]).await.1);
    let by = "SELECT count(*) FROM audit_events WHERE actor_type = 'OPERATOR' AND subject_type = 'SERVICE_KEY'";
    assert_eq!(app.database.client().await.query_one(by, &[]).await.unwrap().get::<_, i64>(0), 3);
}
