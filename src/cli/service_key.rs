//! `keyward service-key`: keys for internal services, made and revoked from the command line.

use std::sync::Arc;
use std::time::Duration;

use secrecy::ExposeSecret;
use serde_json::{Value, json};

use super::shown::{table, time};
use super::{Failure, logging, print};
use crate::app::App;
use crate::clock::{self, SystemClock};
use crate::config::{Config, parse_duration};
use crate::flows::service_keys::{self, NewKey};
use crate::model::audit::Act;
use crate::model::id::ServiceKeyId;
use crate::model::permission::Permission;
use crate::model::service_key::{ServiceKey, ServiceKeyName};

/// The longest that a key may live unless it is good until it is revoked: a hundred years, which calendars can write.
const MAX_LIFETIME: Duration = Duration::from_hours(36_500 * 24);

/// How many keys are read at a time.
const PAGE: u32 = 1000;

/// What to do with service keys.
#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Makes a key and prints it. It cannot be shown again.
    Create(Key),
    /// Prints the keys that are not revoked, the newest first, by their first characters.
    List {
        /// As a JSON array, for programs.
        #[arg(long)]
        json: bool,
    },
    /// Revokes a key. Every replica refuses it within a second.
    Revoke {
        /// The key's identifier, as the list has it.
        #[arg(value_name = "ID")]
        service_key_id: ServiceKeyId,
        /// Print the key as a JSON object, for programs.
        #[arg(long)]
        json: bool,
    },
}

/// A key to make.
#[derive(Debug, clap::Args)]
pub(super) struct Key {
    /// What the key is called: one line of at most 100 characters.
    #[arg(value_parser = ServiceKeyName::parse)]
    name: ServiceKeyName,
    /// What the key permits, such as tokens.introspect; once for each, or separated by commas.
    #[arg(long = "permission", value_name = "PERMISSION", required = true, value_delimiter = ',')]
    permissions: Vec<Permission>,
    /// How long the key is good, such as 90d; until it is revoked without it.
    #[arg(long = "for", value_name = "DURATION", value_parser = lifetime)]
    lifetime: Option<Duration>,
    /// As a JSON object, for programs.
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(config: Config, command: Command) -> Result<(), Failure> {
    logging::start(&config.log)?;
    let app = App::for_command(config, Arc::new(SystemClock)).await?;
    match command {
        Command::Create(key) => create(&app, key).await,
        Command::List { json } => {
            let keys = all(&app).await?;
            print(&if json { pretty(&keys.iter().map(as_json).collect::<Value>())? } else { as_table(&keys) })
        }
        Command::Revoke { service_key_id, json } => {
            let revoked = service_keys::revoke(&app, &Act::operator(), service_key_id).await?;
            print(&if json { pretty(&as_json(&revoked))? } else { format!("revoked {}\n", shown(&revoked)) })
        }
    }
}

async fn create(app: &App, key: Key) -> Result<(), Failure> {
    let Key { name, permissions, lifetime, json } = key;
    let expires_at = lifetime.map(|lifetime| clock::add(app.clock.now(), lifetime));
    let (created, secret) = service_keys::create(
        app,
        &Act::operator(),
        NewKey { name, permissions: permissions.into_iter().collect(), expires_at },
    )
    .await?;
    let secret = secret.expose_secret();
    if json {
        return print(&pretty(&json!({ "service_key": as_json(&created), "key": secret }))?);
    }
    let end = end(&created);
    print(&format!("created {}, {end}; the key itself, which is not shown again:\n{secret}\n", shown(&created)))
}

/// All keys, however many.
async fn all(app: &App) -> Result<Vec<ServiceKey>, Failure> {
    let mut keys: Vec<ServiceKey> = Vec::new();
    loop {
        let page = service_keys::list(app, keys.last().map(|key| key.service_key_id), PAGE).await?;
        if page.is_empty() {
            return Ok(keys);
        }
        keys.extend(page);
    }
}

fn lifetime(text: &str) -> Result<Duration, &'static str> {
    let possible = |lifetime: &Duration| !lifetime.is_zero() && *lifetime <= MAX_LIFETIME;
    parse_duration(text).filter(possible).ok_or("must be a duration such as 12h or 90d, and at most 36500d")
}

fn shown(key: &ServiceKey) -> String {
    format!("{} {}... (service key {})", key.name.as_str(), key.key_prefix, key.service_key_id)
}

fn end(key: &ServiceKey) -> String {
    key.expires_at.map_or_else(|| "until it is revoked".to_owned(), |expires_at| format!("until {}", time(expires_at)))
}

fn as_table(keys: &[ServiceKey]) -> String {
    let row = |key: &ServiceKey| {
        [
            key.service_key_id.to_string(),
            format!("{}...", key.key_prefix),
            key.name.as_str().to_owned(),
            end(key),
            key.last_used_at.map_or_else(|| "never".to_owned(), time),
            names(key).join(" "),
        ]
    };
    let rows: Vec<_> = keys.iter().map(row).collect();
    table(["ID", "KEY", "NAME", "GOOD", "LAST USED", "PERMISSIONS"], &rows)
}

fn names(key: &ServiceKey) -> Vec<&str> {
    key.permissions.iter().map(Permission::as_str).collect()
}

/// Under the names that the API has for the same.
fn as_json(key: &ServiceKey) -> Value {
    json!({
        "service_key_id": key.service_key_id,
        "name": key.name.as_str(),
        "key_prefix": key.key_prefix,
        "permissions": names(key),
        "create_time": time(key.created_at),
        "expire_time": key.expires_at.map(time),
        "last_used_time": key.last_used_at.map(time),
    })
}

fn pretty(value: &Value) -> Result<String, serde_json::Error> {
    Ok(serde_json::to_string_pretty(value)? + "\n")
}
