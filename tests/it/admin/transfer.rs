//! Users in from other systems and out again, by the program itself.

mod export;
mod import;

use tempfile::TempDir;

use super::program::{Ran, keyward};
use crate::harness::TestApp;

/// A user as a line, all that can be said of one.
const ADA: &str = r#"{"user_id":"0198b0d0-0000-7000-8000-00000000ada0","email":"ada@example.com","display_name":"Ada","locale":"de-CH","state":"ACTIVE","roles":["admin","normal_user"],"create_time":"2020-02-03T04:05:06.070809Z","verify_time":"2020-02-03T04:10:00.000000Z","password_hash":"$2b$04$JeTGP/zrj6vLpoFIoN0XDOaj//rGNuL7qS8FRkiVupILO5hMfVXIC"}"#;

/// Imports these lines; the rest of the arguments comes after.
async fn import(app: &TestApp, lines: &str, arguments: &[&str]) -> Ran {
    let directory = TempDir::new().unwrap();
    let file = directory.path().join("users.jsonl");
    std::fs::write(&file, lines).unwrap();
    let command = ["users", "import", file.to_str().unwrap()];
    keyward(&app.settings, &[&command, arguments].concat(), "").await
}

/// What an import has counted: imported, there already, refused.
fn summary(ran: &Ran) -> (u64, u64, u64) {
    let summary: serde_json::Value = serde_json::from_str(&ran.out).unwrap_or_else(|_| panic!("{ran:?}"));
    let count = |name: &str| summary[name].as_u64().unwrap();
    (count("imported"), count("skipped"), count("refused"))
}

/// What stands in the audit trail of such events, as text.
async fn on_record(app: &TestApp, kind: &str) -> Vec<String> {
    let sql = "SELECT actor_type || ' ' || details FROM audit_events WHERE kind = $1 ORDER BY sequence";
    let rows = app.database.client().await.query(sql, &[&kind]).await.unwrap();
    rows.iter().map(|row| row.get(0)).collect()
}
