//! RefreshTokens: rotation, the lost reply, and what a copied token comes to.

use std::time::Duration;

use tonic::Code;

use super::{ALICE, TICK, just_before, reset_token, set_state, time};
use crate::harness::{TestApp, refused};

const GRACE: Duration = Duration::from_secs(10);
const DAY: Duration = Duration::from_hours(24);

#[tokio::test]
async fn a_refresh_token_is_exchanged_for_its_successor() {
    let app = TestApp::start().await;
    let mut phone = app.user(ALICE).await.sign_in("phone").await;
    app.advance(Duration::from_mins(1));
    let before = phone.clone();
    phone.renew().await.unwrap();
    assert_ne!(phone.tokens.refresh_token, before.tokens.refresh_token);
    assert_ne!(phone.tokens.access_token, before.tokens.access_token);
    assert_eq!((&phone.session.session_id, phone.session.current), (&before.session.session_id, true));
    assert_eq!(phone.session.create_time, before.session.create_time);
    assert_eq!(time(phone.session.last_used_time), app.now());
    assert_eq!(time(phone.session.expire_time), app.now() + 18 * DAY);
    assert_eq!(phone.tokens.refresh_token_expire_time, phone.session.expire_time);
    assert_eq!(time(phone.tokens.access_token_expire_time), app.now() + Duration::from_mins(3));
    assert_eq!((phone.tokens.token_type.as_str(), phone.tokens.expires_in.unwrap().seconds), ("Bearer", 180));
    // The access token of before is one of the same session, and lives out its time.
    before.get_account().await.unwrap();
    phone.get_account().await.unwrap();
}

#[tokio::test]
async fn a_lost_reply_is_given_again_within_ten_seconds() {
    let app = TestApp::start().await;
    let mut phone = app.user(ALICE).await.sign_in("phone").await;
    let lost = phone.tokens.refresh_token.clone();
    phone.renew().await.unwrap();
    for passed in [Duration::ZERO, just_before(GRACE), TICK] {
        app.advance(passed);
        let again = phone.refresh(&lost).await.unwrap();
        assert_eq!(again.tokens.unwrap().refresh_token, phone.tokens.refresh_token);
        assert_eq!(again.session.unwrap().session_id, phone.session.session_id);
    }
    phone.renew().await.unwrap();
}

#[tokio::test]
async fn a_token_used_later_ends_its_session_and_the_owner_is_told_once() {
    let app = TestApp::start().await;
    let alice = app.user(ALICE).await;
    let (mut phone, mut laptop) = (alice.sign_in("phone").await, alice.sign_in("laptop").await);
    app.mailbox.next_to(ALICE).await;
    app.mailbox.next_to(ALICE).await;
    let copied = phone.tokens.refresh_token.clone();
    phone.renew().await.unwrap();
    app.advance(GRACE + TICK);
    refused(phone.refresh(&copied).await).with(Code::Unauthenticated, "TOKEN_REUSED");
    refused(phone.get_account().await).with(Code::Unauthenticated, "TOKEN_REVOKED");
    refused(phone.renew().await).with(Code::Unauthenticated, "TOKEN_REVOKED");
    refused(phone.refresh(&copied).await).with(Code::Unauthenticated, "TOKEN_REVOKED");
    laptop.renew().await.unwrap();
    let mail = app.mailbox.next_to(ALICE).await;
    assert!(mail.subject.starts_with("A device was logged out"), "{mail:?}");
    app.all_mail_delivered().await;
    assert!(app.mailbox.unread_of(ALICE).is_empty());

    // Two behind is a copy at any time.
    let older = laptop.tokens.refresh_token.clone();
    laptop.renew().await.unwrap();
    laptop.renew().await.unwrap();
    refused(laptop.refresh(&older).await).with(Code::Unauthenticated, "TOKEN_REUSED");
    assert!(app.mailbox.next_to(ALICE).await.subject.starts_with("A device was logged out"));
}

