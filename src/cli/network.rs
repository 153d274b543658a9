//! `keyward network`: networks blocked and allowed from the command line. Every replica obeys within a second.

use std::sync::Arc;
use std::time::Duration;

use super::shown::{table, time};
use super::{Failure, logging, print};
use crate::app::App;
use crate::clock::{self, SystemClock};
use crate::config::{Config, parse_duration};
use crate::flows::networks::{self, NewRule, Target};
use crate::model::audit::Act;
use crate::model::line::Remark;
use crate::model::network::{Network, NetworkAction, NetworkInvalid, NetworkRule};

/// The longest that a rule may last unless it stays: a hundred years, which calendars can write.
const MAX_LIFETIME: Duration = Duration::from_hours(36_500 * 24);

/// What to do with networks.
#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Refuses every call from a network, but for health checks. Of several rules for an address the one with the longest
    /// prefix wins.
    Block(Rule),
    /// Lets every call from a network pass, free from throttles and lockouts of its addresses. Of several
    /// rules for an address the one with the longest prefix wins.
    Allow(Rule),
    /// Removes the rule of a network.
    Remove {
        /// The network as the rule has it, or the rule's identifier.
        #[arg(value_name = "CIDR|ID", value_parser = target)]
        rule: Target,
    },
    /// Prints the rules in force, the newest first.
    List {
        /// As a JSON array, for programs.
        #[arg(long)]
        json: bool,
    },
}

/// A rule to make.
#[derive(Debug, clap::Args)]
pub(super) struct Rule {
    /// The network, such as 203.0.113.0/24 or 2001:db8::/32; an address alone stands for itself.
    #[arg(value_name = "CIDR")]
    network: Network,
    /// Why, for whoever reads the list: one line of at most 500 characters.
    #[arg(long, default_value = "", hide_default_value = true, value_parser = Remark::parse)]
    reason: Remark,
    /// How long the rule lasts, such as 12h or 30d; until it is removed without it.
    #[arg(long = "for", value_name = "DURATION", value_parser = lifetime)]
    lifetime: Option<Duration>,
}

pub(super) async fn run(config: Config, command: Command) -> Result<(), Failure> {
    logging::start(&config.log)?;
    let app = App::for_command(config, Arc::new(SystemClock)).await?;
    match command {
        Command::Block(rule) => create(&app, NetworkAction::Block, rule).await,
        Command::Allow(rule) => create(&app, NetworkAction::Allow, rule).await,
        Command::Remove { rule } => {
            let removed = networks::delete(&app, &Act::operator(), rule).await?;
            print(&format!("removed {}\n", shown(&removed)))
        }
        Command::List { json } => {
            let rules = networks::list(&app).await?;
            print(&if json { as_json(&rules)? } else { as_table(&rules) })
        }
    }
}

async fn create(app: &App, action: NetworkAction, rule: Rule) -> Result<(), Failure> {
    let Rule { network, reason, lifetime } = rule;
    let expires_at = lifetime.map(|lifetime| clock::add(app.clock.now(), lifetime));
    let created = networks::create(app, &Act::operator(), NewRule { network, action, reason, expires_at }).await?;
    print(&format!("created {}, {}\n", shown(&created), end(&created)))
}

fn target(text: &str) -> Result<Target, String> {
    let network = |text: &str| {
        text.parse().map(Target::Network).map_err(|cause| match cause {
            NetworkInvalid::Malformed => "must be a network such as 203.0.113.0/24, or a rule's identifier".to_owned(),
            NetworkInvalid::HostBits { .. } => cause.to_string(),
        })
    };
    text.parse().map(Target::Rule).or_else(|_| network(text))
}

fn lifetime(text: &str) -> Result<Duration, &'static str> {
    let possible = |lifetime: &Duration| !lifetime.is_zero() && *lifetime <= MAX_LIFETIME;
    parse_duration(text).filter(possible).ok_or("must be a duration such as 90m, 12h or 30d, and at most 36500d")
}

fn shown(rule: &NetworkRule) -> String {
    format!("{} {} (rule {})", rule.action.as_str(), rule.network, rule.network_rule_id)
}

fn end(rule: &NetworkRule) -> String {
    rule.expires_at.map_or_else(|| "until it is removed".to_owned(), |expires_at| format!("until {}", time(expires_at)))
}

fn as_table(rules: &[NetworkRule]) -> String {
    let row = |rule: &NetworkRule| {
        [
            rule.network_rule_id.to_string(),
            rule.action.as_str().to_owned(),
            rule.network.to_string(),
            time(rule.created_at),
            rule.expires_at.map_or_else(|| "never".to_owned(), time),
            rule.reason.as_str().to_owned(),
        ]
    };
    let rows: Vec<_> = rules.iter().map(row).collect();
    table(["ID", "ACTION", "NETWORK", "CREATED", "EXPIRES", "REASON"], &rows)
}

/// Under the names that the API has for the same.
fn as_json(rules: &[NetworkRule]) -> Result<String, serde_json::Error> {
    let rules: Vec<_> = rules
        .iter()
        .map(|rule| {
            serde_json::json!({
                "network_rule_id": rule.network_rule_id,
                "cidr": rule.network.to_string(),
                "action": rule.action.as_str(),
                "reason": rule.reason.as_str(),
                "create_time": time(rule.created_at),
                "expire_time": rule.expires_at.map(time),
            })
        })
        .collect();
    Ok(serde_json::to_string_pretty(&rules)? + "\n")
}
