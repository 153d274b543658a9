//! Networks that operators block or allow, and what that means for a call.
//!
//! Which rule wins where several match is a decision, and so not here.

mod cidr;

use chrono::{DateTime, Utc};

use super::id::NetworkRuleId;
use super::line::Remark;

pub use cidr::{Network, NetworkInvalid};

/// What happens to calls from a network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NetworkAction {
    /// They are refused.
    Block,
    /// They pass, and no throttle or lockout of addresses applies to them.
    Allow,
}

impl NetworkAction {
    /// The name under which it is stored and shown.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Block => "BLOCK",
            Self::Allow => "ALLOW",
        }
    }

    /// The action of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Block, Self::Allow].into_iter().find(|action| action.as_str() == name)
    }
}

/// A rule that an operator made for one network; no network has two.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NetworkRule {
    /// Its identifier.
    pub network_rule_id: NetworkRuleId,
    /// The network.
    pub network: Network,
    /// What happens to calls from it.
    pub action: NetworkAction,
    /// Why it was made.
    pub reason: Remark,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it ends by itself; `None` when it stays until it is removed.
    pub expires_at: Option<DateTime<Utc>>,
}

/// What matters of a rule when a call comes in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NetworkEffect {
    /// What happens to calls from the network.
    pub action: NetworkAction,
    /// The moment from which it does nothing any more, if there is one.
    pub expires_at: Option<DateTime<Utc>>,
}

/// How a call that is not blocked stands with the network rules: what whoever limits calls by address has to know.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum NetworkVerdict {
    /// No rule speaks for it; the limits hold.
    #[default]
    Neutral,
    /// Its network is allowed: no throttle or lockout of its address applies.
    Allowed,
}
