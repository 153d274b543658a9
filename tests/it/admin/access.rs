//! Who may call what asks for a permission: every method of AdminService, and those that look into tokens.

use std::time::Duration;

use keyward::flows::admins::{self, AdminCreated};
use keyward::model::display_name::DisplayName;
use keyward::model::email::Email;
use keyward::model::password::Password;
use keyward::proto::DESCRIPTORS;
use prost_reflect::DescriptorPool;
use tonic::client::Grpc;
use tonic::codegen::http::uri::PathAndQuery;
use tonic::{Code, Request};
use tonic_prost::ProstCodec;

use crate::harness::{Device, TestApp, answer, refused};
use crate::interceptors::call;

/// Methods and the permissions that they ask for, as the API promises them.
pub(super) const PERMISSIONS: [(&str, &str); 29] = [
    ("AdminService/ListUsers", "users.read"),
    ("AdminService/GetUser", "users.read"),
    ("AdminService/CreateUser", "users.write"),
    ("AdminService/UpdateUser", "users.write"),
    ("AdminService/SuspendUser", "users.write"),
    ("AdminService/ReinstateUser", "users.write"),
    ("AdminService/DeleteUser", "users.write"),
    ("AdminService/SetUserRoles", "roles.write"),
    ("AdminService/ListUserSessions", "users.read"),
    ("AdminService/RevokeUserSessions", "users.write"),
    ("AdminService/ListRoles", "roles.read"),
    ("AdminService/CreateRole", "roles.write"),
    ("AdminService/UpdateRole", "roles.write"),
    ("AdminService/DeleteRole", "roles.write"),
    ("AdminService/ListNetworkRules", "networks.read"),
    ("AdminService/CreateNetworkRule", "networks.write"),
    ("AdminService/DeleteNetworkRule", "networks.write"),
    ("AdminService/ListLockouts", "lockouts.read"),
    ("AdminService/ClearLockout", "lockouts.write"),
    ("AdminService/ListServiceKeys", "service_keys.read"),
    ("AdminService/CreateServiceKey", "service_keys.write"),
    ("AdminService/RevokeServiceKey", "service_keys.write"),
    ("AdminService/ListAuditEvents", "audit.read"),
    ("AdminService/WatchAuditEvents", "audit.read"),
    ("AdminService/ListSigningKeys", "signing_keys.read"),
    ("AdminService/RotateSigningKeys", "signing_keys.write"),
    ("AdminService/RunCleanup", "maintenance.run"),
    ("SessionService/IntrospectToken", "tokens.introspect"),
    ("SessionService/WatchRevocations", "tokens.introspect"),
];

fn path(method: &str) -> String {
    format!("/keyward.v1.{method}")
}

/// Why a caller does not get as far as a method, if it does not. What the method says to an empty message is another matter.
async fn refused_at_the_gate(device: &Device, method: &str) -> Option<String> {
    let mut client = Grpc::new(device.wire());
    client.ready().await.unwrap();
    let path: PathAndQuery = path(method).parse().unwrap();
    // As a stream, which some of them are: whether it begins is enough.
    let answered = client.server_streaming(Request::new(()), path, ProstCodec::<(), ()>::default()).await;
    let refusal = answer(answered.map(|response| response.map(drop))).err()?;
    let at_the_gate = matches!(refusal.status().code(), Code::PermissionDenied | Code::Unauthenticated);
    at_the_gate.then(|| refusal.reason().to_owned())
}

#[test]
fn the_list_above_is_whole() {
    let pool = DescriptorPool::decode(DESCRIPTORS).unwrap();
    let service = pool.get_service_by_name("keyward.v1.AdminService").unwrap();
    let declared: Vec<_> = service.methods().map(|method| format!("AdminService/{}", method.name())).collect();
    let listed: Vec<_> =
        PERMISSIONS.iter().map(|(method, _)| *method).filter(|name| name.starts_with("Admin")).collect();
    assert_eq!(declared, listed);
}

