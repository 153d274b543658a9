//! The `device-id` of a call: its form, and which methods ask for one.

use tonic::Code;

use super::call;
use crate::harness::{Device, PASSWORD, TestApp, refused};

/// The methods that ask for a device, as the API promises them.
const NEED_DEVICE: [&str; 16] = [
    "AuthService/Register",
    "AuthService/ResendVerificationCode",
    "AuthService/VerifyEmail",
    "AuthService/Login",
    "AuthService/RefreshTokens",
    "AuthService/RequestPasswordReset",
    "AuthService/VerifyPasswordResetCode",
    "AuthService/ResetPassword",
    "SessionService/ListSessions",
    "SessionService/RevokeSession",
    "SessionService/RevokeAllSessions",
    "SessionService/Logout",
    "AccountService/GetAccount",
    "AccountService/UpdateAccount",
    "AccountService/ChangePassword",
    "AccountService/DeleteAccount",
];

fn path(method: &str) -> String {
    format!("/keyward.v1.{method}")
}

#[tokio::test]
async fn who_names_no_device_is_refused_before_anything_else() {
    let app = TestApp::start().await;
    for method in NEED_DEVICE {
        refused(call(&app.stranger().bearing("garbage"), &path(method)).await)
            .with(Code::InvalidArgument, "DEVICE_ID_REQUIRED")
            .naming(&["metadata.device-id"]);
    }
    // Nothing was begun.
    refused(app.stranger().register_as("alice@example.com", PASSWORD, "Alice").await)
        .with(Code::InvalidArgument, "DEVICE_ID_REQUIRED");
    let count = "SELECT (SELECT count(*) FROM registrations) + (SELECT count(*) FROM mail_outbox)";
    let row = app.database.client().await.query_one(count, &[]).await.unwrap();
    assert_eq!(row.get::<_, i64>(0), 0);
}

#[tokio::test]
async fn a_device_has_a_form() {
    let app = TestApp::start().await;
    let good = ["a", "A-Z.a-z_0-9:x", &"x".repeat(128), "192.0.2.1", "00000000-0000-0000-0000-000000000000"];
    for device_id in good {
        assert_eq!(app.device(device_id).get_origin().await.unwrap().device_id, device_id);
    }
    let bad = ["", "a b", "a/b", "a,b", "a@b", "ä", "a\tb", "\u{1f511}", "'; DROP TABLE users; --", &"x".repeat(129)];
    for device_id in bad {
        for method in ["AuthService/Login", "SessionService/ListSessions", "SessionService/GetOrigin"] {
            refused(call(&app.device(device_id), &path(method)).await)
                .with(Code::InvalidArgument, "DEVICE_ID_INVALID")
                .naming(&["metadata.device-id"]);
        }
    }
}

#[tokio::test]
async fn two_devices_are_none() {
    let app = TestApp::start().await;
    let phone = app.user("alice@example.com").await.sign_in("phone").await;
    let both: Device = Device::clone(&phone).with_another("device-id", "laptop");
    refused(both.get_account().await).with(Code::InvalidArgument, "DEVICE_ID_INVALID").naming(&["metadata.device-id"]);
    let twice: Device = Device::clone(&phone).with_another("device-id", "phone");
    refused(twice.get_account().await).with(Code::InvalidArgument, "DEVICE_ID_INVALID");
    phone.get_account().await.unwrap();
}
