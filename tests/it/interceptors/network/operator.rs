//! Somebody who changes network rules from elsewhere, as `keyward network` does: the replicas learn of it from the database.

use std::sync::Arc;
use std::time::Duration;

use keyward::app::App;
use keyward::clock;
use keyward::error::Error;
use keyward::flows::networks::{self, NewRule, Target};
use keyward::model::audit::Act;
use keyward::model::line::Remark;
use keyward::model::network::{NetworkAction, NetworkRule};
use uuid::Uuid;

use crate::harness::{Replica, TestApp, within_patience};

/// A process of its own on the service's database.
pub(crate) struct Operator(Arc<App>);

impl Operator {
    pub(crate) async fn of(app: &TestApp) -> Self {
        Self(App::start(app.first().app.config.clone(), app.clock.clone()).await.unwrap())
    }

    /// Makes a rule that stays.
    pub(crate) async fn make(&self, action: NetworkAction, network: &str) -> Result<NetworkRule, Error> {
        networks::create(&self.0, &Act::operator(), new_rule(action, network)).await
    }

    /// Makes a rule that ends by itself.
    pub(crate) async fn make_for(
        &self,
        lifetime: Duration,
        action: NetworkAction,
        network: &str,
    ) -> Result<NetworkRule, Error> {
        let expires_at = Some(clock::add(self.0.clock.now(), lifetime));
        networks::create(&self.0, &Act::operator(), NewRule { expires_at, ..new_rule(action, network) }).await
    }

    /// Removes the rule of a network.
    pub(crate) async fn remove(&self, network: &str) -> Result<NetworkRule, Error> {
        self.remove_by(Target::Network(network.parse().unwrap())).await
    }

    /// Removes a rule.
    pub(crate) async fn remove_by(&self, target: Target) -> Result<NetworkRule, Error> {
        networks::delete(&self.0, &Act::operator(), target).await
    }

    /// The rules in force.
    pub(crate) async fn list(&self) -> Vec<NetworkRule> {
        networks::list(&self.0).await.unwrap()
    }

    /// Waits until a replica has heard of everything done so far: it has when it obeys a rule that comes after.
    pub(crate) async fn obeyed_by(&self, replica: &Replica) {
        // Nobody else's: an address of the range for private use (RFC 4193).
        let network = format!("fd00::{:x}", Uuid::new_v4().as_fields().0 >> 16);
        self.make(NetworkAction::Block, &network).await.unwrap();
        let messenger = replica.stranger().with("x-forwarded-for", &network);
        within_patience("the replica to hear of a rule", async {
            while messenger.get_origin().await.is_ok() {
                tokio::task::yield_now().await;
            }
        })
        .await;
    }
}

fn new_rule(action: NetworkAction, network: &str) -> NewRule {
    let reason = Remark::parse("ticket 7").unwrap();
    NewRule { network: network.parse().unwrap(), action, reason, expires_at: None }
}
