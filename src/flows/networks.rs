//! Networks that are blocked or allowed: the rules, kept in Postgres, and the copy of them that every call is judged by.

use std::net::IpAddr;

use chrono::{DateTime, SecondsFormat, Utc};
use uuid::Uuid;

use super::audit::{self, Event};
use super::copied::Copied;
use super::expiry;
use crate::app::App;
use crate::error::Error;
use crate::model::audit::{Act, EventKind, Subject};
use crate::model::id::NetworkRuleId;
use crate::model::line::Remark;
use crate::model::network::{Network, NetworkAction, NetworkRule, NetworkVerdict};
use crate::policy::network::NetworkRules;
use crate::store::pg::feed_versions::{self, Feed};
use crate::store::pg::network_rules;

/// The rules, in memory.
pub type Networks = Copied<NetworkRules>;

/// A rule to make.
#[derive(Clone, Debug)]
pub struct NewRule {
    /// The network.
    pub network: Network,
    /// What happens to calls from it.
    pub action: NetworkAction,
    /// Why.
    pub reason: Remark,
    /// When it is to end by itself, if ever.
    pub expires_at: Option<DateTime<Utc>>,
}

/// Which rule is meant.
#[derive(Clone, Copy, Debug)]
pub enum Target {
    /// The one with this identifier.
    Rule(NetworkRuleId),
    /// That of this very network.
    Network(Network),
}

/// How a call from this address stands with the rules, at no cost but a look into memory.
///
/// # Errors
/// [`Error::NetworkBlocked`].
pub fn judge(app: &App, address: IpAddr) -> Result<NetworkVerdict, Error> {
    match app.networks.current().decide(address.into(), app.clock.now()) {
        Some(NetworkAction::Block) => Err(Error::NetworkBlocked),
        Some(NetworkAction::Allow) => Ok(NetworkVerdict::Allowed),
        None => Ok(NetworkVerdict::Neutral),
    }
}

/// Makes a rule. This process obeys it from now on, every other one after its next look at the feed.
///
/// # Errors
/// An end that is not in the future, a rule for the very network, or a failure of ours.
pub async fn create(app: &App, by: &Act, new: NewRule) -> Result<NetworkRule, Error> {
    let now = app.clock.now();
    expiry::check("expire_time", new.expires_at, now)?;
    let NewRule { network, action, reason, expires_at } = new;
    let network_rule_id = NetworkRuleId::new(now);
    let rule = NetworkRule { network_rule_id, network, action, reason, created_at: now, expires_at };
    let mut tx = app.pool.begin().await?;
    let outcome = async {
        if !network_rules::insert(&mut tx, &rule).await? {
            return Err(Error::NetworkRuleExists);
        }
        audit::record(&mut tx, by, event(EventKind::NetworkRuleCreated, &rule), now).await?;
        feed_versions::update(&mut tx, Feed::NetworkRules, Uuid::new_v4()).await?;
        Ok(rule)
    }
    .await;
    let rule = tx.end(outcome).await?;
    take_in(app).await;
    Ok(rule)
}

/// Deletes a rule and returns what it was. This process forgets it at once, every other one after its next look at the feed.
///
/// # Errors
/// No such rule in force, or a failure of ours.
pub async fn delete(app: &App, by: &Act, target: Target) -> Result<NetworkRule, Error> {
    let now = app.clock.now();
    let mut tx = app.pool.begin().await?;
    let outcome: Result<_, Error> = async {
        let taken = match target {
            Target::Rule(network_rule_id) => network_rules::take(&mut tx, network_rule_id, now).await?,
            Target::Network(network) => network_rules::take_by_network(&mut tx, network, now).await?,
        };
        let rule = taken.ok_or(Error::NetworkRuleNotFound)?;
        audit::record(&mut tx, by, event(EventKind::NetworkRuleDeleted, &rule), now).await?;
        feed_versions::update(&mut tx, Feed::NetworkRules, Uuid::new_v4()).await?;
        Ok(rule)
    }
    .await;
    let rule = tx.end(outcome).await?;
    take_in(app).await;
    Ok(rule)
}

fn event(kind: EventKind, rule: &NetworkRule) -> Event {
    let event = Event::new(kind, Subject::NetworkRule(rule.network_rule_id));
    let event = event.with("cidr", rule.network).with("action", rule.action.as_str());
    match rule.expires_at {
        Some(expires_at) => event.with("expire_time", expires_at.to_rfc3339_opts(SecondsFormat::Millis, true)),
        None => event,
    }
}

/// Every rule in force, the newest first.
///
/// # Errors
/// A failure of ours.
pub async fn list(app: &App) -> Result<Vec<NetworkRule>, Error> {
    Ok(network_rules::find_all(&mut *app.pool.get().await?, app.clock.now()).await?)
}

/// The rules in force, the newest first, from the one after `before`; at most `limit`.
///
/// # Errors
/// A failure of ours.
pub async fn list_page(app: &App, before: Option<NetworkRuleId>, limit: u32) -> Result<Vec<NetworkRule>, Error> {
    let now = app.clock.now();
    Ok(network_rules::find_page(&mut *app.pool.get().await?, before, limit, now).await?)
}

/// Reads the rules again if they have changed; one round trip when they have not. Called at start, it loads them.
///
/// # Errors
/// When the database fails; the rules read last then stay in force.
pub async fn follow(app: &App) -> Result<(), Error> {
    let following = app.networks.follow(&app.job_pool, Feed::NetworkRules, |mut conn| async move {
        let effects = network_rules::find_effects(&mut conn, app.clock.now()).await?;
        drop(conn);
        // Ten thousands of rules take milliseconds to sort into the table, which calls need not wait for.
        let sorting = tokio::task::spawn_blocking(move || effects.into_iter().collect::<NetworkRules>());
        let rules = sorting.await.map_err(Error::internal)?;
        tracing::info!(network_rules = rules.len(), "the network rules were read");
        Ok(rules)
    });
    following.await
}

/// Makes a change felt here that has been committed. It stands even if this fails: the feed's job brings it then.
async fn take_in(app: &App) {
    if let Err(error) = follow(app).await {
        tracing::debug!(error = %error, "the network rules could not be read after a change");
    }
}
