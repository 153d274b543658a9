//! Several processes that migrate one database.

use std::time::Duration;

use diesel_migrations::FileBasedMigrations;
use futures::future::join_all;
use keyward::store::pg;
use tokio_postgres::Client;

use crate::harness::{Database, Pooler, Program, Settings};

use super::settings;

/// The lock that earlier versions hold for their session while they migrate: "keyward" in ASCII.
const LOCK: &str = "SELECT pg_backend_pid() FROM pg_advisory_lock(x'006b657977617264'::bigint)";

/// The advisory locks in the database.
const LOCKS: &str = "SELECT pid FROM pg_locks WHERE locktype = 'advisory'
    AND database = (SELECT oid FROM pg_database WHERE datname = current_database())";

/// A session that migrates, as far as others can see, and the server process of it.
async fn migrating(database: &Database) -> (Client, i32) {
    let client = database.client().await;
    let process = client.query_one(LOCK, &[]).await.unwrap().get(0);
    (client, process)
}

async fn migrate(settings: &Settings) -> Vec<String> {
    let config = settings.load();
    pg::migrate(config.database_url().unwrap(), &config.database).await.unwrap()
}

#[tokio::test]
async fn a_wait_for_another_migration_is_told_and_has_an_end() {
    let database = Database::create_empty().await;
    let (_holder, process) = migrating(&database).await;
    let settings = settings(database.url()).set("database.migrate_timeout", "1s");
    for command in ["serve", "migrate"] {
        let mut program = Program::start(&settings, &[command]);
        let told = program.says("waiting while another process migrates the schema").await;
        assert!(told.contains(&format!("server process {process} ")), "{told}");
        let (code, said) = program.ends().await;
        assert_eq!(code, Some(1), "{said}");
        assert!(said.contains("database.migrate_timeout (1s)"), "{said}");
        assert!(said.contains(&format!("pg_terminate_backend({process})")), "{said}");
    }
}

#[tokio::test]
async fn a_waiting_process_goes_on_when_the_other_has_ended() {
    let database = Database::create_empty().await;
    let (holder, _) = migrating(&database).await;
    let mut program = Program::start(&settings(database.url()), &["migrate"]);
    program.says("waiting while another process migrates the schema").await;
    drop(holder);
    program.says("the schema is up to date").await;
    assert_eq!(program.ends().await.0, Some(0));
}

#[tokio::test]
async fn no_process_waits_for_the_lock_where_nothing_is_missing() {
    let database = Database::create().await;
    let _holder = migrating(&database).await;
    assert_eq!(Program::start(&settings(database.url()), &["migrate"]).ends().await.0, Some(0));
}

#[tokio::test]
async fn of_many_at_once_each_migration_is_applied_by_one() {
    let database = Database::create_empty().await;
    let settings = settings(database.url());
    let applied = join_all((0..4).map(|_| migrate(&settings))).await;
    let mut names: Vec<_> = applied.into_iter().flatten().collect();
    names.sort_unstable();
    let folders = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/migrations")).unwrap();
    let folders = folders.map(|entry| entry.unwrap()).filter(|entry| entry.path().is_dir());
    let mut expected: Vec<_> = folders.map(|entry| entry.file_name().into_string().unwrap()).collect();
    expected.sort_unstable();
    assert_eq!(names, expected);
}

#[tokio::test]
async fn no_lock_stays_behind_in_a_pooler() {
    let database = Database::create_empty().await;
    let pooler = Pooler::start(&database, "transaction").await;
    assert!(!migrate(&settings(&pooler.url(&database))).await.is_empty());
    // The pooler keeps its connections to the server.
    let client = database.client().await;
    let kept = "SELECT FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()";
    assert!(!client.query(kept, &[]).await.unwrap().is_empty());
    assert!(client.query(LOCKS, &[]).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_migration_outside_of_a_transaction_runs_while_the_lock_is_held() {
    let database = Database::create_empty().await;
    let home = tempfile::tempdir().unwrap();
    let write = |folder: &str, file: &str, text: &str| {
        let folder = home.path().join(folder);
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join(file), text).unwrap();
    };
    let note = "INSERT INTO locks SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'
        AND database = (SELECT oid FROM pg_database WHERE datname = current_database());";
    write("2030-01-01-000001_notes", "metadata.toml", "run_in_transaction = false");
    write("2030-01-01-000001_notes", "up.sql", "CREATE TABLE locks (count bigint)");
    write("2030-01-01-000002_index", "metadata.toml", "run_in_transaction = false");
    write("2030-01-01-000002_index", "up.sql", "CREATE INDEX CONCURRENTLY locks_count_idx ON locks (count)");
    write("2030-01-01-000003_held", "metadata.toml", "run_in_transaction = false");
    write("2030-01-01-000003_held", "up.sql", note);
    write("2030-01-01-000004_last", "up.sql", note);

    let config = settings(database.url()).load();
    let apply = async || {
        let source = FileBasedMigrations::from_path(home.path()).unwrap();
        pg::migrate_from(config.database_url().unwrap(), &config.database, source).await.unwrap()
    };
    let names = ["notes", "index", "held", "last"];
    let applied = tokio::time::timeout(Duration::from_secs(20), apply()).await.unwrap();
    assert_eq!(applied.iter().filter_map(|name| name.split_once('_')).map(|(_, name)| name).collect::<Vec<_>>(), names);
    let held: Vec<i64> = database
        .client()
        .await
        .query("SELECT count FROM locks", &[])
        .await
        .unwrap()
        .iter()
        .map(|row| row.get(0))
        .collect();
    assert_eq!(held, [1, 1]);
    assert!(apply().await.is_empty());
}
