//! What does not happen is not on record, and what cannot be put on record does not happen.

use keyward::flows::networks::{self, NewRule};
use keyward::model::audit::Act;
use keyward::model::line::Remark;
use keyward::model::network::NetworkAction;
use tonic::Code;

use crate::harness::{PASSWORD, Settings, TestApp, refused};

const ALICE: &str = "alice@example.com";

/// How many events there are of each kind that there is any of.
async fn kinds(app: &TestApp) -> Vec<String> {
    let kinds = "SELECT kind || ' ' || count(*) FROM audit_events GROUP BY kind ORDER BY kind";
    app.database.client().await.query(kinds, &[]).await.unwrap().iter().map(|row| row.get(0)).collect()
}

#[tokio::test]
async fn what_is_refused_is_undone_with_its_events() {
    let app = TestApp::with(Settings::default().set("codes.per_address", "2")).await;
    let alice = app.user(ALICE).await;
    let phone = alice.sign_in("phone").await;
    let sql = format!("INSERT INTO user_roles (user_id, role) VALUES ('{}', 'admin')", alice.user.user_id);
    app.database.client().await.execute(&sql, &[]).await.unwrap();
    let desk = app.device("den");
    desk.request_password_reset(ALICE).await.unwrap();
    let before = kinds(&app).await;

    refused(desk.request_password_reset(ALICE).await).with(Code::ResourceExhausted, "THROTTLED");
    refused(desk.register(ALICE).await).with(Code::ResourceExhausted, "THROTTLED");
    refused(desk.register_as("bob@example.com", "short", "Bob").await);
    refused(phone.delete_account(PASSWORD).await).with(Code::FailedPrecondition, "LAST_ADMIN");
    refused(phone.change_password(PASSWORD, "short").await);
    refused(phone.revoke_device("nowhere").await).with(Code::NotFound, "SESSION_NOT_FOUND");
    assert_eq!(phone.revoke_all_sessions(true).await.unwrap(), 0);
    assert_eq!(kinds(&app).await, before);
}

#[tokio::test]
async fn a_second_rule_for_a_network_is_not_on_record() {
    let app = TestApp::start().await;
    let make = async || {
        let (network, reason) = ("203.0.113.0/24".parse().unwrap(), Remark::parse("").unwrap());
        let rule = NewRule { network, action: NetworkAction::Block, reason, expires_at: None };
        networks::create(&app.first().app, &Act::operator(), rule).await
    };
    make().await.unwrap();
    make().await.unwrap_err();
    assert_eq!(kinds(&app).await, ["NETWORK_RULE_CREATED 1"]);
}

#[tokio::test]
async fn what_fails_halfway_leaves_no_event() {
    let app = TestApp::start().await;
    app.user(ALICE).await;
    let before = kinds(&app).await;
    let client = app.database.client().await;
    client.batch_execute("ALTER TABLE mail_outbox RENAME TO elsewhere").await.unwrap();
    let desk = app.device("desk");
    refused(desk.register("bob@example.com").await).with(Code::Internal, "INTERNAL");
    refused(desk.login(ALICE).await).with(Code::Internal, "INTERNAL");
    assert_eq!(kinds(&app).await, before);
}

#[tokio::test]
async fn what_cannot_be_put_on_record_does_not_happen() {
    let app = TestApp::start().await;
    let alice = app.user(ALICE).await;
    let phone = alice.sign_in("phone").await;
    let laptop = alice.sign_in("laptop").await;
    let client = app.database.client().await;
    client.batch_execute("ALTER TABLE audit_events RENAME TO elsewhere").await.unwrap();
    refused(phone.logout().await).with(Code::Internal, "INTERNAL");
    refused(phone.revoke_device("laptop").await).with(Code::Internal, "INTERNAL");
    refused(phone.change_password(PASSWORD, "eleven herons on a barge").await).with(Code::Internal, "INTERNAL");
    refused(app.device("tablet").login(ALICE).await).with(Code::Internal, "INTERNAL");
    // Nothing happens here but the failure itself, which is what the guesser has to be told.
    refused(app.device("tablet").login_with(ALICE, "wrong").await).with(Code::Unauthenticated, "INVALID_CREDENTIALS");
    client.batch_execute("ALTER TABLE elsewhere RENAME TO audit_events").await.unwrap();
    laptop.get_account().await.unwrap();
    assert_eq!(phone.list_sessions().await.unwrap().len(), 2);
    app.device("tablet").login(ALICE).await.unwrap();
}

#[tokio::test]
async fn a_refresh_is_not_on_record() {
    let app = TestApp::start().await;
    let mut phone = app.user(ALICE).await.sign_in("phone").await;
    let before = kinds(&app).await;
    phone.renew().await.unwrap();
    assert_eq!(kinds(&app).await, before);
}
