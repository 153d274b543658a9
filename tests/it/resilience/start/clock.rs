//! A replica whose clock is wrong. The machine's cannot be set by a test, so that the server's is: a function in front of its
//! own one adds to the time.

use std::ops::ControlFlow;
use std::time::Duration;

use keyward::error::Error;
use keyward::flows::cleanup;
use keyward::flows::signing_keys::{self, Keeping};
use keyward::model::audit::Act;
use tokio_postgres::Client;

use crate::harness::{Database, Program, Settings, TestApp, within_patience};
use crate::interceptors::get;

use super::settings;

/// Puts a clock in front of the server's, for connections that are opened from now on.
async fn replace_clock(database: &Database) {
    let client = database.client().await;
    client.batch_execute("CREATE SCHEMA ahead").await.unwrap();
    set_ahead(&client, "0 s").await;
    let search = format!("ALTER DATABASE {} SET search_path = ahead, pg_catalog, public", database.name());
    client.batch_execute(&search).await.unwrap();
}

/// Sets how far the database's clock is ahead of the truth, and of this machine's.
async fn set_ahead(client: &Client, ahead: &str) {
    let function = format!(
        "CREATE OR REPLACE FUNCTION ahead.clock_timestamp() RETURNS timestamptz VOLATILE LANGUAGE plpgsql
            AS $$ BEGIN RETURN pg_catalog.clock_timestamp() + interval '{ahead}'; END $$"
    );
    client.batch_execute(&function).await.unwrap();
}

async fn readiness_becomes(app: &TestApp, expected: &str) {
    let http = app.first().http_address;
    let told = async { while get(http, "/readyz").await != expected {} };
    within_patience(&format!("readiness to be {expected:?}"), told).await;
}

#[tokio::test]
async fn a_program_with_a_wrong_clock_does_not_start_until_it_is_right() {
    let database = Database::create().await;
    replace_clock(&database).await;
    let client = database.client().await;
    set_ahead(&client, "-61 min").await;
    let mut program = Program::start(&settings(database.url()), &["serve"]);
    let told = program.says("waiting for a database that can be used").await;
    assert!(told.contains("clock is 3660 s ahead of the database's"), "{told}");
    set_ahead(&client, "30 s").await;
    program.says("listening on ").await;

    set_ahead(&client, "61 min").await;
    let settings = settings(database.url()).set("database.startup_timeout", "1s");
    let (code, said) = Program::start(&settings, &["serve"]).ends().await;
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("s behind the database's"), "{said}");
}

#[tokio::test]
async fn a_replica_whose_clock_goes_wrong_is_not_ready_and_deletes_and_rotates_nothing() {
    let app = TestApp::with(Settings::default().set("database.acquire_timeout", "2s")).await;
    replace_clock(&app.database).await;
    app.database.cut_connections().await;
    let client = app.database.client().await;
    readiness_becomes(&app, "HTTP/1.1 200 OK").await;
    set_ahead(&client, "-3 days").await;
    readiness_becomes(&app, "HTTP/1.1 503 Service Unavailable").await;

    let keyward = &app.first().app;
    let go_on = |_| ControlFlow::Continue(());
    let keys = || async { client.query("SELECT key_id FROM signing_keys", &[]).await.unwrap().len() };
    let before = keys().await;
    // By the clock that this replica goes by, another key is due.
    app.advance(Duration::from_hours(31 * 24));
    let tokens = &keyward.config.tokens;
    let keeping = Keeping { pool: &keyward.job_pool, master: &keyward.master, settings: tokens, insist: false };
    for refused in [
        signing_keys::keep(keeping, app.now()).await,
        cleanup::run(keyward, &Act::operator(), &go_on).await.map(drop),
        cleanup::run_if_due(keyward, &go_on).await.map(drop),
        signing_keys::rotate(keyward, &Act::operator(), false).await.map(drop),
        signing_keys::rotate(keyward, &Act::operator(), true).await.map(drop),
    ] {
        let error = refused.unwrap_err();
        assert!(matches!(error, Error::Internal(_)), "{error:?}");
        assert!(keyward::error::chain(&error).contains("ahead of the database's"), "{error:?}");
    }
    let cleaned = "SELECT FROM leases WHERE done_at IS NOT NULL OR holder IS NOT NULL";
    assert!(client.query(cleaned, &[]).await.unwrap().is_empty());
    assert_eq!(keys().await, before);

    set_ahead(&client, "0 s").await;
    readiness_becomes(&app, "HTTP/1.1 200 OK").await;
    cleanup::run(keyward, &Act::operator(), &go_on).await.unwrap();
    let turned = async { while keys().await == before {} };
    within_patience("the signing keys to take their turn", turned).await;
}
