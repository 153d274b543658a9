//! DeleteAccount: the account and everything that belongs to it, at once and for good.

use futures::future::{join, join3};
use tokio_postgres::Client;
use tonic::Code;

use crate::harness::{PASSWORD, Person, TestApp, refused, within_patience};

/// The tables with a row that holds this text.
async fn tables_with(app: &TestApp, text: &str) -> Vec<String> {
    let client = app.database.client().await;
    let names = "SELECT tablename::text FROM pg_tables WHERE schemaname = 'public' ORDER BY 1";
    let mut found = Vec::new();
    for row in client.query(names, &[]).await.unwrap() {
        let table: String = row.get(0);
        let holds = format!("SELECT EXISTS (SELECT FROM {table} t WHERE position($1 in t::text) > 0)");
        if client.query_one(&holds, &[&text]).await.unwrap().get(0) {
            found.push(table);
        }
    }
    found
}

async fn make_admin(app: &TestApp, person: &Person) {
    let sql = format!("INSERT INTO user_roles (user_id, role) VALUES ('{}', 'admin')", person.user.user_id);
    app.database.client().await.execute(&sql, &[]).await.unwrap();
}

/// Waits until this many calls wait for a lock.
async fn wait_at_locks(client: &Client, calls: usize) {
    let waiting = "SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
    let waits = async { while client.query(waiting, &[]).await.unwrap().len() < calls {} };
    within_patience("calls to wait for the database", waits).await;
}

#[tokio::test]
async fn nothing_of_alice_is_left_and_bob_loses_nothing() {
    let app = TestApp::start().await;
    let alice = app.user("alice@example.com").await;
    let mut bob = app.user("bob@example.com").await.sign_in("phone").await;
    let (mut phone, mut laptop) = (alice.sign_in("phone").await, alice.sign_in("laptop").await);
    app.device("phone").request_password_reset(alice.email()).await.unwrap();
    app.all_mail_delivered().await;
    let user_id = alice.user.user_id.as_str();
    assert!(tables_with(&app, user_id).await.len() >= 5, "the search finds nothing");

    phone.delete_account(PASSWORD).await.unwrap();
    for gone in [&mut phone, &mut laptop] {
        refused(gone.get_account().await).with(Code::Unauthenticated, "TOKEN_REVOKED");
        refused(gone.renew().await).with(Code::Unauthenticated, "TOKEN_REVOKED");
    }
    refused(app.device("phone").login(alice.email()).await).with(Code::Unauthenticated, "INVALID_CREDENTIALS");
    assert_eq!(tables_with(&app, alice.email()).await, [""; 0], "these hold the address");
    // The audit trail alone keeps whom it tells of, by an identifier that says nothing any more.
    assert_eq!(tables_with(&app, user_id).await, ["audit_events"]);
    assert_eq!(bob.list_sessions().await.unwrap().len(), 1);
    bob.renew().await.unwrap();
}

#[tokio::test]
async fn the_address_can_be_registered_anew() {
    let app = TestApp::start().await;
    let before = app.user("alice@example.com").await;
    let phone = before.sign_in("phone").await;
    app.all_mail_delivered().await;
    phone.delete_account(PASSWORD).await.unwrap();
    for _ in app.mailbox.unread_of(before.email()) {
        app.mailbox.next_to(before.email()).await;
    }
    let after = app.user("alice@example.com").await;
    assert_ne!(after.user.user_id, before.user.user_id);
    let again = after.sign_in("phone").await;
    assert_eq!(again.get_account().await.unwrap().user_id, after.user.user_id);
    // The old token is not the new account's.
    refused(phone.get_account().await).with(Code::Unauthenticated, "TOKEN_REVOKED");
}

#[tokio::test]
async fn the_password_is_asked_for() {
    let app = TestApp::start().await;
    let alice = app.user("alice@example.com").await;
    let (mut phone, laptop) = (alice.sign_in("phone").await, alice.sign_in("laptop").await);
    for wrong in ["wrong", &PASSWORD.to_uppercase()] {
        refused(phone.delete_account(wrong).await).with(Code::Unauthenticated, "INVALID_CREDENTIALS");
    }
    for malformed in ["", &"x".repeat(1025)] {
        refused(phone.delete_account(malformed).await)
            .with(Code::InvalidArgument, "FIELD_INVALID")
            .naming(&["current_password"]);
    }
    laptop.get_account().await.unwrap();
    phone.renew().await.unwrap();
}

