//! The largest of any number of networks, in bounded memory.

use std::cmp::Reverse;
use std::collections::HashMap;

use ipnet::IpNet;

/// How many networks are counted at once.
const CAPACITY: usize = 4096;

/// Counts by network. Exact for up to [`CAPACITY`] networks. Beyond that a count may be too low, by at most the sum of all
/// counts divided by the capacity (Misra and Gries, "Finding repeated elements").
#[derive(Clone, Debug, Default)]
pub(super) struct Largest(HashMap<IpNet, u64>);

impl Largest {
    pub(super) fn add(&mut self, network: IpNet, count: u64) {
        if let Some(counted) = self.0.get_mut(&network) {
            *counted = counted.saturating_add(count);
        } else if self.0.len() < CAPACITY {
            self.0.insert(network, count);
        } else {
            self.displace(network, count);
        }
    }

    /// Takes as much from every network as makes room for one more, or as the new one has.
    fn displace(&mut self, network: IpNet, count: u64) {
        let less = self.0.values().copied().min().unwrap_or_default().min(count);
        self.0.retain(|_, counted| {
            *counted = counted.saturating_sub(less);
            *counted > 0
        });
        if count > less {
            self.0.insert(network, count.saturating_sub(less));
        }
    }

    /// The largest networks, at most `most` of them, in the order of their size.
    pub(super) fn top(&self, most: usize) -> Vec<(IpNet, u64)> {
        let mut all: Vec<_> = self.0.iter().map(|(network, count)| (*network, *count)).collect();
        all.sort_unstable_by_key(|(network, count)| (Reverse(*count), *network));
        all.truncate(most);
        all
    }
}

#[cfg(test)]
mod tests {
    use super::{CAPACITY, IpNet, Largest};

    fn network(number: u32) -> IpNet {
        let [a, b, c, d] = number.to_be_bytes();
        format!("{a}.{b}.{c}.{d}/32").parse().unwrap_or_default()
    }

    #[test]
    fn a_few_networks_are_counted_exactly() {
        let mut largest = Largest::default();
        for (number, count) in [(1, 3), (2, 5), (3, 1), (1, 1)] {
            largest.add(network(number), count);
        }
        assert_eq!(largest.top(2), [(network(2), 5), (network(1), 4)]);
    }

    #[test]
    fn a_million_networks_take_no_more_room_and_do_not_hide_the_largest() {
        let mut largest = Largest::default();
        for number in 0..1_000_000 {
            largest.add(network(0x0a00_0000 + number), 1);
            if number % 100 == 0 {
                largest.add(network(1), 1);
                largest.add(network(2), 2);
            }
        }
        assert!(largest.0.len() <= CAPACITY, "{}", largest.0.len());
        let top = largest.top(2);
        let names: Vec<_> = top.iter().map(|(network, _)| *network).collect();
        assert_eq!(names, [network(2), network(1)]);
        let too_low = 1_030_000 / 4096 + 1;
        assert!(top.iter().zip([20_000, 10_000]).all(|((_, count), real)| (real - too_low..=real).contains(count)));
    }
}
