//! Codes by mail: what an address is sent at whose request, and what wrong reset codes lead to.

use std::time::Duration;

use tonic::Code;

use super::{ALICE, ANOTHER_PASSWORD, count, other_than, plant_code};
use crate::harness::{Device, PASSWORD, Refusal, Settings, TestApp, at_once, because, refused, sort};

const NOBODY: &str = "nobody@example.com";
const HOUR: Duration = Duration::from_hours(1);

/// A service with the limits that production has for codes, whose clients come from wherever they say.
async fn start() -> TestApp {
    let settings = Settings::default().set("server.trusted_proxies", "127.0.0.0/8").set("codes.per_network", "4");
    TestApp::with(settings).await
}

/// A stranger's device on the network of this number.
fn stranger(app: &TestApp, network: usize) -> Device {
    app.device(&format!("stranger-{network}")).with("x-forwarded-for", &format!("198.51.100.{network}"))
}

/// Asks for codes until that is refused, half of them by each method, and returns how many there were.
async fn exhaust(device: &Device, email: &str) -> (usize, Refusal) {
    for issued in 0.. {
        let outcome = match issued % 2 {
            0 => device.request_password_reset(email).await.map(drop),
            _ => device.register(email).await.map(drop),
        };
        if let Err(refusal) = outcome {
            let refusal = refusal.with(Code::ResourceExhausted, "THROTTLED");
            assert_eq!(refusal.metadata("scope"), Some("email"));
            return (issued, refusal);
        }
    }
    unreachable!("an address has a limit")
}

/// Presents this many wrong codes for resets that the device asks for, and waits where it must.
async fn guess_wrong(app: &TestApp, device: &Device, email: &str, count: usize) {
    let mut wrong = 0;
    while wrong < count {
        let reset = match device.request_password_reset(email).await {
            Ok(reset) => reset,
            Err(refusal) => {
                app.advance(refusal.retry_after());
                continue;
            }
        };
        plant_code(app, "password_resets", "reset_id", &reset.reset_id, "424242").await;
        for _ in 0..5.min(count - wrong) {
            refused(device.verify_reset_code(&reset.reset_id, "000000").await)
                .with(Code::InvalidArgument, "CODE_INVALID");
            wrong += 1;
        }
    }
}

#[tokio::test]
async fn networks_have_shares_and_new_ones_a_reserve_with_and_without_an_account() {
    let app = start().await;
    app.user(ALICE).await;
    app.advance(HOUR);
    for email in [ALICE, NOBODY] {
        let mut issued = Vec::new();
        for network in 0..16 {
            let (count, refusal) = exhaust(&stranger(&app, network), email).await;
            assert_eq!(refusal.retry_after(), HOUR);
            issued.push(count);
        }
        assert_eq!(issued, [4, 4, 2, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0], "{email}");
        // A device beside the others of its network, and other addresses of IPv6 within a /64, are of that network.
        let beside = app.device("beside").with("x-forwarded-for", "198.51.100.3");
        refused(beside.request_password_reset(email).await).with(Code::ResourceExhausted, "THROTTLED");
    }
    // Tags and case lead to the same mailbox.
    for tagged in ["nobody+1@example.com", "Nobody+two+three@example.com"] {
        refused(stranger(&app, 20).request_password_reset(tagged).await).with(Code::ResourceExhausted, "THROTTLED");
    }
    app.advance(HOUR);
    assert_eq!(exhaust(&stranger(&app, 1), ALICE).await.0, 4);
}

