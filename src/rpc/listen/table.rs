//! The table of open connections, and which of them gives way when there are too many.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use ipnet::IpNet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// How long a connection may take for its handshake before it can be evicted in favour of a new one.
const EVICTABLE_AFTER: Duration = Duration::from_secs(1);

/// How many connections there may be.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ceilings {
    /// In all.
    pub(super) in_all: usize,
    /// From one network, unless it is exempt.
    pub(super) per_network: usize,
}

/// Number of a connection; later connections have higher ones.
pub(super) type ConnectionId = u64;

/// An admitted connection.
#[derive(Debug)]
pub(super) struct Admitted {
    /// Its number.
    pub(super) connection_id: ConnectionId,
    /// Cancelled when it has to give way.
    pub(super) evicted: CancellationToken,
}

/// Open connections by number, by network, and those whose handshake is not complete.
///
/// At a ceiling a new connection takes the place of the oldest one that is still shaking hands, if it has been at it for a second.
/// A client that means to call completes its handshake within a round trip or two; so sockets that say nothing cannot keep it out.
#[derive(Debug)]
pub(super) struct Table {
    ceilings: Ceilings,
    last: ConnectionId,
    open: HashMap<ConnectionId, Open>,
    shares: HashMap<IpNet, Share>,
    unfinished: BTreeSet<ConnectionId>,
}

#[derive(Debug)]
struct Open {
    /// The network that the connection counts for; `None` for an exempt one.
    network: Option<IpNet>,
    since: Instant,
    evicted: CancellationToken,
}

#[derive(Debug, Default)]
struct Share {
    open: usize,
    unfinished: BTreeSet<ConnectionId>,
}

impl Table {
    pub(super) fn new(ceilings: Ceilings) -> Self {
        let (open, shares) = (HashMap::new(), HashMap::new());
        Self { ceilings, last: 0, open, shares, unfinished: BTreeSet::new() }
    }

    /// How many connections are open.
    pub(super) fn len(&self) -> usize {
        self.open.len()
    }

    /// Takes a connection in, which counts for a network unless it is exempt; `None` if it has to be closed.
    pub(super) fn admit(&mut self, network: Option<IpNet>, now: Instant) -> Option<Admitted> {
        let share = network.and_then(|network| self.shares.get(&network));
        if let Some(share) = share.filter(|share| share.open >= self.ceilings.per_network) {
            let oldest = share.unfinished.first().copied();
            self.evict(oldest, now)?;
        } else if self.open.len() >= self.ceilings.in_all {
            self.evict(self.unfinished.first().copied(), now)?;
        }
        self.last += 1;
        let connection_id = self.last;
        let evicted = CancellationToken::new();
        self.open.insert(connection_id, Open { network, since: now, evicted: evicted.clone() });
        self.unfinished.insert(connection_id);
        if let Some(network) = network {
            let share = self.shares.entry(network).or_default();
            share.open += 1;
            share.unfinished.insert(connection_id);
        }
        Some(Admitted { connection_id, evicted })
    }

    /// The handshake of a connection is complete: it is not evicted any more.
    pub(super) fn establish(&mut self, connection_id: ConnectionId) {
        self.unfinished.remove(&connection_id);
        let network = self.open.get(&connection_id).and_then(|open| open.network);
        if let Some(share) = network.and_then(|network| self.shares.get_mut(&network)) {
            share.unfinished.remove(&connection_id);
        }
    }

    /// A connection is closed, or as good as closed.
    pub(super) fn release(&mut self, connection_id: ConnectionId) {
        self.establish(connection_id);
        let Some(network) = self.open.remove(&connection_id).and_then(|open| open.network) else { return };
        if let Some(share) = self.shares.get_mut(&network) {
            share.open -= 1;
            if share.open == 0 {
                self.shares.remove(&network);
            }
        }
    }

    /// Closes this connection if it has had its time.
    fn evict(&mut self, connection_id: Option<ConnectionId>, now: Instant) -> Option<()> {
        let connection_id = connection_id?;
        let open = self.open.get(&connection_id)?;
        if now.saturating_duration_since(open.since) < EVICTABLE_AFTER {
            return None;
        }
        open.evicted.cancel();
        self.release(connection_id);
        Some(())
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::{Ceilings, Duration, Instant, IpNet, Table};

    const CEILINGS: Ceilings = Ceilings { in_all: 3, per_network: 2 };

    fn network(number: u8) -> IpNet {
        format!("192.0.2.{number}/32").parse().unwrap()
    }

    #[test]
    fn a_network_has_its_share_and_all_together_have_a_ceiling() {
        let (mut table, now) = (Table::new(CEILINGS), Instant::now());
        let first = table.admit(Some(network(1)), now).unwrap();
        table.admit(Some(network(1)), now).unwrap();
        assert!(table.admit(Some(network(1)), now).is_none());
        table.admit(Some(network(2)), now).unwrap();
        assert!(table.admit(Some(network(2)), now).is_none(), "the ceiling");
        table.release(first.connection_id);
        table.release(first.connection_id);
        assert_eq!(table.len(), 2);
        table.admit(Some(network(1)), now).unwrap();
        assert!(table.admit(Some(network(3)), now).is_none());
    }

    #[test]
    fn an_exempt_one_has_no_share_but_the_ceiling() {
        let (mut table, now) = (Table::new(CEILINGS), Instant::now());
        for _ in 0..3 {
            table.admit(None, now).unwrap();
        }
        assert!(table.admit(None, now).is_none());
    }

    #[test]
    fn the_oldest_that_is_still_shaking_hands_gives_way() {
        let (mut table, now) = (Table::new(CEILINGS), Instant::now());
        let established = table.admit(Some(network(1)), now).unwrap();
        table.establish(established.connection_id);
        let silent = table.admit(Some(network(2)), now).unwrap();
        let later = table.admit(Some(network(3)), now + Duration::from_millis(500)).unwrap();
        assert!(table.admit(Some(network(4)), now + Duration::from_millis(999)).is_none(), "none has had its time");
        let newcomer = table.admit(Some(network(4)), now + Duration::from_secs(1)).unwrap();
        assert!(silent.evicted.is_cancelled() && !later.evicted.is_cancelled());
        table.establish(newcomer.connection_id);
        table.establish(later.connection_id);
        assert!(table.admit(Some(network(5)), now + Duration::from_mins(1)).is_none(), "all are established");
        assert!(!established.evicted.is_cancelled());
    }

    #[test]
    fn at_its_share_a_network_gives_way_to_itself_alone() {
        let (mut table, now) = (Table::new(CEILINGS), Instant::now());
        let other = table.admit(Some(network(2)), now).unwrap();
        let silent = table.admit(Some(network(1)), now).unwrap();
        table.admit(Some(network(1)), now).unwrap();
        table.admit(Some(network(1)), now + Duration::from_secs(1)).unwrap();
        assert!(silent.evicted.is_cancelled() && !other.evicted.is_cancelled());
        assert_eq!(table.len(), 3);
    }
}
