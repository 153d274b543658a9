//! The start of the program, when what it stands on is not ready, not fit, or busy; and what signals do meanwhile.

mod clock;
mod migrating;
mod pooler;
mod schema;
mod signals;
mod signing_keys;
mod waiting;

use crate::harness::Settings;

/// Settings of the program itself, on the database of a URL.
fn settings(database_url: &str) -> Settings {
    let settings = Settings::default().set("database.url", database_url).set("mail.transport", "log");
    settings.set("database.acquire_timeout", "2s").set("database.startup_timeout", "1m")
}