#[tokio::test]
async fn an_owner_and_an_administrator_do_not_feel_strangers() {
    let app = start().await;
    let mut admin = app.administrator("root@example.com").await;
    app.user(ALICE).await;
    let home = |device_id: &str| app.device(device_id).with("x-forwarded-for", "192.0.2.7");
    for device_id in ["laptop", "phone", "tablet"] {
        home(device_id).login(ALICE).await.unwrap();
    }
    for network in 0..16 {
        exhaust(&stranger(&app, network), ALICE).await;
        exhaust(&stranger(&app, network), NOBODY).await;
    }
    // Somewhere else the id alone makes a device no friend.
    let impostor = app.device("laptop").with("x-forwarded-for", "198.51.100.99");
    refused(impostor.request_password_reset(ALICE).await).with(Code::ResourceExhausted, "THROTTLED");
    let mut issued = Vec::new();
    for device_id in ["laptop", "phone", "tablet"] {
        issued.push(exhaust(&home(device_id), ALICE).await.0);
    }
    assert_eq!(issued, [5, 5, 0]);
    admin.create_user(NOBODY, "").await.unwrap();
    assert_eq!(count(&app, "mail_outbox WHERE kind = 'invitation'").await, 1);
    // Nor does an invitation take from anybody else.
    app.advance(HOUR);
    admin.renew().await.unwrap();
    admin.create_user("guest@example.com", "").await.unwrap();
    assert_eq!(exhaust(&stranger(&app, 1), "guest@example.com").await.0, 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn codes_asked_for_at_once_are_counted_by_network_and_in_all() {
    let app = start().await;
    let replica = app.replica().await;
    let requests = (0..60).map(|number| {
        let device = stranger(&app, number % 3);
        let device = if number % 2 == 0 { device } else { device.at(&replica) };
        async move { device.request_password_reset(NOBODY).await }
    });
    let (answers, refusals) = sort(at_once(requests).await);
    assert_eq!((answers.len(), because("THROTTLED", &refusals)), (10, 50), "{refusals:?}");
    let requests = (0..60).map(|number| {
        let device = stranger(&app, 100 + number % 30);
        async move { device.request_password_reset(NOBODY).await }
    });
    let (answers, refusals) = sort(at_once(requests).await);
    assert_eq!((answers.len(), because("THROTTLED", &refusals)), (10, 50), "{refusals:?}");
}

#[tokio::test]
async fn wrong_codes_slow_strangers_down_and_the_owner_is_told_once() {
    let app = start().await;
    app.user(ALICE).await;
    let home = app.device("laptop").with("x-forwarded-for", "192.0.2.7");
    home.login(ALICE).await.unwrap();
    let guesser = stranger(&app, 1);
    for email in [ALICE, NOBODY] {
        guess_wrong(&app, &guesser, email, 19).await;
        app.advance(HOUR);
        assert_eq!(exhaust(&stranger(&app, 2), email).await.0, 4, "{email}");
        guess_wrong(&app, &guesser, email, 1).await;
        app.all_mail_delivered().await;

        // Now one an hour, whichever network asks, and by either method.
        app.advance(HOUR);
        let (issued, refusal) = exhaust(&stranger(&app, 3), email).await;
        assert_eq!((issued, refusal.retry_after()), (1, HOUR), "{email}");
        refused(stranger(&app, 4).register(email).await).with(Code::ResourceExhausted, "THROTTLED");
        guess_wrong(&app, &guesser, email, 30).await;

        // And one a day.
        app.advance(24 * HOUR);
        let (issued, refusal) = exhaust(&stranger(&app, 3), email).await;
        assert_eq!((issued, refusal.retry_after()), (1, 24 * HOUR), "{email}");
    }
    // Mails for nobody are written all the same, and delivered to no address.
    assert_eq!(count(&app, "mail_outbox WHERE kind = 'reset_codes_guessed'").await, 2);
    let told =
        |subject: &str| app.mailbox.unread_of(ALICE).iter().filter(|mail| mail.subject.starts_with(subject)).count();
    assert_eq!(told("Someone is guessing"), 1);
    assert!(app.mailbox.unread_of(NOBODY).iter().all(|mail| mail.subject.starts_with("Confirm")));

    // A device that the account knows has its codes as before, and a login from one ends the slowdown.
    assert_eq!(exhaust(&home, ALICE).await.0, 5);
    assert_eq!(exhaust(&stranger(&app, 6), ALICE).await.0, 1);
    stranger(&app, 5).login(ALICE).await.unwrap();
    app.advance(HOUR);
    refused(stranger(&app, 6).request_password_reset(ALICE).await).with(Code::ResourceExhausted, "THROTTLED");
    home.login(ALICE).await.unwrap();
    assert_eq!(exhaust(&stranger(&app, 6), ALICE).await.0, 4);
}

#[tokio::test]
async fn a_right_code_ends_the_slowdown() {
    let app = start().await;
    app.user(ALICE).await;
    guess_wrong(&app, &stranger(&app, 1), ALICE, 20).await;
    app.all_mail_delivered().await;
    app.advance(HOUR);
    while !app.mailbox.unread_of(ALICE).is_empty() {
        app.mailbox.next_to(ALICE).await;
    }
    let owner = stranger(&app, 2);
    let reset_id = owner.request_password_reset(ALICE).await.unwrap().reset_id;
    let code = app.mailbox.next_to(ALICE).await.code();
    refused(stranger(&app, 3).request_password_reset(ALICE).await).with(Code::ResourceExhausted, "THROTTLED");
    let refusal = refused(owner.verify_reset_code(&reset_id, &other_than(&code)).await);
    refusal.with(Code::InvalidArgument, "CODE_INVALID");
    let allowed = owner.verify_reset_code(&reset_id, &code).await.unwrap();
    stranger(&app, 3).request_password_reset(ALICE).await.unwrap();
    owner.reset_password(&allowed.reset_token, ANOTHER_PASSWORD).await.unwrap();
    refused(owner.login_with(ALICE, PASSWORD).await).with(Code::Unauthenticated, "INVALID_CREDENTIALS");
}
