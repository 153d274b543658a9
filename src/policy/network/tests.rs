#![expect(clippy::indexing_slicing, clippy::unwrap_used, reason = "tests")]

use chrono::{DateTime, TimeDelta, Utc};

use super::NetworkRules;
use crate::model::network::NetworkAction::{self, Allow, Block};
use crate::model::network::{Network, NetworkEffect};

fn now() -> DateTime<Utc> {
    "2030-01-01T12:00:00Z".parse().unwrap()
}

fn rule(network: &str, action: NetworkAction) -> (Network, NetworkEffect) {
    (network.parse().unwrap(), NetworkEffect { action, expires_at: None })
}

fn rule_until(network: &str, action: NetworkAction, expires_at: DateTime<Utc>) -> (Network, NetworkEffect) {
    (network.parse().unwrap(), NetworkEffect { action, expires_at: Some(expires_at) })
}

fn ip(text: &str) -> Network {
    text.parse().unwrap()
}

#[test]
fn the_most_specific_rule_wins_whichever_way_it_goes() {
    let rules: NetworkRules = [
        rule("10.0.0.0/8", Block),
        rule("10.1.0.0/16", Allow),
        rule("10.1.2.3", Block),
        rule("2001:db8::/32", Allow),
        rule("2001:db8:1::/48", Block),
    ]
    .into_iter()
    .collect();
    assert_eq!(rules.decide(ip("10.2.0.1"), now()), Some(Block));
    assert_eq!(rules.decide(ip("10.1.2.4"), now()), Some(Allow));
    assert_eq!(rules.decide(ip("10.1.2.3"), now()), Some(Block));
    assert_eq!(rules.decide(ip("11.0.0.1"), now()), None);
    assert_eq!(rules.decide(ip("2001:db8:2::1"), now()), Some(Allow));
    assert_eq!(rules.decide(ip("2001:db8:1::1"), now()), Some(Block));
    assert_eq!(rules.decide(ip("2001:db9::1"), now()), None);
}

#[test]
fn without_rules_nothing_is_decided() {
    assert_eq!(NetworkRules::default().decide(ip("192.0.2.1"), now()), None);
    assert_eq!(NetworkRules::default().decide(ip("2001:db8::1"), now()), None);
}

#[test]
fn the_families_are_apart_and_mapped_addresses_are_v4() {
    let v4: NetworkRules = [rule("0.0.0.0/0", Block)].into_iter().collect();
    assert_eq!(v4.decide(ip("2001:db8::1"), now()), None);
    assert_eq!(v4.decide(ip("::ffff:192.0.2.1"), now()), Some(Block));
    let v6: NetworkRules = [rule("::/0", Block)].into_iter().collect();
    assert_eq!(v6.decide(ip("192.0.2.1"), now()), None);
    assert_eq!(v6.decide(ip("::ffff:192.0.2.1"), now()), None);
    assert_eq!(v6.decide(ip("2001:db8::1"), now()), Some(Block));
}

#[test]
fn a_rule_that_has_expired_does_nothing_from_that_moment_on() {
    let end = now() + TimeDelta::seconds(1);
    let rules: NetworkRules = [rule("10.0.0.0/8", Allow), rule_until("10.1.0.0/16", Block, end)].into_iter().collect();
    assert_eq!(rules.decide(ip("10.1.0.1"), end - TimeDelta::microseconds(1)), Some(Block));
    assert_eq!(rules.decide(ip("10.1.0.1"), end), Some(Allow));
}

#[test]
fn random_rules_decide_as_a_naive_model_does() {
    let mut random = Random(0x6b65_7977_6172_6421);
    let mut decided = [0, 0, 0];
    for _ in 0..300 {
        let count = random.below(40);
        let mut model: Vec<(Network, NetworkEffect)> = Vec::new();
        for _ in 0..count {
            let address = random.address();
            let prefix_len = random.below(u64::from(address.prefix_len()) + 1);
            let network = address.widened(prefix_len.try_into().unwrap()).unwrap();
            let action = if random.below(2) == 0 { Block } else { Allow };
            let expires_at = (random.below(3) == 0).then(|| now() + TimeDelta::seconds(i64::from(random.below(5)) - 2));
            model.retain(|(known, _)| *known != network);
            model.push((network, NetworkEffect { action, expires_at }));
        }
        let rules: NetworkRules = model.iter().copied().collect();
        for _ in 0..200 {
            let address = random.address();
            let expected = naive(&model, address);
            assert_eq!(rules.decide(address, now()), expected, "{address} of {model:?}");
            decided[expected.map_or(0, |action| if action == Block { 1 } else { 2 })] += 1;
        }
    }
    // The generator finds all outcomes, or the agreement says nothing.
    assert!(decided.iter().all(|count| *count > 1000), "{decided:?}");
}

/// The rules as the documentation states them, without any thought of speed.
fn naive(rules: &[(Network, NetworkEffect)], client: Network) -> Option<NetworkAction> {
    let in_force = |effect: &NetworkEffect| effect.expires_at.is_none_or(|expires_at| expires_at > now());
    rules
        .iter()
        .filter(|(network, effect)| network.contains(client) && in_force(effect))
        .max_by_key(|(network, _)| network.prefix_len())
        .map(|(_, effect)| effect.action)
}

/// Numbers that look random and are the same in every run (SplitMix64).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, limit: u64) -> u32 {
        u32::try_from(self.next() % limit).unwrap()
    }

    /// One of either family, from few enough bits that networks often overlap.
    fn address(&mut self) -> Network {
        if self.below(2) == 0 {
            let bytes = [0b1000_0100, 0b0010_0001, 0b0000_1000, 0b0100_0010].map(|mask| self.below(256) & mask);
            bytes.map(|byte| byte.to_string()).join(".").parse().unwrap()
        } else {
            let groups = [0x2000, 0x8, 0x1000, 0x4, 0x800, 0x1, 0x200, 0x1].map(|mask| self.below(0x1_0000) & mask);
            groups.map(|group| format!("{group:x}")).join(":").parse().unwrap()
        }
    }
}
