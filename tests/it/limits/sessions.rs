//! The lockout of a session: its refresh token used twice, or from another device, too often.

use std::time::Duration;

use keyward::proto::keyward::v1::clear_lockout_request::Target;
use keyward::proto::keyward::v1::lockout::{Cause, Scope};
use keyward::proto::keyward::v1::{ClearLockoutRequest, ListLockoutsRequest};
use tonic::Code;

use super::{device_at, locking};
use crate::admin::{administrator, kinds};
use crate::harness::{Refusal, TestApp, answer, at_once, because, refused, sort};

const ALICE: &str = "alice@example.com";

#[track_caller]
fn locked(refusal: Refusal, wait: Duration) {
    let refusal = refusal.with(Code::ResourceExhausted, "LOCKED_OUT");
    assert_eq!((refusal.metadata("operation"), refusal.metadata("scope")), (Some("refresh"), Some("session")));
    assert_eq!(refusal.retry_after(), wait);
}

/// Presents a token as another device would, each time from elsewhere.
async fn steal(app: &TestApp, token: &str, n: usize) -> Refusal {
    refused(device_at(app, &format!("thief-{n}"), &format!("2001:db8:{n:x}::1")).refresh(token).await)
}

#[tokio::test]
async fn five_failures_within_two_minutes_lock_the_session_and_nobody_else() {
    let app = TestApp::with(locking()).await;
    let alice = app.user(ALICE).await;
    let (mut phone, mut laptop) = (alice.sign_in("phone").await, alice.sign_in("laptop").await);
    for n in 0..5 {
        steal(&app, &phone.tokens.refresh_token, n).await.with(Code::Unauthenticated, "TOKEN_DEVICE_MISMATCH");
    }
    let wait = Duration::from_mins(5);
    locked(steal(&app, &phone.tokens.refresh_token, 5).await, wait);
    locked(refused(phone.renew().await), wait);
    laptop.renew().await.unwrap();
    app.advance(wait);
    phone.renew().await.unwrap();
    for n in 0..20 {
        steal(&app, &phone.tokens.refresh_token, n).await.with(Code::Unauthenticated, "TOKEN_DEVICE_MISMATCH");
        app.advance(Duration::from_secs(30));
    }
    phone.renew().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn failures_at_once_do_not_slip_past_the_limit_and_what_is_reused_ends_the_session() {
    let app = TestApp::with(locking()).await;
    let second = app.replica().await;
    let phone = app.user(ALICE).await.sign_in("phone").await;
    let thefts = (0..20).map(|n| {
        let device = device_at(&app, &format!("thief-{n}"), &format!("2001:db8:{n:x}::1"));
        let device = if n % 2 == 0 { device } else { device.at(&second) };
        let token = phone.tokens.refresh_token.clone();
        async move { device.refresh(&token).await }
    });
    let (_, refusals) = sort(at_once(thefts).await);
    let mismatches = because("TOKEN_DEVICE_MISMATCH", &refusals);
    assert_eq!(mismatches + because("LOCKED_OUT", &refusals), 20);
    locked(steal(&app, &phone.tokens.refresh_token, 21).await, Duration::from_mins(5));
}

#[tokio::test]
async fn the_lockout_of_a_session_is_listed_on_record_and_can_be_lifted() {
    let app = TestApp::with(locking()).await;
    let root = administrator(&app).await;
    let alice = app.user(ALICE).await;
    let mut phone = alice.sign_in("phone").await;
    for n in 0..5 {
        steal(&app, &phone.tokens.refresh_token, n).await;
    }
    let list = async || {
        let request = ListLockoutsRequest { page_size: 10, page_token: String::new() };
        answer(root.admin().list_lockouts(request).await).unwrap().lockouts
    };
    let found = list().await;
    assert_eq!(found.len(), 1, "{found:?}");
    let lockout = &found[0];
    assert_eq!(
        (lockout.scope(), lockout.cause(), lockout.operation.as_str()),
        (Scope::Session, Cause::Failures, "refresh")
    );
    assert_eq!((&lockout.subject, &lockout.user_id), (&phone.session.session_id, &alice.user.user_id));
    assert_eq!((lockout.device_id.as_str(), lockout.failure_count), ("phone", 5));
    let target = Some(Target::LockoutId(lockout.lockout_id.clone()));
    answer(root.admin().clear_lockout(ClearLockoutRequest { target }).await).unwrap();
    assert_eq!(list().await, []);
    assert_eq!(kinds(&app, &lockout.lockout_id).await, ["LOCKED_OUT", "LOCKOUT_CLEARED"]);
    phone.renew().await.unwrap();
}
