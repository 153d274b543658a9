//! Hosts of a database URL, and the order in which they are tried.

use std::io;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;
use tokio_postgres::Config;

use super::counted_down;
use crate::store::pg::url::{DatabaseUrl, HostAddress};

/// For how long a host that failed is tried after the others.
const LAST_FOR: Duration = Duration::from_secs(10);

/// The hosts of one URL.
pub(super) struct Hosts {
    all: Vec<Host>,
    /// How long one host may take, where the URL says so.
    longest_each: Option<Duration>,
    at_random: bool,
}

impl Hosts {
    pub(super) fn of(url: DatabaseUrl) -> Self {
        let host = |address| Host::new(&url.config, address);
        Self {
            all: url.hosts.into_iter().map(host).collect(),
            longest_each: url.connect_timeout,
            at_random: url.hosts_at_random,
        }
    }

    /// The hosts in the URL's order, or in any (`load_balance_hosts=random`), those last that failed a moment ago. Each with
    /// the number of hosts that are left, itself included.
    pub(super) fn in_turn(&self) -> Vec<(u32, &Host)> {
        let mut hosts: Vec<&Host> = self.all.iter().collect();
        if self.at_random {
            shuffle(&mut hosts);
        }
        hosts.sort_by_key(|host| host.failed_lately());
        counted_down(&hosts).map(|(left, host)| (left, *host)).collect()
    }

    /// The time that one host gets of its share.
    pub(super) fn limit(&self, share: Duration) -> Duration {
        self.longest_each.map_or(share, |longest| share.min(longest))
    }

    pub(super) fn are_at_random(&self) -> bool {
        self.at_random
    }
}

/// One host.
pub(super) struct Host {
    config: Config,
    address: HostAddress,
    name: String,
    failed_at: Mutex<Option<Instant>>,
}

impl Host {
    fn new(config: &Config, address: HostAddress) -> Self {
        let mut config = config.clone();
        config.host(address.host.as_str()).port(address.port);
        let name = format!("{}:{}", address.host, address.port);
        Self { config, address, name, failed_at: Mutex::new(None) }
    }

    /// For the log.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// How to connect to each address of the host.
    pub(super) async fn addresses(&self, at_random: bool) -> io::Result<Vec<Config>> {
        if self.address.is_socket() {
            return Ok(vec![self.config.clone()]);
        }
        let mut addresses: Vec<IpAddr> = if let Some(address) = self.address.address {
            vec![address]
        } else {
            let found = tokio::net::lookup_host((self.address.host.as_str(), self.address.port)).await?;
            found.map(|address| address.ip()).collect()
        };
        if at_random {
            shuffle(&mut addresses);
        }
        if addresses.is_empty() {
            return Err(io::Error::new(io::ErrorKind::NotFound, "the host has no address"));
        }
        let at = |address| {
            let mut config = self.config.clone();
            config.hostaddr(address);
            config
        };
        Ok(addresses.into_iter().map(at).collect())
    }

    pub(super) fn failed(&self) {
        *self.failed_at.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
    }

    pub(super) fn answered(&self) {
        *self.failed_at.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    fn failed_lately(&self) -> bool {
        let failed_at = *self.failed_at.lock().unwrap_or_else(PoisonError::into_inner);
        failed_at.is_some_and(|at| at.elapsed() < LAST_FOR)
    }
}

/// Puts the items into any order. Without randomness they keep theirs.
fn shuffle<T>(items: &mut [T]) {
    for last in (1..items.len()).rev() {
        let mut byte = [u8::MAX];
        let _ = aws_lc_rs::rand::fill(&mut byte);
        let [byte] = byte;
        items.swap(last, usize::from(byte) % (last + 1));
    }
}
