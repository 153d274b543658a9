//! Signals while the program starts, and SIGHUP at any time.

use crate::harness::{Database, Program, free_port, within_patience};

use super::settings;

#[tokio::test]
async fn a_signal_ends_the_wait_for_a_database_at_once() {
    let url = format!("postgres://keyward@127.0.0.1:{}/keyward", free_port());
    for signal in ["TERM", "INT"] {
        for (command, expected) in [("serve", 0), ("migrate", 1)] {
            let mut program = Program::start(&settings(&url), &[command]);
            program.says("waiting for a database that can be used").await;
            program.signal(signal);
            let (code, said) = program.ends().await;
            assert_eq!(code, Some(expected), "SIG{signal} to {command}: {said}");
        }
    }
}

#[tokio::test]
async fn a_signal_ends_the_wait_for_another_migration() {
    let database = Database::create_empty().await;
    let client = database.client().await;
    client.execute("SELECT pg_advisory_lock(x'006b657977617264'::bigint)", &[]).await.unwrap();
    let mut program = Program::start(&settings(database.url()), &["serve"]);
    program.says("waiting while another process migrates the schema").await;
    program.signal("TERM");
    let (code, said) = program.ends().await;
    assert_eq!(code, Some(0), "{said}");
}

#[tokio::test]
async fn a_signal_ends_a_migration_that_is_running_and_undoes_it() {
    let database = Database::create_empty().await;
    let client = database.client().await;
    let hold = "CREATE FUNCTION hold() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN
            IF current_query() LIKE '%CREATE TABLE users%' THEN PERFORM pg_sleep(60); END IF; END $$;
        CREATE EVENT TRIGGER hold ON ddl_command_end EXECUTE FUNCTION hold()";
    client.batch_execute(hold).await.unwrap();
    let program = Program::start(&settings(database.url()), &["serve"]);
    let running = "SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'PgSleep'";
    let runs = async { while client.query(running, &[]).await.unwrap().is_empty() {} };
    within_patience("a migration to run", runs).await;
    program.signal("TERM");
    let (code, said) = program.ends().await;
    assert_eq!(code, Some(0), "{said}");
    let applied = "SELECT FROM __diesel_schema_migrations";
    assert!(client.query(applied, &[]).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_hangup_kills_it_at_no_time() {
    let database = Database::create().await;
    database.go_away().await;
    let mut program = Program::start(&settings(database.url()), &["serve"]);
    program.says("waiting for a database that can be used").await;
    program.signal("HUP");
    program.says("ignored SIGHUP").await;
    database.come_back().await;
    program.says("listening on ").await;
    program.signal("HUP");
    program.says("ignored SIGHUP").await;
    program.signal("TERM");
    assert_eq!(program.ends().await.0, Some(0));
}
