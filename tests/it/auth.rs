//! AuthService: a file for each of its methods, and one for what happens when many call at once. Here is what holds for all
//! of them, and what their tests share.

mod codes_by_mail;
mod login;
mod lost_replies;
mod races;
mod refresh;
mod register;
mod request_password_reset;
mod resend_code;
mod reset_password;
mod revoke_refresh_token;
mod verify_email;
mod verify_reset_code;

use std::time::Duration;

use argon2::{Algorithm, Argon2, Params, PasswordHasher, Version};
use chrono::{DateTime, Utc};
use keyward::token::master::Purpose;
use prost_types::Timestamp;
use tonic::Code;
use uuid::Uuid;

use crate::harness::{Device, PASSWORD, Refusal, TestApp, refused};

const ALICE: &str = "alice@example.com";

/// A password that is good, and not anybody's.
const ANOTHER_PASSWORD: &str = "nine herons under the bridge";

/// What is good in form and names nothing.
const NO_ID: &str = "0190b6c0-1d5f-7a3c-8f00-4b2f6f1c9d11";

/// The shortest time that the service tells apart.
const TICK: Duration = Duration::from_micros(1);

#[tokio::test]
async fn every_method_needs_a_device_id() {
    let app = TestApp::start().await;
    let stranger = app.stranger();
    let longest = "A.b_c:d-9".repeat(15)[..128].to_owned();
    for (device, reason) in [
        (stranger.clone(), "DEVICE_ID_REQUIRED"),
        (stranger.clone().with("device-id", ""), "DEVICE_ID_INVALID"),
        (stranger.clone().with("device-id", "my phone"), "DEVICE_ID_INVALID"),
        (stranger.clone().with("device-id", "phöne"), "DEVICE_ID_INVALID"),
        (stranger.clone().with("device-id", &format!("{longest}x")), "DEVICE_ID_INVALID"),
        (stranger.clone().with("device-id", "phone").with_another("device-id", "laptop"), "DEVICE_ID_INVALID"),
        (stranger.clone().with("device-id", "phone").with_another("device-id", "phone"), "DEVICE_ID_INVALID"),
    ] {
        for outcome in call_all(&device).await {
            refused(outcome).with(Code::InvalidArgument, reason).naming(&["metadata.device-id"]);
        }
    }
    assert_eq!(count(&app, "registrations").await + count(&app, "mail_outbox").await, 0);

    // The longest, of every character that there may be, will do.
    stranger.with("device-id", &longest).register(ALICE).await.unwrap();
}

/// Calls every method of the service, with a request that is good in form.
async fn call_all(device: &Device) -> [Result<(), Refusal>; 8] {
    [
        device.register(ALICE).await.map(drop),
        device.resend_code(NO_ID).await.map(drop),
        device.verify_email(NO_ID, "123456").await.map(drop),
        device.login(ALICE).await.map(drop),
        device.refresh("kwr_").await.map(drop),
        device.request_password_reset(ALICE).await.map(drop),
        device.verify_reset_code(NO_ID, "123456").await.map(drop),
        device.reset_password("kwp_", PASSWORD).await,
    ]
}

/// A code that is not this one.
fn other_than(code: &str) -> String {
    let (start, last) = code.split_at(5);
    format!("{start}{}", if last == "0" { "1" } else { "0" })
}

/// Makes `code` the right one of a registration or reset: one whose code was mailed to nobody.
async fn plant_code(app: &TestApp, table: &str, id_column: &str, id: &str, code: &str) {
    let id: Uuid = id.parse().unwrap();
    let hash = app.first().app.master.mac(Purpose::Code, &[id.as_bytes(), code.as_bytes()]);
    let statement = format!("UPDATE {table} SET code_hash = $2 WHERE {id_column} = $1");
    let changed = app.database.client().await.execute(&statement, &[&id, &hash.as_slice()]).await.unwrap();
    assert_eq!(changed, 1);
}

/// How many rows there are: of a table, or of one `WHERE` something.
async fn count(app: &TestApp, rows: &str) -> i64 {
    let statement = format!("SELECT count(*) FROM {rows}");
    app.database.client().await.query_one(&statement, &[]).await.unwrap().get(0)
}

/// Suspends a user, or makes one active again.
async fn set_state(app: &TestApp, email: &str, state: &str) {
    let statement = "UPDATE users SET state = $2 WHERE email = $1";
    let changed = app.database.client().await.execute(statement, &[&email, &state]).await.unwrap();
    assert_eq!(changed, 1);
}

/// Gives everybody a hash of [`PASSWORD`] as an earlier configuration would have made it.
async fn plant_old_hash(app: &TestApp) -> String {
    let parameters = Argon2::new(Algorithm::Argon2id, Version::V0x13, Params::new(16, 3, 1, None).unwrap());
    let hash = parameters.hash_password(PASSWORD.as_bytes()).unwrap().to_string();
    app.database.client().await.execute("UPDATE users SET password_hash = $1", &[&hash]).await.unwrap();
    hash
}

/// A reset token for the account of this address, by way of the mail.
async fn reset_token(app: &TestApp, email: &str) -> String {
    let device = app.device("forgetful");
    let reset_id = device.request_password_reset(email).await.unwrap().reset_id;
    let code = app.mailbox.next_to(email).await.code();
    device.verify_reset_code(&reset_id, &code).await.unwrap().reset_token
}

/// A span, less a tick.
fn just_before(span: Duration) -> Duration {
    span.checked_sub(TICK).unwrap()
}

/// A time that is there.
fn time(timestamp: Option<Timestamp>) -> DateTime<Utc> {
    let Timestamp { seconds, nanos } = timestamp.unwrap();
    DateTime::from_timestamp(seconds, nanos.try_into().unwrap()).unwrap()
}
