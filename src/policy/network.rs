//! Which network rule speaks for an address: the most specific one in force.

#[cfg(test)]
mod tests;

use std::collections::{BTreeSet, HashMap};

use chrono::{DateTime, Utc};

use crate::model::network::{Network, NetworkAction, NetworkEffect};

/// All rules at one moment. Never changed, only replaced as a whole.
///
/// A look-up costs one probe of a hash table for each length of prefix that is in use, however many rules there are.
#[derive(Clone, Debug, Default)]
pub struct NetworkRules {
    effects: HashMap<Network, NetworkEffect>,
    v4_prefixes: LongestFirst,
    v6_prefixes: LongestFirst,
}

/// The lengths of prefix that are in use.
type LongestFirst = Vec<u8>;

impl FromIterator<(Network, NetworkEffect)> for NetworkRules {
    fn from_iter<I: IntoIterator<Item = (Network, NetworkEffect)>>(rules: I) -> Self {
        let effects: HashMap<_, _> = rules.into_iter().collect();
        let prefixes = |v4: bool| {
            let of_family = effects.keys().filter(|network: &&Network| network.is_v4() == v4);
            of_family.map(|network| network.prefix_len()).collect::<BTreeSet<_>>().into_iter().rev().collect()
        };
        let (v4_prefixes, v6_prefixes) = (prefixes(true), prefixes(false));
        Self { effects, v4_prefixes, v6_prefixes }
    }
}

impl NetworkRules {
    /// What the most specific rule in force does to a client, an address alone; `None` when there is none for it.
    #[must_use]
    pub fn decide(&self, client: Network, now: DateTime<Utc>) -> Option<NetworkAction> {
        let prefixes = if client.is_v4() { &self.v4_prefixes } else { &self.v6_prefixes };
        prefixes.iter().find_map(|prefix_len| {
            let effect = self.effects.get(&client.widened(*prefix_len)?);
            effect.filter(|effect| is_in_force(effect, now)).map(|effect| effect.action)
        })
    }

    /// How many rules there are, those that have expired since they were read among them.
    #[must_use]
    pub fn len(&self) -> usize {
        self.effects.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.effects.is_empty()
    }
}

/// A rule ends with the moment at which it expires.
fn is_in_force(effect: &NetworkEffect, now: DateTime<Utc>) -> bool {
    effect.expires_at.is_none_or(|expires_at| now < expires_at)
}
