//! A connection pooler in front of the database.

use crate::harness::{Database, Pooler, Program};

use super::settings;

#[tokio::test]
async fn a_pooler_that_loses_prepared_statements_is_told_at_the_start() {
    let database = Database::create_empty().await;
    let pooler = Pooler::start(&database, "transaction").await;
    for command in ["migrate", "serve"] {
        let (code, said) = Program::start(&settings(&pooler.url(&database)), &[command]).ends().await;
        assert_eq!(code, Some(1), "{command}: {said}");
        assert!(said.contains("prepared statements do not work through the connection pooler"), "{command}: {said}");
    }
}

#[tokio::test]
async fn a_pooler_that_pools_by_session_will_do() {
    let database = Database::create_empty().await;
    let pooler = Pooler::start(&database, "session").await;
    let settings = settings(&pooler.url(&database)).set("database.max_connections", "1");
    let (code, said) = Program::start(&settings, &["migrate"]).ends().await;
    assert_eq!(code, Some(0), "{said}");
}

#[tokio::test]
async fn a_pooler_by_transaction_will_do_if_it_carries_prepared_statements() {
    let database = Database::create_empty().await;
    let pooler = Pooler::carrying_statements(&database).await;
    let (code, said) = Program::start(&settings(&pooler.url(&database)), &["migrate"]).ends().await;
    // PgBouncer does from version 1.21 on.
    assert_eq!(code, Some(i32::from(!pooler.carries_statements)), "{said}");
}
