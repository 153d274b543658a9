//! `keyward signing-keys`: the keys that sign access tokens, listed, rotated and revoked from the command line.

use std::sync::Arc;

use serde_json::{Value, json};

use super::shown::{table, time};
use super::{Failure, logging, print};
use crate::app::App;
use crate::clock::SystemClock;
use crate::config::Config;
use crate::flows::signing_keys::{self, KeyState, KnownKey};
use crate::model::audit::Act;

/// What to do with signing keys.
#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Prints the keys that sign, have signed tokens that may be good still, or sign next; the newest first.
    List {
        /// As a JSON array, for programs.
        #[arg(long)]
        json: bool,
    },
    /// Makes the next key sign, and prints the keys. Tokens of the one before stay good until they expire.
    Rotate {
        /// Revoke every key that there is, and with it all access tokens: for keys that may have leaked. Sessions stay.
        #[arg(long)]
        revoke_existing: bool,
        /// Print the keys as a JSON array, for programs.
        #[arg(long)]
        json: bool,
    },
}

pub(super) async fn run(config: Config, command: Command) -> Result<(), Failure> {
    logging::start(&config.log)?;
    let app = App::for_command(config, Arc::new(SystemClock)).await?;
    let (keys, json) = match command {
        Command::List { json } => (signing_keys::list_after(&app, None).await?, json),
        Command::Rotate { revoke_existing, json } => {
            (signing_keys::rotate(&app, &Act::operator(), revoke_existing).await?, json)
        }
    };
    print(&if json { pretty(&keys.iter().map(as_json).collect::<Value>())? } else { as_table(&keys) })
}

fn as_table(keys: &[KnownKey]) -> String {
    let row = |key: &KnownKey| {
        [
            key.key_id.clone(),
            key.algorithm.clone(),
            state(key).to_owned(),
            time(key.active_at),
            key.retired_at.map(time).unwrap_or_default(),
        ]
    };
    let rows: Vec<_> = keys.iter().map(row).collect();
    table(["ID", "ALGORITHM", "STATE", "SIGNS FROM", "VERIFIES UNTIL"], &rows)
}

/// Under the names that the API has for the same.
fn as_json(key: &KnownKey) -> Value {
    json!({
        "key_id": key.key_id,
        "algorithm": key.algorithm,
        "state": state(key),
        "create_time": time(key.created_at),
        "activate_time": time(key.active_at),
        "expire_time": key.retired_at.map(time),
    })
}

const fn state(key: &KnownKey) -> &'static str {
    match key.state {
        KeyState::Next => "NEXT",
        KeyState::Active => "ACTIVE",
        KeyState::Retiring => "RETIRING",
    }
}

fn pretty(value: &Value) -> Result<String, serde_json::Error> {
    Ok(serde_json::to_string_pretty(value)? + "\n")
}
