//! Epochs of a database's connections: which connections, by the time of their opening, may still be used.
//!
//! A database that fails over, or falls silent, does not close the connections that are open. What one connection learns
//! holds for all that were opened before.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// When a connection was opened, counted in retirements, and last tested, counted in suspicions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Epoch {
    retirement: u64,
    suspicion: u64,
}

impl Epoch {
    /// The epoch of a connection that was opened in `self` and tested in `epoch`.
    pub(super) fn tested_in(self, epoch: Self) -> Self {
        Self { retirement: self.retirement, suspicion: epoch.suspicion }
    }
}

/// The epochs of one database, shared by all its pools.
#[derive(Debug, Default)]
pub(super) struct Epochs {
    retirements: AtomicU64,
    suspicions: AtomicU64,
    read_only: AtomicBool,
}

impl Epochs {
    /// The epoch of connections that are opened, or tested, from now on.
    pub(super) fn current(&self) -> Epoch {
        Epoch { retirement: self.retirements.load(Ordering::SeqCst), suspicion: self.suspicions.load(Ordering::SeqCst) }
    }

    /// Discards the connections opened until now. Told by a connection that is retired already, it changes nothing, so that
    /// those opened since stay.
    pub(super) fn retire(&self, of: Epoch) {
        self.retirements.fetch_max(of.retirement.saturating_add(1), Ordering::SeqCst);
    }

    /// Lets the connections opened or tested until now be tested before they are lent again.
    pub(super) fn suspect(&self, of: Epoch) {
        self.suspicions.fetch_max(of.suspicion.saturating_add(1), Ordering::SeqCst);
    }

    pub(super) fn is_retired(&self, of: Epoch) -> bool {
        of.retirement < self.retirements.load(Ordering::SeqCst)
    }

    pub(super) fn is_suspect(&self, of: Epoch) -> bool {
        of.suspicion < self.suspicions.load(Ordering::SeqCst)
    }

    /// Records whether the database takes writes. While it takes none, and when it takes them again, the connections opened
    /// until now are discarded, because a session keeps what it began with.
    pub(super) fn record_read_only(&self, read_only: bool) {
        if self.read_only.swap(read_only, Ordering::SeqCst) || read_only {
            self.retire(self.current());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Epochs;

    #[test]
    fn an_event_is_about_the_connections_before_it_and_counts_once() {
        let epochs = Epochs::default();
        let (old, other) = (epochs.current(), epochs.current());
        epochs.retire(old);
        let new = epochs.current();
        assert!(epochs.is_retired(old) && epochs.is_retired(other) && !epochs.is_retired(new));
        // A second old connection sees the same, late.
        epochs.retire(other);
        assert!(!epochs.is_retired(new), "what was opened since is not concerned");
    }

    #[test]
    fn a_suspect_is_believed_again_once_it_is_tested_but_not_younger_for_it() {
        let epochs = Epochs::default();
        let old = epochs.current();
        epochs.suspect(old);
        assert!(epochs.is_suspect(old) && !epochs.is_retired(old));
        let tested = old.tested_in(epochs.current());
        assert!(!epochs.is_suspect(tested));
        epochs.suspect(tested);
        assert!(epochs.is_suspect(tested), "a later suspicion is about it again");
        epochs.retire(old);
        assert!(epochs.is_retired(tested));
    }

    #[test]
    fn sessions_are_renewed_while_the_database_is_read_only_and_once_after() {
        let epochs = Epochs::default();
        let first = epochs.current();
        epochs.record_read_only(false);
        assert!(!epochs.is_retired(first));
        epochs.record_read_only(true);
        let second = epochs.current();
        assert!(epochs.is_retired(first));
        epochs.record_read_only(false);
        assert!(epochs.is_retired(second));
        let third = epochs.current();
        epochs.record_read_only(false);
        assert!(!epochs.is_retired(third));
    }
}
