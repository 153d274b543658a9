//! One cleanup at a time, however the one before ends.

use std::collections::BTreeMap;
use std::time::Duration;

use keyward::proto::keyward::v1::cleanup_count::Target;
use keyward::proto::keyward::v1::{CleanupCount, RunCleanupRequest};
use tokio::task::JoinHandle;
use tokio_postgres::Client;
use tonic::Code;

use super::{administrator, clean_up, count, insert_expired_sessions, sign_in};
use crate::harness::{Refusal, SignedIn, TestApp, answer, refused, within_patience};

/// A table that nobody else can delete from until this is dropped.
struct Held(Client);

impl Held {
    async fn table(app: &TestApp, name: &str) -> Self {
        let client = app.database.client().await;
        client.batch_execute(&format!("BEGIN; LOCK TABLE {name}")).await.unwrap();
        Self(client)
    }

    async fn let_go(self) {
        self.0.batch_execute("ROLLBACK").await.unwrap();
    }
}

/// A cleanup that somebody has begun, and that has the lease.
async fn begun(admin: &SignedIn, looker: &Client) -> JoinHandle<Result<BTreeMap<String, CleanupCount>, Refusal>> {
    let admin = admin.clone();
    let cleanup = tokio::spawn(async move { clean_up(&admin).await });
    leased(looker, true).await;
    cleanup
}

/// Waits until somebody has the lease, or until nobody has.
async fn leased(looker: &Client, held: bool) {
    within_patience("the lease to be taken or given back", async {
        while (count(looker, "leases WHERE holder IS NOT NULL").await > 0) != held {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

#[tokio::test]
async fn a_second_one_is_refused_on_every_replica_until_the_first_is_done() {
    let app = TestApp::start().await;
    let second = app.replica().await;
    let admin = administrator(&app).await;
    let looker = app.database.client().await;
    let held = Held::table(&app, "registrations").await;
    let first = begun(&admin, &looker).await;
    for device in [(*admin).clone(), (*admin).clone().at(&second)] {
        let refusal = refused(answer(device.admin().run_cleanup(RunCleanupRequest {}).await));
        let refusal = refusal.with(Code::FailedPrecondition, "CLEANUP_RUNNING");
        assert!(refusal.retry_after() <= Duration::from_mins(1), "{:?}", refusal.retry_after());
    }
    held.let_go().await;
    assert!(first.await.unwrap().unwrap().values().all(|count| !count.failed));
    clean_up(&admin).await.unwrap();
    // What was refused is not on record as done.
    assert_eq!(count(&looker, "audit_events WHERE kind = 'CLEANUP_RUN'").await, 2);
}

#[tokio::test]
async fn one_that_takes_longer_than_its_call_tells_how_far_it_is_and_goes_on() {
    let app = TestApp::start().await;
    let admin = administrator(&app).await;
    let looker = app.database.client().await;
    insert_expired_sessions(&looker, 5, &admin.get_account().await.unwrap().user_id).await;
    let held = Held::table(&app, "sessions").await;
    let mut request = tonic::Request::new(RunCleanupRequest {});
    request.set_timeout(Duration::from_secs(2));
    let told = answer(admin.admin().run_cleanup(request).await).unwrap();
    assert!(!told.complete);
    let kinds: Vec<_> = told.counts.iter().map(CleanupCount::target).collect();
    assert_eq!(kinds, [Target::Registrations, Target::PasswordResets], "what comes before the sessions");
    refused(clean_up(&admin).await).with(Code::FailedPrecondition, "CLEANUP_RUNNING");
    held.let_go().await;
    leased(&looker, false).await;
    assert_eq!(count(&looker, "sessions").await, 1, "it goes on without its call");
    assert!(clean_up(&admin).await.unwrap().contains_key("LOCKOUTS"), "and nobody is kept out");
}

#[tokio::test]
async fn one_whose_client_went_away_keeps_nobody_out() {
    let app = TestApp::start().await;
    let admin = administrator(&app).await;
    let looker = app.database.client().await;
    let held = Held::table(&app, "registrations").await;
    let gone = begun(&admin, &looker).await;
    gone.abort();
    assert!(gone.await.unwrap_err().is_cancelled());
    held.let_go().await;
    leased(&looker, false).await;
    clean_up(&admin).await.unwrap();
}

#[tokio::test]
async fn a_replica_whose_clock_is_minutes_ahead_does_not_take_it_for_dead() {
    let app = TestApp::start().await;
    let admin = administrator(&app).await;
    let looker = app.database.client().await;
    let held = Held::table(&app, "registrations").await;
    let first = begun(&admin, &looker).await;
    app.advance(Duration::from_mins(5));
    let ahead = sign_in(&app).await;
    refused(clean_up(&ahead).await).with(Code::FailedPrecondition, "CLEANUP_RUNNING");
    held.let_go().await;
    first.await.unwrap().unwrap();
    clean_up(&ahead).await.unwrap();
}

#[tokio::test]
async fn one_whose_process_died_keeps_others_out_for_some_minutes() {
    let app = TestApp::start().await;
    let admin = administrator(&app).await;
    let dead = "INSERT INTO leases (work, holder, held_until) VALUES ('cleanup', gen_random_uuid(), $1)";
    app.database.client().await.execute(dead, &[&(app.now() + Duration::from_secs(90))]).await.unwrap();
    let refusal = refused(clean_up(&admin).await).with(Code::FailedPrecondition, "CLEANUP_RUNNING");
    assert_eq!(refusal.retry_after(), Duration::from_mins(1));
    app.advance(Duration::from_secs(90));
    clean_up(&admin).await.unwrap();
}
