//! The database itself keeps the trail: nothing changes it, and only the retention takes from it.

use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use chrono::{DateTime, Utc};
use keyward::flows::cleanup;
use keyward::model::cleanup::CleanupCount;
use keyward::store::pg::{Deleted, Expired, audit_events};
use tokio_postgres::error::SqlState;

use crate::harness::{Settings, TestApp};

const DAY: Duration = Duration::from_hours(24);

/// By which a transaction says that it is the retention.
const RETENTION: &str = "SET LOCAL keyward.retention = 'on'";

/// A service with three events on record, a minute apart.
async fn with_events() -> TestApp {
    let app = TestApp::start().await;
    for _ in 0..3 {
        app.advance(Duration::from_mins(1));
        app.device("desk").login("nobody@example.com").await.unwrap_err();
    }
    app
}

async fn count(app: &TestApp) -> i64 {
    app.database.client().await.query_one("SELECT count(*) FROM audit_events", &[]).await.unwrap().get(0)
}

#[tokio::test]
async fn nobody_changes_or_deletes_events() {
    let app = with_events().await;
    let client = app.database.client().await;
    for statement in [
        "UPDATE audit_events SET kind = 'LOGIN_SUCCEEDED'",
        "UPDATE audit_events SET kind = kind WHERE false",
        "DELETE FROM audit_events",
        "TRUNCATE audit_events",
        "TRUNCATE audit_events CASCADE",
        "INSERT INTO audit_events SELECT * FROM audit_events
            ON CONFLICT ON CONSTRAINT audit_events_pkey DO UPDATE SET kind = 'LOGIN_SUCCEEDED'",
        // Whoever says that it is the retention may still change nothing.
        "BEGIN; SET LOCAL keyward.retention = 'on'; UPDATE audit_events SET kind = 'LOGIN_SUCCEEDED'",
        "BEGIN; SET LOCAL keyward.retention = 'on'; TRUNCATE audit_events",
        // What it says ends with its transaction.
        "BEGIN; SET LOCAL keyward.retention = 'on'; COMMIT; DELETE FROM audit_events",
    ] {
        let refusal = client.batch_execute(statement).await.unwrap_err();
        assert_eq!(refusal.code(), Some(&SqlState::RESTRICT_VIOLATION), "{statement}: {refusal:?}");
        client.batch_execute("ROLLBACK").await.unwrap();
    }
    assert_eq!(count(&app).await, 3);
}

#[tokio::test]
async fn an_event_has_the_number_that_the_database_gives_it() {
    let app = with_events().await;
    let copy = "INSERT INTO audit_events
        SELECT gen_random_uuid(), 1, created_at, kind, actor_type, actor_id, subject_type, subject_id, ip_address,
            device_id, request_id, details
        FROM audit_events LIMIT 1";
    let client = app.database.client().await;
    client.execute(copy, &[]).await.unwrap();
    let numbers = client.query("SELECT sequence FROM audit_events ORDER BY 1", &[]).await.unwrap();
    assert_eq!(numbers.iter().map(|row| row.get(0)).collect::<Vec<i64>>(), [1, 2, 3, 4]);
}

#[tokio::test]
async fn not_even_the_retention_takes_what_is_recent() {
    let app = with_events().await;
    app.advance(DAY * 3);
    app.device("desk").login("nobody@example.com").await.unwrap_err();
    let client = app.database.client().await;
    for deletion in [
        // All of it, the latest, those of the day before the latest among those that are older.
        "DELETE FROM audit_events",
        "DELETE FROM audit_events WHERE sequence = 4",
        "DELETE FROM public.audit_events WHERE created_at > '2030-01-01Z'",
        "WITH gone AS (DELETE FROM audit_events RETURNING *) SELECT FROM gone",
        // Another table of that name is not what is looked at.
        "CREATE TEMPORARY TABLE audit_events AS
            SELECT 99::bigint AS sequence, '2099-01-01Z'::timestamptz AS created_at;
        DELETE FROM public.audit_events WHERE sequence = 4",
    ] {
        let refusal = client.batch_execute(&format!("BEGIN; {RETENTION}; {deletion}")).await.unwrap_err();
        assert_eq!(refusal.code(), Some(&SqlState::RESTRICT_VIOLATION), "{deletion}: {refusal:?}");
        client.batch_execute("ROLLBACK").await.unwrap();
    }
    assert_eq!(count(&app).await, 4);
    let old = format!("BEGIN; {RETENTION}; DELETE FROM audit_events WHERE sequence < 4; COMMIT");
    client.batch_execute(&old).await.unwrap();
    assert_eq!(count(&app).await, 1);
}

/// A service with five events, two days apart, the last of which is of this moment.
async fn with_days() -> TestApp {
    let app = TestApp::with(Settings::default().set("audit.retention", "3d")).await;
    for day in 0..5 {
        if day > 0 {
            app.advance(DAY * 2);
        }
        app.device(&format!("desk-{day}")).login("nobody@example.com").await.unwrap_err();
    }
    app
}

async fn delete(app: &TestApp, from: DateTime<Utc>, until: DateTime<Utc>, batch: u16) -> Deleted {
    let mut tx = app.first().app.pool.begin().await.unwrap();
    let outcome = audit_events::delete_expired(&mut tx, Expired { from, until, batch }).await;
    tx.end(outcome).await.unwrap()
}

#[tokio::test]
async fn the_retention_takes_the_oldest_and_no_more_than_it_is_told() {
    let app = with_days().await;
    let (now, start) = (app.now(), DateTime::UNIX_EPOCH);
    assert_eq!(delete(&app, start, now - DAY * 6, 10).await.count, 1);
    let deleted = delete(&app, start, now, 1).await;
    assert_eq!((deleted.count, deleted.last), (1, Some(now - DAY * 6)));
    // What lies before where it goes on is not looked at.
    assert_eq!(delete(&app, now - DAY * 3, now, 10).await.count, 1);
    assert_eq!(count(&app).await, 2);
    // Outside of a transaction there is nothing that the setting could hold for.
    let mut conn = app.first().app.pool.get().await.unwrap();
    let expired = Expired { from: start, until: now, batch: 10 };
    audit_events::delete_expired(&mut conn, expired).await.unwrap_err();
    assert_eq!(count(&app).await, 2);
}

#[tokio::test]
async fn where_nothing_happens_any_more_the_last_day_stays() {
    let app = with_days().await;
    app.advance(DAY * 400);
    let failed = AtomicBool::new(false);
    let watch = |count: CleanupCount| {
        failed.fetch_or(count.failed, Ordering::Relaxed);
        ControlFlow::Continue(())
    };
    cleanup::run_if_due(&app.first().app, &watch).await.unwrap();
    assert!(!failed.load(Ordering::Relaxed));
    assert_eq!(count(&app).await, 1);
}