#[tokio::test]
async fn the_last_administrator_stays_and_any_other_may_go() {
    let app = TestApp::start().await;
    let (ann, ben) = (app.user("ann@example.com").await, app.user("ben@example.com").await);
    make_admin(&app, &ann).await;
    make_admin(&app, &ben).await;
    let (ann, mut ben) = (ann.sign_in("phone").await, ben.sign_in("phone").await);
    ann.delete_account(PASSWORD).await.unwrap();
    refused(ben.delete_account(PASSWORD).await).with(Code::FailedPrecondition, "LAST_ADMIN");
    assert_eq!(ben.get_account().await.unwrap().roles, ["admin", "normal_user"]);
    ben.renew().await.unwrap();
}

#[tokio::test]
async fn an_administrator_who_cannot_log_in_does_not_count() {
    let app = TestApp::start().await;
    let (ann, ben) = (app.user("ann@example.com").await, app.user("ben@example.com").await);
    make_admin(&app, &ann).await;
    make_admin(&app, &ben).await;
    let suspend = format!("UPDATE users SET state = 'SUSPENDED' WHERE user_id = '{}'", ben.user.user_id);
    let ann = ann.sign_in("phone").await;
    app.database.client().await.execute(&suspend, &[]).await.unwrap();
    refused(ann.delete_account(PASSWORD).await).with(Code::FailedPrecondition, "LAST_ADMIN");
    ann.get_account().await.unwrap();
}

#[tokio::test]
async fn who_becomes_the_only_administrator_meanwhile_stays() {
    let app = TestApp::start().await;
    let alice = app.user("alice@example.com").await;
    let phone = alice.sign_in("phone").await;
    let watcher = app.database.client().await;
    let mut client = app.database.client().await;
    let tx = client.transaction().await.unwrap();
    let user_id = &alice.user.user_id;
    tx.batch_execute(&format!("SELECT FROM users WHERE user_id = '{user_id}' FOR UPDATE")).await.unwrap();
    let promotion = async {
        wait_at_locks(&watcher, 1).await;
        let promote = format!("INSERT INTO user_roles (user_id, role) VALUES ('{user_id}', 'admin')");
        tx.batch_execute(&promote).await.unwrap();
        tx.commit().await.unwrap();
    };
    let (deleted, ()) = join(phone.delete_account(PASSWORD), promotion).await;
    refused(deleted).with(Code::FailedPrecondition, "LAST_ADMIN");
    phone.get_account().await.unwrap();
}

#[tokio::test]
async fn a_reset_asked_for_meanwhile_is_answered_as_ever() {
    let app = TestApp::start().await;
    let alice = app.user("alice@example.com").await;
    let phone = alice.sign_in("phone").await;
    let watcher = app.database.client().await;
    let mut client = app.database.client().await;
    let tx = client.transaction().await.unwrap();
    tx.batch_execute("LOCK TABLE password_resets IN EXCLUSIVE MODE").await.unwrap();
    // The one who asks has found the account, and the deletion has begun, before either may go on.
    let deletion = async {
        wait_at_locks(&watcher, 1).await;
        phone.delete_account(PASSWORD).await
    };
    let release = async {
        wait_at_locks(&watcher, 2).await;
        tx.rollback().await.unwrap();
    };
    let device = app.device("laptop");
    let (requested, deleted, ()) = join3(device.request_password_reset(alice.email()), deletion, release).await;
    requested.unwrap();
    deleted.unwrap();
}

#[tokio::test]
async fn of_two_administrators_who_leave_at_once_one_stays() {
    let app = TestApp::start().await;
    for round in 0..5 {
        let ann = app.user(&format!("ann{round}@example.com")).await;
        make_admin(&app, &ann).await;
        // Whoever stayed the last time leaves now, together with the new one.
        let holders = "SELECT u.email FROM users u JOIN user_roles r USING (user_id) WHERE role = 'admin'";
        let holders = app.database.client().await.query(holders, &[]).await.unwrap();
        let emails: Vec<String> = holders.iter().map(|row| row.get(0)).collect();
        if let [one, other] = emails.as_slice() {
            let (one, other) = join(leave(&app, one), leave(&app, other)).await;
            assert!(one != other, "both left, or both stayed");
        }
    }
    let count = "SELECT count(*) FROM user_roles WHERE role = 'admin'";
    let row = app.database.client().await.query_one(count, &[]).await.unwrap();
    assert_eq!(row.get::<_, i64>(0), 1);
}

/// Whether the administrator of this address could leave.
async fn leave(app: &TestApp, email: &str) -> bool {
    let device = app.device("phone");
    let login = device.login(email).await.unwrap();
    let left = device.bearing(&login.tokens.unwrap().access_token).delete_account(PASSWORD).await;
    match left {
        Ok(()) => true,
        Err(refusal) => {
            refusal.with(Code::FailedPrecondition, "LAST_ADMIN");
            false
        }
    }
}
