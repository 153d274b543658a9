//! AdminService.

mod access;
mod audit;
mod cleanup;
mod create_user;
mod database_url;
mod last_admin;
mod list_many_users;
mod list_users;
mod lockouts;
mod network_rules;
mod operator;
pub(crate) mod program;
mod roles;
mod service_keys;
mod set_user_roles;
mod signing_keys;
mod transfer;
mod user_sessions;
mod users;

use keyward::flows::service_keys::{NewKey, create};
use keyward::model::audit::Act;
use keyward::model::service_key::ServiceKeyName;
use keyward::proto::keyward::v1::User;
use secrecy::ExposeSecret;

use crate::harness::{Device, SignedIn, TestApp};

/// The first administrator of a deployment.
pub(crate) async fn administrator(app: &TestApp) -> SignedIn {
    app.administrator("root@example.com").await
}

/// An internal service with a key that permits this, and stays good.
pub(crate) async fn service(app: &TestApp, permissions: &[&str]) -> Device {
    let permissions = permissions.iter().map(|permission| permission.parse().unwrap()).collect();
    let name = ServiceKeyName::parse("orders").unwrap();
    let new = NewKey { name, permissions, expires_at: None };
    let (_, key) = create(&app.first().app, &Act::operator(), new).await.unwrap();
    app.stranger().bearing(key.expose_secret())
}

/// What is on record about a subject, the earliest first: the kind, who did it, and the details.
async fn recorded(app: &TestApp, subject_id: &str) -> Vec<(String, String, serde_json::Value)> {
    let sql = "SELECT kind, coalesce(actor_id::text, actor_type), details::text FROM audit_events
        WHERE subject_id = $1 ORDER BY sequence";
    let rows = app.database.client().await.query(sql, &[&subject_id]).await.unwrap();
    let details = |text: String| serde_json::from_str(&text).unwrap();
    rows.iter().map(|row| (row.get(0), row.get(1), details(row.get(2)))).collect()
}

/// The kinds of what is on record about a subject, the earliest first.
pub(crate) async fn kinds(app: &TestApp, subject_id: &str) -> Vec<String> {
    recorded(app, subject_id).await.into_iter().map(|(kind, ..)| kind).collect()
}

fn emails(users: &[User]) -> Vec<&str> {
    users.iter().map(|user| user.email.as_str()).collect()
}
