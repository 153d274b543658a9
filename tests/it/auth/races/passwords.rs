//! Passwords set at once, and used while they are set.

use super::{Cluster, LIVE_SESSIONS};
use crate::auth::{ALICE, ANOTHER_PASSWORD, count, reset_token};
use crate::harness::{PASSWORD, at_once, because, sort, within_patience};

#[tokio::test(flavor = "multi_thread")]
async fn a_reset_token_presented_often_at_once_sets_one_password() {
    let cluster = Cluster::start().await;
    cluster.app.user(ALICE).await;
    let token = reset_token(&cluster.app, ALICE).await;
    let resets = (0..6).map(|number| {
        let (device, token) = (cluster.device(number, "phone"), token.clone());
        let password = format!("{ANOTHER_PASSWORD} {number}");
        async move { device.reset_password(&token, &password).await.map(|()| password) }
    });
    let (winners, losers) = sort(at_once(resets).await);
    assert_eq!((winners.len(), because("RESET_TOKEN_EXPIRED", &losers)), (1, 5), "{losers:?}");
    cluster.device(0, "phone").login_with(ALICE, &winners[0]).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn passwords_set_at_once_in_different_ways_wait_for_each_other_and_one_is_set() {
    let cluster = Cluster::start().await;
    let desk = cluster.app.user(ALICE).await.sign_in("desk").await;
    let (first, second) = (reset_token(&cluster.app, ALICE).await, reset_token(&cluster.app, ALICE).await);
    let mut client = cluster.app.database.client().await;
    let holding = client.transaction().await.unwrap();
    holding.execute("SELECT FROM users FOR UPDATE", &[]).await.unwrap();
    let changes = [Some(first), Some(second), None].into_iter().enumerate().map(|(number, token)| {
        let (device, desk) = (cluster.device(number, "phone"), desk.clone());
        let password = format!("{ANOTHER_PASSWORD} {number}");
        async move {
            match token {
                Some(token) => device.reset_password(&token, &password).await.map(|()| password),
                None => desk.change_password(PASSWORD, &password).await.map(|()| password),
            }
        }
    });
    let changes = tokio::spawn(at_once(changes.collect::<Vec<_>>()));

    // Each has got as far as it can without the user's row. When that is let go, none stands in another's way.
    let waiting = "pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
    within_patience("all to wait for the user's row", async { while count(&cluster.app, waiting).await < 3 {} }).await;
    holding.commit().await.unwrap();
    let (winners, losers) = sort(changes.await.unwrap());
    let (late_reset, late_change) = (because("RESET_TOKEN_EXPIRED", &losers), because("INVALID_CREDENTIALS", &losers));
    assert_eq!((winners.len(), late_reset + late_change), (1, 2), "{losers:?}");
    cluster.device(0, "phone").login_with(ALICE, &winners[0]).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn no_session_of_the_old_password_outlives_a_reset() {
    let cluster = Cluster::start().await;
    for round in 0..6 {
        let email = format!("alice-{round}@example.com");
        let desk = cluster.app.user(&email).await.sign_in("desk").await;
        let token = reset_token(&cluster.app, &email).await;
        let calls = (0..9).map(|number| {
            let device = cluster.device(number, &format!("device-{number}"));
            let (desk, token, email) = (desk.clone(), token.clone(), email.clone());
            async move {
                match number {
                    4 => device.reset_password(&token, ANOTHER_PASSWORD).await.map(|()| None),
                    8 => desk.refresh(&desk.tokens.refresh_token).await.map(|refreshed| refreshed.tokens),
                    _ => device.login(&email).await.map(|login| login.tokens),
                }
            }
        });
        let (answers, refusals) = sort(at_once(calls).await);
        let good = ["INVALID_CREDENTIALS", "TOKEN_REVOKED"];
        assert!(refusals.iter().all(|refusal| good.contains(&refusal.reason())), "{refusals:?}");
        assert!(answers.contains(&None), "the reset did not succeed");
        assert_eq!(count(&cluster.app, LIVE_SESSIONS).await, 0, "round {round}, with {} answers", answers.len());
    }
}
