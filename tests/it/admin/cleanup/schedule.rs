//! The cleanup that goes by itself.

use std::time::Duration;

use tokio_postgres::Client;

use super::{count, insert_expired_sessions};
use crate::harness::{Settings, TestApp, within_patience};

/// Notes every taking and giving back of the lease.
const NOTE: &str = "
    CREATE TABLE notes (place serial, taken boolean);
    CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN INSERT INTO notes (taken) VALUES (NEW.holder IS NOT NULL); RETURN NULL; END
    $$;
    CREATE TRIGGER note AFTER INSERT OR UPDATE ON leases FOR EACH ROW EXECUTE FUNCTION note()";

async fn done(client: &Client, times: i64) {
    within_patience("the cleanup to be done", async {
        while count(client, "notes WHERE NOT taken").await < times {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

#[tokio::test]
async fn of_several_replicas_one_does_it_whenever_it_is_due() {
    let settings = Settings::default().set("cleanup.enabled", "true").set("cleanup.interval", "1s");
    let app = TestApp::with(settings).await;
    let client = app.database.client().await;
    client.batch_execute(NOTE).await.unwrap();
    let (second, third) = (app.replica().await, app.replica().await);
    let alice = app.user("alice@example.com").await;
    // The one that comes with the start is over before there is anything to delete: what began before would not see it, and
    // the next is due after its end.
    let first = async { while count(&client, "leases WHERE done_at IS NOT NULL AND held_until IS NULL").await == 0 {} };
    within_patience("the first cleanup to be over", first).await;
    let before = count(&client, "notes WHERE NOT taken").await;
    for round in 1..=3 {
        insert_expired_sessions(&client, 10, &alice.user.user_id).await;
        app.advance(Duration::from_secs(1));
        done(&client, before + round).await;
        assert_eq!(count(&client, "sessions").await, 0, "round {round}");
    }
    drop((second, third));
    // Each time it was due it was done once, and each was over before the next one began.
    let notes = client.query("SELECT taken FROM notes ORDER BY place", &[]).await.unwrap();
    let notes: Vec<bool> = notes.iter().map(|row| row.get(0)).collect();
    assert_eq!(notes, [true, false].repeat(notes.len() / 2), "two were at it at once");
    assert!((3..=4).contains(&(notes.len() / 2)), "{notes:?}");
}

#[tokio::test]
async fn where_it_is_switched_off_nothing_goes_by_itself() {
    let settings = Settings::default().set("cleanup.enabled", "false").set("cleanup.interval", "1s");
    let mut app = TestApp::with(settings).await;
    let alice = app.user("alice@example.com").await;
    let client = app.database.client().await;
    insert_expired_sessions(&client, 1, &alice.user.user_id).await;
    app.stop().await;
    assert_eq!(count(&client, "leases").await, 0);
    assert_eq!(count(&client, "sessions").await, 1);
}
