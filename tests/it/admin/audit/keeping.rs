//! The database itself keeps the trail: nothing changes it, and only the retention takes from it.

use std::time::Duration;

use keyward::store::pg::audit_events;
use tokio_postgres::error::SqlState;

use crate::harness::TestApp;

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
async fn the_retention_takes_the_oldest_and_no_more_than_it_is_told() {
    let app = with_events().await;
    let pool = &app.first().app.pool;
    let delete = async |before, limit| {
        let mut tx = pool.begin().await.unwrap();
        let outcome = audit_events::delete_expired(&mut tx, before, limit).await;
        tx.end(outcome).await
    };
    // The last event is of this moment, the one before it a minute older.
    assert_eq!(delete(app.now() - Duration::from_mins(1), 10).await.unwrap(), 1);
    assert_eq!(delete(app.now() + Duration::from_mins(1), 1).await.unwrap(), 1);
    assert_eq!(count(&app).await, 1);
    // Outside of a transaction there is nothing that the setting could hold for.
    let mut conn = pool.get().await.unwrap();
    audit_events::delete_expired(&mut conn, app.now() + Duration::from_mins(1), 10).await.unwrap_err();
    assert_eq!(count(&app).await, 1);
}
