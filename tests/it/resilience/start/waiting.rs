//! A database that is not there yet, or never will be.

use crate::harness::{Database, Program, free_port};

use super::settings;

#[tokio::test]
async fn a_database_that_comes_up_later_is_waited_for() {
    let database = Database::create().await;
    database.go_away().await;
    let mut program = Program::start(&settings(database.url()), &["serve"]);
    let told = program.says("waiting for a database that can be used").await;
    assert!(told.contains("not currently accepting connections"), "{told}");
    database.come_back().await;
    program.says("listening on ").await;
    program.signal("TERM");
    assert_eq!(program.ends().await.0, Some(0));
}

#[tokio::test]
async fn the_wait_for_a_database_has_an_end() {
    let url = format!("postgres://keyward@127.0.0.1:{}/keyward", free_port());
    for command in ["serve", "migrate"] {
        let settings = settings(&url).set("database.startup_timeout", "1s");
        let (code, said) = Program::start(&settings, &[command]).ends().await;
        assert_eq!(code, Some(1), "{said}");
        assert!(said.contains("not ready within database.startup_timeout (1s)"), "{said}");
        assert!(said.contains("Connection refused"), "{said}");
    }
}

#[tokio::test]
async fn a_database_that_refuses_is_not_waited_for() {
    let database = Database::create().await;
    let url = database.url().replace(database.name(), "keyward_there_is_no_such_database");
    let (code, said) = Program::start(&settings(&url), &["serve"]).ends().await;
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("does not exist") && !said.contains("waiting"), "{said}");
}

#[tokio::test]
async fn a_read_only_database_is_waited_for_until_it_takes_writes() {
    let database = Database::create().await;
    let client = database.client().await;
    let set = |value: &str| format!("ALTER DATABASE {} SET default_transaction_read_only = {value}", database.name());
    client.batch_execute(&set("on")).await.unwrap();
    let mut program = Program::start(&settings(database.url()), &["serve"]);
    program.says("the database is read-only").await;
    client.batch_execute(&set("off")).await.unwrap();
    program.says("listening on ").await;
}

#[tokio::test]
async fn a_database_that_cannot_hold_all_of_unicode_is_refused() {
    let database = Database::create_in_latin1().await;
    for command in ["serve", "migrate"] {
        let (code, said) = Program::start(&settings(database.url()), &[command]).ends().await;
        assert_eq!(code, Some(1), "{said}");
        assert!(said.contains("encoded in LATIN1") && said.contains("ENCODING 'UTF8'"), "{said}");
    }
    let tables = "SELECT FROM pg_tables WHERE schemaname = 'public'";
    assert!(database.client().await.query(tables, &[]).await.unwrap().is_empty());
}
