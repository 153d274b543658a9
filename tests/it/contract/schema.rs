//! The database as the migrations leave it.

use tokio_postgres::Client;

use super::sources;
use crate::harness::Database;

/// Columns that end in `_id` and point to no row, with the reason.
const NO_REFERENCE: [(&str, &str, &str); 7] = [
    ("account_lockouts", "user_id", "checking it would lock the user, whom others lock before"),
    ("audit_events", "actor_id", "the trail outlives whom it tells of"),
    ("audit_events", "device_id", "named by the client"),
    ("audit_events", "request_id", "named by the client, or made for one call"),
    ("audit_events", "subject_id", "the trail outlives what it tells of"),
    ("revocations", "session_id", "the revocation outlives a deleted user's session"),
    ("sessions", "device_id", "named by the client; a session's device need not be a known one"),
];

#[tokio::test]
async fn every_foreign_key_has_an_index() {
    let database = Database::create().await;
    // As the leading columns of an index of all rows, in any order.
    let unindexed = "
        SELECT conname::text FROM pg_constraint AS key
        WHERE contype = 'f' AND NOT EXISTS (
            SELECT FROM pg_index
            WHERE indrelid = key.conrelid AND indpred IS NULL AND indisvalid
                AND (indkey::int2[])[0:cardinality(key.conkey) - 1] @> key.conkey
        )";
    assert_eq!(texts(&database.client().await, unindexed).await, [""; 0]);
    assert!(
        !texts(&database.client().await, "SELECT conname::text FROM pg_constraint WHERE contype = 'f'")
            .await
            .is_empty()
    );
}

#[tokio::test]
async fn every_column_of_ids_points_to_a_row_or_names_its_own() {
    let database = Database::create().await;
    let loose = "
        SELECT attrelid::regclass || '.' || attname FROM pg_attribute
        WHERE attrelid IN (SELECT oid FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace)
            AND attname LIKE '%\\_id' AND NOT attisdropped AND NOT EXISTS (
                SELECT FROM pg_constraint
                WHERE conrelid = attrelid AND contype IN ('p', 'f') AND attnum = ANY (conkey)
            )
        ORDER BY 1";
    let reasoned: Vec<_> = NO_REFERENCE.iter().map(|(table, column, _)| format!("{table}.{column}")).collect();
    assert_eq!(texts(&database.client().await, loose).await, reasoned);
}

#[tokio::test]
async fn constraints_and_indexes_have_the_names_that_the_migrations_give_them() {
    let database = Database::create().await;
    let names = "
        SELECT DISTINCT relation || ' ' || name FROM (
            SELECT conrelid::regclass::text, conname::text FROM pg_constraint
                WHERE connamespace = 'public'::regnamespace AND contype <> 'n'
            UNION ALL
            SELECT indrelid::regclass::text, indexrelid::regclass::text FROM pg_index
                JOIN pg_class ON pg_class.oid = indexrelid WHERE relnamespace = 'public'::regnamespace
        ) AS named (relation, name)
        WHERE relation <> '__diesel_schema_migrations'
        ORDER BY 1";
    let migrations = sources::migrations();
    let words: Vec<_> = migrations.split(|character: char| !character.is_alphanumeric() && character != '_').collect();
    for line in texts(&database.client().await, names).await {
        let (table, name) = line.split_once(' ').unwrap();
        assert!(name.starts_with(&format!("{table}_")), "{name} does not begin with its table, {table}");
        assert!(words.contains(&name), "{name} is not named in the migrations");
    }
}

#[tokio::test]
async fn no_time_is_without_a_zone_and_none_is_the_databases_own() {
    let database = Database::create().await;
    let columns = "
        SELECT table_name || '.' || column_name FROM information_schema.columns
        WHERE table_schema = 'public' AND table_name <> '__diesel_schema_migrations'
            AND (data_type IN ('timestamp without time zone', 'date') OR column_default ~ 'now|current_')";
    assert_eq!(texts(&database.client().await, columns).await, [""; 0]);
}

async fn texts(client: &Client, query: &str) -> Vec<String> {
    client.query(query, &[]).await.unwrap().iter().map(|row| row.get(0)).collect()
}
