//! The mail server away, or set against a mail: calls succeed, what can be delivered is, and codes lie nowhere in the open.

mod order;
mod refusals;
mod server;

use std::time::Duration;

use tokio_postgres::Row;

use self::server::MailServer;
use crate::harness::{Settings, TestApp, within_patience};

const ALICE: &str = "alice@example.com";

/// The one mail of the outbox, once `condition` holds for it.
async fn outbox(app: &TestApp, condition: &str) -> Row {
    let client = app.database.client().await;
    let sql = format!("SELECT attempts, payload FROM mail_outbox WHERE {condition}");
    let found = async {
        loop {
            if let Some(row) = client.query_opt(&sql, &[]).await.unwrap() {
                return row;
            }
        }
    };
    within_patience(&format!("a mail in the outbox with {condition}"), found).await
}

/// Lets time pass, and has the service look into the outbox, which it would do by itself within a second.
fn advance(app: &TestApp, by: Duration) {
    app.advance(by);
    app.first().app.outbox_filled.notify_one();
}

#[tokio::test]
async fn calls_succeed_and_the_mail_comes_when_the_server_is_back() {
    let mut app = TestApp::start().await;
    app.mailbox.go_away().await;
    let phone = app.device("phone");
    let registration = phone.register(ALICE).await.unwrap();
    outbox(&app, "attempts = 0 AND due_at = created_at + interval '1 second'").await;
    advance(&app, Duration::from_secs(1));
    outbox(&app, "attempts = 0 AND due_at = created_at + interval '3 seconds'").await;

    app.mailbox.come_back().await;
    advance(&app, Duration::from_secs(2));
    let code = app.mailbox.next_to(ALICE).await.code();
    phone.verify_email(&registration.registration_id, &code).await.unwrap();
}

#[tokio::test]
async fn a_notice_is_tried_ten_times_and_then_given_up() {
    // While it is tried it is leased for five seconds more than an attempt may take: for twelve, as no pause is long.
    let mut app = TestApp::with(Settings::default().set("mail.timeout", "7s")).await;
    app.user(ALICE).await;
    let mut server = MailServer::instead_of_mailbox(&mut app, &[("RCPT", "451 4.2.1 not now")]).await;
    app.device("phone").register(ALICE).await.unwrap();
    for attempt in 1..10 {
        let (now, lease) = (app.now().to_rfc3339(), (app.now() + Duration::from_secs(12)).to_rfc3339());
        let put_off =
            format!("delivered_at IS NULL AND attempts = {attempt} AND due_at > '{now}' AND due_at <> '{lease}'");
        assert!(!outbox(&app, &put_off).await.get::<_, Vec<u8>>("payload").is_empty());
        advance(&app, Duration::from_hours(2));
    }
    let row = outbox(&app, "dead_at IS NOT NULL").await;
    assert_eq!((row.get::<_, i16>("attempts"), row.get::<_, Vec<u8>>("payload")), (10, vec![]));
    server.answer(&[]);
    app.device("phone").register("bob@example.com").await.unwrap();
    server.takes_for("bob@example.com").await;
    assert_eq!(server.taken(), ["bob@example.com"]);
}

#[tokio::test]
async fn a_mail_that_is_put_off_is_tried_again() {
    let mut app = TestApp::start().await;
    MailServer::instead_of_mailbox(&mut app, &[("RCPT", "451 4.7.1 greylisted, come back later")]).await;
    app.device("phone").register(ALICE).await.unwrap();
    let row = outbox(&app, "attempts = 1 AND due_at = created_at + interval '1 second'").await;
    assert!(!row.get::<_, Vec<u8>>("payload").is_empty());
}

/// The columns of any table in which these bytes occur.
async fn columns_with(app: &TestApp, bytes: &[u8]) -> Vec<String> {
    let client = app.database.client().await;
    let columns = "SELECT table_name::text, column_name::text FROM information_schema.columns
        WHERE table_schema = 'public' AND data_type IN ('bytea', 'text')";
    let mut found = Vec::new();
    for row in client.query(columns, &[]).await.unwrap() {
        let (table, column): (String, String) = (row.get(0), row.get(1));
        let holds = format!("SELECT EXISTS (SELECT FROM {table} WHERE position($1 in {column}::bytea) > 0)");
        if client.query_one(&holds, &[&bytes]).await.unwrap().get(0) {
            found.push(format!("{table}.{column}"));
        }
    }
    found
}

#[tokio::test]
async fn codes_are_stored_nowhere_in_the_open() {
    let mut app = TestApp::start().await;
    app.mailbox.go_away().await;
    let phone = app.device("phone");
    let registration = phone.register(ALICE).await.unwrap();
    let waiting = outbox(&app, "attempts = 0 AND due_at = created_at + interval '1 second'").await;
    // Neither the address nor the words of the mail can be read; what else holds them is not this test's matter.
    let payload: Vec<u8> = waiting.get("payload");
    assert!(payload.len() > 100);
    for readable in [ALICE, "example.com", "VerificationCode", "content"] {
        let occurs = payload.windows(readable.len()).any(|window| window == readable.as_bytes());
        assert!(!occurs, "{readable} can be read");
    }

    // The code is known when the mail comes: look back at what lay there, and at what lies there now.
    app.mailbox.come_back().await;
    advance(&app, Duration::from_secs(1));
    let code = app.mailbox.next_to(ALICE).await.code();
    assert!(!payload.windows(6).any(|window| window == code.as_bytes()));
    outbox(&app, "delivered_at IS NOT NULL AND payload = ''").await;
    assert_eq!(columns_with(&app, code.as_bytes()).await, [""; 0]);
    assert_eq!(columns_with(&app, ALICE.as_bytes()).await, ["registrations.email"]);
    phone.verify_email(&registration.registration_id, &code).await.unwrap();
}
