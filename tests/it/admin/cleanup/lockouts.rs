//! The records of failed logins go once they matter no more, and not before.

use std::time::Duration;

use tokio_postgres::Client;

use super::{DAY, clean_up, count, sign_in};
use crate::admin::administrator;
use crate::harness::{Settings, TestApp, refused};

/// How far the clocks of replicas may be apart, for which everything is kept longer.
const CLOCKS_DIFFER: Duration = Duration::from_mins(5);

async fn rows(client: &Client) -> (i64, i64) {
    let networks = count(client, "login_networks WHERE network <<= '203.0.113.0/24'").await;
    (networks, count(client, "account_lockouts").await)
}

#[tokio::test]
async fn failed_logins_go_once_they_count_no_more() {
    let settings = Settings::default().set("lockout.enabled", "true").set("server.trusted_proxies", "127.0.0.0/8");
    // Signing keys do not take turns while the clock leaps ahead: one that was being retired would be over before its tokens.
    let settings = settings.set("tokens.signing_key_rotation", "3650d");
    let app = TestApp::with(settings.set("lockout.account.failures_in_a_row", "5")).await;
    let client = app.database.client().await;
    administrator(&app).await;
    let fail = async |email: &str, address: &str| {
        let stranger = app.device("stranger").with("x-forwarded-for", address);
        refused(stranger.login_with(email, "wrong").await);
    };
    fail("somebody@example.com", "203.0.113.1").await;
    fail("somebody@example.com", "203.0.113.2").await;
    for _ in 0..5 {
        fail("locked-until-reset@example.com", "203.0.113.3").await;
    }
    // The administrator signs in anew each time, from elsewhere.
    let deleted = async || clean_up(&sign_in(&app).await).await.unwrap()["LOCKOUTS"].deleted_count;
    // One for each address, and one for each account.
    assert_eq!(rows(&client).await, (3, 2));

    // Those of addresses count for a day, as long as a lockout of theirs lasts.
    app.advance(Duration::from_hours(23));
    fail("somebody-else@example.com", "203.0.113.4").await;
    assert_eq!(deleted().await, 0);
    app.advance(Duration::from_hours(1) + CLOCKS_DIFFER);
    assert_eq!(deleted().await, 3 + 1, "three addresses, and the account that was not tried since");
    assert_eq!(count(&client, "login_networks WHERE network = '203.0.113.4'").await, 1);
    assert_eq!(rows(&client).await, (1, 2));
    app.advance(Duration::from_hours(23).saturating_sub(Duration::from_secs(1)));
    assert_eq!(deleted().await, 0);
    app.advance(Duration::from_secs(1));
    assert_eq!(deleted().await, 2, "the last of the addresses, and its account");
    assert_eq!(rows(&client).await, (0, 1));

    // What locks until the password is another one, as any long series, is remembered for ninety days after the last failure, with
    // and without an account.
    app.advance((DAY * 90).saturating_sub(Duration::from_hours(47) + Duration::from_secs(1)));
    assert_eq!(deleted().await, 0);
    app.advance(Duration::from_secs(1));
    assert_eq!(deleted().await, 1);
    assert_eq!(rows(&client).await, (0, 0));
}
