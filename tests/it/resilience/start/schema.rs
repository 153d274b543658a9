//! A schema that is older than the program, or newer, where the program is not to change it.

use tokio_postgres::Client;

use crate::harness::{Database, Program, Settings};

use super::settings;

/// Settings of a program that does not migrate.
fn not_migrating(database: &Database) -> Settings {
    settings(database.url()).set("database.migrate", "false")
}

/// Lets the schema look as it did before the latest migration; returns that migration's version and name.
async fn forget_the_latest_migration(client: &Client) -> (String, String) {
    let forget = "DELETE FROM __diesel_schema_migrations
        WHERE version = (SELECT max(version) FROM __diesel_schema_migrations) RETURNING version";
    let version: String = client.query_one(forget, &[]).await.unwrap().get(0);
    let folders = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/migrations")).unwrap();
    let names = folders.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let name = names.into_iter().find(|name| name.replace('-', "").starts_with(&version)).unwrap();
    (version, name)
}

#[tokio::test]
async fn an_older_schema_is_waited_for_and_what_it_lacks_is_named() {
    let database = Database::create().await;
    let client = database.client().await;
    let (version, name) = forget_the_latest_migration(&client).await;
    let mut program = Program::start(&not_migrating(&database), &["serve"]);
    let told = program.says("waiting for a database that can be used").await;
    assert!(told.contains(&name), "{told}");
    // Another process migrates.
    client.execute("INSERT INTO __diesel_schema_migrations (version) VALUES ($1)", &[&version]).await.unwrap();
    program.says("listening on ").await;
}

#[tokio::test]
async fn nothing_runs_on_an_older_schema() {
    let database = Database::create().await;
    let (_, name) = forget_the_latest_migration(&database.client().await).await;
    let settings = not_migrating(&database).set("database.startup_timeout", "1s");
    for arguments in [&["serve"][..], &["users", "list"], &["cleanup"]] {
        let (code, said) = Program::start(&settings, arguments).ends().await;
        assert_eq!(code, Some(1), "{arguments:?}: {said}");
        assert!(said.contains(&name) && said.contains("keyward migrate"), "{arguments:?}: {said}");
        assert!(!said.contains("listening on"), "{arguments:?}: {said}");
    }
}

#[tokio::test]
async fn a_newer_schema_will_do() {
    let database = Database::create().await;
    let newer = "INSERT INTO __diesel_schema_migrations (version) VALUES ('99991231000000')";
    database.client().await.execute(newer, &[]).await.unwrap();
    let settings = settings(database.url());
    for migrate in ["true", "false"] {
        let mut program = Program::start(&settings.clone().set("database.migrate", migrate), &["serve"]);
        program.says("listening on ").await;
    }
}
