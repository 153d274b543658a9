//! Refusals: final where they are about the mail, tried again where an operator can mend them.

use std::time::Duration;

use super::server::{MailServer, Script};
use super::{advance, outbox};
use crate::harness::TestApp;
use crate::interceptors::body;

const MENDED: Script = &[];

/// What a connection hears that was open before.
const RESTARTED: (&str, &str) = ("NOOP", "421 closing");

#[tokio::test]
async fn what_an_operator_can_mend_is_tried_again_and_comes_once_it_is_mended() {
    let refusals: [Script; 12] = [
        &[("GREET", "554 go away"), RESTARTED],
        &[("GREET", "521 no mail here"), RESTARTED],
        &[("EHLO", "504 5.5.2 who are you"), RESTARTED],
        &[("EHLO", "550 5.7.1 no"), RESTARTED],
        &[("MAIL", "553 5.7.1 not owned")],
        &[("MAIL", "550 no")],
        &[("MAIL", "552 5.3.4 too big")],
        &[("MAIL", "451 later")],
        &[("RCPT", "554 5.7.1 Relay access denied")],
        &[("RCPT", "550 5.7.1 no")],
        &[("DATA", "550 5.7.1 no")],
        &[(".", "550 5.4.5 quota")],
    ];
    let mut app = TestApp::start().await;
    let mut server = MailServer::instead_of_mailbox(&mut app, MENDED).await;
    for (number, refusal) in refusals.into_iter().enumerate() {
        server.answer(refusal);
        let reader = format!("reader{number}@example.com");
        app.device("phone").register(&reader).await.unwrap();
        let put_off = "delivered_at IS NULL AND dead_at IS NULL AND due_at = created_at + interval '1 second'";
        outbox(&app, put_off).await;
        // Again, as it is not mended yet.
        advance(&app, Duration::from_secs(1));
        outbox(&app, "delivered_at IS NULL AND dead_at IS NULL AND due_at = created_at + interval '3 seconds'").await;
        server.answer(MENDED);
        advance(&app, Duration::from_secs(2));
        server.takes_for(&reader).await;
        outbox(&app, "delivered_at = (SELECT max(created_at) + interval '3 seconds' FROM mail_outbox)").await;
    }
}

#[tokio::test]
async fn what_is_about_the_mail_is_given_up_at_once_and_counted() {
    let mut app = TestApp::start().await;
    let server = MailServer::instead_of_mailbox(&mut app, MENDED).await;
    let refusals: [Script; 3] =
        [&[("RCPT", "550 5.1.1 no such user")], &[("RCPT", "550 no such user")], &[(".", "554 5.7.0 spam")]];
    for (number, refusal) in refusals.into_iter().enumerate() {
        server.answer(refusal);
        app.device("phone").register(&format!("reader{number}@example.com")).await.unwrap();
        let row = outbox(
            &app,
            &format!(
                "dead_at IS NOT NULL AND (SELECT count(*) FROM mail_outbox) = {number} + 1
            AND created_at = (SELECT max(created_at) FROM mail_outbox)"
            ),
        )
        .await;
        assert_eq!((row.get::<_, i16>("attempts"), row.get::<_, Vec<u8>>("payload")), (1, vec![]));
        app.advance(Duration::from_secs(1));
    }
    assert!(server.taken().is_empty());
    let metrics = body(app.first().http_address, "/metrics").await;
    assert!(metrics.contains("keyward_mail_deliveries_total{outcome=\"refused\"} 3\n"), "{metrics}");
}
