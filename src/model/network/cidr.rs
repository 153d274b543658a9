//! A network in CIDR notation (RFC 4632, RFC 4291), v4 or v6.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::str::FromStr;

use ipnet::{IpNet, Ipv4Net};
use thiserror::Error;

/// How long the prefix of the IPv4-mapped addresses is (RFC 4291, 2.5.5.2).
const MAPPED_PREFIX: u8 = 96;

/// A network: no bits are set beyond its prefix, and IPv4-mapped IPv6 is folded to IPv4, so that equal networks are equal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Network(IpNet);

/// Why a text is not taken as a network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum NetworkInvalid {
    /// Neither CIDR notation nor an address.
    #[error("must be a network such as 203.0.113.0/24 or 2001:db8::/32, or an address")]
    Malformed,
    /// Bits are set beyond the prefix: either the prefix or the address is not what was meant.
    #[error("must have no bits set beyond its prefix: the network is {network}")]
    HostBits {
        /// The same prefix without them.
        network: Network,
    },
}

impl Network {
    /// The network itself, for whoever compares or stores it.
    #[must_use]
    pub const fn net(self) -> IpNet {
        self.0
    }

    /// How many bits its addresses have in common.
    #[must_use]
    pub fn prefix_len(self) -> u8 {
        self.0.prefix_len()
    }

    /// Whether its addresses are of IPv4.
    #[must_use]
    pub const fn is_v4(self) -> bool {
        matches!(self.0, IpNet::V4(_))
    }

    /// Whether all addresses of `other` are among its own.
    #[must_use]
    pub fn contains(self, other: Self) -> bool {
        self.0.contains(&other.0)
    }

    /// The network around it whose addresses have this many bits in common; `None` when it has fewer itself.
    #[must_use]
    pub fn widened(self, prefix_len: u8) -> Option<Self> {
        let wider = IpNet::new(self.0.addr(), prefix_len).ok().filter(|_| prefix_len <= self.prefix_len());
        wider.map(|wider| Self(wider.trunc()))
    }
}

impl TryFrom<IpNet> for Network {
    type Error = NetworkInvalid;

    fn try_from(given: IpNet) -> Result<Self, NetworkInvalid> {
        let folded = fold(given);
        let network = Self(folded.trunc());
        if network.0 == folded { Ok(network) } else { Err(NetworkInvalid::HostBits { network }) }
    }
}

/// An address alone is the network of that address.
impl From<IpAddr> for Network {
    fn from(address: IpAddr) -> Self {
        Self(fold(IpNet::from(address)))
    }
}

impl FromStr for Network {
    type Err = NetworkInvalid;

    fn from_str(text: &str) -> Result<Self, NetworkInvalid> {
        match text.parse::<IpAddr>() {
            Ok(address) => Ok(address.into()),
            Err(_) => text.parse::<IpNet>().map_err(|_| NetworkInvalid::Malformed)?.try_into(),
        }
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A network of IPv4-mapped addresses is one of IPv4.
fn fold(net: IpNet) -> IpNet {
    let IpNet::V6(v6) = net else { return net };
    let mapped = Ipv6Addr::to_ipv4_mapped(&v6.addr());
    let prefix = v6.prefix_len().checked_sub(MAPPED_PREFIX);
    let folded = mapped.zip(prefix).and_then(|(address, prefix)| Ipv4Net::new(address, prefix).ok());
    folded.map_or(net, IpNet::V4)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::{Network, NetworkInvalid};

    fn shown(text: &str) -> String {
        text.parse::<Network>().unwrap().to_string()
    }

    #[test]
    fn networks_and_addresses_are_taken() {
        assert_eq!(shown("203.0.113.0/24"), "203.0.113.0/24");
        assert_eq!(shown("203.0.113.7"), "203.0.113.7/32");
        assert_eq!(shown("0.0.0.0/0"), "0.0.0.0/0");
        assert_eq!(shown("2001:DB8:0::/32"), "2001:db8::/32");
        assert_eq!(shown("2001:db8::1"), "2001:db8::1/128");
        assert_eq!(shown("::/0"), "::/0");
    }

    #[test]
    fn mapped_networks_are_folded() {
        assert_eq!(shown("::ffff:203.0.113.7"), "203.0.113.7/32");
        assert_eq!(shown("::ffff:203.0.113.0/120"), "203.0.113.0/24");
        assert_eq!(shown("::ffff:0:0/96"), "0.0.0.0/0");
        assert_eq!(shown("::/80"), "::/80");
    }

    #[test]
    fn bits_beyond_the_prefix_are_refused_with_the_network_that_may_be_meant() {
        let refused = |text: &str| text.parse::<Network>().unwrap_err().to_string();
        assert!(refused("203.0.113.7/24").ends_with("the network is 203.0.113.0/24"));
        assert!(refused("2001:db8::1/32").ends_with("the network is 2001:db8::/32"));
        assert!(refused("::ffff:203.0.113.7/120").ends_with("the network is 203.0.113.0/24"));
        assert!(refused("::ffff:0:0/90").ends_with("the network is ::ffc0:0:0/90"));
    }

    #[test]
    fn a_network_lies_in_every_wider_one_around_it() {
        let network: Network = "203.0.113.0/24".parse().unwrap();
        assert_eq!(network.widened(16).unwrap().to_string(), "203.0.0.0/16");
        assert_eq!(network.widened(24), Some(network));
        assert_eq!(network.widened(25), None);
        assert!(network.widened(0).unwrap().contains(network) && !network.contains("203.0.0.0/16".parse().unwrap()));
        assert!(network.contains("203.0.113.9".parse().unwrap()) && !network.contains("::/0".parse().unwrap()));
    }

    #[test]
    fn anything_else_is_malformed() {
        for text in
            ["", "10", "10.0.0.0/", "10.0.0.0/33", "10.0/8", " 10.0.0.0/8", "::/129", "fe80::1%eth0", "example.com"]
        {
            assert_eq!(text.parse::<Network>(), Err(NetworkInvalid::Malformed), "{text}");
        }
    }
}
