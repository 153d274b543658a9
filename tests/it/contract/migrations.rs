//! Migrations go down as well as up, and leave nothing behind.

use diesel_async::{AsyncConnection, AsyncMigrationHarness, AsyncPgConnection};
use diesel_migrations::{FileBasedMigrations, MigrationHarness};

use super::sources;
use crate::harness::Database;

/// Everything that migrations make, a line each.
const OBJECTS: &str = "
    SELECT string_agg(line, E'\\n' ORDER BY line) FROM (
        SELECT format('column %s.%s %s %s %s', table_name, column_name, data_type, is_nullable, column_default)
            FROM information_schema.columns WHERE table_schema = 'public'
        UNION ALL
        SELECT format('constraint %s %s', conname, pg_get_constraintdef(oid))
            FROM pg_constraint WHERE connamespace = 'public'::regnamespace
        UNION ALL
        SELECT indexdef FROM pg_indexes WHERE schemaname = 'public'
        UNION ALL
        SELECT format('%s %s', relkind, relname) FROM pg_class WHERE relnamespace = 'public'::regnamespace
        UNION ALL
        SELECT format('function %s', proname) FROM pg_proc WHERE pronamespace = 'public'::regnamespace
        UNION ALL
        SELECT format('type %s', typname) FROM pg_type WHERE typnamespace = 'public'::regnamespace
    ) AS objects (line)
    WHERE line NOT LIKE '%__diesel_schema_migrations%'";

#[tokio::test(flavor = "multi_thread")]
async fn migrations_go_up_and_down_and_up_again() {
    let database = Database::create_empty().await;
    let connection = AsyncPgConnection::establish(database.url()).await.unwrap();
    let migrations = FileBasedMigrations::from_path(sources::root().join("migrations")).unwrap();
    let mut harness = AsyncMigrationHarness::new(connection);

    let up = harness.run_pending_migrations(migrations.clone()).unwrap().len();
    let first = objects(&database).await.unwrap();
    let down = harness.revert_all_migrations(migrations.clone()).unwrap().len();
    assert_eq!(objects(&database).await, None, "something stays when all migrations are reverted");
    assert_eq!(up, down);
    harness.run_pending_migrations(migrations).unwrap();
    assert_eq!(objects(&database).await.unwrap(), first);
}

async fn objects(database: &Database) -> Option<String> {
    database.client().await.query_one(OBJECTS, &[]).await.unwrap().get(0)
}
