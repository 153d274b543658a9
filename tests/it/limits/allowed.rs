//! Networks that an operator allows: nothing is counted against their addresses.

use keyward::model::network::NetworkAction::Allow;

use super::{behind_a_proxy, device_at, guess, was_let_through};
use crate::harness::TestApp;
use crate::interceptors::Operator;

#[tokio::test]
async fn nothing_is_counted_against_an_address_that_is_allowed() {
    let app = TestApp::with(behind_a_proxy().limited()).await;
    let operator = Operator::of(&app).await;
    operator.make(Allow, "198.51.100.0/24").await.unwrap();
    operator.obeyed_by(app.first()).await;
    for n in 0..40 {
        // Different accounts, too.
        let device = device_at(&app, &format!("device-{n}"), "198.51.100.7");
        assert!(was_let_through(&guess("login", &device, n).await), "guess {n}");
        assert!(was_let_through(&guess("refresh", &device, n).await), "guess {n}");
    }
    // A device is counted there as everywhere.
    let phone = device_at(&app, "phone", "198.51.100.7");
    while was_let_through(&guess("resend_code", &phone, 0).await) {}
    assert_eq!(guess("resend_code", &phone, 0).await.unwrap_err().metadata("scope"), Some("device"));
}

#[tokio::test]
async fn allowing_an_address_lifts_what_has_locked_it() {
    let app = TestApp::with(behind_a_proxy().limited()).await;
    let locked = async |n: usize| {
        let device = device_at(&app, &format!("device-{n}"), "198.51.100.7");
        !was_let_through(&guess("resend_code", &device, n).await)
    };
    let mut n = 0;
    while !locked(n).await {
        n += 1;
    }
    let operator = Operator::of(&app).await;
    operator.make(Allow, "198.51.100.7").await.unwrap();
    operator.obeyed_by(app.first()).await;
    assert!(!locked(1000).await);
}
