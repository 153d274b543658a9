//! Failovers: a database that takes no writes any more, and a URL of several hosts of which the first is silent.

use std::time::Duration;

use keyward::config::Config;
use keyward::store::pg;
use tokio::time::timeout;
use tonic::Code;
use tonic_health::pb::health_check_response::ServingStatus;

use crate::harness::{Database, Settings, TestApp, refused};
use crate::interceptors::health::{becomes, becomes_ready};

const ALICE: &str = "alice@example.com";

/// The service has recovered when so much time has passed since the database's return.
const RECOVERY: Duration = Duration::from_secs(15);

#[tokio::test]
async fn a_database_that_was_read_only_is_written_to_again_without_a_restart() {
    let app = TestApp::start().await;
    let alice = app.user(ALICE).await;
    let http = app.first().http_address;
    becomes(&app, ServingStatus::Serving).await;

    app.database.set_read_only(true).await;
    app.database.cut_connections().await;
    becomes(&app, ServingStatus::NotServing).await;
    becomes_ready(http, false).await;
    refused(app.device("desk").login(ALICE).await).with(Code::Unavailable, "DATABASE_UNAVAILABLE");

    // The sessions that are open stay read-only, like connections to a primary that was demoted.
    app.database.set_read_only(false).await;
    let recovered = async {
        becomes(&app, ServingStatus::Serving).await;
        becomes_ready(http, true).await;
    };
    timeout(RECOVERY, recovered).await.expect("health recovers");
    // From the first login on: the pool has no read-only session left.
    for device in ["one", "two", "three"] {
        alice.sign_in(device).await;
    }
}

#[tokio::test]
async fn one_refused_write_gives_up_the_sessions_that_are_as_old() {
    let app = TestApp::start().await;
    let alice = app.user(ALICE).await;
    let pool = app.first().app.pool.clone();
    app.database.set_read_only(true).await;
    app.database.cut_connections().await;
    // Two sessions that are read-only, whatever comes.
    let (first, second) = (pool.get().await.unwrap(), pool.get().await.unwrap());
    app.database.set_read_only(false).await;
    drop((first, second));
    // Unless a probe has renewed the sessions by now, one call pays for both.
    if let Err(refusal) = app.device("desk").login(ALICE).await {
        refusal.with(Code::Unavailable, "DATABASE_UNAVAILABLE");
    }
    alice.sign_in("phone").await;
    alice.sign_in("tablet").await;
}

#[tokio::test]
async fn a_silent_host_does_not_keep_the_next_from_being_tried() {
    let database = Database::create().await;
    let (silent, _) = database.proxied().await;
    silent.silence_all();
    let (second, _) = database.proxied().await;
    let url = database.url_at(&format!("{},{}", silent.address(), second.address()));
    let settings = Settings::default().set("database.acquire_timeout", "2s");
    let app = TestApp::on(database, &url, settings).await;
    assert!(silent.accepted() > 0, "the first host is tried first");
    let phone = app.user(ALICE).await.sign_in("phone").await;
    phone.get_account().await.unwrap();
    becomes(&app, ServingStatus::Serving).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn migrations_find_the_host_that_answers() {
    let database = Database::create_empty().await;
    let (silent, _) = database.proxied().await;
    silent.silence_all();
    let (second, _) = database.proxied().await;
    let hosts = format!("{},{}", silent.address(), second.address());
    let url = database.url_at(&hosts);
    // The harness ends a URL without parameters with the question mark.
    let separator = if url.ends_with('?') { "" } else { "&" };
    let config =
        Config::load(None, [("DATABASE_URL".to_owned(), format!("{url}{separator}connect_timeout=1"))]).unwrap();
    let applied = pg::migrate(config.database_url().unwrap(), &config.database).await.unwrap();
    assert!(!applied.is_empty());
}
