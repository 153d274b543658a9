//! Signing keys that are due when a command starts beside the service, or the service itself.

use tokio_postgres::Client;

use crate::harness::{Database, Program};

use super::settings;

/// The signing keys that there are.
async fn keys(client: &Client) -> Vec<String> {
    let rows = client.query("SELECT key_id FROM signing_keys ORDER BY created_at, key_id", &[]).await.unwrap();
    rows.iter().map(|row| row.get(0)).collect()
}

#[tokio::test]
async fn a_command_lets_no_signing_key_take_its_turn_and_the_service_does() {
    let database = Database::create().await;
    let client = database.client().await;
    let settings = settings(database.url());
    // The database is new, and a command needs keys to start.
    assert_eq!(Program::start(&settings, &["users", "list"]).ends().await.0, Some(0));
    let older = "UPDATE signing_keys SET created_at = created_at - interval '40 days',
        active_at = active_at - interval '40 days'";
    assert_eq!(client.execute(older, &[]).await.unwrap(), 2);
    let before = keys(&client).await;
    for command in [&["users", "list"][..], &["cleanup"]] {
        let (code, said) = Program::start(&settings, command).ends().await;
        assert_eq!(code, Some(0), "{said}");
        assert_eq!(keys(&client).await, before, "{command:?}");
    }
    Program::start(&settings, &["serve"]).says("listening on ").await;
    assert_ne!(keys(&client).await, before);
}