#[tokio::test]
async fn a_normal_user_is_told_which_permission_is_missing() {
    let app = TestApp::start().await;
    let alice = app.user("alice@example.com").await.sign_in("phone").await;
    for (method, permission) in PERMISSIONS {
        let refusal = refused(call(&alice, &path(method)).await);
        let refusal = refusal.with(Code::PermissionDenied, "PERMISSION_MISSING");
        assert_eq!(refusal.metadata("permission"), Some(permission), "{method}");
    }
}

#[tokio::test]
async fn nobody_gets_in_without_a_good_token() {
    let app = TestApp::start().await;
    let alice = app.user("alice@example.com").await.sign_in("phone").await;
    alice.logout().await.unwrap();
    for (method, _) in PERMISSIONS {
        let path = path(method);
        refused(call(&app.device("phone"), &path).await).with(Code::Unauthenticated, "TOKEN_MISSING");
        let key = app.stranger().bearing("kws_0123456789abcdef0123456789abcdef0123456789a");
        refused(call(&key, &path).await).with(Code::Unauthenticated, "TOKEN_INVALID");
        refused(call(&alice, &path).await).with(Code::Unauthenticated, "TOKEN_REVOKED");
    }
}

#[tokio::test]
async fn an_administrator_gets_in_everywhere() {
    let app = TestApp::start().await;
    let admin = app.administrator("root@example.com").await;
    assert_eq!(admin.get_account().await.unwrap().roles, ["admin", "normal_user"]);
    for (method, _) in PERMISSIONS {
        assert_eq!(refused_at_the_gate(&admin, method).await, None, "{method}");
    }
    // An administrator's token, too, is good on its own device alone, although no device is asked for.
    let elsewhere = app.device("elsewhere").bearing(&admin.tokens.access_token);
    refused(call(&elsewhere, &path("AdminService/ListUsers")).await)
        .with(Code::Unauthenticated, "TOKEN_DEVICE_MISMATCH");
    let nowhere = app.stranger().bearing(&admin.tokens.access_token);
    refused(call(&nowhere, &path("AdminService/ListUsers")).await)
        .with(Code::InvalidArgument, "DEVICE_ID_REQUIRED")
        .naming(&["metadata.device-id"]);
}

#[tokio::test]
async fn a_role_opens_what_it_carries_and_nothing_else() {
    let app = TestApp::start().await;
    let admin = app.administrator("root@example.com").await;
    admin.create_role("support", &["users.read"]).await.unwrap();
    let alice = app.user("alice@example.com").await;
    admin.set_user_roles(&alice.user.user_id, &["normal_user", "support"]).await.unwrap();
    app.advance(Duration::from_secs(1));
    let phone = alice.sign_in("phone").await;
    for (method, permission) in PERMISSIONS {
        let expected = (permission != "users.read").then(|| "PERMISSION_MISSING".to_owned());
        assert_eq!(refused_at_the_gate(&phone, method).await, expected, "{method}");
    }
    let seen = phone.get_user(&alice.user.user_id).await.unwrap();
    assert_eq!(seen.roles, ["normal_user", "support"]);
}

#[tokio::test]
async fn who_has_an_account_already_is_promoted_and_keeps_the_password() {
    let app = TestApp::start().await;
    let alice = app.user("alice@example.com").await;
    let promote = async || {
        let (email, name) = (Email::parse(alice.email()).unwrap(), DisplayName::parse("Root").unwrap());
        let password = Password::parse("eleven herons on a barge").unwrap();
        admins::create(&app.first().app, email, name, password).await.unwrap()
    };
    assert!(matches!(promote().await, AdminCreated::Promoted(_)));
    assert!(matches!(promote().await, AdminCreated::Unchanged(_)));
    let user = alice.sign_in("phone").await.get_account().await.unwrap();
    assert_eq!((user.display_name.as_str(), user.roles.len()), ("Somebody", 2));
}
