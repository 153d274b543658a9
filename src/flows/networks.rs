//! Networks that are blocked or allowed: the rules, kept in Postgres, and the copy of them that every call is judged by.
//!
//! The copy is replaced as a whole whenever the rules have changed. Until it can be, the one before stays in force.

use std::net::IpAddr;
use std::sync::{Arc, PoisonError, RwLock};

use chrono::{DateTime, Utc};
use tokio::sync::Mutex;
use uuid::Uuid;

use crate::app::App;
use crate::error::Error;
use crate::model::id::NetworkRuleId;
use crate::model::network::{Network, NetworkAction, NetworkRule, NetworkVerdict, RuleReason};
use crate::policy::network::NetworkRules;
use crate::store::pg::feed_versions::{self, Feed};
use crate::store::pg::network_rules;

/// The rules in memory.
#[derive(Debug, Default)]
pub struct Networks {
    rules: RwLock<Arc<NetworkRules>>,
    /// What has been read; held while it is read again, so that an older reading never replaces a newer one.
    reading: Mutex<Reading>,
}

/// How far the copy has come.
#[derive(Debug, Default, PartialEq, Eq)]
enum Reading {
    /// Nothing was read yet.
    #[default]
    None,
    /// The rules of this version, or of a later one; without a version there had never been any.
    Of(Option<Uuid>),
}

/// A rule to make.
#[derive(Clone, Debug)]
pub struct NewRule {
    /// The network.
    pub network: Network,
    /// What happens to calls from it.
    pub action: NetworkAction,
    /// Why.
    pub reason: RuleReason,
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
    let rules = app.networks.rules.read().unwrap_or_else(PoisonError::into_inner).clone();
    match rules.decide(address.into(), app.clock.now()) {
        Some(NetworkAction::Block) => Err(Error::NetworkBlocked),
        Some(NetworkAction::Allow) => Ok(NetworkVerdict::Allowed),
        None => Ok(NetworkVerdict::Neutral),
    }
}

/// Makes a rule. This process obeys it from now on, every other one after its next look at the feed.
///
/// # Errors
/// An end that is not in the future, a rule for the very network, or a failure of ours.
pub async fn create(app: &App, new: NewRule) -> Result<NetworkRule, Error> {
    let now = app.clock.now();
    if new.expires_at.is_some_and(|expires_at| expires_at <= now) {
        return Err(Error::invalid("expire_time", "must be in the future"));
    }
    let NewRule { network, action, reason, expires_at } = new;
    let network_rule_id = NetworkRuleId::new(now);
    let rule = NetworkRule { network_rule_id, network, action, reason, created_at: now, expires_at };
    let mut tx = app.pool.begin().await?;
    let outcome = async {
        if !network_rules::insert(&mut tx, &rule).await? {
            return Err(Error::NetworkRuleExists);
        }
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
pub async fn delete(app: &App, target: Target) -> Result<NetworkRule, Error> {
    let now = app.clock.now();
    let mut tx = app.pool.begin().await?;
    let outcome: Result<_, Error> = async {
        let taken = match target {
            Target::Rule(network_rule_id) => network_rules::take(&mut tx, network_rule_id, now).await?,
            Target::Network(network) => network_rules::take_by_network(&mut tx, network, now).await?,
        };
        let rule = taken.ok_or(Error::NetworkRuleNotFound)?;
        feed_versions::update(&mut tx, Feed::NetworkRules, Uuid::new_v4()).await?;
        Ok(rule)
    }
    .await;
    let rule = tx.end(outcome).await?;
    take_in(app).await;
    Ok(rule)
}

/// Every rule in force, the newest first.
///
/// # Errors
/// A failure of ours.
pub async fn list(app: &App) -> Result<Vec<NetworkRule>, Error> {
    Ok(network_rules::find_all(&mut *app.pool.get().await?, app.clock.now()).await?)
}

/// Reads the rules again if they have changed; one round trip when they have not. Called at start, it loads them.
///
/// # Errors
/// When the database fails; the rules read last then stay in force.
pub async fn follow(app: &App) -> Result<(), Error> {
    let mut reading = app.networks.reading.lock().await;
    let mut conn = app.job_pool.get().await?;
    // First the version, then the rules: if they change in between, the next look finds a version that it does not know.
    let latest = Reading::Of(feed_versions::find(&mut conn, Feed::NetworkRules).await?);
    if *reading == latest {
        return Ok(());
    }
    let effects = network_rules::find_effects(&mut conn, app.clock.now()).await?;
    drop(conn);
    // Ten thousands of rules take milliseconds to sort into the table, which calls need not wait for.
    let sorting = tokio::task::spawn_blocking(move || effects.into_iter().collect::<NetworkRules>());
    let rules = sorting.await.map_err(Error::internal)?;
    tracing::info!(network_rules = rules.len(), "the network rules were read");
    let rules = Arc::new(rules);
    *app.networks.rules.write().unwrap_or_else(PoisonError::into_inner) = rules;
    *reading = latest;
    Ok(())
}

/// Makes a change felt here that has been committed. It stands even if this fails: the feed's job brings it then.
async fn take_in(app: &App) {
    if let Err(error) = follow(app).await {
        tracing::debug!(error = %error, "the network rules could not be read after a change");
    }
}
