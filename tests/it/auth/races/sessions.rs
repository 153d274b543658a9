//! Logins and refreshes at once.

use std::collections::HashSet;

use tonic::Code;

use super::{Cluster, LIVE_SESSIONS};
use crate::auth::{ALICE, count, plant_old_hash};
use crate::harness::{at_once, refused, sort};

#[tokio::test(flavor = "multi_thread")]
async fn fifty_refreshes_with_one_token_leave_one_session_and_one_successor() {
    let cluster = Cluster::start().await;
    let mut phone = cluster.app.user(ALICE).await.sign_in("phone").await;
    let token = phone.tokens.refresh_token.clone();
    let refreshes = (0..50).map(|number| {
        let (device, token) = (cluster.device(number, "phone"), token.clone());
        async move { device.refresh(&token).await.unwrap().tokens.unwrap().refresh_token }
    });
    let successors: HashSet<_> = at_once(refreshes).await.into_iter().collect();
    assert_eq!(successors.len(), 1, "{successors:?}");
    assert_eq!(count(&cluster.app, LIVE_SESSIONS).await, 1);
    phone.tokens.refresh_token = successors.into_iter().next().unwrap();
    phone.renew().await.unwrap();
    assert_eq!(count(&cluster.app, "sessions WHERE generation = 3").await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn twenty_logins_on_twenty_devices_leave_five_sessions() {
    let cluster = Cluster::start().await;
    cluster.app.user(ALICE).await;
    let logins = (0..20).map(|number| {
        let device = cluster.device(number, &format!("device-{number}"));
        async move { (device.clone(), device.login(ALICE).await.unwrap()) }
    });
    let logins = at_once(logins).await;
    assert_eq!(count(&cluster.app, LIVE_SESSIONS).await, 5);

    // Fifteen were evicted, each named once, and they are those that are out.
    let evicted = logins.iter().flat_map(|(_, login)| &login.evicted_sessions);
    let evicted: Vec<_> = evicted.map(|session| session.session_id.clone()).collect();
    let out: HashSet<_> = evicted.iter().collect();
    assert_eq!((evicted.len(), out.len()), (15, 15));
    for (device, login) in &logins {
        let refreshed = device.refresh(&login.tokens.as_ref().unwrap().refresh_token).await;
        if out.contains(&login.session.as_ref().unwrap().session_id) {
            refused(refreshed).with(Code::Unauthenticated, "TOKEN_REVOKED");
        } else {
            refreshed.unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn logins_that_all_want_to_replace_an_old_hash_all_succeed() {
    let cluster = Cluster::start().await;
    cluster.app.user(ALICE).await;
    let old_hash = plant_old_hash(&cluster.app).await;
    let logins = (0..12).map(|number| {
        let device = cluster.device(number, "phone");
        async move { device.login(ALICE).await }
    });
    let (answers, refusals) = sort(at_once(logins).await);
    assert_eq!((answers.len(), refusals.len()), (12, 0), "{refusals:?}");
    assert_eq!(count(&cluster.app, &format!("users WHERE password_hash = '{old_hash}'")).await, 0);
    assert_eq!(count(&cluster.app, LIVE_SESSIONS).await, 1);
}
