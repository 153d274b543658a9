//! Codes presented, and asked for, at once.

use std::time::Duration;

use tonic::Code;

use super::Cluster;
use crate::auth::{ALICE, ANOTHER_PASSWORD, count, other_than};
use crate::harness::{PASSWORD, at_once, because, refused, sort};

#[tokio::test(flavor = "multi_thread")]
async fn three_hundred_guesses_at_a_code_get_five_looks() {
    let cluster = Cluster::start().await;
    let phone = cluster.device(0, "phone");
    let id = phone.register(ALICE).await.unwrap().registration_id;
    let code = cluster.app.mailbox.next_to(ALICE).await.code();
    let guesses = (0..300).map(|number| {
        let (device, id, guess) = (cluster.device(number, &format!("bot-{number}")), id.clone(), other_than(&code));
        async move { device.verify_email(&id, &guess).await }
    });
    let (answers, refusals) = sort(at_once(guesses).await);
    assert_eq!(answers.len(), 0);
    assert_eq!(because("CODE_INVALID", &refusals), 5);
    assert_eq!(because("CODE_ATTEMPTS_EXHAUSTED", &refusals), 295);
    refused(phone.verify_email(&id, &code).await).with(Code::FailedPrecondition, "CODE_ATTEMPTS_EXHAUSTED");
}

#[tokio::test(flavor = "multi_thread")]
async fn three_hundred_guesses_at_a_reset_code_get_five_looks() {
    let cluster = Cluster::start().await;
    cluster.app.user(ALICE).await;
    let phone = cluster.device(0, "phone");
    let id = phone.request_password_reset(ALICE).await.unwrap().reset_id;
    let code = cluster.app.mailbox.next_to(ALICE).await.code();
    let guesses = (0..300).map(|number| {
        let (device, id, guess) = (cluster.device(number, &format!("bot-{number}")), id.clone(), other_than(&code));
        async move { device.verify_reset_code(&id, &guess).await }
    });
    let (answers, refusals) = sort(at_once(guesses).await);
    assert_eq!(answers.len(), 0);
    assert_eq!(because("CODE_INVALID", &refusals), 5);
    assert_eq!(because("CODE_ATTEMPTS_EXHAUSTED", &refusals), 295);
    refused(phone.verify_reset_code(&id, &code).await).with(Code::FailedPrecondition, "CODE_ATTEMPTS_EXHAUSTED");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_right_code_presented_often_at_once_is_used_once() {
    let cluster = Cluster::start().await;
    cluster.app.user(ALICE).await;
    let phone = cluster.device(0, "phone");
    let registration = phone.register("bob@example.com").await.unwrap().registration_id;
    let code = cluster.app.mailbox.next_to("bob@example.com").await.code();
    let (answers, refusals) = sort(
        at_once((0..20).map(|number| {
            let (device, id, code) = (cluster.device(number, "phone"), registration.clone(), code.clone());
            async move { device.verify_email(&id, &code).await }
        }))
        .await,
    );
    // The others count as replies that were lost.
    assert!(refusals.is_empty() && answers.iter().all(|answer| *answer == answers[0]), "{answers:?} {refusals:?}");
    assert_eq!(count(&cluster.app, "audit_events WHERE kind = 'EMAIL_VERIFIED'").await, 2);

    let reset = phone.request_password_reset(ALICE).await.unwrap().reset_id;
    let code = cluster.app.mailbox.next_to(ALICE).await.code();
    let (answers, refusals) = sort(
        at_once((0..20).map(|number| {
            let (device, id, code) = (cluster.device(number, "phone"), reset.clone(), code.clone());
            async move { device.verify_reset_code(&id, &code).await }
        }))
        .await,
    );
    assert!(refusals.is_empty() && answers.iter().all(|answer| *answer == answers[0]), "{answers:?} {refusals:?}");
    assert_eq!(count(&cluster.app, "audit_events WHERE kind = 'PASSWORD_RESET_CODE_VERIFIED'").await, 1);

    // Of devices that differ, one has it.
    let reset = phone.request_password_reset(ALICE).await.unwrap().reset_id;
    let code = cluster.app.mailbox.next_to(ALICE).await.code();
    let presentations = (0..4).map(|number| {
        let (device, id, code) = (cluster.device(number, &format!("phone-{number}")), reset.clone(), code.clone());
        async move { device.verify_reset_code(&id, &code).await }
    });
    let (answers, refusals) = sort(at_once(presentations).await);
    assert_eq!((answers.len(), because("CODE_EXPIRED", &refusals)), (1, 3), "{refusals:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn registrations_of_one_address_verified_at_once_make_one_user() {
    let cluster = Cluster::start().await;
    for round in 0..8 {
        let email = format!("alice-{round}@example.com");
        let mut verifications = Vec::new();
        for (number, password) in [PASSWORD, ANOTHER_PASSWORD].into_iter().enumerate() {
            let device = cluster.device(number, "phone");
            let id = device.register_as(&email, password, "Alice").await.unwrap().registration_id;
            let code = cluster.app.mailbox.next_to(&email).await.code();
            verifications.push(async move { device.verify_email(&id, &code).await.map(|_| password) });
        }
        let (winners, losers) = sort(at_once(verifications).await);
        assert_eq!((winners.len(), because("CODE_EXPIRED", &losers)), (1, 1), "{losers:?}");
        let wins = |password: &str| winners.contains(&password);
        let phone = cluster.device(round, "phone");
        for password in [PASSWORD, ANOTHER_PASSWORD] {
            assert_eq!(phone.login_with(&email, password).await.is_ok(), wins(password));
        }
    }
    assert_eq!(count(&cluster.app, "users").await, 8);
}

#[tokio::test(flavor = "multi_thread")]
async fn codes_asked_for_at_once_are_counted_one_by_one() {
    let cluster = Cluster::start().await;
    let registrations = (0..30).map(|number| {
        let device = cluster.device(number, &format!("bot-{number}"));
        async move { device.register(ALICE).await }
    });
    let (answers, refusals) = sort(at_once(registrations).await);
    assert_eq!((answers.len(), because("THROTTLED", &refusals)), (10, 20), "{refusals:?}");

    let phone = cluster.device(0, "phone");
    let id = phone.register("bob@example.com").await.unwrap().registration_id;
    cluster.app.advance(Duration::from_mins(1));
    let resends = (0..10).map(|number| {
        let (device, id) = (cluster.device(number, "phone"), id.clone());
        async move { device.resend_code(&id).await }
    });
    let (answers, refusals) = sort(at_once(resends).await);
    assert_eq!((answers.len(), because("THROTTLED", &refusals)), (1, 9), "{refusals:?}");
    // Counted where they are caused: a mail that is on its way when the clock jumps may come twice.
    assert_eq!(count(&cluster.app, "mail_outbox").await, 10 + 2);
}