#[tokio::test]
async fn another_device_gets_nothing_and_spoils_nothing() {
    let app = TestApp::start().await;
    let mut phone = app.user(ALICE).await.sign_in("phone").await;
    let outdated = phone.tokens.refresh_token.clone();
    phone.renew().await.unwrap();
    app.advance(GRACE + TICK);
    let thief = app.device("PHONE");
    for token in [&outdated, &phone.tokens.refresh_token] {
        refused(thief.refresh(token).await).with(Code::Unauthenticated, "TOKEN_DEVICE_MISMATCH");
    }
    phone.get_account().await.unwrap();
    phone.renew().await.unwrap();
}

#[tokio::test]
async fn what_is_not_one_of_our_tokens_is_refused() {
    let (app, elsewhere) = tokio::join!(TestApp::start(), TestApp::start());
    let mut phone = app.user(ALICE).await.sign_in("desk").await;
    let foreign = elsewhere.user(ALICE).await.sign_in("phone").await.tokens.refresh_token;
    let own = phone.tokens.refresh_token.clone();
    let middle = own.len() / 2;
    let replacement = if own[middle..].starts_with('A') { "B" } else { "A" };
    for token in [
        "kwr_",
        "garbage",
        "\u{fffd}",
        &own[..own.len() - 1],
        &format!("{own}A"),
        &format!("{own}="),
        &format!(" {own}"),
        &own.replacen("kwr_", "kwp_", 1),
        &[&own[..middle], replacement, &own[middle + 1..]].concat(),
        &foreign,
        &reset_token(&app, ALICE).await,
        &"x".repeat(512),
    ] {
        refused(phone.refresh(token).await).with(Code::Unauthenticated, "TOKEN_INVALID");
    }
    for token in ["", &"x".repeat(513), &"é".repeat(257)] {
        let refusal = refused(phone.refresh(token).await);
        refusal.with(Code::InvalidArgument, "FIELD_INVALID").naming(&["refresh_token"]);
    }
    let access_token = phone.tokens.access_token.clone();
    refused(phone.refresh(&access_token).await);

    // A database that was restored from before the last refresh knows of no such token, and blames nobody.
    phone.renew().await.unwrap();
    let client = app.database.client().await;
    client.execute("UPDATE sessions SET generation = generation - 1", &[]).await.unwrap();
    let ahead = phone.tokens.refresh_token.clone();
    refused(phone.refresh(&ahead).await).with(Code::Unauthenticated, "TOKEN_REVOKED");
    phone.refresh(&own).await.unwrap();
    client.execute("DELETE FROM sessions", &[]).await.unwrap();
    refused(phone.renew().await).with(Code::Unauthenticated, "TOKEN_REVOKED");
}

#[tokio::test]
async fn a_session_ends_after_eighteen_days_alone_and_ninety_in_company() {
    let app = TestApp::start().await;
    let alice = app.user(ALICE).await;
    let (mut idle, mut busy) = (alice.sign_in("idle").await, alice.sign_in("busy").await);
    let end = app.now() + 90 * DAY;
    app.advance(just_before(18 * DAY));
    busy.renew().await.unwrap();
    app.advance(TICK);
    refused(idle.renew().await).with(Code::Unauthenticated, "TOKEN_EXPIRED");
    for _ in 0..4 {
        app.advance(17 * DAY);
        busy.renew().await.unwrap();
    }
    assert_eq!((time(busy.session.expire_time), time(busy.tokens.refresh_token_expire_time)), (end, end));
    app.advance(just_before(4 * DAY));
    busy.renew().await.unwrap();
    app.advance(TICK);
    refused(busy.renew().await).with(Code::Unauthenticated, "TOKEN_EXPIRED");

    // The device is not lost for that.
    let again = alice.sign_in("busy").await;
    assert_eq!((again.list_sessions().await.unwrap().len(), again.evicted.len()), (1, 0));
}

#[tokio::test]
async fn a_suspended_user_gets_no_tokens() {
    let app = TestApp::start().await;
    let mut phone = app.user(ALICE).await.sign_in("phone").await;
    set_state(&app, ALICE, "SUSPENDED").await;
    refused(phone.renew().await).with(Code::Unauthenticated, "TOKEN_REVOKED");
    set_state(&app, ALICE, "ACTIVE").await;
    phone.renew().await.unwrap();
}
