//! Which mail goes first, which goes no more, and who waits for whom.

use std::time::Duration;

use super::server::{MailServer, Script};
use super::{advance, outbox};
use crate::harness::{Settings, TestApp, within_patience};
use crate::interceptors::body;

const MENDED: Script = &[];
const AWAY: Script = &[("GREET", "421 not now")];

#[tokio::test]
async fn a_mail_whose_code_has_expired_is_not_sent_and_is_counted() {
    let mut app = TestApp::with(Settings::default().set("codes.ttl", "4s")).await;
    let mut server = MailServer::instead_of_mailbox(&mut app, AWAY).await;
    app.device("phone").register("late@example.com").await.unwrap();
    outbox(&app, "due_at = created_at + interval '1 second'").await;
    server.answer(MENDED);
    advance(&app, Duration::from_secs(4));
    let row = outbox(&app, "dead_at IS NOT NULL").await;
    assert!(row.get::<_, Vec<u8>>("payload").is_empty());
    app.device("phone").register("early@example.com").await.unwrap();
    server.takes_for("early@example.com").await;
    assert_eq!(server.taken(), ["early@example.com"]);
    let metrics = body(app.first().http_address, "/metrics").await;
    assert!(metrics.contains("keyward_mail_deliveries_total{outcome=\"failed\"} 1\n"), "{metrics}");
}

#[tokio::test]
async fn the_newest_mail_goes_first_when_the_server_is_back() {
    let mut app = TestApp::start().await;
    let mut server = MailServer::instead_of_mailbox(&mut app, AWAY).await;
    for name in ["first", "second", "third"] {
        app.device("phone").register(&format!("{name}@example.com")).await.unwrap();
        outbox(&app, "due_at > created_at AND attempts = 0 AND created_at = (SELECT min(created_at) FROM mail_outbox)")
            .await;
        app.advance(Duration::from_millis(10));
    }
    server.answer(MENDED);
    advance(&app, Duration::from_secs(5));
    for name in ["first", "second", "third"] {
        server.takes_for(&format!("{name}@example.com")).await;
    }
    assert_eq!(server.taken().first().unwrap(), "third@example.com");
}

#[tokio::test]
async fn a_slow_domain_holds_up_no_other() {
    // Longer than the test is patient: a mail that waits for a slow one does not come.
    let mut app = TestApp::with(Settings::default().set("mail.timeout", "5m")).await;
    let mut server = MailServer::instead_of_mailbox(&mut app, &[("RCPT TO:<slow", "")]).await;
    for number in 0..20 {
        app.device("phone").register(&format!("slow{number}@slow.example.com")).await.unwrap();
    }
    for name in ["anna", "ben", "cleo"] {
        let address = format!("{name}@example.com");
        app.device("phone").register(&address).await.unwrap();
        server.takes_for(&address).await;
    }
    assert_eq!(server.taken().len(), 3);
}

#[tokio::test]
async fn a_mail_that_cannot_be_opened_is_given_up_after_its_attempts_and_counted() {
    // It is leased for five seconds more than an attempt may take: for twelve, as no pause is long.
    let app = TestApp::with(Settings::default().set("mail.timeout", "7s")).await;
    let now = app.now().to_rfc3339();
    let sealed_elsewhere = format!(
        "INSERT INTO mail_outbox (mail_id, kind, payload, attempts, due_at, created_at)
        VALUES ('0198b0d0-0000-7000-8000-00000000ada0', 'welcome', 'sealed under another key', 0, '{now}', '{now}')"
    );
    app.database.client().await.batch_execute(&sealed_elsewhere).await.unwrap();
    for attempt in 1..10 {
        let (now, lease) = (app.now().to_rfc3339(), (app.now() + Duration::from_secs(12)).to_rfc3339());
        let put_off = format!("attempts = {attempt} AND dead_at IS NULL AND due_at > '{now}' AND due_at <> '{lease}'");
        outbox(&app, &put_off).await;
        advance(&app, Duration::from_hours(2));
    }
    let row = outbox(&app, "dead_at IS NOT NULL").await;
    assert_eq!(row.get::<_, i16>("attempts"), 10);
    let counted =
        async { while !body(app.first().http_address, "/metrics").await.contains("{outcome=\"failed\"} 1\n") {} };
    within_patience("the mail to be counted", counted).await;
}
